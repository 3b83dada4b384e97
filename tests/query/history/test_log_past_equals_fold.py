"""What the index answers is what a full fold answers: at every event, of random logs and of real ones."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from esaa.history.pointers import parse_pointer, pointer_of
from esaa.protocol.facts import Fact
from esaa.query.history.log_past import LogPast
from tests.properties.strategies import ACTORS, FACTS, TIMES
from tests.query.history.log_of import Folded, lines_of, past_of, small_blocks, write_log

_STABLE = settings(derandomize=True, deadline=None, max_examples=25)
STORIES = st.lists(st.tuples(FACTS, ACTORS, TIMES), min_size=1, max_size=40)
Told = list[tuple[Fact, str, str]]

PARTED = ("tasks", "issues", "lessons", "work", "files")


def assert_same_states(past: LogPast, folded: Folded, seqs: list[int]) -> None:
    for seq in seqs:
        document = past.document(seq)
        assert json.dumps(document, sort_keys=True) == json.dumps(folded.documents[seq], sort_keys=True)
        assert past.member_sizes(seq) == {member: len(folded.documents[seq][member]) for member in PARTED}
        for pointer, value in folded.parts(seq).items():
            # In the order of its keys too, as the read model shows it.
            assert json.dumps(past.part(seq, pointer)) == json.dumps(value)


@_STABLE
@given(STORIES, st.sampled_from([0, 3, 30_000]))
def test_states_of_a_random_log_are_those_of_a_full_fold(told: Told, held_max: int) -> None:
    lines = lines_of(told)
    with tempfile.TemporaryDirectory() as folder, small_blocks():
        past = past_of(write_log(Path(folder), lines), held_max=held_max)
        with closing(past):
            assert past.head() == len(lines)
            assert past.damage is None
            assert_same_states(past, Folded(lines), list(range(len(lines) + 1)))


@_STABLE
@given(STORIES, st.data())
def test_what_changed_between_two_moments_is_what_differs_event_by_event(told: Told, data: st.DataObject) -> None:
    lines = lines_of(told)
    folded = Folded(lines)
    first = data.draw(st.integers(0, len(lines)))
    last = data.draw(st.integers(first, len(lines)))
    expected: dict[str, int] = {}
    for seq in range(first + 1, last + 1):
        for pointer in folded.changes(seq):
            expected.setdefault(pointer, seq)
    with tempfile.TemporaryDirectory() as folder, small_blocks():
        past = past_of(write_log(Path(folder), lines))
        with closing(past):
            found = list(past.changed_parts(first, last))
            assert set(found) == expected.keys()
            assert [expected[one] for one in found] == sorted(expected.values())
            assert past.count_changed(first, last) == len(found)
            offset = data.draw(st.integers(0, len(found) + 1))
            assert past.changed_page(first, last, offset, 3) == found[offset : offset + 3]
            counts = past.changed_members(first, last)
            assert counts["tasks"] == sum(one.startswith("/tasks/") for one in found)
            for pointer in (*found[:5], *(f"/{member}" for member in PARTED), ""):
                wanted = parse_pointer(pointer)
                seqs = [
                    seq
                    for seq in range(1, last + 1)
                    if any(parse_pointer(one)[: len(wanted)] == wanted for one in folded.changes(seq))
                ]
                assert list(past.part_changes(pointer, last)) == seqs
                if len(wanted) == 2:
                    assert list(past.part_changes(f"{pointer}/inside/of/it", last)) == seqs


@_STABLE
@given(STORIES, st.data())
def test_boards_and_pages_are_those_of_the_whole_document(told: Told, data: st.DataObject) -> None:
    lines = lines_of(told)
    folded = Folded(lines)
    at = data.draw(st.integers(0, len(lines)))
    since = data.draw(st.none() | st.integers(0, at))
    with tempfile.TemporaryDirectory() as folder, small_blocks():
        past = past_of(write_log(Path(folder), lines))
        with closing(past):
            for status, after in ((None, None), ("done", None), ("todo", "T-1"), ("in_progress", "T-2"), ("odd", "x")):
                assert past.board(at, since, status, after, 2) == folded.board(at, since, status, after, 2)
            for member in PARTED:
                every = list(past.parts(at, member))
                assert dict(every) == folded.documents[at][member]
                for place, (name, _) in enumerate(every):
                    assert list(past.parts_after(at, member, name, 2)) == every[place + 1 : place + 3]
            tasks = [name for name, _ in past.parts(at, "tasks")]
            assert tasks == list(folded.documents[at]["tasks"])


@_STABLE
@given(STORIES, st.lists(st.integers(0, 40), max_size=4), st.sampled_from([0, 30_000]))
def test_index_that_followed_a_growing_log_is_the_one_that_is_made_at_once(
    told: Told, cuts: list[int], held_max: int
) -> None:
    lines = lines_of(told)
    with tempfile.TemporaryDirectory() as folder, small_blocks():
        grown, whole = Path(folder, "grown"), Path(folder, "whole")
        followed: list[LogPast] = []
        for cut in sorted({min(one, len(lines)) for one in cuts} | {len(lines)}):
            log = write_log(grown, lines[:cut])
            # Two processes take turns; a third one opens what they made.
            followed.append(past_of(log, held_max=held_max))
            for past in followed[-2:]:
                assert past.head() == cut
        with closing(past_of(write_log(whole, lines), held_max=held_max)):
            assert tables(grown) == tables(whole)
        for past in followed:
            assert past.head() == len(lines)
            past.close()


def tables(root: Path) -> dict[str, Any]:
    """Everything that an index holds."""
    with closing(sqlite3.connect(root / ".roadmap" / ".esaa" / "history.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in names
            if not name.startswith(("search", "labels")) or name.endswith("_content")
        }


@pytest.mark.parametrize(
    "name",
    [
        "esaa-0.3.0-legacy",
        "esaa-0.4.0-initial",
        "esaa-mixed-0.4.0-0.4.1",
        "esaa-0.4.1-147-events",
        "esaa-0.4.1-1821-events",
        "esaa-core-290-false-checkpoint",
    ],
)
def test_states_of_a_real_log_are_those_of_a_full_fold(name: str, tmp_path: Path, real_logs: Path) -> None:
    stored = (real_logs / name / "activity.jsonl").read_bytes()
    log = write_log(tmp_path, [])
    log.write_bytes(stored)
    lines = [line for line in stored.split(b"\n") if line.strip()]
    folded = Folded(lines)
    with small_blocks(64), closing(past_of(log)) as past:
        assert past.head() == len(lines)
        assert_same_states(past, folded, [*range(0, len(lines), max(len(lines) // 12, 1)), len(lines)])
        assert [past.line(seq) for seq in range(1, len(lines) + 1)] == lines
        entries = list(past.entries(1, len(lines)))
        assert [one.event_id for one in entries] == [event.event_id for event in folded.events]
        for event in folded.events[:: max(len(lines) // 12, 1)]:
            assert past.seq_of_id(event.event_id) == event.version
        half = len(lines) // 2
        assert past.board(half, 0) == folded.board(half, 0, None, None, 50)


@pytest.mark.parametrize(
    "pointer", ["", "/tasks", "/nothing", "/nothing/x", "/tasks/T-9", "/run/run_id", "/verification/status", "/run/x/y"]
)
def test_what_is_no_part_is_unset(pointer: str, tmp_path: Path, log_of_work: Callable[[Path], Path]) -> None:
    with closing(past_of(log_of_work(tmp_path))) as past:
        assert past.part(past.head(), pointer) is UNSET


def test_part_is_there_from_the_event_on_that_made_it(tmp_path: Path, log_of_work: Callable[[Path], Path]) -> None:
    with closing(past_of(log_of_work(tmp_path))) as past:
        created = past.part_changes("/tasks/T-1", past.head())[0]
        assert past.part(created - 1, "/tasks/T-1") is UNSET
        assert past.part(created, "/tasks/T-1")["status"] == "todo"
        assert past.part(past.head(), pointer_of(("tasks", "T-1")))["status"] == "review"
        assert past.part(0, "/run")["run_id"] is None
        assert past.part(0, "/verification") == {"status": "unknown"}
