"""The index as it is open in this process: its database, what is known of the folders, and the subscriber."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from esaa.errors import StoreError
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.query.entries import TEXT_VERSION, EntryMaker
from esaa.query.feed import Feeder, Progress
from esaa.query.index_file import SCHEMA_VERSION, IndexBroken, IndexFile, IndexUnavailable, translated
from esaa.query.lookup import Lookup
from esaa.query.tree import Stamp, TrailTree, TreeFolder
from esaa.stores.trail import CHANGES, TrailStore
from esaa.stores.trail_changes import ChangeFollower
from esaa.trail.settings import Indexing
from esaa.trail.types import EventTypes
from esaa.version import __version__

LOOK_EVERY_S = 2.0
"""So often at most everything is looked at in a process that goes on, for changes that the store's marks don't tell."""
_ROUNDS_MAX = 5


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an index stands: what it holds, its size, and the streams that it has to look at before the next answer."""

    events: int
    streams: int
    size_bytes: int
    behind: tuple[str, ...]


class IndexMaker:
    """Opens the index of a store, and makes it where there is none that can be used."""

    def __init__(self, store: TrailStore, choice: Indexing, types: EventTypes) -> None:
        self.store = store
        self.choice = choice
        self.entries = EntryMaker(types)
        self.file = IndexFile(store, signature_of(choice, types))

    def open(self, say: Callable[[str], None], progress: Progress | None = None) -> EventIndex:
        """The index. `say` is told why one that lay there was not used. Raises `IndexBroken`, `IndexUnavailable`."""
        for _ in range(_ROUNDS_MAX):
            try:
                opened = self.file.open()
                if opened is not None:
                    return EventIndex(self, *opened)
                known = None
            except IndexBroken as broken:
                say(f"the index is made again: {broken}")
                known = self.file.inode()
            self.make(known, progress)
        raise IndexUnavailable("other processes keep throwing it away")

    def is_made(self) -> bool:
        """True where an index lies there that can be used."""
        try:
            opened = self.file.open()
        except IndexBroken:
            return False
        if opened is not None:
            opened[0].close()
        return opened is not None

    def make(self, known: int | None, progress: Progress | None = None) -> None:
        """Makes the index anew in the place of the one with a `known` inode. Raises as `open`."""

        def fill(connection: sqlite3.Connection) -> None:
            Feeder(connection, self.store, TrailTree(self.store.base), self.entries, self.choice).fill(progress)

        self.file.make(known, fill)


class EventIndex:
    """An open index. Where anything goes wrong with it, another one is made in its place; it is never mended."""

    def __init__(self, maker: IndexMaker, connection: sqlite3.Connection, inode: int) -> None:
        self.inode = inode
        self._file = maker.file
        self._base = maker.store.base
        self._connection = connection
        self._follower = ChangeFollower(maker.store.disposable(CHANGES))
        self._looked_at = -LOOK_EVERY_S
        try:
            with translated():
                self._tree, self._unread = self._load()
            self._feeder = Feeder(connection, maker.store, self._tree, maker.entries, maker.choice)
            self.lookup = Lookup(connection, maker.store, maker.choice.index_fields)
        except BaseException:
            connection.close()
            raise

    @property
    def damaged(self) -> dict[str, StoreError]:
        """What the store says of the streams that could not be read to their end."""
        return self._feeder.damaged

    def is_current(self) -> bool:
        """False once another index lies in its place."""
        return self._file.inode() == self.inode

    def catch_up(self, progress: Progress | None = None) -> int:
        """Indexes what was recorded since, and returns how many events that were.

        Raises `IndexBroken`, and `IndexUnavailable` where another process keeps the index to itself.
        """
        total = 0
        try:
            with translated():
                for _ in range(_ROUNDS_MAX):
                    # What was seen to have changed is not forgotten before it is indexed.
                    self._unread = self._changed()
                    if not self._unread:
                        return total
                    total += self._feeder.feed(self._unread, progress)
                    self._unread = set(self._feeder.unsettled)
                    if not self._unread:
                        return total
        except OSError as error:
            raise IndexUnavailable(f"{error.filename}: {error.strerror}") from error
        raise IndexUnavailable("the files of the trail keep changing while they are read")

    def standing(self) -> Standing:
        """How the index stands, without reading any event."""
        with translated():
            select = "SELECT coalesce(sum(events), 0), count(*) FROM streams WHERE events > 0"
            events, streams = self._connection.execute(select).fetchone()
        behind = self._tree.changed(None) | self._unread
        self._unread |= behind
        size = sum(_size(Path(f"{self._file.path}{suffix}")) for suffix in ("", "-wal"))
        return Standing(events=events, streams=streams, size_bytes=size, behind=tuple(sorted(behind)))

    def close(self) -> None:
        """Lets go of the files."""
        self._follower.close()
        self._connection.close()

    def _changed(self) -> set[str]:
        """The streams that have something new, found as cheaply as can be."""
        marked = self._follower.changed()
        now = time.monotonic()
        if marked is None or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            found = self._tree.changed(None)
        elif marked or self._unread:
            found = self._tree.changed(marked)
        else:
            found = set[str]()
        return found | self._unread

    def _load(self) -> tuple[TrailTree, set[str]]:
        """What the last process knew of the folders, and the streams that it did not read to their end."""
        tree = TrailTree(self._base)
        files: dict[str, list[str]] = {}
        for (path,) in self._connection.execute("SELECT path FROM segments"):
            folder, _, name = path.rpartition("/")
            files.setdefault(folder, []).append(name)
        for path, stream, mtime in self._connection.execute("SELECT path, stream, mtime FROM folders"):
            tree.remember(path, TreeFolder(stream, mtime, tuple(sorted(files.get(path, ())))))
        unread: set[str] = set()
        for name, path, size, mtime, inode in self._connection.execute(
            "SELECT name, end_path, size, mtime, inode FROM streams"
        ):
            if size < 0:
                unread.add(name)
            else:
                tree.remember_end(name, path, Stamp(size, mtime, inode))
        return tree, unread


def signature_of(choice: Indexing, types: EventTypes) -> str:
    """What an index was made for: with any other choice, other types or another version it is made again."""
    parts = [
        SCHEMA_VERSION,
        TEXT_VERSION,
        __version__,
        sorted(choice.index_fields),
        choice.full_text_search,
        [msgspec.to_builtins(one) for one in types.custom()],
    ]
    return sha256_hex(canonical(parts))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
