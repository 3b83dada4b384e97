"""Where two pasts part, and how long a log agreed with a read model."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.history.changes import Change, same
from esaa.history.divergence import first_divergence, model_divergence
from esaa.history.entries import Entry
from tests.history.memory_past import MemoryPast, claims, entry, past_of
from tests.history.values import pasts


def copied(past: MemoryPast, **edits: Any) -> MemoryPast:
    """The past with other times, ids and line hashes: another run that did the same."""
    copy = MemoryPast()
    for one in past.entries(1, past.head()):
        other = msgspec.structs.replace(
            one, event_id=f"X-{one.seq}", ts="2027" + one.ts[4:], leaf_hash=f"{one.seq:064x}", **edits
        )
        copy.append(other, past.document(one.seq))
    return copy


@given(pasts(), pasts())
def test_pasts_part_at_the_first_line_that_differs(ours: MemoryPast, theirs: MemoryPast) -> None:
    mine = [one.leaf_hash for one in ours.entries(1, ours.head())]
    other = [one.leaf_hash for one in theirs.entries(1, theirs.head())]
    first = next(
        (place for place in range(max(len(mine), len(other))) if mine[place : place + 1] != other[place : place + 1]),
        None,
    )
    found = first_divergence(ours, theirs)
    assert found.same_until == (len(mine) if first is None else first)
    assert (found.first is None) == (first is None)
    if found.first is not None and first is not None:
        assert found.first.seq == first + 1
        assert (found.first.ours is None) == (first >= len(mine))
        assert (found.first.theirs is None) == (first >= len(other))


class Looked(MemoryPast):
    """A past that counts how many entries are read."""

    entries_read = 0

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        for one in super().entries(first, last):
            self.entries_read += 1
            yield one


def chained(length: int, fork: int | None = None) -> Looked:
    """A past whose lines name the hash of the one before; from `fork` on it is another one."""
    past = Looked()
    before = ""
    for seq in range(1, length + 1):
        act = "other" if seq == fork else "claim"
        line = msgspec.json.encode({"seq": seq, "act": act, "prev_hash": before or None})
        before = sha256(line).hexdigest()
        past.append(entry(seq, leaf_hash=before), {"n": seq}, line)
    return past


@pytest.mark.parametrize(("length", "fork"), [(400, None), (300, 300), (300, 1), (300, 2), (300, 177), (0, None)])
def test_chained_lines_are_not_all_read(length: int, fork: int | None) -> None:
    ours, theirs = chained(300), chained(length, fork)
    found = first_divergence(ours, theirs)
    assert found.same_until == (min(length, 300) if fork is None else fork - 1)
    assert ours.entries_read <= 2
    assert theirs.entries_read <= 2


def test_lines_that_are_no_json_are_not_chained() -> None:
    past = Looked()
    past.append(entry(1), {}, b"\xff")
    past.append(entry(2), {}, b"[]")
    assert first_divergence(past, past).same_until == 2
    assert past.entries_read == 4


@given(pasts())
def test_two_runs_that_did_the_same_are_alike_by_meaning(past: MemoryPast) -> None:
    assert first_divergence(past, copied(past), "meaning").first is None
    found = first_divergence(past, copied(past))
    assert found.same_until == (0 if past.head() else past.head())


def run(*values: Any, name: str = "claim") -> MemoryPast:
    past = MemoryPast()
    for seq, value in enumerate(values, start=1):
        past.append(entry(seq, name, leaf_hash=f"{name} {seq} {value}"), {"tasks": {"T-1": value}, "run": {"n": seq}})
    return past


def test_another_time_makes_no_difference_of_meaning() -> None:
    ours = run({"at": "2026-01-01T00:00:00Z", "by": "me"}, {"at": "2026-01-02T00:00:00Z", "by": "me"})
    theirs = run({"at": "2027-01-01T00:00:00Z", "by": "me"}, {"at": "2027-01-02T00:00:00Z", "by": "you"})
    found = first_divergence(ours, theirs, "meaning")
    assert found.same_until == 1
    assert found.first is not None
    assert found.first.changes == (Change(op="replace", pointer="/tasks/T-1/by", before="me", after="you"),)


def test_another_act_makes_a_difference_of_meaning() -> None:
    found = first_divergence(run(1, 2), run(1, 2, name="complete"), "meaning")
    assert (found.same_until, found.first is not None) == (0, True)


def test_one_that_goes_on_differs_by_what_it_then_did() -> None:
    longer, shorter = run(1, 2), run(1)
    ours, theirs = first_divergence(longer, shorter).first, first_divergence(shorter, longer).first
    assert ours is not None
    assert theirs is not None
    assert (ours.seq, ours.ours is None, ours.theirs is None) == (2, False, True)
    assert (theirs.seq, theirs.ours is None, theirs.theirs is None) == (2, True, False)
    assert {(one.pointer, one.before, one.after) for one in ours.changes} == {("/tasks/T-1", 2, 1), ("/run/n", 2, 1)}
    assert {(one.pointer, one.before, one.after) for one in theirs.changes} == {("/tasks/T-1", 1, 2), ("/run/n", 1, 2)}


def test_a_read_model_that_is_the_state_agrees() -> None:
    past = claims(5)
    found = model_divergence(past, {"tasks": past.document(5)["tasks"]}, 5)
    assert (found.same_until, found.first) == (5, None)


def test_a_read_model_that_is_behind_names_the_event_that_it_lacks() -> None:
    past = claims(6)
    found = model_divergence(past, {"tasks": past.document(4)["tasks"], "run": past.document(4)["run"]}, 6)
    assert found.same_until == 4
    assert found.first is not None
    assert (found.first.seq, found.first.ours) == (5, past.entry(5))
    assert [change.pointer for change in found.first.changes] == ["/tasks/T-2/status"]


def test_a_read_model_that_never_was_the_state_names_who_wrote_the_value() -> None:
    past = claims(6)
    tasks = {**past.document(6)["tasks"], "T-1": {"task_id": "T-1", "status": "done"}}
    found = model_divergence(past, {"tasks": tasks}, 6)
    assert found.same_until is None
    assert found.first is not None
    assert (found.first.seq, found.first.ours) == (3, past.entry(3))


def test_a_value_that_no_event_wrote_is_told_at_the_end() -> None:
    past = past_of({"run": 1, "tasks": {}}, {"run": 2, "tasks": {}})
    found = model_divergence(past, {"run": 2, "more": 1, "tasks": {}}, 2)
    assert found.first is not None
    assert (found.same_until, found.first.seq) == (None, 2)
    empty = model_divergence(MemoryPast(), {"tasks": {"T-1": {}}}, 0)
    assert empty.first is not None
    assert (empty.same_until, empty.first.seq, empty.first.ours) == (None, 0, None)
    odd = model_divergence(past, {"tasks": 3}, 2)
    assert (odd.same_until, odd.first is not None) == (None, True)


@given(pasts(), st.data())
def test_it_is_the_last_state_that_was_the_model(past: MemoryPast, data: st.DataObject) -> None:
    if not past.head():
        return
    at = data.draw(st.integers(1, past.head()))
    members = data.draw(st.sampled_from([("tasks",), ("tasks", "run"), ("run", "files", "tasks")]))
    source = data.draw(st.integers(1, past.head()))
    model = {name: past.document(source)[name] for name in members}
    agreeing = [
        seq for seq in range(1, at + 1) if all(same(past.document(seq)[name], value) for name, value in model.items())
    ]
    found = model_divergence(past, model, at)
    if agreeing:
        assert found.same_until == agreeing[-1]
    else:
        assert found.same_until is None or found.same_until == 0
    assert (found.first is None) == (agreeing[-1:] == [at])
