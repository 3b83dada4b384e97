"""Vector clocks: a partial order, and joins that are the least clock above both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.trail.joining.clocks import Order, joined, order, ticked

WRITERS = st.sampled_from(["mac", "ci", "ws"])
CLOCKS = st.dictionaries(WRITERS, st.integers(0, 4), max_size=3)
MIRROR: dict[Order, Order] = {"before": "after", "after": "before", "equal": "equal", "concurrent": "concurrent"}


def is_at_most(first: dict[str, int], second: dict[str, int]) -> bool:
    return order(first, second) in ("before", "equal")


def test_first_event_of_a_writer_counts_one() -> None:
    assert ticked({}, "mac") == {"mac": 1}


def test_tick_counts_its_writer_alone_and_leaves_the_clock_as_it_was() -> None:
    clock = {"mac": 2, "ci": 5}
    assert ticked(clock, "mac") == {"mac": 3, "ci": 5}
    assert clock == {"mac": 2, "ci": 5}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, "equal"),
        ({"mac": 0}, {}, "equal"),
        ({}, {"mac": 1}, "before"),
        ({"mac": 1}, {"mac": 1, "ci": 1}, "before"),
        ({"mac": 2, "ci": 1}, {"mac": 2}, "after"),
        ({"mac": 1}, {"ci": 1}, "concurrent"),
        ({"mac": 2, "ci": 1}, {"mac": 1, "ci": 2}, "concurrent"),
    ],
)
def test_order_of_two_clocks(first: dict[str, int], second: dict[str, int], expected: Order) -> None:
    assert order(first, second) == expected


@given(CLOCKS, WRITERS)
def test_a_tick_comes_after(clock: dict[str, int], writer: str) -> None:
    assert order(clock, ticked(clock, writer)) == "before"


@given(CLOCKS, CLOCKS)
def test_order_is_the_same_from_the_other_side(first: dict[str, int], second: dict[str, int]) -> None:
    assert order(second, first) == MIRROR[order(first, second)]


@given(CLOCKS, CLOCKS, CLOCKS)
def test_order_is_transitive(one: dict[str, int], two: dict[str, int], three: dict[str, int]) -> None:
    if is_at_most(one, two) and is_at_most(two, three):
        assert is_at_most(one, three)


@given(CLOCKS, CLOCKS)
def test_order_is_antisymmetric(first: dict[str, int], second: dict[str, int]) -> None:
    if is_at_most(first, second) and is_at_most(second, first):
        assert {name: n for name, n in first.items() if n} == {name: n for name, n in second.items() if n}


@given(CLOCKS, CLOCKS, CLOCKS)
def test_join_is_the_least_upper_bound(first: dict[str, int], second: dict[str, int], other: dict[str, int]) -> None:
    both = joined(first, second)
    assert is_at_most(first, both)
    assert is_at_most(second, both)
    if is_at_most(first, other) and is_at_most(second, other):
        assert is_at_most(both, other)


@given(CLOCKS, CLOCKS, CLOCKS)
def test_join_asks_for_no_order(one: dict[str, int], two: dict[str, int], three: dict[str, int]) -> None:
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert order(joined(one, one), one) == "equal"


@given(CLOCKS, WRITERS, WRITERS)
def test_two_writers_that_do_not_know_of_each_other_are_concurrent(clock: dict[str, int], one: str, other: str) -> None:
    expected = "equal" if one == other else "concurrent"
    assert order(ticked(clock, one), ticked(clock, other)) == expected
