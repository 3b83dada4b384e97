"""What led to an event and what followed from it: chains and graphs of causes, with the slowest chain of each graph.

Every event names one cause at most. Those that are named come from other writers too, so a cause may be missing, lie
later than its effect, or lead round in a circle; nothing here takes that for granted.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.history.times import seconds_between

DEPTH_DEFAULT = 6
NODES_MAX = 300
CHAIN_MAX = 100


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a graph: `depth` steps after the event in question, or before it where it is below 0."""

    entry: Entry
    depth: int


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename={"cause": "from", "effect": "to"}):
    """The event with seq `cause` led to that with seq `effect`, so many seconds later."""

    cause: int
    effect: int
    seconds: float


class CauseGraph(msgspec.Struct, frozen=True, kw_only=True):
    """What led to an event and what followed from it.

    - `nodes`: by depth, then by seq.
    - `critical`: the seqs of the slowest chain through the event, from its first cause to its last effect.
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
    """What led to an event: its cause, that one's cause and so on, the nearest first; without the event itself."""
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
    growing = _Growing(start, nodes_max)
    growing.add_causes(past, depth)
    growing.add_effects(past, depth)
    nodes = sorted((Node(entry=entry, depth=steps) for entry, steps in growing.found.values()), key=_order)
    entries = {node.entry.seq: node.entry for node in nodes}
    edges = [
        Edge(cause=cause, effect=effect, seconds=seconds_between(entries[cause].ts, entries[effect].ts))
        for cause, effect in growing.edges
    ]
    return CauseGraph(
        seq=seq,
        nodes=tuple(nodes),
        edges=tuple(edges),
        critical=_critical(seq, growing.links, edges),
        is_cut=growing.is_cut,
        missing=tuple(growing.missing),
    )


class _Growing:
    """A graph while it is put together. `links` are the edges that found something new: they hold no circle."""

    def __init__(self, start: Entry, nodes_max: int) -> None:
        self.found: dict[int, tuple[Entry, int]] = {start.seq: (start, 0)}
        self.edges: list[tuple[int, int]] = []
        self.links: set[tuple[int, int]] = set()
        self.missing: list[str] = []
        self.is_cut = False
        self._start = start
        self._nodes_max = nodes_max

    def add_causes(self, past: Past, depth: int) -> None:
        """The chain that led to the start. A circle is closed by its last edge."""
        entry, step = self._start, 0
        while True:
            step += 1
            cause = _cause(past, entry)
            if cause is None:
                self.missing += [entry.causation_id] if entry.causation_id is not None else []
                return
            if cause in self.found:
                self.edges.append((cause, entry.seq))
                return
            if step > depth or not self._has_room():
                self.is_cut = True
                return
            earlier = past.entry(cause)
            self._link(earlier, -step, (cause, entry.seq))
            entry = earlier

    def add_effects(self, past: Past, depth: int) -> None:
        """What followed from the start, level by level."""
        level = [self._start]
        for step in range(1, depth + 2):
            following: list[Entry] = []
            for entry in level:
                for effect in past.caused_by(entry.event_id):
                    if effect in self.found:
                        self._close((entry.seq, effect))
                    elif step > depth or not self._has_room():
                        self.is_cut = True
                        break
                    else:
                        following.append(past.entry(effect))
                        self._link(following[-1], step, (entry.seq, effect))
            level = following

    def _has_room(self) -> bool:
        return len(self.found) < self._nodes_max

    def _link(self, entry: Entry, depth: int, edge: tuple[int, int]) -> None:
        self.found[entry.seq] = (entry, depth)
        self.edges.append(edge)
        self.links.add(edge)

    def _close(self, edge: tuple[int, int]) -> None:
        if edge not in self.edges:
            self.edges.append(edge)


def _critical(seq: int, links: set[tuple[int, int]], edges: Sequence[Edge]) -> tuple[int, ...]:
    """The chain of causes, then of all ways on the one that took longest (of equals, the one that ends last)."""
    cause_of = {edge.effect: edge for edge in edges if (edge.cause, edge.effect) in links}
    effects = [effect for effect in cause_of if seq in _back(effect, cause_of)]
    slowest = max(
        [*effects, seq], key=lambda one: (sum(cause_of[step].seconds for step in _back(one, cause_of)[:-1]), one)
    )
    return tuple(reversed(_back(slowest, cause_of)))


def _back(seq: int, cause_of: dict[int, Edge]) -> list[int]:
    """The way from an event back to the first cause of the graph."""
    way = [seq]
    while way[-1] in cause_of:
        way.append(cause_of[way[-1]].cause)
    return way


def _cause(past: Past, entry: Entry) -> int | None:
    return None if entry.causation_id is None else past.seq_of_id(entry.causation_id)


def _order(node: Node) -> tuple[int, int]:
    return node.depth, node.entry.seq
