"""`esaa prompt`: the very words, their digest, and an own template."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.contracts.templates import parse_template
from esaa.kernel.canonical import canonical, sha256_hex
from tests.cli.workbench import Workbench


@pytest.fixture
def planned(esaa: Workbench) -> Workbench:
    esaa.ok("init", "--name", "pages")
    esaa.ok("task", "create", "T-1", "--kind", "impl", "--title", "Make the page", "--output", "src/page.html")
    return esaa


def test_prompt_is_printed_and_its_digest_said(planned: Workbench) -> None:
    before = planned.log.read_bytes()
    shown = planned.ok("prompt", "T-1")
    answer = planned.ok("prompt", "T-1", "--json").answer
    for part in (answer["system"], answer["user"]):
        assert part in shown.out
    assert answer["sha256"] == sha256_hex(canonical({"system": answer["system"], "user": answer["user"]}))
    assert answer["sha256"] in shown.err
    assert (answer["actor"], answer["action"], answer["template"]) == ("agent-impl", "claim", "impl.core")
    assert answer["tokens_estimated"] <= answer["tokens_max"] == 100_000
    assert set(answer["schema"]["properties"]) == {"activity_event"}
    assert planned.log.read_bytes() == before


def test_other_actor_has_another_profile(planned: Workbench) -> None:
    own, other = (
        planned.ok("prompt", "T-1", "--json").answer,
        planned.ok("prompt", "T-1", "--actor", "agent-qa", "--json"),
    )
    assert other.answer["actor"] == "agent-qa"
    assert other.answer["system"] != own["system"]


def test_printed_template_is_one_and_an_own_one_is_used(planned: Workbench) -> None:
    text = planned.ok("prompt", "T-1", "--template").out
    assert parse_template("impl.core", text, is_shipped=True).version == "1"
    (planned.roadmap / "PROMPT_TEMPLATE.impl.core.md").write_text(text.replace("You implement.", "Thou makest."))
    answer = planned.ok("prompt", "T-1", "--json").answer
    assert "Thou makest." in answer["system"]
    assert len(answer["template_version"]) == 64
    (planned.roadmap / "PROMPT_TEMPLATE.impl.core.md").write_text("nothing")
    outcome = planned("prompt", "T-1")
    assert (outcome.code, "PROMPT_TEMPLATE.impl.core.md" in outcome.err) == (8, True)


def test_who_or_what_is_not_there_is_said(planned: Workbench, tmp_path: Path) -> None:
    outcome = planned("prompt", "T-2")
    assert (outcome.code, "Did you mean T-1?" in outcome.err) == (7, True)
    outcome = planned("prompt", "T-1", "--actor", "agent-x")
    assert (outcome.code, "agent-impl" in outcome.err) == (7, True)


def test_nobody_is_asked_about_a_done_task(landing: Workbench) -> None:
    outcome = landing("prompt", "T-1000")
    assert (outcome.code, "nobody is asked" in outcome.err) == (2, True)
