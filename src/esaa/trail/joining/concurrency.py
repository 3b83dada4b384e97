"""What two histories say about the order of their events: one order that breaks none of it, and what it leaves open.

An event knows another one where it follows it in a history, where its vector clock says so, or where its
`causation_id` names it. Two events of which neither knows the other are concurrent.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from esaa.trail.event import TrailEvent
from esaa.trail.joining.clocks import order as clock_order

PAIRS_MAX = 250_000
"""Up to so many pairs are all looked at; beyond, only neighbours in the new order are."""

_MERGED = "TrailMerged"


class Pairs(NamedTuple):
    """Concurrent pairs: how many, some of them by name, and whether every pair was looked at."""

    total: int
    named: tuple[tuple[str, str], ...]
    is_complete: bool


def ordered(events: Mapping[str, TrailEvent], own: Iterable[tuple[str, str]]) -> list[str]:
    """All ids in one order that keeps every known cause; open questions go by time, then id.

    `own` are pairs of an event and one that its writer wrote after it. Where clocks contradict them, they win; where
    they contradict each other, the time decides.
    """
    graph = _Graph(events)
    for before, after in own:
        graph.add(before, after, is_own=True)
    for before, after in _causes(events):
        graph.add(before, after, is_own=False)
    return graph.order()


def concurrent_pairs(
    events: Mapping[str, TrailEvent], sides: Sequence[Sequence[str]], merged: Sequence[str], named_max: int
) -> Pairs:
    """Pairs of one event of each side's own of which neither knew the other; those that came to lie nearest first.

    Merges themselves are left out: they tell of no work.
    """
    place = {event_id: number for number, event_id in enumerate(merged)}
    first, second = _own(events, sides)
    knowledge = _Knowledge(events, first, second)
    is_complete = len(first) * len(second) <= PAIRS_MAX
    if is_complete:
        found = [(one, other) for one in first for other in second if knowledge.is_concurrent(one, other)]
    else:
        found = [pair for pair in _neighbours(merged, set(first), set(second)) if knowledge.is_concurrent(*pair)]
    pairs = [tuple(sorted(pair, key=place.__getitem__)) for pair in found]
    nearest = heapq.nsmallest(named_max, pairs, key=lambda pair: (place[pair[1]] - place[pair[0]], place[pair[0]]))
    return Pairs(len(pairs), tuple((before, after) for before, after in nearest), is_complete)


class _Graph:
    """Which event must come before which, and the one order that follows."""

    def __init__(self, events: Mapping[str, TrailEvent]) -> None:
        self._key = {event_id: (event.ts, event_id) for event_id, event in events.items()}
        self._after: dict[str, list[tuple[str, bool]]] = {event_id: [] for event_id in events}
        self._own = dict.fromkeys(events, 0)
        self._all = dict.fromkeys(events, 0)

    def add(self, before: str, after: str, *, is_own: bool) -> None:
        """One event comes before another: in its writer's own order, or because it is known to have led to it."""
        self._after[before].append((after, is_own))
        self._all[after] += 1
        self._own[after] += is_own

    def order(self) -> list[str]:
        """The earliest event first that nothing left has to precede."""
        free = [key for key in self._key.values() if not self._all[key[1]]]
        own_free = [key for key in self._key.values() if not self._own[key[1]]]
        rest = list(self._key.values())
        for heap in (free, own_free, rest):
            heapq.heapify(heap)
        done: dict[str, None] = {}
        while len(done) < len(self._key):
            event_id = _next(free, done) or _next(own_free, done) or _next(rest, done)
            assert event_id is not None, "some event is left"
            done[event_id] = None
            for after, is_own in self._after[event_id]:
                self._all[after] -= 1
                self._own[after] -= is_own
                if not self._all[after]:
                    heapq.heappush(free, self._key[after])
                if is_own and not self._own[after]:
                    heapq.heappush(own_free, self._key[after])
        return list(done)


def _next(heap: list[tuple[str, str]], done: Mapping[str, None]) -> str | None:
    while heap:
        event_id = heapq.heappop(heap)[1]
        if event_id not in done:
            return event_id
    return None


def _causes(events: Mapping[str, TrailEvent]) -> Iterator[tuple[str, str]]:
    """Pairs of a cause and what followed from it, by `causation_id` and by the vector clocks."""
    for event_id, event in events.items():
        cause = event.causation_id
        if cause is not None and cause in events and cause != event_id:
            yield cause, event_id
    yield from _known_by_clock(events)


def _known_by_clock(events: Mapping[str, TrailEvent]) -> Iterator[tuple[str, str]]:
    """For each event the newest one of each writer that its clock knows; what is older follows from that one.

    The event with which a writer reached a count is the least of those whose clocks show that count.
    """
    least: dict[str, dict[int, tuple[int, str, str]]] = {}
    clocks = {
        event_id: event.fact.vector_clock
        for event_id, event in events.items()
        # The clock of a merge knows what was joined, and who knows as much need not know of the merge.
        if event.fact.vector_clock and event.fact.event_type != _MERGED
    }
    for event_id, clock in clocks.items():
        rank = (sum(clock.values()), events[event_id].ts, event_id)
        for writer, count in clock.items():
            counts = least.setdefault(writer, {})
            counts[count] = min(rank, counts.get(count, rank))
    steps = {writer: sorted(counts) for writer, counts in least.items()}
    for event_id, clock in clocks.items():
        for writer, count in clock.items():
            at = bisect_right(steps[writer], count) - 1
            # The event itself may be the least of its count; then the one before it is known too.
            for step in steps[writer][max(0, at - 1) : at + 1]:
                known = least[writer][step][2]
                if known != event_id and clock_order(clocks[known], clock) == "before":
                    yield known, event_id


class _Knowledge:
    """What the events of one side know of the other."""

    def __init__(self, events: Mapping[str, TrailEvent], first: Sequence[str], second: Sequence[str]) -> None:
        self._events = events
        self._place = {event_id: number for side in (first, second) for number, event_id in enumerate(side)}
        self._known = {**self._reach(first, set(second)), **self._reach(second, set(first))}

    def is_concurrent(self, one: str, other: str) -> bool:
        """True where neither of two events of different sides knows the other."""
        clock, other_clock = self._events[one].fact.vector_clock, self._events[other].fact.vector_clock
        if clock and other_clock:
            # Equal clocks of different events: two machines write under one name.
            return clock_order(clock, other_clock) in ("concurrent", "equal")
        return self._place[other] > self._known[one] and self._place[one] > self._known[other]

    def _reach(self, side: Sequence[str], others: set[str]) -> dict[str, int]:
        """For each event the last place of the other side that it knows, through a cause of its own or before it."""
        last = -1
        known: dict[str, int] = {}
        for event_id in side:
            cause = self._events[event_id].causation_id
            if cause in others:
                last = max(last, self._place[cause])
            known[event_id] = last
        return known


def _own(events: Mapping[str, TrailEvent], sides: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """The events that only one side has, merges left out."""
    first, second = (set(side) for side in sides)
    mine, theirs = (
        [one for one in side if one not in others and events[one].fact.event_type != _MERGED]
        for side, others in zip(sides, (second, first), strict=True)
    )
    return mine, theirs


def _neighbours(merged: Sequence[str], first: set[str], second: set[str]) -> Iterator[tuple[str, str]]:
    for one, other in pairwise(merged):
        if one in first and other in second:
            yield one, other
        elif one in second and other in first:
            yield other, one
