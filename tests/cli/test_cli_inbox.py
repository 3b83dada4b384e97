"""The inbox: results dropped as files, taken once, moved away, or left with a word why."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench, result


@pytest.fixture
def inbox(planned: Workbench) -> Path:
    """The inbox of the planned workspace."""
    folder = planned.roadmap / "inbox"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_an_empty_inbox_is_no_news(planned: Workbench) -> None:
    outcome = planned.ok("inbox", "--once")
    assert (outcome.out, outcome.err) == ("", "")
    assert (planned.roadmap / "inbox").is_dir()


def test_files_are_taken_in_the_order_of_their_names(planned: Workbench, inbox: Path) -> None:
    (inbox / "agent-spec__1.json").write_bytes(result("claim", "T-1"))
    (inbox / "agent-spec__2.json").write_bytes(result("claim", "T-1"))
    (inbox / "agent-impl__0.json").write_bytes(result("claim", "T-3"))
    outcome = planned("inbox", "--once")
    assert outcome.code == 5
    assert [line.split(": ")[:2] for line in outcome.out.splitlines()] == [
        ["agent-impl__0.json", "accepted"],
        ["agent-spec__1.json", "accepted"],
        ["agent-spec__2.json", "rejected, INVALID_TRANSITION"],
    ]
    assert names(inbox) == ["accepted/agent-impl__0.json", "accepted/agent-spec__1.json", "rejected/agent-spec__2.json"]
    planned.assert_sound()


def test_json_is_one_object_a_file(planned: Workbench, inbox: Path) -> None:
    (inbox / "agent-spec__1.json").write_bytes(result("claim", "T-1"))
    (inbox / "agent-spec__2.json").write_bytes(b"{")
    lines = planned("inbox", "--once", "--json").out.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [(one["file"], one["accepted"]) for one in answers] == [
        ("agent-spec__1.json", True),
        ("agent-spec__2.json", False),
    ]
    assert answers[1]["rejected"]["error_code"] == "JSON_INVALID"


def test_a_delivery_by_inbox_writes_files_and_warns(planned: Workbench, inbox: Path) -> None:
    (inbox / "agent-impl__1.json").write_bytes(result("claim", "T-3"))
    (inbox / "agent-impl__2.json").write_bytes(
        result("complete", "T-3", {"src/script.js": "1\n"}, verification={"checks": ["looks good"]})
    )
    outcome = planned.ok("inbox", "--once")
    assert (planned.root / "src/script.js").read_text() == "1\n"
    assert "warning: " in outcome.err
    planned.assert_sound()


@pytest.mark.parametrize(
    "name",
    [
        "result.json",
        "agent-spec_1.json",
        "__1.json",
        "agent-spec__1.txt",
        "agent-spec__1.json.bak",
        "agent-spec__1",
        "README",
        "agent\x1b[2J__1.json",
        "agent\n__1.json",
    ],
)
def test_a_bad_name_is_left_with_a_word(planned: Workbench, inbox: Path, name: str) -> None:
    (inbox / name).write_bytes(result("claim", "T-1"))
    log = planned.log.read_bytes()
    outcome = planned("inbox", "--once")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err.count("\n") == 1
    assert "its name is not ACTOR__NAME.json" in outcome.err
    assert "\x1b" not in outcome.err
    assert (inbox / name).is_file()
    assert planned.log.read_bytes() == log


def test_hidden_files_and_folders_are_not_looked_at(planned: Workbench, inbox: Path) -> None:
    (inbox / ".agent-spec__1.json.tmp").write_bytes(b"{")
    (inbox / "agent-spec__folder.json").mkdir()
    outcome = planned.ok("inbox", "--once")
    assert (outcome.out, outcome.err) == ("", "")


def test_links_and_pipes_are_left_with_a_word(planned: Workbench, inbox: Path) -> None:
    (planned.root / "claim.json").write_bytes(result("claim", "T-1"))
    (inbox / "agent-spec__link.json").symlink_to(planned.root / "claim.json")
    (inbox / "agent-spec__dangling.json").symlink_to("nowhere")
    (inbox / "agent-spec__folder.json").symlink_to(planned.root)
    os.mkfifo(inbox / "agent-spec__pipe.json")
    log = planned.log.read_bytes()
    outcome = planned("inbox", "--once")
    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err.count("it is no plain file") == outcome.err.count("\n") == 4
    assert planned.log.read_bytes() == log
    assert (planned.root / "claim.json").is_file()


def test_strangers_are_refused_and_coalesced(planned: Workbench, inbox: Path) -> None:
    for number in range(5):
        (inbox / f"stranger__{number}.json").write_bytes(result("claim", "T-1"))
    before = planned.actions()
    outcome = planned("inbox", "--once")
    assert outcome.code == 5
    assert outcome.out.count("rejected, ACTOR_UNKNOWN: ") == 5
    assert planned.actions()[len(before) :] == ["output.rejected"]
    assert names(inbox) == [f"rejected/stranger__{number}.json" for number in range(5)]
    planned.assert_sound()


def test_the_orchestrator_and_the_monitor_have_no_inbox(planned: Workbench, inbox: Path) -> None:
    for actor in ("orchestrator", "runtime-monitor"):
        (inbox / f"{actor}__1.json").write_bytes(result("claim", "T-1"))
    outcome = planned("inbox", "--once")
    assert outcome.code == 5
    assert outcome.out.count("rejected, ") == 2
    assert planned.ok("status", "T-1", "--json").answer["task"]["status"] == "todo"
    planned.assert_sound()


def test_the_same_name_again_gets_a_number(planned: Workbench, inbox: Path) -> None:
    for _ in range(3):
        (inbox / "agent-spec__1.json").write_bytes(b"{")
        assert planned("inbox", "--once").code == 5
    assert names(inbox) == [
        "rejected/agent-spec__1.2.json",
        "rejected/agent-spec__1.3.json",
        "rejected/agent-spec__1.json",
    ]
    assert planned.actions().count("output.rejected") == 3


def test_a_file_whose_move_was_lost_is_not_taken_twice(planned: Workbench, inbox: Path) -> None:
    """A crash between the record and the move: the file still lies there, and its act is in the log."""
    (inbox / "agent-spec__1.json").write_bytes(result("claim", "T-1"))
    planned.ok("inbox", "--once")
    log = planned.log.read_bytes()
    shutil.move(inbox / "accepted" / "agent-spec__1.json", inbox / "agent-spec__1.json")
    assert planned.ok("inbox", "--once", "--json").answer["repeat"] is True
    assert planned.log.read_bytes() == log
    assert names(inbox) == ["accepted/agent-spec__1.json"]


def test_dry_run_leaves_the_files(planned: Workbench, inbox: Path) -> None:
    (inbox / "agent-spec__1.json").write_bytes(result("claim", "T-1"))
    assert planned.ok("inbox", "--dry-run").out == "agent-spec__1.json: would be accepted\n"
    assert names(inbox) == ["agent-spec__1.json"]


def test_an_oversized_file_is_refused_without_reading_it_all(planned: Workbench, inbox: Path) -> None:
    path = inbox / "agent-spec__1.json"
    with path.open("wb") as file:
        file.truncate(3 << 30)  # sparse
    outcome = planned("inbox", "--once")
    assert outcome.code == 5
    assert "RESOURCE_LIMIT_EXCEEDED" in outcome.out
    planned.assert_sound()
