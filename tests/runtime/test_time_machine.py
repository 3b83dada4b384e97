"""The time machine over a past in memory: pages, moments that are turned round, and files that nobody may write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from esaa.errors import NotFound, UsageError
from esaa.history.changes import Change, apply
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.history.machine import TimeMachine
from esaa.runtime.history.proof import rail_of
from esaa.runtime.history.sources import Sources
from esaa.runtime.verification.checkpoint_audit import Trust
from tests.history.memory_past import MemoryPast, claims, past_of

CONTENTS = {sha256_hex(data): data for data in (b"one\n", b"two\n", b"\0\1")}
ONE, TWO, BINARY = CONTENTS


def machine_of(past: MemoryPast, root: Path) -> TimeMachine:
    """A machine with a few contents."""
    return TimeMachine(past, Sources(root=root, content_of=CONTENTS.get))


def files_of(*states: dict[str, Any]) -> MemoryPast:
    """A past whose documents have these files."""
    return past_of(
        *({"files": {path: {"sha256": one, "task_id": "T-1"} for path, one in files.items()}} for files in states)
    )


def applied(changes: tuple[Change, ...], document: Any) -> Any:
    """A document after these changes; members that hold parts are there from the beginning."""
    return apply(changes, document)


def test_all_pages_of_a_diff_lead_from_one_state_to_the_other(tmp_path: Path) -> None:
    past = claims(12)
    machine = machine_of(past, tmp_path)
    for a, b in ((3, 11), (11, 3), (5, 5)):
        first = machine.diff(str(a), str(b), count=1)
        changes = tuple(
            change
            for offset in range(first.total)
            for change in machine.diff(str(a), str(b), offset=offset, count=1).changes
        )
        assert applied(changes, past.document(a)) == past.document(b)
        assert first.total == sum(first.counts.values())
    inside = machine.diff("1", "12", pointer="/tasks/T-2/status")
    assert [(one.op, one.after) for one in inside.changes] == [("add", "review")]
    assert machine.diff("4", "6", pointer="/run").changes == ()
    assert machine.diff("1", "12", pointer="/tasks").counts == {"tasks": 4}


def test_board_and_task_are_as_they_were(tmp_path: Path) -> None:
    machine = machine_of(claims(6), tmp_path)
    board = machine.board("5", since="3")
    assert board.counts == {"review": 1, "in_progress": 1}
    cards = {card.task_id: card.changed for column in board.columns for card in column.cards}
    assert cards == {"T-1": False, "T-2": True}
    assert [one.status for one in machine.task("T-1", "3").versions] == ["todo", "in_progress", "review"]
    with pytest.raises(NotFound, match="There is no task 'T-2' at event #2"):
        machine.task("T-2", "2")


def test_files_and_patches_are_those_of_the_moments(tmp_path: Path) -> None:
    machine = machine_of(
        files_of({"a": ONE}, {"a": TWO, "b": BINARY}, {"a": TWO, "b": BINARY, "c": "f" * 64}), tmp_path
    )
    listed = machine.files("3", since="1")
    assert {one.path: one.changed for one in listed.files} == {"a": "changed", "b": "added", "c": "added"}
    assert machine.files("2", path="a", since="1").patch == machine.patch("1", "2", path="a")
    assert machine.patch("1", "2", path="a").endswith("@@ -1 +1 @@\n-one\n+two\n")
    assert machine.files("2", path="b").is_binary
    missing = machine.files("3", path="c")
    assert (missing.content, missing.note) == (None, "its content was not kept, or was erased")
    assert machine.patch("2", "3").startswith("esaa: c may have changed")
    gone = machine.files("1", since="2")
    assert {one.path: one.changed for one in gone.files} == {"a": "changed", "b": "removed"}
    with pytest.raises(NotFound, match="nobody wrote z"):
        machine.files("3", path="z")


@pytest.mark.parametrize("path", ["../out", "/etc/x", ".git/hooks/pre-commit", ".roadmap/activity.jsonl", "a/../b", ""])
def test_checkout_writes_nothing_that_may_not_be_written(tmp_path: Path, path: str) -> None:
    machine = machine_of(files_of({path: ONE, "good": TWO}), tmp_path)
    found = machine.checkout(tmp_path / "tree")
    assert (found.written, [one.path for one in found.missing]) == (("good",), [path])
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [tmp_path / "tree" / "good"]


def test_checkout_names_a_file_in_whose_way_another_lies(tmp_path: Path) -> None:
    machine = machine_of(files_of({"a": ONE, "a/b": TWO}), tmp_path)
    found = machine.checkout(tmp_path / "tree")
    assert (found.written, len(found.missing)) == (("a",), 1)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is no folder"):
        machine.checkout(link)
    with pytest.raises(UsageError, match="is not empty"):
        machine.checkout(tmp_path / "tree")


def test_lists_are_bounded_and_places_are_checked(tmp_path: Path) -> None:
    machine = machine_of(claims(6), tmp_path)
    with pytest.raises(UsageError, match="no place -1"):
        machine.diff("0", offset=-1)
    assert [one.seq for one in machine.tail(2, count=3)] == [3, 4, 5]
    assert machine.tail(6) == ()
    page = machine.state("6", pointer="/tasks", after="T-1", count=1)
    assert ([one.name for one in page.children], page.total) == (["T-2"], 2)
    assert machine.proof("3").rail == ()
    assert machine.bisect("length(tasks) < `2`", good="1").first_bad == machine.past.entry(4)


def trust(**fields: Any) -> Trust:
    """A trust answer."""
    values: dict[str, Any] = {
        "answer": "VALID-UNANCHORED",
        "anchored_through": None,
        "anchored_by": (),
        "unanchored_tail": 0,
        "invalid_from_line": None,
        "signed_through": None,
        "checkpoint_signed_by": (),
    }
    return Trust(**(values | fields))


@pytest.mark.parametrize(
    ("fields", "rail"),
    [
        ({}, [(1, 10, "unanchored")]),
        ({"signed_through": 7}, [(1, 7, "unanchored"), (8, 10, "unanchored")]),
        (
            {"anchored_through": 4, "signed_through": 7},
            [(1, 4, "verified"), (5, 7, "unanchored"), (8, 10, "unanchored")],
        ),
        ({"anchored_through": 10}, [(1, 10, "verified")]),
        ({"invalid_from_line": 4, "signed_through": 7}, [(1, 3, "unanchored"), (4, 10, "broken")]),
        ({"invalid_from_line": 1}, [(1, 10, "broken")]),
    ],
)
def test_rail_covers_every_event_once(fields: dict[str, Any], rail: list[tuple[int, int, str]]) -> None:
    assert [(one.from_, one.to, one.kind) for one in rail_of(trust(**fields), 10)] == rail
