"""The past of the governed log (`history.past.Past`), over an index that is brought up to the log at each question."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

from esaa.audit.run_metrics import RunMetrics
from esaa.errors import CorruptLog, NotFound, StoreError
from esaa.history.board import Board
from esaa.history.entries import Entry, EntryFilter, EntryPage, Kind
from esaa.history.indexed import Facets
from esaa.history.pointers import parse_pointer, pointer_of
from esaa.history.refs import AtHead, AtSeq, AtTime, parse_ref
from esaa.history.task_times import Measures, microseconds_of, times_of
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, OutputRejected, TaskCreated
from esaa.protocol.summary import summary, task_of
from esaa.protocol.wire import action_of
from esaa.query.history.event_rows import id_key
from esaa.query.history.finding import EventFinder
from esaa.query.history.log_index import LogIndex
from esaa.query.history.measures import LogMeasures
from esaa.query.history.moments import EventPlaces, read_places
from esaa.query.history.parts import LogParts
from esaa.query.history.schema import NUMBER_OF

_AT_ONCE = 500


class LogPast:
    """A `Past` over a log; it answers `HasBoard`, `HasFacets` and `HasMembers` too. It may be asked by many threads.

    A log that grew, was cut back or replaced is noticed at the next question.
    """

    def __init__(self, index: LogIndex, now: Callable[[], datetime]) -> None:
        self._index = index
        self._now = now
        self._lock = threading.RLock()
        index.refresh()
        self._bind()

    @property
    def name(self) -> str:
        """`log`."""
        return "log"

    @property
    def kind(self) -> Kind:
        """The vocabulary of the governed run."""
        return "log"

    @property
    def note(self) -> str:
        """Why the index is not kept, where it is not: then opening takes as long as folding the log."""
        return self._index.note

    @property
    def damage(self) -> CorruptLog | None:
        """What is wrong with the log behind `head`, where something is. What lies before it is answered for."""
        with self._asking():
            return self._index.damage

    def close(self) -> None:
        """Lets go of the index."""
        with self._lock:
            self._index.close()

    def head(self) -> int:
        """The seq of the last event."""
        with self._asking():
            return self._index.head

    def head_hash(self) -> str | None:
        """The leaf hash of the last event; None in an empty log."""
        with self._asking():
            return self._index.leaf

    def seq_of(self, ref: str) -> int:
        """The seq of the last event at a moment."""
        found = self.seq_of_id(ref)
        if found is not None:
            return found
        moment = parse_ref(ref, self._now())
        with self._asking():
            match moment:
                case AtSeq(seq=seq):
                    return self._known(seq)
                case AtHead(back=back):
                    return max(self._index.head - back, 0)
                case AtTime(ts=ts):
                    return self._places.last_at(ts, self._index.head)

    def seq_of_id(self, event_id: str) -> int | None:
        """The seq of an event by its id."""
        with self._asking():
            seqs = self._places.with_key(id_key(event_id), self._index.head)
        # A number may stand for several ids.
        return next((seq for seq in seqs if self._read(seq)[1].event_id == event_id), None)

    def entry(self, seq: int) -> Entry:
        """One event."""
        return _entry(*self._read(seq))

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """The events from `first` to `last`, both included, oldest first."""
        at, last = max(first, 1), min(last, self.head())
        while at <= last:
            end = min(at + _AT_ONCE - 1, last)
            yield from self._entries(range(at, end + 1))
            at = end + 1

    def line(self, seq: int) -> bytes:
        """The stored line of an event, without its line end."""
        return self._read(seq)[0]

    def find(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EntryPage:
        """The events that fit a filter, oldest first. Its `text` is as `query.words` says; raises `UsageError`."""
        with self._asking():
            total, seqs = self._finder.find(wanted, self._index.head, max(offset, 0), max(count, 0))
            return EntryPage(total=total, offset=offset, entries=tuple(self._entries(seqs)))

    def caused_by(self, event_id: str) -> Sequence[int]:
        """The seqs of the events that name this one as their cause, ascending."""
        with self._asking():
            seqs = self._places.caused_by(id_key(event_id), self._index.head)
            return [seq for seq in seqs if self._read(seq)[1].causation_id == event_id]

    def document(self, seq: int) -> dict[str, Any]:
        """The whole state after an event."""
        with self._asking():
            return self._parts.document(self._known(seq))

    def part(self, seq: int, pointer: str) -> Any:
        """A part of the state after an event; `UNSET` where there is none (yet)."""
        names = parse_pointer(pointer)
        with self._asking():
            return self._parts.value(self._known(seq), names)

    def parts(self, seq: int, member: str) -> Iterator[tuple[str, Any]]:
        """All parts below a member, by their last name, in the order of their creation."""
        name: str | None = None
        while page := self.parts_after(seq, member, name, _AT_ONCE):
            yield from page
            name = page[-1][0]

    def parts_after(self, seq: int, member: str, name: str | None, count: int) -> Sequence[tuple[str, Any]]:
        """So many parts of a member, those that follow the one with this name."""
        with self._asking():
            return self._parts.page(self._known(seq), member, name, count)

    def member_sizes(self, seq: int) -> dict[str, int]:
        """How many parts each member has after an event."""
        with self._asking():
            return self._parts.sizes(self._known(seq))

    def changed_parts(self, after: int, until: int) -> Iterator[str]:
        """The pointers of the parts that events after `after` up to `until` changed, in the order of first change."""
        with self._asking():
            parts = self._parts
            numbers = parts.standings.changed(*self._range(after, until))
        while True:
            with self._lock:
                try:
                    page = parts.names_of(list(islice(numbers, _AT_ONCE)))
                except sqlite3.ProgrammingError as error:
                    raise self._moved("the log was replaced while it was compared") from error
            if not page:
                return
            yield from map(pointer_of, page)

    def changed_page(self, after: int, until: int, offset: int, count: int, member: str | None = None) -> list[str]:
        """So many of the pointers of `changed_parts` (of a member alone), from the one of this rank on."""
        number = None if member is None else NUMBER_OF[member]
        with self._asking():
            numbers = islice(self._parts.standings.changed(*self._range(after, until), offset, number), count)
            return [pointer_of(names) for names in self._parts.names_of(list(numbers))]

    def changed_members(self, after: int, until: int) -> dict[str, int]:
        """How many parts of each member `changed_parts` names."""
        with self._asking():
            return self._parts.standings.count_changed(*self._range(after, until))

    def count_changed(self, after: int, until: int) -> int:
        """How many parts `changed_parts` names."""
        return sum(self.changed_members(after, until).values())

    def part_changes(self, pointer: str, until: int) -> Sequence[int]:
        """The seqs of the events up to `until` that changed the part that a pointer lies in, ascending.

        Of a member with parts, and of the whole document, those that changed any part of it.
        """
        names = parse_pointer(pointer)
        with self._asking():
            return self._parts.changes(names, until)

    def board(
        self, at: int, since: int | None = None, status: str | None = None, after: str | None = None, count: int = 50
    ) -> Board:
        """The task board after an event: each column's first cards, or those of one that follow the card `after`.

        A card is `changed` where an event after `since` touched the task or its work.
        """
        with self._asking():
            return self._parts.board(self._known(at), since, status, after, count)

    def facets(self) -> Facets:
        """The names and actors that occur, and the number of subjects."""
        with self._asking():
            return self._places.facets()

    def task_times(self, at: int, count: int) -> Measures:
        """The times of the slowest tasks after an event."""
        with self._asking():
            now = microseconds_of(self.entry(at).ts) if self._known(at) else None
            found = self._measures.slowest(at, now, count)
            seqs = sorted({spans.created for _, spans in found if spans.created is not None})
            titles = {recorded.version: _title(recorded.fact) for _, recorded in self._events(seqs)}
            tasks = [times_of(name, titles.get(spans.created or 0, ""), spans, now) for name, spans in found]
            return Measures(total=self._measures.count(at), tasks=tuple(tasks))

    def run_sums(self, at: int) -> list[RunMetrics]:
        """What the outputs of each run come to after an event, as `RunCounter` counts them."""
        with self._asking():
            return self._measures.runs(self._known(at))

    @contextmanager
    def _asking(self) -> Generator[None, None, None]:
        """One question at a time, to an index that is up to date."""
        with self._lock:
            self._index.refresh()
            if self._index.connection is not self._bound:
                self._bind()
            yield

    def _bind(self) -> None:
        connection = self._bound = self._index.connection
        self._places = EventPlaces(connection)
        self._finder = EventFinder(connection)
        self._parts = LogParts(connection)
        self._measures = LogMeasures(connection, self._named)

    def _known(self, seq: int) -> int:
        if not 0 <= seq <= self._index.head:
            raise NotFound(
                "EVENT_NOT_FOUND",
                f"There is no event #{seq}: the log ends at #{self._index.head}.",
                "`esaa log` names all events.",
                seq=seq,
            )
        return seq

    def _moved(self, what: str) -> StoreError:
        return StoreError(
            "LOG_UNREADABLE", f"Log {self._index.log} was changed: {what}.", "`esaa verify` says what is wrong with it."
        )

    def _range(self, after: int, until: int) -> tuple[int, int]:
        return max(after, 0), max(min(until, self._index.head), 0)

    def _read(self, seq: int) -> tuple[bytes, Recorded[Fact]]:
        """The line of an event, and the event. Where another lies in its place, the index is brought up once more."""
        with self._asking():
            if seq < 1:
                raise NotFound("EVENT_NOT_FOUND", f"There is no event #{seq}.", "Events are counted from 1.", seq=seq)
            found = read_places(self._index.log, self._places.places([self._known(seq)]))
        if found is None:
            with self._lock:
                self._index.distrust()
            with self._asking():
                found = read_places(self._index.log, self._places.places([self._known(seq)]))
        if found is None:
            raise self._moved(f"event #{seq} is not where it was")
        return found[0]

    def _entries(self, seqs: Sequence[int]) -> Iterator[Entry]:
        return (_entry(line, recorded) for line, recorded in self._events(seqs))

    def _events(self, seqs: Sequence[int]) -> list[tuple[bytes, Recorded[Fact]]]:
        with self._asking():
            found = read_places(self._index.log, self._places.places(seqs))
        # Else one by one, so that the one that is not there is named.
        return [self._read(seq) for seq in seqs] if found is None else found

    def _named(self, after: int, until: int, names: Sequence[str]) -> Iterator[Recorded[Fact]]:
        seqs = [place.seq for place in self._places.of_names(names, after, until)]
        return (recorded for _, recorded in self._events(seqs))


def _title(fact: Fact) -> str:
    return fact.title if isinstance(fact, TaskCreated) else ""


def _entry(line: bytes, recorded: Recorded[Fact]) -> Entry:
    fact = recorded.fact
    return Entry(
        seq=recorded.version,
        event_id=recorded.event_id,
        ts=recorded.ts,
        actor=recorded.actor,
        name=action_of(fact),
        subject=task_of(fact),
        summary=summary(fact),
        leaf_hash=leaf_hash(line),
        correlation_id=recorded.correlation_id,
        causation_id=recorded.causation_id,
        is_rejection=isinstance(fact, OutputRejected),
    )
