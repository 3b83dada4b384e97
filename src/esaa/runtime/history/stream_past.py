"""The past of one stream of the trail: the state after an event is what `esaa state --issue` shows.

A part is a member of that state; where the member is an object (`tasks`, `files`), each of its values is a part.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.errors import NotFound
from esaa.history.entries import Entry, EntryFilter, EntryPage, Kind
from esaa.history.indexed import Facets
from esaa.history.pointers import parse_pointer, pointer_of
from esaa.runtime.history.stream_scan import CURSORS, MEMBERS, StreamScan, entry_of
from esaa.runtime.trail.moments import sequence_of
from esaa.runtime.trail.states import TrailStates, check_stream
from esaa.runtime.trail.trail import Trail
from esaa.stores.trail import Located
from esaa.trail.state import OrchestrationState, encode_state

_STATES_KEPT = 16
_EMPTY = OrchestrationState()


class StreamPast:
    """A `Past` over a stream. Raises `UsageError` for a key that is none, `NotFound` for a stream without events.

    It is scanned when something is first asked that a single state or event does not answer.
    """

    def __init__(self, trail: Trail, stream: str) -> None:
        check_stream(stream)
        self._trail = trail
        self._stream = stream
        self._states = TrailStates(trail)
        self._kept: OrderedDict[tuple[int, str | None], OrchestrationState] = OrderedDict()
        self._scan: StreamScan | None = None
        if self.head() == 0:
            raise NotFound("ISSUE_NOT_FOUND", f"The trail has no events of {stream}.", "`esaa trail list` names them.")

    @property
    def name(self) -> str:
        """The key of the stream."""
        return self._stream

    @property
    def kind(self) -> Kind:
        """The vocabulary of the trail."""
        return "trail"

    def head(self) -> int:
        """The sequence of the last event."""
        return self._trail.store.stream(self._stream).tip().head.version

    def seq_of(self, ref: str) -> int:
        """The sequence of the last event at a moment."""
        return sequence_of(self._trail, self._stream, ref)

    def seq_of_id(self, event_id: str) -> int | None:
        """The sequence of an event by its id."""
        return self._scanned().ids.get(event_id)

    def entry(self, seq: int) -> Entry:
        """One event."""
        return entry_of(self._located(seq), self._trail)

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """The events from `first` to `last`, both included."""
        for located in self._trail.store.stream(self._stream).events(max(first, 1), last):
            yield entry_of(located, self._trail)

    def line(self, seq: int) -> bytes:
        """The stored line of an event."""
        return self._located(seq).line

    def find(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EntryPage:
        """The events that fit a filter."""
        seqs = self._fitting(wanted)
        page = tuple(self.entry(seq) for seq in seqs[offset : offset + count])
        return EntryPage(total=len(seqs), offset=offset, entries=page)

    def caused_by(self, event_id: str) -> Sequence[int]:
        """The sequences of the events that name this one as their cause."""
        return tuple(self._scanned().effects.get(event_id, ()))

    def document(self, seq: int) -> dict[str, Any]:
        """The whole state after an event."""
        found: dict[str, Any] = msgspec.json.decode(encode_state(self._state(seq)))
        return {name: value for name, value in found.items() if name not in CURSORS}

    def part(self, seq: int, pointer: str) -> Any:
        """A member of the state, or a value of a member that is an object."""
        names = parse_pointer(pointer)
        if not names or names[0] not in MEMBERS:
            return UNSET
        value = getattr(self._state(seq), names[0])
        if isinstance(value, dict):
            if len(names) != 2 or names[1] not in value:
                return UNSET
            value = value[names[1]]
        elif len(names) != 1:
            return UNSET
        return msgspec.json.decode(msgspec.json.encode(value))

    def parts(self, seq: int, member: str) -> Iterator[tuple[str, Any]]:
        """The values of a member that is an object."""
        value = getattr(self._state(seq), member) if member in MEMBERS else None
        if isinstance(value, dict):
            for name, one in value.items():
                yield name, msgspec.json.decode(msgspec.json.encode(one))

    def changed_parts(self, after: int, until: int) -> Iterator[str]:
        """The parts that events after `after` up to `until` changed."""
        scan = self._scanned()
        seen: set[str] = set()
        for seq in range(max(after + 1, scan.first), min(until, scan.last) + 1):
            for pointer in scan.changed(seq):
                if pointer not in seen:
                    seen.add(pointer)
                    yield pointer

    def part_changes(self, pointer: str, until: int) -> Sequence[int]:
        """The events that changed the part that a pointer lies in; of an object, those that changed any of it."""
        names = parse_pointer(pointer)
        scan = self._scanned()
        if not names:
            return [seq for seq in range(scan.first, min(until, scan.last) + 1) if any(scan.changed(seq))]
        if not isinstance(getattr(_EMPTY, names[0], None), dict):
            seqs: Sequence[int] = scan.changes_of(pointer_of(names[:1]))
        elif len(names) > 1:
            seqs = scan.changes_of(pointer_of(names[:2]))
        else:
            prefix = pointer_of(names) + "/"
            seqs = sorted(set(merge(*(scan.changes_of(one) for one in scan.parts if one.startswith(prefix)))))
        return tuple(seqs[: bisect_right(seqs, until)])

    def count_changed(self, after: int, until: int) -> int:
        """How many parts `changed_parts` names."""
        return sum(1 for _ in self.changed_parts(after, until))

    def facets(self) -> Facets:
        """The names, actors and subjects that occur."""
        keys = set(self._scanned().keys)
        return Facets(
            names=tuple(sorted({one.name for one in keys})),
            actors=tuple(sorted({one.actor for one in keys})),
            subjects_count=len({one.subject for one in keys if one.subject is not None}),
        )

    def _located(self, seq: int) -> Located:
        located = next(self._trail.store.stream(self._stream).events(seq, seq), None) if seq > 0 else None
        if located is None or located.event.version != seq:
            raise NotFound(
                "EVENT_NOT_FOUND",
                f"{self._stream} has no event {seq}: it ends at event {self.head()}.",
                "`esaa trail list` says how many.",
            )
        return located

    def _scanned(self) -> StreamScan:
        if self._scan is None or not self._scan.is_current():
            self._scan = StreamScan(self._trail, self._stream)
        self._scan.advance()
        return self._scan

    def _state(self, seq: int) -> OrchestrationState:
        if seq == 0 and (self._scan is None or self._scan.first == 1):
            return _EMPTY
        tip = self._trail.store.stream(self._stream).tip()
        if not 0 <= seq <= tip.head.version:
            self._located(seq)
        # The tip is part of the name: a stream that was replaced while it is open has other states.
        key = (seq, tip.head.leaf_hash)
        found = self._kept.get(key)
        if found is None:
            found = self._folded(seq)
            self._kept[key] = found
            if len(self._kept) > _STATES_KEPT:
                self._kept.popitem(last=False)
        return found

    def _folded(self, seq: int) -> OrchestrationState:
        scan = self._scan
        if scan is None or not scan.first <= seq <= scan.last or not scan.is_current():
            return self._states.reconstruct(self._stream, sequence=seq).state
        return scan.state_at(seq)

    def _fitting(self, wanted: EntryFilter) -> list[int]:
        scan = self._scanned()
        last = scan.last if wanted.last is None else min(wanted.last, scan.last)
        first = max(wanted.first, scan.first)
        names, actors, subjects = map(frozenset, (wanted.names, wanted.actors, wanted.subjects))
        seqs = [
            seq
            for seq in range(first, last + 1)
            if (key := scan.keys[seq - scan.first])
            and (not names or key.name in names)
            and (not actors or key.actor in actors)
            and (not subjects or key.subject in subjects)
            and (key.is_rejection or not wanted.rejections_only)
        ]
        words = wanted.text.casefold().split()
        return self._with_words(seqs, words) if words and seqs else seqs

    def _with_words(self, seqs: list[int], words: list[str]) -> list[int]:
        asked = frozenset(seqs)
        found: list[int] = []
        for located in self._trail.store.stream(self._stream).events(seqs[0], seqs[-1]):
            if located.event.version not in asked:
                continue
            entry = entry_of(located, self._trail)
            metadata = bytes(located.event.fact.metadata).decode("utf-8", "replace")
            text = f"{entry.name} {entry.subject or ''} {entry.actor} {entry.summary} {metadata}".casefold()
            if all(word in text for word in words):
                found.append(located.event.version)
        return found
