"""One pass over a stream of the trail: what each event is about, what it led to, which parts of the state it changed.

A stream is scanned once, and then only what was appended. Kept are names and numbers, and the folded state every so
many events; the events themselves stay on disk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

from esaa.history.entries import Entry
from esaa.history.pointers import pointer_of
from esaa.kernel.chain import leaf_hash
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.stores.trail import Located
from esaa.trail.evolve import evolve
from esaa.trail.facts.base import named
from esaa.trail.facts.tasks import OutputRejected
from esaa.trail.state import OrchestrationState, copy_state

CURSORS = frozenset({"last_sequence", "last_event_at"})
"""Fields of the state that say where one is; they change with every event, and are no part of a document."""
MEMBERS = tuple(name for name in OrchestrationState.__struct_fields__ if name not in CURSORS)
"""The members of a document: all other fields."""
_KEPT_MAX = 256
_KEPT_EVERY = 64


class Key(NamedTuple):
    """What a filter asks of an event."""

    name: str
    actor: str
    subject: str | None
    is_rejection: bool


class StreamScan:
    """What is known of a stream up to `last`. The first event is `first`: retention may have deleted earlier ones."""

    def __init__(self, trail: Trail, stream: str) -> None:
        self._trail = trail
        self._stream = stream
        segments = trail.store.stream(stream).segments()
        self.first = segments[0].first if segments else 1
        self.last = self.first - 1
        self.leaf: str | None = None
        self.keys: list[Key] = []
        self.ids: dict[str, int] = {}
        self.effects: dict[str, list[int]] = {}
        self.parts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._touched: list[tuple[int, ...]] = []
        self._changes: list[array[int]] = []
        self._interned: dict[Key, Key] = {}
        self._kept: dict[int, OrchestrationState] = {}
        self._every = _KEPT_EVERY
        self._state = OrchestrationState()
        if self.last:
            self._state = TrailStates(trail).reconstruct(stream, sequence=self.last).state
        self._kept[self.last] = copy_state(self._state)
        self._previous = copy_state(self._state)

    def is_current(self) -> bool:
        """True while the stream still holds the last event that was scanned."""
        events = self._trail.store.stream(self._stream)
        segments = events.segments()
        if (segments[0].first if segments else 1) != self.first or events.tip().head.version < self.last:
            return False
        if self.last < self.first:
            return True
        line = events.line_at(self.last)
        return line is not None and leaf_hash(line) == self.leaf

    def advance(self) -> None:
        """Takes in what was appended. Raises `CorruptLog`."""
        for located in self._trail.store.stream(self._stream).events(self.last + 1):
            self._take(located)

    def state_at(self, seq: int) -> OrchestrationState:
        """The state after an event, folded from the nearest one that is kept."""
        if seq == self.last:
            return copy_state(self._previous)
        begin = max(one for one in self._kept if one <= seq)
        state = copy_state(self._kept[begin])
        for located in self._trail.store.stream(self._stream).events(begin + 1, seq) if seq > begin else ():
            evolve(state, located.event, self._trail.types.fact_of(located.event))
        return state

    def changed(self, seq: int) -> Iterator[str]:
        """The pointers of the parts that an event changed."""
        return (self.parts[number] for number in self._touched[seq - self.first])

    def changes_of(self, pointer: str) -> array[int]:
        """The seqs of the events that changed a part, ascending."""
        number = self._numbers.get(pointer)
        return array("q") if number is None else self._changes[number]

    def _take(self, located: Located) -> None:
        event = located.event
        fact = self._trail.types.fact_of(event)
        evolve(self._state, event, fact)
        key = Key(event.fact.event_type, event.actor, named(fact, "task_id"), isinstance(fact, OutputRejected))
        self.keys.append(self._interned.setdefault(key, key))
        self.ids[event.event_id] = event.version
        if event.causation_id is not None:
            self.effects.setdefault(event.causation_id, []).append(event.version)
        self._touched.append(tuple(self._note(pointer, event.version) for pointer in self._differing()))
        self.last = event.version
        self.leaf = leaf_hash(located.line)
        if (self.last - self.first + 1) % self._every == 0:
            self._keep()

    def _differing(self) -> Iterator[str]:
        """The parts that differ from those before; the values are immutable, so the comparison is mostly `is`."""
        previous, current = self._previous, self._state
        for name in MEMBERS:
            before, after = getattr(previous, name), getattr(current, name)
            if before is after or before == after:
                continue
            if isinstance(after, dict):
                yield from (pointer_of((name, key)) for key in _keys(before, after))
                setattr(previous, name, dict(after))
            else:
                yield pointer_of((name,))
                setattr(previous, name, list(after) if isinstance(after, list) else after)

    def _note(self, pointer: str, seq: int) -> int:
        number = self._numbers.get(pointer)
        if number is None:
            number = self._numbers[pointer] = len(self.parts)
            self.parts.append(pointer)
            self._changes.append(array("q"))
        self._changes[number].append(seq)
        return number

    def _keep(self) -> None:
        self._kept[self.last] = copy_state(self._state)
        if len(self._kept) > _KEPT_MAX:
            # Every second one goes: a long stream is kept as coarsely as its length asks for.
            self._every *= 2
            self._kept = {seq: state for seq, state in self._kept.items() if (seq - self.first + 1) % self._every == 0}


def entry_of(located: Located, trail: Trail) -> Entry:
    """An event of the trail as history sees it."""
    event = located.event
    fact = trail.types.fact_of(event)
    return Entry(
        seq=event.version,
        event_id=event.event_id,
        ts=event.ts,
        actor=event.actor,
        name=event.fact.event_type,
        subject=named(fact, "task_id"),
        summary=fact.summary(),
        leaf_hash=leaf_hash(located.line),
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        is_rejection=isinstance(fact, OutputRejected),
    )


def _keys(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names whose values differ, those that are gone at the end."""
    changed = [key for key, value in after.items() if key not in before or before[key] != value]
    return changed + [key for key in before if key not in after]
