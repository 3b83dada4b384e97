"""What led to an event and what followed from it: chains and graphs of causes, with the slowest chain of each graph.

An event names one cause at most; one that names none may rest on earlier events that made it possible (`premises`).
Causes that are named come from other writers too, so one may be missing, lie later than its effect, or lead round in a
circle; nothing here takes that for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.history.premises import enabled_by, premises_of
from esaa.history.times import seconds_between

DEPTH_DEFAULT = 6
NODES_MAX = 300
CHAIN_MAX = 100


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a graph: `depth` steps after the event in question, or before it where it is below 0."""

    entry: Entry
    depth: int


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename={"cause": "from", "effect": "to"}):
    """The event with seq `cause` led to that with seq `effect`, so many seconds later.

    `kind` is `caused` where the effect names its cause, `enabled` where it could not have been without it.
    """

    cause: int
    effect: int
    seconds: float
    kind: Literal["caused", "enabled"]


class CauseGraph(msgspec.Struct, frozen=True, kw_only=True):
    """What led to an event and what followed from it.

    - `nodes`: by depth, then by seq.
    - `edges`: by the seq of the effect, then of the cause.
    - `critical`: the seqs of the slowest chain through the event: back from it always by what came last of all that it
      had to wait for, and on to the end that took longest.
    - `is_cut`: true where more is known than the bounds let in.
    - `missing`: ids that are named as causes and are not in this past.
    """

    seq: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    critical: tuple[int, ...]
    is_cut: bool
    missing: tuple[str, ...]


def causes_of(past: Past, seq: int, *, count: int = CHAIN_MAX) -> list[Entry]:
    """The causes that are named: an event's own, that one's and so on, the nearest first; without the event itself."""
    seen = {seq}
    chain: list[Entry] = []
    entry = past.entry(seq)
    while len(chain) < count:
        cause = _cause(past, entry)
        if cause is None or cause in seen:
            break
        seen.add(cause)
        entry = past.entry(cause)
        chain.append(entry)
    return chain


def effects_of(past: Past, seq: int, *, count: int = CHAIN_MAX) -> list[Entry]:
    """The events that name this one as their cause, oldest first."""
    return [past.entry(one) for one in past.caused_by(past.entry(seq).event_id)[:count]]


def cause_graph(past: Past, seq: int, *, depth: int = DEPTH_DEFAULT, nodes_max: int = NODES_MAX) -> CauseGraph:
    """The causes of an event and its effects, each up to `depth` steps away, and no more than `nodes_max` events."""
    start = past.entry(seq)
    growing = _Growing(past, start, nodes_max)
    growing.add(_before, -1, depth)
    growing.add(_after, 1, depth)
    nodes = sorted((Node(entry=entry, depth=steps) for entry, steps in growing.found.values()), key=_order)
    edges = list(_edges(past, nodes))
    missing = [
        node.entry.causation_id
        for node in nodes
        if node.entry.causation_id is not None and _cause(past, node.entry) is None
    ]
    return CauseGraph(
        seq=seq,
        nodes=tuple(nodes),
        edges=tuple(edges),
        critical=_critical(seq, edges),
        is_cut=growing.is_cut,
        missing=tuple(missing),
    )


class _Growing:
    """The events of a graph while it is put together, each with its distance from the start."""

    def __init__(self, past: Past, start: Entry, nodes_max: int) -> None:
        self.found: dict[int, tuple[Entry, int]] = {start.seq: (start, 0)}
        self.is_cut = False
        self._past = past
        self._start = start
        self._nodes_max = nodes_max

    def add(self, next_of: Callable[[Past, Entry], Sequence[int]], sign: Literal[-1, 1], depth: int) -> None:
        """What lies one step farther, level by level."""
        level = [self._start]
        for step in range(1, depth + 2):
            following: list[Entry] = []
            for seq in (seq for entry in level for seq in next_of(self._past, entry)):
                if seq in self.found:
                    continue
                if step > depth or len(self.found) >= self._nodes_max:
                    self.is_cut = True
                    return
                following.append(self._past.entry(seq))
                self.found[seq] = (following[-1], sign * step)
            level = following


def _before(past: Past, entry: Entry) -> Sequence[int]:
    cause = _cause(past, entry)
    return premises_of(past, entry) if cause is None else (cause,)


def _after(past: Past, entry: Entry) -> Sequence[int]:
    return sorted({*past.caused_by(entry.event_id), *enabled_by(past, entry)})


def _edges(past: Past, nodes: Sequence[Node]) -> Iterator[Edge]:
    """All steps between the events of a graph."""
    entries = {node.entry.seq: node.entry for node in nodes}
    for effect in sorted(entries):
        entry = entries[effect]
        for cause in _before(past, entry):
            if cause in entries:
                yield Edge(
                    cause=cause,
                    effect=effect,
                    seconds=seconds_between(entries[cause].ts, entry.ts),
                    kind="enabled" if entry.causation_id is None else "caused",
                )


def _critical(seq: int, edges: Sequence[Edge]) -> tuple[int, ...]:
    """The slowest chain. Steps back in time are left out of it, so it never leads round in a circle."""
    forward = [edge for edge in edges if edge.cause < edge.effect]
    waited: dict[int, Edge] = {}  # of each event the last one that it had to wait for; edges come in this order
    for edge in forward:
        waited[edge.effect] = edge
    # From the event on, only through what followed from it.
    took: dict[int, tuple[float, Edge | None]] = {seq: (0, None)}
    for edge in forward:
        if edge.cause in took:
            seconds = took[edge.cause][0] + edge.seconds
            if edge.effect not in took or seconds >= took[edge.effect][0]:
                took[edge.effect] = (seconds, edge)
    last = max(took, key=lambda one: (took[one][0], one))
    way = [last]
    while way[-1] != seq:
        step = took[way[-1]][1]
        assert step is not None, "only the event itself has no step before it"
        way.append(step.cause)
    while way[-1] in waited:
        way.append(waited[way[-1]].cause)
    return tuple(reversed(way))


def _cause(past: Past, entry: Entry) -> int | None:
    return None if entry.causation_id is None else past.seq_of_id(entry.causation_id)


def _order(node: Node) -> tuple[int, int]:
    return node.depth, node.entry.seq
