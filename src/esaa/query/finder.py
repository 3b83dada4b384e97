"""Where everyone asks: the index where there is one, a scan where there can't be, and never an answer that differs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeVar

import msgspec

from esaa.errors import StoreError, UsageError
from esaa.query.entries import EntryMaker
from esaa.query.event_index import EventIndex, IndexMaker, Standing
from esaa.query.feed import Progress
from esaa.query.filters import GroupBy, Query, Wanted, examine, examine_group, examine_types
from esaa.query.index_file import IndexBroken, IndexUnavailable, translated
from esaa.query.lookup import Lookup
from esaa.query.pages import Page
from esaa.query.scan import Scan
from esaa.stores.trail import Located, TrailStore
from esaa.trail.settings import Indexing
from esaa.trail.types import EventTypes

T = TypeVar("T")


Source = Lookup | Scan
"""What can answer."""

_TRIES = 2


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What an index was made from, and what the store says of streams that it could not read to their end."""

    events: int
    streams: int
    damaged: tuple[str, ...] = ()


def _silent(_: str) -> None:
    """Nobody is told."""


def _now() -> datetime:
    return datetime.now(UTC)


def open_index(
    store: TrailStore,
    indexing: Indexing,
    types: EventTypes,
    *,
    now: Callable[[], datetime] = _now,
    say: Callable[[str], None] = _silent,
    progress: Progress | None = None,
) -> Finder:
    """Who answers queries to a trail. Nothing is read or made until the first question.

    `say` is told when an index has to be made again or can't be used; `progress` how many events were read so far.
    """
    return Finder(store, indexing, types, now=now, say=say, progress=progress)


class Finder:
    """Answers queries. Safe to use from several threads, and beside other processes and recorders.

    An answer holds every event whose recording had returned when the question was asked.
    """

    def __init__(
        self,
        store: TrailStore,
        indexing: Indexing,
        types: EventTypes,
        *,
        now: Callable[[], datetime],
        say: Callable[[str], None],
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._indexing = indexing
        self._types = types
        self._now = now
        self._say = say
        self._progress = progress
        self._scan = Scan(store, EntryMaker(types), progress)
        self._maker = IndexMaker(store, indexing, types)
        self._index: EventIndex | None = None
        self._lock = threading.RLock()

    def search(self, query: Query) -> Page:
        """A page of events. Raises `UsageError` for a query that can't be answered, `CorruptLog` where a stream that
        it asks about is damaged."""
        return self._answer(query, lambda source, wanted: source.page(wanted))

    def count(self, query: Query) -> int:
        """How many events match; limit and cursor don't matter. Raises as `search`."""
        whole = _whole(query)
        return self._answer(whole, lambda source, wanted: source.count(wanted))

    def group(self, query: Query, by: GroupBy) -> dict[str, int]:
        """How many matching events there are for each value, the most frequent first; days and hours in their order.

        Events that have no such value count for the empty text. Raises as `search`.
        """
        examine_group(by)
        counts = self._answer(_whole(query), lambda source, wanted: source.group(wanted, by))
        if by in ("day", "hour"):
            return dict(sorted(counts.items()))
        return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

    def by_id(self, event_id: str) -> Located | None:
        """The event with an id, or None. Raises `UsageError` for what is no UUID."""
        page = self.search(Query(event_id=event_id, limit=1))
        return page.events[0] if page.events else None

    def scanning(self) -> Finder:
        """The same, without using the index."""
        disabled = Indexing(enabled=False)
        return Finder(self._store, disabled, self._types, now=self._now, say=self._say, progress=self._progress)

    def rebuild(self) -> Rebuilt:
        """Makes the index anew from the streams; until it is whole, the old one answers others.

        Raises `UsageError` where indexing is disabled, and `StoreError` where the index can't be written.
        """
        with self._lock, self._required():
            self.close()
            self._maker.make(self._maker.file.inode(), self._progress)
            index = self._opened()
            index.catch_up()
            standing = index.standing()
            damaged = tuple(error.message for error in index.damaged.values())
            return Rebuilt(events=standing.events, streams=standing.streams, damaged=damaged)

    def standing(self) -> Standing | None:
        """How the index stands; None where there is none that can be used. Raises as `rebuild`."""
        with self._lock, self._required():
            if self._index is None and not self._maker.is_made():
                return None
            return self._opened().standing()

    def close(self) -> None:
        """Lets go of the index."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    def __enter__(self) -> Finder:
        """The finder; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def _answer(self, query: Query, ask: Callable[[Source, Wanted], T]) -> T:
        wanted = examine(query, self._now())
        has_index = self._indexing.enabled and (wanted.words is None or self._indexing.full_text_search)
        # Who only asks leaves no folder behind where there is no trail yet.
        if has_index and self._store.base.is_dir():
            with self._lock:
                try:
                    return self._from_index(wanted, ask)
                except (IndexBroken, IndexUnavailable) as error:
                    self._say(f"the index can't be used, so every event is read: {error}")
                    self.close()
        examine_types(query, self._types, self._scan.has_type)
        return ask(self._scan, wanted)

    def _from_index(self, wanted: Wanted, ask: Callable[[Source, Wanted], T]) -> T:
        """The answer of the index; one that turns out to be broken is made again."""
        for _ in range(_TRIES):
            index = self._opened()
            try:
                return self._asked(index, wanted, ask)
            except IndexBroken as broken:
                self._say(f"the index is made again: {broken}")
                self.close()
                self._maker.make(index.inode, self._progress)
        return self._asked(self._opened(), wanted, ask)

    def _asked(self, index: EventIndex, wanted: Wanted, ask: Callable[[Source, Wanted], T]) -> T:
        index.catch_up(self._progress)
        for stream, error in index.damaged.items():
            if not wanted.query.issue_keys or stream in wanted.query.issue_keys:
                raise error
        with translated():
            examine_types(wanted.query, self._types, index.lookup.has_type)
            return ask(index.lookup, wanted)

    def _opened(self) -> EventIndex:
        """The index that lies there now."""
        if self._index is not None and not self._index.is_current():
            self.close()
        if self._index is None:
            self._index = self._maker.open(self._say, self._progress)
        return self._index

    @contextmanager
    def _required(self) -> Generator[None, None, None]:
        """Says why there is no index where one was asked for."""
        if not self._indexing.enabled:
            raise UsageError(
                "INDEX_DISABLED",
                "This trail has no index: `indexing.enabled` is false.",
                "Set it to true in .roadmap/event-sourcing.yaml, or query without it.",
            )
        try:
            yield
        except (IndexBroken, IndexUnavailable) as error:
            self.close()
            raise StoreError(
                "INDEX_UNAVAILABLE", f"The index can't be used: {error}.", "Check the disk; queries work without it."
            ) from error


def _whole(query: Query) -> Query:
    """The query without what makes pages of it."""
    return msgspec.structs.replace(query, limit=1, cursor=None)
