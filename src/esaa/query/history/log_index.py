"""The index of one log as it is open in this process: kept beside the log, or, where that can't be, made for itself."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from esaa.errors import CorruptLog, NotFound, StoreError
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.protocol.evolve import PROJECTION_VERSION
from esaa.query.history.feed import HELD_MAX, LogFeeder, Progress
from esaa.query.history.schema import INDEX, SCHEMA_VERSION, TABLES
from esaa.query.history.search_text import TEXT_VERSION
from esaa.query.index_file import IndexBroken, IndexFile, IndexUnavailable, translated
from esaa.stores.disk import Disk
from esaa.version import __version__

_ROUNDS_MAX = 5
_WAIT_S = 10.0
_MAKING_S = 600.0
"""To wait for another process that makes the index is quicker than to make one beside it, on the same machine."""
_IGNORED = b"*\n"


class LogIndex:
    """The index of the log at `log`. `refresh` brings it up to the log; `connection` is for asking.

    `note` says why the index is not kept, where it is not; `say` is told that, and why one was made again.
    """

    def __init__(
        self,
        log: Path,
        say: Callable[[str], None],
        progress: Progress | None = None,
        *,
        held_max: int = HELD_MAX,
        wait_s: float = _WAIT_S,
        making_s: float = _MAKING_S,
    ) -> None:
        self.log = log
        self.note = ""
        self._say = say
        self._progress = progress
        self._held_max = held_max
        self._file, self._making = (
            IndexFile(_Beside(log.parent, seconds), _signature(), name=INDEX, tables=TABLES)
            for seconds in (wait_s, making_s)
        )
        self._stamp: tuple[int, int, int] | None = None
        self._inode: int | None = None
        self._feeder: LogFeeder | None = None
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The database."""
        assert self._connection is not None, "refreshed before it is asked"
        return self._connection

    @property
    def head(self) -> int:
        """The last event that is indexed."""
        return 0 if self._feeder is None else self._feeder.place.version

    @property
    def leaf(self) -> str | None:
        """The leaf hash of that event."""
        return None if self._feeder is None else self._feeder.place.leaf_hash

    @property
    def damage(self) -> CorruptLog | None:
        """What the store says of the log behind the last event that is indexed; None where it is sound."""
        return None if self._feeder is None else self._feeder.damage

    def refresh(self) -> None:
        """Brings the index up to the log; it may be another one by then. Raises `NotFound` without a log."""
        try:
            found = self.log.stat()
        except OSError as error:
            raise NotFound("LOG_NOT_FOUND", f"There is no log {self.log}.", "Put it back, or name another.") from error
        stamp = (found.st_size, found.st_mtime_ns, found.st_ino)
        if stamp == self._stamp:
            return
        for _ in range(_ROUNDS_MAX):
            try:
                with translated():
                    self._open()
                    self._catch_up(found.st_size)
                break
            except IndexBroken as broken:
                self._again(broken)
            except IndexUnavailable as unavailable:
                self._alone(str(unavailable))
        else:
            self._alone("the log keeps changing, or other processes keep throwing the index away")
        self._stamp = stamp

    def distrust(self) -> None:
        """Looks again at the next refresh: a line was not where it should be."""
        self._stamp = None

    def close(self) -> None:
        """Lets go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._feeder, self._stamp = None, None, None

    def _open(self) -> None:
        """The file, made where there is none. One that was replaced by another process is let go."""
        if self._connection is not None and (self.note or self._file.inode() == self._inode):
            return
        self.close()
        opened = self._file.open()
        if opened is None:
            self._making.make(None, self._fill)
            opened = self._file.open()
            if opened is None:
                raise IndexBroken("another process threw it away")
        self._use(*opened)

    def _use(self, connection: sqlite3.Connection, inode: int | None) -> None:
        self._connection, self._inode = connection, inode
        self._feeder = LogFeeder(connection, self.log, held_max=self._held_max)

    def _fill(self, connection: sqlite3.Connection) -> None:
        LogFeeder(connection, self.log, held_max=self._held_max).fill(self._progress)

    def _catch_up(self, size: int) -> None:
        feeder = self._feeder
        assert feeder is not None, "opened before"
        place = feeder.load_place()
        if place.offset == size and feeder.fits():
            # Nothing was appended: whoever only reads needs no right to write.
            feeder.place, feeder.damage = place, None
            return
        feeder.catch_up(self._progress)

    def _again(self, broken: IndexBroken) -> None:
        """Makes it anew: it is never mended."""
        self._say(f"the index of the log is made again: {broken}")
        is_alone = bool(self.note)
        self.close()
        if is_alone:
            self._alone(self.note)
            return
        try:
            with translated():
                self._making.make(self._file.inode(), self._fill)
        except IndexUnavailable as unavailable:
            self._alone(str(unavailable))
        except IndexBroken:
            # The log changed under the making; the next round sees what has become of it.
            return

    def _alone(self, why: str) -> None:
        """An index of this process alone, in a temporary file, or in memory where there can't be one."""
        if not self.note:
            self._say(f"the index of the log is not kept ({why}): it is made anew each time, which is slower")
        self.close()
        self.note = why
        for place in ("", ":memory:"):
            connection = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
            try:
                with translated():
                    connection.execute("PRAGMA cache_size = -65536")
                    connection.executescript(TABLES)
                    self._use(connection, None)
                    assert self._feeder is not None, "just made"
                    self._feeder.fill(self._progress)
                return
            except (IndexUnavailable, IndexBroken) as error:
                connection.close()
                why = str(error)
        self._connection = self._feeder = None
        raise StoreError(
            "INDEX_UNAVAILABLE", f"No index of {self.log} can be made: {why}.", "Free some space, or ask again."
        )


def index_of(log: Path) -> Path:
    """Where the index of a log is kept."""
    return _Beside(log.parent, 0).disposable(INDEX)


class _Beside:
    """The folder for files beside the log that can be made again."""

    def __init__(self, roadmap: Path, lock_timeout_s: float) -> None:
        self._folder = roadmap / ".esaa"
        self.lock_timeout_s = lock_timeout_s

    def disposable(self, name: str) -> Path:
        """A file in it."""
        return self._folder / name

    def prepare(self) -> None:
        """Makes it."""
        disk = Disk()
        disk.mkdir(self._folder / "locks")
        if not (self._folder / ".gitignore").exists():
            with suppress(OSError):
                disk.replace_file(self._folder / ".gitignore", _IGNORED, durable=False)


def _signature() -> str:
    """What the index was made by: one that another version made is made again."""
    return sha256_hex(canonical([SCHEMA_VERSION, TEXT_VERSION, PROJECTION_VERSION, __version__, os.name]))
