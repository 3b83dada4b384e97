"""Feeds the index with what was appended to the log: events, parts and cursor change in one transaction.

Memory does not grow with the log: what the fold holds is let go now and then, and fetched again from the index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from esaa.errors import CorruptLog
from esaa.history.log_fold import LogFold
from esaa.kernel.canonical import compact
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact
from esaa.protocol.state import Header, UnknownActors
from esaa.query.history.event_rows import EventRows
from esaa.query.history.measures import MeasureRows
from esaa.query.history.moments import EventPlaces, read_places
from esaa.query.history.part_rows import Move, PartRows
from esaa.query.history.schema import BLOCK, LATER
from esaa.query.history.standing import Sealer, Standings
from esaa.query.history.stored_lines import VOCABULARY, Changed, StoredEvent, stored_events
from esaa.query.index_file import IndexBroken
from esaa.stores.base import START, Head
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore

HELD_MAX = 30_000
"""So many tasks, files and issues a fold holds at most, give or take a block."""

_BLOCKS_AT_ONCE = 16
_SET = "INSERT INTO meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"


class Indexed(msgspec.Struct, frozen=True, kw_only=True):
    """How far the index of a log is: what a reader is told while it is made."""

    events: int
    bytes_done: int
    bytes_total: int


Progress = Callable[[Indexed], None]


class LogFeeder:
    """Feeds one index. `place` is the end of what it holds, `damage` what the store says of the log behind it."""

    def __init__(self, connection: sqlite3.Connection, log: Path, *, held_max: int = HELD_MAX) -> None:
        self._connection = connection
        self._log = log
        self._held_max = held_max
        self._data_version: int | None = None
        self._parts = PartRows(connection)
        self._events = EventRows(connection)
        self._measures = MeasureRows(connection)
        self._fold = LogFold()
        self._sealer: Sealer | None = None
        self.place = START
        self.damage: CorruptLog | None = None

    def fits(self) -> bool:
        """True where the log still has the last line that was indexed, in its place."""
        store: JsonlStore[Fact] = JsonlStore(self._log, VOCABULARY, Disk())
        return store.is_at(self.load_place())

    def load_place(self) -> Head:
        """The end of what the index holds by now; other processes feed it too."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'place'").fetchone()
        return START if row is None else msgspec.json.decode(row[0], type=Head)

    def fill(self, progress: Progress | None = None) -> None:
        """Fills an index that is empty."""
        self._parts.is_whole = True
        self._measures.fill()
        self._sealer = Sealer(self._connection, 0)
        self._feed(progress)
        self._connection.executescript(LATER)

    def catch_up(self, progress: Progress | None = None) -> None:
        """Takes what was appended. Raises `IndexBroken` where the log is not the one that was indexed."""
        self.damage = None
        if not self.fits():
            raise IndexBroken("the log is not the one that was indexed")
        self._feed(progress)

    def _feed(self, progress: Progress | None) -> None:
        while True:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._follow_others()
                is_done = self._take(progress)
                self._save()
                self._connection.execute("COMMIT")
            except BaseException:
                # What is held here is of no use any more: it is fetched again.
                self._data_version, self._sealer = None, None
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            if is_done:
                return

    def _follow_others(self) -> None:
        """Where another process has fed the index, or this one begins: the state at the end of what it holds."""
        found = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if found == self._data_version:
            return
        place = self.load_place()
        if self._sealer is None or place != self.place:
            self._resume(place)
        self._data_version = found

    def _resume(self, place: Head) -> None:
        self._parts.forget()
        self._events.forget()
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'header'").fetchone()
        header = Header() if row is None else msgspec.json.decode(row[0], type=Header)
        self._fold = LogFold(header, self._parts)
        blocks = place.version // BLOCK
        self._sealer = Sealer(self._connection, blocks)
        self._measures.resume(place.version, self._named)
        self._parts.moves = list(Standings(self._connection).moves(blocks * BLOCK + 1, place.version))
        self._events.block = self._connection.execute(
            "SELECT name, actor, label, ts FROM events WHERE seq > ? ORDER BY seq", (blocks * BLOCK,)
        ).fetchall()
        self.place = place

    def _take(self, progress: Progress | None) -> bool:
        """Takes so many blocks, or what there is; true where nothing is left."""
        sealed = 0
        size = self._log.stat().st_size
        try:
            for events, place in stored_events(self._log, self.place):
                for event in events:
                    self._one(event)
                    if event.recorded.version % BLOCK == 0:
                        self._seal(event.recorded.version // BLOCK - 1)
                        sealed += 1
                self.place = place
                if progress is not None:
                    progress(
                        Indexed(events=place.version, bytes_done=place.offset, bytes_total=max(size, place.offset))
                    )
                if sealed >= _BLOCKS_AT_ONCE:
                    return False
        except CorruptLog as damage:
            self.damage = damage
        except Changed as changed:
            raise IndexBroken("the log was changed while it was read") from changed
        return True

    def _one(self, event: StoredEvent) -> None:
        changes = self._fold.advance(event.recorded)
        if changes:
            self._parts.take(event.recorded.version, changes)
        self._events.take(event)
        self._measures.take(event.recorded)

    def _named(self, after: int, until: int, names: Sequence[str]) -> Iterator[Recorded[Fact]]:
        places = EventPlaces(self._connection).of_names(names, after, until)
        found = read_places(self._log, places)
        if found is None:
            raise IndexBroken("the log was changed while it was read")
        return (recorded for _, recorded in found)

    def _seal(self, block: int) -> None:
        assert self._sealer is not None, "set where feeding begins"
        self._flush()
        self._sealer.seal(block, self._parts.moves)
        self._parts.moves = list[Move]()
        self._events.seal(block)

    def _flush(self) -> None:
        self._parts.flush()
        self._events.flush()
        self._measures.flush()
        if len(self._measures) > self._held_max:
            self._measures.let_go()
        if len(self._fold) > self._held_max:
            self._parts.let_go()
            self._fold.let_go(self._parts)

    def _save(self) -> None:
        self._flush()
        header = msgspec.structs.replace(
            self._fold.state.header, issues={}, work={}, receipts={}, ended_runs=[], unknown_actors=UnknownActors()
        )
        self._connection.execute(_SET, ("place", msgspec.json.encode(self.place)))
        self._connection.execute(_SET, ("header", compact(header)))
