"""The subscriber that keeps the index: it takes every event after its cursors, in the order of time.

Rows and cursors change in one transaction, so a crash at any moment leaves an index that simply knows less. Streams are
read side by side, a piece of each at a time: rows then go to the end of the tables, and memory does not grow with the
trail.
"""

from __future__ import annotations

import heapq
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from esaa.errors import StoreError
from esaa.kernel.chain import leaf_hash
from esaa.kernel.vocabulary import MalformedLine
from esaa.query.entries import EntryMaker
from esaa.query.index_file import IndexBroken
from esaa.query.rows import Row, RowWriter
from esaa.query.segments import SegmentTable
from esaa.query.slots import slot_of
from esaa.query.tails import Misfit, Piece, Place, Source, line_of, lines_after
from esaa.query.tree import Stamp, TrailTree
from esaa.stores.trail import TrailStore
from esaa.stores.trail_files import VOCABULARY
from esaa.trail.settings import Indexing

Progress = Callable[[int], None]
"""Is told how many events were read so far."""

_BATCH = 2000
_AT_ONCE = 40_000
_ALL = 1 << 62
_MERGE_NEVER = 1_000_000
_PIECES_BYTES = 16 * 1024 * 1024
_PIECE_BYTES_MIN = 4 * 1024
_PIECE_BYTES_MAX = 256 * 1024
_HASH_BYTES = 32 * 1024 * 1024
_STREAMS_AT_ONCE = 4096
_UNSEEN = Stamp(-1, -1, -1)
_INDEXES = {"correlation_id": "correlation", "causation_id": "causation"}
_order = attrgetter("order")


class _Tail:
    """What is being read of one stream."""

    def __init__(self, name: str, stream: int, place: Place | None) -> None:
        self.name = name
        self.stream = stream
        self.expected = None if place is None else place.sequence + 1
        self.sources: list[Source] = []
        self.pieces: Iterator[Piece] = iter(())
        self.end: tuple[str, Stamp] | None = None
        self.order = 0
        self.last: Row | None = None
        self.added = 0

    def __lt__(self, other: _Tail) -> bool:
        return self.order < other.order


class _Gap(Exception):
    """An event does not follow the one before it."""


class Feeder:
    """Feeds an index.

    `damaged` holds, for each stream that can't be read to its end, what the store says of it; `unsettled` are those of
    the last call whose files were just being changed.
    """

    def __init__(
        self, connection: sqlite3.Connection, store: TrailStore, tree: TrailTree, maker: EntryMaker, choice: Indexing
    ) -> None:
        self._connection = connection
        self._store = store
        self._tree = tree
        self._maker = maker
        self._choice = choice
        self._writer = RowWriter(connection, choice.index_fields)
        self._segments = SegmentTable(connection, store.base, tree)
        self._version = -1
        self.damaged: dict[str, StoreError] = {}
        self.unsettled: set[str] = set()

    def feed(self, streams: set[str], progress: Progress | None = None, *, at_once: int | None = None) -> int:
        """Indexes everything new in the streams and returns how many events that were; commits now and then.

        Raises `IndexBroken` where the index does not fit the streams any more.
        """
        at_once = at_once or _AT_ONCE
        total = 0
        merged: Iterator[list[Row]] = iter(())
        tails: dict[int, _Tail] = {}
        version = None
        while True:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                found = self._connection.execute("PRAGMA data_version").fetchone()[0]
                if found != version:
                    # Another process may have been faster: the cursors that count are those of now.
                    version = found
                    tails = self._tails(streams)
                    merged = self._merged(list(tails.values()))
                written = 0
                for batch in merged:
                    self._write(batch, tails)
                    written += len(batch)
                    total += len(batch)
                    if progress is not None:
                        progress(total)
                    if written >= at_once:
                        break
                is_done = written < at_once
                self._save(tails.values(), is_done=is_done)
                self._connection.execute("COMMIT")
            except BaseException:
                self._writer.forget()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            if is_done:
                return total

    def fill(self, progress: Progress | None = None) -> int:
        """Indexes everything into tables that are empty: what can be done once at the end is."""
        self._tune(hashsize=_HASH_BYTES, automerge=0, crisismerge=_MERGE_NEVER)
        total = self.feed(self._tree.changed(None), progress, at_once=_ALL)
        self._connection.execute("CREATE INDEX events_key ON events(event_key)")
        for field, column in _INDEXES.items():
            if field in self._choice.index_fields:
                self._connection.execute(f"CREATE INDEX events_{column} ON events({column}) WHERE {column} <> 0")
        self._tune(automerge=4, crisismerge=16)
        return total

    def _tune(self, **values: int) -> None:
        for key, value in values.items():
            self._connection.execute("INSERT INTO search(search, rank) VALUES (?, ?)", (key, value))

    def _tails(self, streams: set[str]) -> dict[int, _Tail]:
        """Where to go on in each stream."""
        piece_bytes = _PIECES_BYTES // max(1, min(len(streams), _STREAMS_AT_ONCE))
        piece_bytes = min(max(piece_bytes, _PIECE_BYTES_MIN), _PIECE_BYTES_MAX)
        tails: dict[int, _Tail] = {}
        for name in sorted(streams):
            self.damaged.pop(name, None)
            self.unsettled.discard(name)
            stream, place = self._cursor(name)
            tail = tails[stream] = _Tail(name, stream, place)
            try:
                sources = self._segments.sources(stream, name, 0 if place is None else place.sequence)
            except (MalformedLine, StoreError, OSError):
                self._examine(tail)
                continue
            path = sources[-1].path if sources else ""
            stamp = self._tree.stamp(path)
            # A file that can't be read yet may become one without the folder telling.
            if stamp is not None and len(sources) == len(self._tree.files_of(name)):
                tail.end = (path, stamp)
            tail.sources = sources
            tail.pieces = lines_after(self._store.base, sources, place, piece_bytes)
        return tails

    def _cursor(self, name: str) -> tuple[int, Place | None]:
        found = self._connection.execute(
            "SELECT id, sequence, leaf, segment, start, length FROM streams WHERE name = ?", (name,)
        ).fetchone()
        if found is None:
            added = self._connection.execute("INSERT INTO streams(name, sequence, size) VALUES (?, 0, -1)", (name,))
            assert added.lastrowid is not None, "a row was inserted"
            return added.lastrowid, None
        return found[0], Place(*found[1:]) if found[1] else None

    def _merged(self, tails: list[_Tail]) -> Iterator[list[Row]]:
        """The new events of many streams in the order of time, in batches."""
        for at in range(0, len(tails), _STREAMS_AT_ONCE):
            rows: list[Row] = []
            heap = [tail for tail in tails[at : at + _STREAMS_AT_ONCE] if self._pull(tail, rows)]
            heapq.heapify(heap)
            while heap or rows:
                # Each row is sorted about twice, however many wait.
                enough = 2 * len(rows) + _BATCH
                while heap and len(rows) < enough:
                    if self._pull(heap[0], rows):
                        heapq.heapreplace(heap, heap[0])
                    else:
                        heapq.heappop(heap)
                rows.sort(key=_order)
                # What the stream that is furthest behind may still bring comes after this.
                ready = bisect_right(rows, heap[0].order, key=_order) if heap else len(rows)
                for start in range(0, ready, _BATCH):
                    yield rows[start : min(start + _BATCH, ready)]
                del rows[:ready]

    def _pull(self, tail: _Tail, rows: list[Row]) -> bool:
        """Reads the next piece of a stream; False at its end."""
        try:
            piece = next(tail.pieces, None)
            if piece is None:
                return False
            with_text = self._choice.full_text_search
            # What an event needs is the cost of a rebuild: the names are looked up once.
            decode, entry_of, row_of = VOCABULARY.decode, self._maker.entry, self._writer.row
            for start, line in piece.lines:
                event = decode(line)
                if event.version != tail.expected and tail.expected is not None:
                    raise _Gap
                tail.expected = event.version + 1
                slot = slot_of(event.ts)
                tail.order = max(tail.order, slot[0])
                place = (tail.stream, piece.segment, start, len(line))
                rows.append(row_of(event, entry_of(event, with_text), tail.order, slot, place))
        except Misfit:
            raise IndexBroken(f"events of {tail.name} that were indexed have been written anew") from None
        except _Gap:
            self._examine(tail)
            if tail.name not in self.damaged:
                raise IndexBroken(f"event {tail.expected} of {tail.name} does not follow what was indexed") from None
            return False
        except (MalformedLine, StoreError, OSError):
            self._examine(tail)
            return False
        return True

    def _examine(self, tail: _Tail) -> None:
        """Lets the store say what is wrong with a stream. Where it finds nothing, the files were just being changed."""
        tail.end = None
        self.unsettled.add(tail.name)
        try:
            for _ in self._store.stream(tail.name).events(tail.expected or 1):
                pass
        except StoreError as error:
            self.damaged[tail.name] = error
            self.unsettled.discard(tail.name)
        except OSError:
            return

    def _write(self, batch: list[Row], tails: dict[int, _Tail]) -> None:
        self._writer.write(batch)
        for row in batch:
            tail = tails[row.stream]
            tail.last = row
            tail.added += 1

    def _save(self, tails: Iterable[_Tail], *, is_done: bool) -> None:
        """The cursors of all that was written; at the end also how files and folders were when they were read."""
        self._writer.tally()
        for tail in tails:
            row = tail.last
            if row is not None:
                self._connection.execute(
                    "UPDATE streams SET sequence = ?, leaf = ?, segment = ?, start = ?, length = ?, size = -1,"
                    " events = events + ? WHERE id = ?",
                    (row.sequence, self._leaf(tail, row), row.segment, row.start, row.length, tail.added, row.stream),
                )
                tail.last, tail.added = None, 0
            if is_done:
                path, stamp = tail.end or ("", _UNSEEN)
                self._connection.execute(
                    "UPDATE streams SET end_path = ?, size = ?, mtime = ?, inode = ? WHERE id = ?",
                    (path, *stamp, tail.stream),
                )
                self._tree.remember_end(tail.name, path, stamp)
        if is_done:
            for path in self._tree.dirty:
                folder = self._tree.folders.get(path)
                if folder is None:
                    self._connection.execute("DELETE FROM folders WHERE path = ?", (path,))
                else:
                    self._connection.execute(
                        "REPLACE INTO folders VALUES (?, ?, ?)", (path, folder.stream, folder.mtime_ns)
                    )
            self._tree.dirty.clear()

    def _leaf(self, tail: _Tail, row: Row) -> str:
        """The leaf hash of a row's line, read again: lines are too long to be kept until they are needed."""
        where = (row.start, row.length)
        try:
            return leaf_hash(line_of(self._store.base, tail.sources, row.segment, row.sequence, where))
        except (StoreError, OSError, StopIteration):
            # The file was moved or cut meanwhile. Without a hash the cursor will not fit.
            return ""
