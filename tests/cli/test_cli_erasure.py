"""`esaa reveal` and `esaa erase` from the command line, over log and trail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench

TEXT = "Jane Doe called from Lisbon"
COMMENT = "5e551000-0000-4000-8000-00000000000a"
WHY = ("--reason", "she asked for it", "--authority", "the officer")


@pytest.fixture
def kept(planned: Workbench) -> Workbench:
    """A workspace with a note in the log and a comment in the trail that can be erased."""
    policy = planned.root / ".roadmap" / "STORAGE_POLICY.yaml"
    policy.write_text(f"{policy.read_text()}\nerasable: [notes]\n")
    planned.ok("claim", "T-3", "--actor", "agent-impl", "--notes", TEXT)
    comment = ["CommentPosted", "--issue", "P-1", "issue_key=P-1", f"comment_body={TEXT}", "--id", COMMENT]
    planned.ok("record", *comment, "--erasable", "comment_body", "--subject", "customer-1")
    return planned


def note_of(esaa: Workbench) -> str:
    """The event of the log whose note can be erased."""
    lines = (esaa.root / ".roadmap" / "activity.jsonl").read_text().splitlines()
    return next(str(one["event_id"]) for one in map(json.loads, lines) if one["action"] == "claim")


def holding(root: Path) -> list[Path]:
    """The files that hold the text."""
    return [path for path in root.rglob("*") if path.is_file() and b"Jane" in path.read_bytes()]


def test_values_are_shown_erased_and_shown_no_more(kept: Workbench) -> None:
    note = note_of(kept)
    assert kept.ok("reveal").out == "2 HELD\n"
    assert kept.ok("reveal", note).out == f"/notes: HELD {TEXT}\n"
    assert json.loads(kept.ok("reveal", COMMENT, "--json").out)["values"][0]["value"] == TEXT
    assert len(holding(kept.root)) == 2

    done = json.loads(kept.ok("erase", note, COMMENT, *WHY, "--json").out)

    assert [one["event_id"] for one in done["values"]] == [note, COMMENT]
    assert len(done["record_ids"]) == 2
    assert holding(kept.root) == []
    assert kept.ok("reveal").out == "2 ERASED\n"
    assert "value" not in json.loads(kept.ok("reveal", COMMENT, "--json").out)["values"][0]
    kept.ok("verify", "--strict", "--files")
    again = kept.ok("erase", note, COMMENT, *WHY)
    assert "2 of them had been erased before" in again.err or "1 of them" in again.err


def test_a_subject_goes_as_a_whole(kept: Workbench) -> None:
    assert "would be erased" in kept.ok("erase", "--subject", "customer-1", *WHY, "--dry-run").out
    assert kept.ok("reveal").out == "2 HELD\n"
    assert kept.ok("erase", "--subject", "customer-1", *WHY).out == f"erased: {COMMENT} /comment_body\n"
    assert kept.ok("reveal").out == "1 HELD, 1 ERASED\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["erase", *WHY], 2, "Name the events, or a --subject"),
        (["erase", "EV-00000001", "--subject", "x", *WHY], 2, "Name the events, or a --subject"),
        (["erase", "EV-00000001"], 2, "--reason"),
        (["erase", "EV-00000001", *WHY], 2, "no erasable texts"),
        (["erase", "EV-99999999", *WHY], 7, "no event EV-99999999"),
        (["erase", "nothing", *WHY], 7, "no event nothing"),
        (["erase", "--subject", "customer-9", *WHY], 7, "No erasable value is about"),
        (["reveal", "nothing"], 7, "no event nothing"),
        (["record", "PhaseStarted", "--issue", "P-1", "phase=X", "--erasable", "phase"], 5, "bears state"),
        (["record", "PhaseStarted", "--issue", "P-1", "phase=X", "--subject", "a@b.org"], 5, "no pseudonym"),
    ],
)
def test_what_cannot_be_is_said(kept: Workbench, arguments: list[str], code: int, message: str) -> None:
    done = kept(*arguments)
    assert (done.code, message in done.err) == (code, True), done.err
    assert len(holding(kept.root)) == 2


def test_values_that_changed_end_with_four(kept: Workbench) -> None:
    (value,) = (path for path in holding(kept.root) if path.parts[-4] == "events")
    value.write_bytes(b"s" * 32 + b'"Joan"')
    done = kept("reveal")
    assert done.code == 4
    assert f"MISMATCH: {COMMENT} /comment_body" in done.out
    assert "Joan" not in kept("reveal", COMMENT).out
    value.unlink()
    done = kept("reveal")
    assert done.code == 0
    assert f"MISSING: {COMMENT} /comment_body" in done.out


def test_a_wrong_rule_stops_every_command_of_the_trail(kept: Workbench) -> None:
    (kept.root / ".roadmap" / "event-sourcing.yaml").write_text(
        "event_sourcing: {privacy: {erasable: [PhaseStarted.phase]}}"
    )
    done = kept("trail", "list")
    assert done.code == 8
    assert "`phase` of PhaseStarted bears state" in done.err


def test_a_workspace_without_erasable_values_says_so(planned: Workbench) -> None:
    assert planned.ok("reveal").out == "no erasable values\n"
    assert planned.ok("reveal", "EV-00000001").out == "EV-00000001 has no erasable values\n"
