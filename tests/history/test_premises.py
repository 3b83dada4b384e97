"""What an event rests on, and what it made possible: worked out from the states between events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from esaa.history.premises import enabled_by, premises_of
from tests.history.memory_past import MemoryPast, entry, story
from tests.history.values import pasts


def premises(past: MemoryPast, seq: int) -> list[int]:
    return premises_of(past, past.entry(seq))


def enabled(past: MemoryPast, seq: int) -> list[int]:
    return enabled_by(past, past.entry(seq))


RUN = story(
    ("run.start", None, "running"),
    ("task.create", "T-1", "todo"),
    ("task.create", "T-2", "todo", ["T-1", "T-0"]),
    ("claim", "T-1", "in_progress"),
    ("output.rejected", "T-1", ""),
    ("complete", "T-1", "review"),
    ("orchestrator.file.write", "T-1", "review", [], 6),
    ("review", "T-1", "done"),
    ("claim", "T-2", "in_progress", ["T-1", "T-0"]),
    ("complete", "T-2", "review", ["T-1", "T-0"]),
    ("review", "T-2", "done", ["T-1", "T-0"]),
    ("run.end", None, "success"),
)


@pytest.mark.parametrize(
    ("seq", "found"),
    [
        (1, []),  # the beginning
        (2, []),  # a task that was not there before
        (4, [2]),  # a claim needs its task
        (5, [4]),  # what was refused was tried on the same ground
        (6, [5]),  # the next try had the refusal before it
        (7, []),  # it names its cause
        (8, [6]),  # a review needs a delivery
        (9, [3, 8]),  # a claim needs its task, and the end of what that depends on
        (10, [9]),  # once claimed, nothing is waited for
        (12, [11]),  # a run succeeds with the last review
    ],
)
def test_an_event_rests_on_what_its_act_needed(seq: int, found: list[int]) -> None:
    assert premises(RUN, seq) == found


def test_what_an_event_made_possible_is_the_same_the_other_way_round() -> None:
    for seq in range(1, RUN.head() + 1):
        assert enabled(RUN, seq) == [one for one in range(1, RUN.head() + 1) if seq in premises(RUN, one)]


def test_a_run_that_did_not_succeed_rests_on_no_review() -> None:
    past = story(("task.create", "T-1", "todo"), ("review", "T-1", "done"), ("run.end", None, "halted"))
    assert (premises(past, 3), enabled(past, 2)) == ([], [])
    assert premises(story(("run.end", None, "success")), 1) == []


def test_an_act_on_a_task_that_nobody_knows_rests_on_nothing() -> None:
    past = story(("output.rejected", "T-9", ""), ("output.rejected", "T-9", ""))
    assert (premises(past, 2), enabled(past, 1)) == ([], [])


def test_a_refusal_that_another_change_of_the_work_followed_is_no_premise_any_more() -> None:
    past = story(("task.create", "T-1", "todo"), ("claim", "T-1", "in_progress"))
    work: dict[str, Any] = {**past.document(2), "work": {"T-1": {"reports": 1}}}
    past.append(entry(3, "issue.report", subject="T-1"), work)
    past.append(entry(4, "complete", subject="T-1"), {**work, "tasks": {"T-1": {"status": "review"}}})
    assert premises(past, 4) == [2]


@pytest.mark.parametrize("depends_on", [None, 3, {"T-1": 1}, [["T-1"], 7]])
def test_what_another_writer_says_of_dependencies_is_no_error(depends_on: Any) -> None:
    past = story(
        ("task.create", "T-1", "todo"),
        ("task.create", "T-2", "todo", depends_on),
        ("review", "T-1", "done"),
        ("claim", "T-2", "in_progress", depends_on),
    )
    assert (premises(past, 4), enabled(past, 3)) == ([2], [])
    odd = MemoryPast()
    for seq, task in enumerate((["no object"], {"status": "done"}), start=1):
        odd.append(entry(seq, subject="T-1"), {"tasks": {"T-1": task}})
    assert (premises(odd, 2), enabled(odd, 1)) == ([1], [2])


def test_streams_of_the_trail_have_no_such_rules() -> None:
    past = MemoryPast(
        [entry(1, subject="T-1"), entry(2, subject="T-1")],
        [{"tasks": {"T-1": {"status": "todo"}}}, {"tasks": {"T-1": {"status": "done"}}}],
        kind="trail",
    )
    assert (premises(past, 2), enabled(past, 1)) == ([], [])


def test_of_a_task_with_many_refusals_the_next_is_found() -> None:
    past = story(
        ("task.create", "T-1", "todo"),
        *[("output.rejected", "T-1", "")] * 30,
        ("claim", "T-1", "in_progress"),
    )
    assert enabled(past, 1) == [2]
    assert [enabled(past, seq) for seq in (2, 31)] == [[3], [32]]


@given(pasts())
def test_premises_are_earlier_and_known_from_both_sides(past: MemoryPast) -> None:
    for seq in range(1, past.head() + 1):
        found = premises(past, seq)
        assert found == sorted(set(found))
        assert all(0 < one < seq for one in found)
        assert all(seq < one for one in enabled(past, seq))
        assert all(seq in premises(past, one) for one in enabled(past, seq))
        assert msgspec.json.encode(found)
