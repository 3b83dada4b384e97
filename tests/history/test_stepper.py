"""A walk through a past: what continuing finds, reverse-continuing finds too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from esaa.errors import NotFound, UsageError
from esaa.history.changes import same
from esaa.history.predicates import Predicate
from esaa.history.stepper import Breakpoint, Stepper, Stop
from esaa.history.values import value_in
from tests.history.memory_past import MemoryPast, claims, entry, past_of
from tests.history.values import ACTIONS, ACTORS, pasts

WHERE = ["tasks.\"T-1\".status == 'review'", "length(tasks) == `2`", "run.status", "tasks.*.depends_on[]"]
breakpoints = st.builds(
    Breakpoint,
    names=st.lists(st.sampled_from(ACTIONS), max_size=1).map(tuple),
    actors=st.lists(st.sampled_from(ACTORS), max_size=2).map(tuple),
    subjects=st.lists(st.sampled_from(["T-1", "T-2"]), max_size=1).map(tuple),
    rejections_only=st.booleans(),
    where=st.none() | st.sampled_from(WHERE),
    pointer=st.none() | st.sampled_from(["/tasks/T-1", "/tasks/T-1/status", "/run/status", "/run", "/tasks", ""]),
).filter(lambda one: one != Breakpoint())


def hits(past: MemoryPast, wanted: Breakpoint) -> list[int]:
    """The events that a breakpoint names, by a look at all of them."""
    found: list[int] = []
    for one in past.entries(1, past.head()):
        predicate = Predicate(wanted.where) if wanted.where else None
        if (
            (not wanted.names or one.name in wanted.names)
            and (not wanted.actors or one.actor in wanted.actors)
            and (not wanted.subjects or one.subject in wanted.subjects)
            and (not wanted.rejections_only or one.is_rejection)
            and (
                predicate is None or (predicate.is_met_at(past, one.seq) and not predicate.is_met_at(past, one.seq - 1))
            )
            and (
                wanted.pointer is None
                or not same(*(_value(past, seq, wanted.pointer) for seq in (one.seq - 1, one.seq)))
            )
        ):
            found.append(one.seq)
    return found


def _value(past: MemoryPast, seq: int, pointer: str) -> object:
    # A member without parts is not told from one that is not there: no event changed a part of it.
    value = value_in(past, seq, pointer)
    return {} if value is UNSET and pointer == "/tasks" else value


@given(pasts(), st.lists(breakpoints, min_size=1, max_size=3))
def test_going_back_finds_what_going_on_had_found(past: MemoryPast, wanted: list[Breakpoint]) -> None:
    stepper = Stepper(past)
    numbers = {stepper.add_breakpoint(one): hits(past, one) for one in wanted}
    expected = sorted({seq for found in numbers.values() for seq in found})
    there: list[Stop] = []
    while (stop := stepper.continue_()).reason == "breakpoint":
        there.append(stop)
    assert (stop.reason, stop.seq) == ("end", past.head())
    assert [one.seq for one in there] == expected
    assert all(one.seq in numbers[one.breakpoint or 0] for one in there)
    back: list[int] = []
    if expected and expected[-1] == past.head():
        back.append(expected[-1])
    while (stop := stepper.reverse_continue()).reason == "breakpoint":
        back.append(stop.seq)
        assert stop.seq in numbers[stop.breakpoint or 0]
    assert (stop.reason, stop.seq) == ("start", 0)
    assert back == expected[::-1]


@given(pasts(), breakpoints, st.integers(1, 3))
def test_looking_at_few_states_at_once_finds_the_same(past: MemoryPast, wanted: Breakpoint, looks_max: int) -> None:
    stepper = Stepper(past, looks_max=looks_max)
    stepper.add_breakpoint(wanted)
    found: list[int] = []
    while (stop := stepper.continue_()).reason != "end":
        found += [stop.seq] if stop.reason == "breakpoint" else []
    assert found == hits(past, wanted)
    back = [past.head()] if found[-1:] == [past.head()] and past.head() else []
    while (stop := stepper.reverse_continue()).reason != "start":
        back += [stop.seq] if stop.reason == "breakpoint" else []
    assert back == found[::-1]


@given(pasts(), st.sampled_from([*(Breakpoint(where=one) for one in WHERE), Breakpoint(pointer="/tasks/T-1")]))
def test_a_condition_alone_stops_where_it_begins_to_hold(past: MemoryPast, wanted: Breakpoint) -> None:
    stepper = Stepper(past)
    stepper.add_breakpoint(wanted)
    found: list[int] = []
    while (stop := stepper.continue_()).reason == "breakpoint":
        found.append(stop.seq)
    assert found == hits(past, wanted)


def test_a_condition_is_met_once_until_it_fails() -> None:
    stepper = Stepper(claims(6))
    stepper.add_breakpoint(Breakpoint(where="tasks.\"T-1\".status == 'review'"))
    stepper.add_breakpoint(Breakpoint(where="length(values(tasks)) == `2`"))
    assert [(stepper.continue_().seq, stepper.here.breakpoint) for _ in range(3)] == [(3, 1), (4, 2), (6, None)]
    assert [(stepper.reverse_continue().seq, stepper.here.breakpoint) for _ in range(3)] == [(4, 2), (3, 1), (0, None)]


def test_more_events_than_a_page_are_walked_both_ways() -> None:
    past = MemoryPast()
    for seq in range(1, 251):
        past.append(entry(seq, subject="T-1" if seq % 2 else "T-2"), {"n": seq})
    stepper = Stepper(past)
    stepper.add_breakpoint(Breakpoint(subjects=("T-1",), where="n == `249`"))
    assert stepper.continue_().seq == 249
    stepper.remove_breakpoint(1)
    stepper.add_breakpoint(Breakpoint(subjects=("T-1",), where="n == `1`"))
    assert stepper.reverse_continue().seq == 1
    stepper.add_breakpoint(Breakpoint(subjects=("T-2",), where="n == `9999`"))
    assert stepper.reverse_continue().reason == "start"


def test_a_full_page_may_be_the_last_one() -> None:
    past = MemoryPast()
    for seq in range(1, 201):
        past.append(entry(seq, subject="T-1"), {"n": seq})
    stepper = Stepper(past)
    stepper.add_breakpoint(Breakpoint(subjects=("T-1",), where="n == `0`"))
    assert (stepper.continue_().reason, stepper.here.seq) == ("end", 200)


def test_steps_end_at_both_ends() -> None:
    stepper = Stepper(claims(6), at=5)
    assert (stepper.step().seq, stepper.here.reason) == (6, "here")
    assert (stepper.step().seq, stepper.here.reason) == (6, "end")
    assert (stepper.back(5).seq, stepper.here.reason) == (1, "here")
    assert (stepper.back(9).seq, stepper.here.reason, stepper.here.entry) == (0, "start", None)
    assert stepper.go(3).entry == claims(6).entry(3)
    with pytest.raises(NotFound):
        stepper.go(7)
    with pytest.raises(NotFound):
        Stepper(claims(6), at=-1)


def test_next_and_previous_stay_with_the_subject() -> None:
    past = MemoryPast()
    for seq, subject in enumerate(["T-1", "T-2", None, "T-1", "T-2"], start=1):
        past.append(entry(seq, subject=subject), {})
    stepper = Stepper(past, at=1)
    assert (stepper.next().seq, stepper.previous().seq) == (4, 1)
    assert (stepper.previous().seq, stepper.here.reason) == (0, "start")
    assert (stepper.next().seq, stepper.previous().seq) == (1, 0)
    stepper.go(4)
    assert (stepper.next().seq, stepper.here.reason) == (5, "end")
    stepper.go(3)
    assert (stepper.next().seq, stepper.go(3).seq, stepper.previous().seq) == (4, 3, 2)


def test_watched_values_say_whether_they_changed() -> None:
    stepper = Stepper(claims(6))
    stepper.watch("/tasks/T-1/status")
    stepper.watch("length(keys(tasks || `{}`))")
    seen = [[(one.value, one.is_changed) for one in stepper.step().watches] for _ in range(4)]
    assert seen == [
        [("todo", True), (1, True)],
        [("in_progress", True), (1, False)],
        [("review", True), (1, False)],
        [("review", False), (2, True)],
    ]
    stop = stepper.unwatch("/tasks/T-1/status")
    assert [one.expression for one in stop.watches] == ["length(keys(tasks || `{}`))"]
    with pytest.raises(NotFound):
        stepper.unwatch("/tasks/T-1/status")
    for expression in ("/a~x", "a..b"):
        with pytest.raises(UsageError):
            stepper.watch(expression)


def test_a_watched_value_that_cannot_be_asked_says_so() -> None:
    stepper = Stepper(claims(6))
    (watch,) = stepper.watch("length(tasks)").watches
    assert watch.value is None
    assert "length" in watch.fault
    (watch,) = stepper.step().watches
    assert (watch.value, watch.is_changed, watch.fault) == (1, True, "")


def test_a_past_that_grows_is_walked_on() -> None:
    past = past_of({"run": 1})
    stepper = Stepper(past, at=1)
    number = stepper.add_breakpoint(Breakpoint(pointer="/run"))
    assert stepper.continue_().reason == "end"
    past.append(entry(2), {"run": 2})
    assert (stepper.continue_().seq, stepper.here.breakpoint) == (2, number)


def test_breakpoints_are_checked_and_have_numbers() -> None:
    stepper = Stepper(claims(3))
    wanted = Breakpoint(where="run.status == 'x'")
    assert stepper.add_breakpoint(wanted) == 1
    assert stepper.breakpoints == {1: wanted}
    stepper.remove_breakpoint(1)
    assert stepper.add_breakpoint(Breakpoint(pointer="")) == 2
    with pytest.raises(NotFound):
        stepper.remove_breakpoint(1)
    for bad in (Breakpoint(), Breakpoint(where="a..b"), Breakpoint(pointer="tasks")):
        with pytest.raises(UsageError):
            stepper.add_breakpoint(bad)
