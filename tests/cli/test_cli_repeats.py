"""Commands given twice, and outputs of strangers: harmless, and never a flood."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench, result


def test_a_repeated_command_gets_its_first_receipt(planned: Workbench) -> None:
    line = ["submit", "-", "--actor", "agent-spec", "--command-id", "C-1"]
    first = planned.ok(*line, "--json", stdin=result("claim", "T-1")).answer
    log = planned.log.read_bytes()
    second = planned.ok(*line, "--json", stdin=result("claim", "T-1")).answer
    assert (first["repeat"], second["repeat"]) == (False, True)
    assert second["events"] == [event for event in first["events"] if not event["action"].startswith("verify.")]
    assert planned.ok(*line, stdin=result("claim", "T-1")).out.startswith("already done: ")
    assert planned.log.read_bytes() == log
    planned.assert_sound()


@pytest.mark.parametrize(
    ("line", "action"),
    [
        (["task", "create", "T-9", "--kind", "spec", "--title", "x"], "task.create"),
        (["claim", "T-1", "--actor", "agent-spec"], "claim"),
        (
            [
                "issue",
                "report",
                "T-1",
                "--actor",
                "agent-qa",
                "--id",
                "ISS-1",
                "--severity",
                "low",
                "--title",
                "x",
                "--symptom",
                "x",
                "--step",
                "x",
            ],
            "issue.report",
        ),
        (["reject", "T-3", "--actor", "agent-impl", "--message", "x"], "output.rejected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_writer_takes_a_command_id(claimed: Workbench, line: list[str], action: str) -> None:
    before = claimed.actions().count(action)
    claimed.ok(*line, "--command-id", "C-1")
    assert claimed.actions().count(action) == before + 1
    if line[0] == "claim":
        # The claim as sent states the status that it saw, so the second one is another command.
        outcome = claimed(*line, "--command-id", "C-1")
        assert (outcome.code, "COMMAND_ID_CONFLICT" in claimed(*line, "--command-id", "C-1", "--json").err) == (6, True)
    else:
        assert claimed.ok(*line, "--command-id", "C-1").out.startswith("already done: ")
    assert claimed.actions().count(action) == before + 1
    claimed.assert_sound()


def test_an_id_used_for_another_command_is_a_conflict(planned: Workbench) -> None:
    planned.ok("submit", "-", "--actor", "agent-spec", "--command-id", "C-1", stdin=result("claim", "T-1"))
    log = planned.log.read_bytes()
    for line, data in (
        (["submit", "-", "--actor", "agent-spec"], result("claim", "T-1", notes="another")),
        (["submit", "-", "--actor", "agent-impl"], result("claim", "T-1")),
        (["task", "create", "T-9", "--kind", "spec", "--title", "x"], b""),
    ):
        outcome = planned(*line, "--command-id", "C-1", stdin=data)
        assert (outcome.code, outcome.out) == (6, "")
        assert "The command id C-1 was used before" in outcome.err
        assert outcome.err.count("\n") == 1
        assert planned(*line, "--command-id", "C-1", "--json", stdin=data).error["code"] == "COMMAND_ID_CONFLICT"
    assert planned.log.read_bytes() == log


def test_a_repeated_command_that_was_refused_is_refused_again(planned: Workbench) -> None:
    line = ["submit", "-", "--actor", "agent-impl", "--command-id", "C-1"]
    first = planned(*line, stdin=result("claim", "T-2"))
    log = planned.log.read_bytes()
    second = planned(*line, stdin=result("claim", "T-2"))
    assert first.code == second.code == 5
    assert "DEPENDENCY_NOT_DONE" in second.err
    assert planned(*line, "--json", stdin=result("claim", "T-2")).answer["repeat"] is True
    assert planned.log.read_bytes() == log


def test_a_dry_run_uses_no_id_up(planned: Workbench) -> None:
    line = ["task", "create", "T-9", "--kind", "spec", "--title", "x", "--command-id", "C-1"]
    planned.ok(*line, "--dry-run")
    assert planned.ok(*line).out.startswith("T-9 is todo")


def strange(esaa: Workbench, name: str, data: bytes) -> None:
    outcome = esaa("submit", "-", "--actor", name, stdin=data)
    assert (outcome.code, outcome.out) == (5, "")
    assert "ACTOR_UNKNOWN" in outcome.err
    assert "agent-spec" in outcome.err, "it says who is registered"
    assert outcome.err.count("\n") == 1


def test_strangers_make_one_event_a_minute(planned: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    before = planned.lines()
    for number in range(30):
        strange(planned, f"stranger-{number}", result("claim", "T-1", notes=str(number)))
    (line,) = planned.lines()[len(before) :]
    payload = json.loads(line)["payload"]
    assert (payload["count"], payload["counts"], payload["error_code"]) == (1, False, "ACTOR_UNKNOWN")
    assert "stranger-0" not in line.decode(), "what a stranger writes stays out of the log"

    monkeypatch.setattr(time, "time", lambda: now + 61)
    strange(planned, "stranger-31", b"not even JSON")
    payload = json.loads(planned.lines()[-1])["payload"]
    assert payload["count"] == 30
    assert len(payload["digests"]) == 16
    assert len(planned.lines()) == len(before) + 2
    assert planned.ok("status", "T-1", "--json").answer["work"]["attempts"] == 0
    planned.assert_sound()


def test_the_details_of_strangers_stay_small(planned: Workbench) -> None:
    for number in range(120):
        strange(planned, "x" * 5000, str(number).encode())
    details = planned.roadmap / ".esaa" / "unknown-actors.jsonl"
    assert len(details.read_bytes().splitlines()) == 100
    assert details.stat().st_size < 40_000
    assert planned.actions().count("output.rejected") == 1
    planned.assert_sound()


@pytest.mark.parametrize(
    "actor", ["orchestrator", "", "agent-spec ", "AGENT-SPEC", "agent_spec", "../agent-spec", "agent-spec\n"]
)
def test_only_the_exact_name_of_a_registered_actor_acts(planned: Workbench, actor: str) -> None:
    strange(planned, actor, result("claim", "T-1"))
    assert planned.ok("status", "T-1", "--json").answer["task"]["status"] == "todo"
    planned.assert_sound()


def test_a_repeated_file_name_is_no_command_id(planned: Workbench, tmp_path: Path) -> None:
    """Submitting the same file twice without an id is asking twice."""
    (tmp_path / "claim.json").write_bytes(result("claim", "T-1"))
    planned.ok("submit", str(tmp_path / "claim.json"), "--actor", "agent-spec")
    assert planned("submit", str(tmp_path / "claim.json"), "--actor", "agent-spec").code == 5
