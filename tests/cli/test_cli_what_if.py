"""`esaa what-if` and `esaa rejections` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.workbench import Workbench


@pytest.fixture
def story(esaa: Workbench, make_template: Callable[[str, list[list[str]]], Path]) -> Workbench:
    """A task that is claimed, a delivery that is refused, and one that is taken."""
    template = make_template(
        "refused-and-taken",
        [
            ["init", "--name", "tide"],
            ["task", "create", "T-1", "--kind", "impl", "--title", "Make the page"],
            ["claim", "T-1", "--actor", "agent-impl"],
        ],
    )
    esaa.fill_from(template)
    for path, code in (("lib/x.js", 5), ("src/x.js", 0)):
        event = {"action": "complete", "task_id": "T-1", "verification": {"checks": ["read it line by line"]}}
        sent = {"activity_event": event, "file_updates": [{"path": path, "content": "let x\n"}]}
        outcome = esaa("submit", "-", "--actor", "agent-impl", stdin=json.dumps(sent).encode())
        assert outcome.code == code, outcome
        esaa.edit("RUNTIME_POLICY.yaml", "cooldown: PT2M", "cooldown: PT0S") if code else None
    return esaa


def seq_of(esaa: Workbench, action: str) -> int:
    """The last event of an action."""
    return max(number for number, name in enumerate(esaa.actions(), start=1) if name == action)


def what_if(esaa: Workbench, *arguments: str, code: int = 1) -> Any:
    """The answer in JSON."""
    outcome = esaa("what-if", "--json", *arguments)
    assert outcome.code == code, outcome
    return outcome.answer


def test_without_a_change_nothing_would_be_otherwise(story: Workbench) -> None:
    before = story.log.read_bytes()
    told = story.ok("what-if")
    assert "nothing would have been otherwise" in told.out
    answer = what_if(story, code=0)
    assert answer["is_hypothetical"] is True
    assert (answer["outcomes"], answer["changes"], answer["first_divergence"]) == ([], [], None)
    assert story.log.read_bytes() == before


def test_dropped_claim_is_told_with_all_that_it_takes_along(story: Workbench) -> None:
    claim, delivery = seq_of(story, "claim"), seq_of(story, "complete")
    told = story("what-if", "--drop", str(claim))
    assert told.code == 1
    assert f"the stories part at #{claim}" in told.out
    assert f"#{delivery}  agent-impl  complete  T-1  accepted -> rejected, MISSING_CLAIM" in told.out
    assert "~ /tasks/T-1/status  review -> todo" in told.out
    answer = what_if(story, "--drop", str(claim))
    assert [one["is"] for one in answer["outcomes"]] == ["dropped", "rejected", "rejected"]
    assert answer["cli"] == f"esaa what-if --drop {claim}"


def test_pages_are_short_and_say_what_is_left(story: Workbench) -> None:
    told = story("what-if", "--drop", str(seq_of(story, "claim")), "--count", "1")
    assert "... and 2 more outcomes (--count)" in told.out
    assert "more changes (--count)" in told.out


def test_edited_refusal_is_taken(story: Workbench) -> None:
    refused = seq_of(story, "output.rejected")
    answer = what_if(story, "--edit", f'{refused}:/output/file_updates/0/path="src/y.js"')
    assert answer["outcomes"][0] | {"summary": ""} == {
        "seq": refused,
        "actor": "agent-impl",
        "name": "complete",
        "subject": "T-1",
        "summary": "",
        "was": "rejected",
        "is": "accepted",
        "error_code": None,
        "message": None,
        "was_error_code": "BOUNDARY_VIOLATION",
        "is_edited": True,
        "note": "",
    }


def test_inserted_result_comes_from_a_file_or_from_input(story: Workbench) -> None:
    late = {"actor": "agent-qa", "activity_event": {"action": "claim", "task_id": "T-1"}}
    (story.root / "late.json").write_text(json.dumps(late))
    answer = what_if(story, "--insert", "late.json@HEAD")
    assert [(one["was"], one["is"]) for one in answer["outcomes"]] == [("absent", "rejected")]
    story("what-if", "--insert", "-@HEAD", stdin=json.dumps(late).encode())


def test_what_is_not_judged_is_said(story: Workbench) -> None:
    for path in (story.roadmap / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    told = story.ok("what-if")
    assert "not judged, 1: the refused output was not kept" in told.out
    assert "not judged, 1: the content of a delivered file is not kept" in told.out
    edited = story("what-if", "--edit", f'{seq_of(story, "complete")}:/payload/notes="x"')
    assert "accepted -> not judged: the content of a delivered file is not kept" in edited.out


def test_other_contracts_are_a_folder(story: Workbench) -> None:
    other = story.root / "other"
    other.mkdir()
    text = (story.roadmap / "AGENT_CONTRACT.yaml").read_text()
    (other / "AGENT_CONTRACT.yaml").write_text(text.replace('"src/**", "tests/**"]', '"tests/**"]'))
    answer = what_if(story, "--contracts", "other")
    assert [(one["was"], one["is"], one["error_code"]) for one in answer["outcomes"]] == [
        ("accepted", "rejected", "BOUNDARY_VIOLATION")
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--drop", "99"], 7, "EVENT_NOT_FOUND"),
        (["--drop", "soon"], 2, "REF_INVALID"),
        (["--edit", "3"], 2, "WHAT_IF_EDIT_INVALID"),
        (["--edit", "3:/payload/x/y=1"], 2, "WHAT_IF_EDIT_INVALID"),
        (["--edit", "3:/payload/~x=1"], 2, "POINTER_INVALID"),
        (["--insert", "late.json"], 2, "WHAT_IF_INSERT_INVALID"),
        (["--insert", "none.json@3"], 7, "FILE_NOT_READ"),
        (["--contracts", "nowhere"], 7, "CONTRACTS_NOT_FOUND"),
        (["--issue", "PROJ-9"], 7, "ISSUE_NOT_FOUND"),
    ],
    ids=str,
)
def test_bad_input_is_named(story: Workbench, arguments: list[str], code: int, error: str) -> None:
    outcome = story("what-if", "--json", *arguments)
    assert outcome.code == code, outcome
    assert outcome.error["code"] == error


def test_stream_of_the_trail_is_folded_again(story: Workbench) -> None:
    for name in ("PLAN", "CODE"):
        story.ok("record", "PhaseStarted", "--actor", "user:ada", "--issue", "PROJ-1", f"phase={name}")
    assert what_if(story, "--issue", "PROJ-1", code=0)["note"].startswith("A stream of the trail has no rules")
    answer = what_if(story, "--issue", "PROJ-1", "--drop", "2")
    assert [(one["name"], one["is"]) for one in answer["outcomes"]] == [("PhaseStarted", "dropped")]
    assert "/current_phase" in [one["pointer"] for one in answer["changes"]]
    assert answer["cli"] == "esaa what-if --drop 2 --issue PROJ-1"
    new = {"event_type": "PhaseStarted", "metadata": {"phase": "TEST"}}
    (story.root / "new.json").write_text(json.dumps(new))
    edits = ("--edit", '1:/metadata/phase="OTHER"', "--insert", "new.json@2")
    answer = what_if(story, "--issue", "PROJ-1", *edits)
    assert [(one["was"], one["is"]) for one in answer["outcomes"]] == [("accepted", "accepted"), ("absent", "accepted")]
    assert answer["counts"] == {"dropped": 0, "edited": 1, "inserted": 1}
    refused = story("what-if", "--json", "--issue", "PROJ-1", "--contracts", ".")
    assert (refused.code, refused.error["code"]) == (2, "WHAT_IF_NO_RULES")


def test_rejections_are_told_with_what_was_asked(story: Workbench) -> None:
    told = story.ok("rejections").out
    assert "asked by    agent-impl: complete on T-1" in told
    assert "asked for" in told
    assert "lib/x.js" in told
    assert "refused by  boundary: BOUNDARY_VIOLATION" in told
    assert "then" in told
    (one,) = story.ok("rejections", "--json").answer["rejections"]
    assert one["asked"]["output"]["file_updates"][0]["path"] == "lib/x.js"
    assert one["rule"]["layer"] == "boundary"
    assert one["next"]["name"] == "complete"


def test_rejections_of_a_range_and_the_newest_ones(story: Workbench) -> None:
    story("submit", "-", "--actor", "agent-impl", stdin=b"no JSON")
    refused = seq_of(story, "output.rejected")
    newest = story.ok("rejections", "-n", "1")
    assert "1 older ones" in newest.err
    assert "asked for   no JSON" in newest.out
    assert story.ok("rejections", f"..{refused - 1}", "--json").answer["total"] == 1
    assert story.ok("rejections", f"{refused}..", "--json").answer["total"] == 1
    assert story.ok("rejections", str(refused), "--json").answer["total"] == 1
    nothing = story.ok("rejections", "..2")
    assert (nothing.out, nothing.err) == ("", "nothing was refused\n")
