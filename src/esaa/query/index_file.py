"""The file of the index: one SQLite database that may be thrown away at any time.

It is made aside and put into its place when it is whole. Who has the old one open when that happens goes on with the
file that is no longer there, and opens the new one before the next question.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from esaa.errors import StoreError
from esaa.stores.lock import writer_lock

INDEX = "index.sqlite"
SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE folders(path TEXT PRIMARY KEY, stream TEXT, mtime INTEGER) WITHOUT ROWID;
CREATE TABLE segments(id INTEGER PRIMARY KEY, stream INTEGER, path TEXT UNIQUE, kind TEXT, first INTEGER);
CREATE INDEX segments_stream ON segments(stream);
CREATE TABLE streams(
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, sequence INTEGER, leaf TEXT, segment INTEGER, start INTEGER,
    length INTEGER, end_path TEXT, size INTEGER, mtime INTEGER, inode INTEGER, events INTEGER DEFAULT 0);
CREATE TABLE names(id INTEGER PRIMARY KEY, field INTEGER, name TEXT, events INTEGER DEFAULT 0, UNIQUE(field, name));
CREATE TABLE abouts(
    id INTEGER PRIMARY KEY, type INTEGER, actor INTEGER, phase INTEGER, agent INTEGER, events INTEGER DEFAULT 0);
CREATE INDEX abouts_all ON abouts(type, actor, phase, agent);
CREATE TABLE events(
    id INTEGER PRIMARY KEY, stream INTEGER, sequence INTEGER, about INTEGER, session INTEGER, event_key INTEGER,
    correlation INTEGER, causation INTEGER, segment INTEGER, start INTEGER, length INTEGER, odd_ts TEXT);
CREATE VIRTUAL TABLE search USING fts5(
    facets, words, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
"""
WORDS_TABLE = "CREATE VIRTUAL TABLE search USING fts5(words, content='', tokenize='unicode61 remove_diacritics 2')"
"""The same text search without an index, for a scan."""

_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT})
_PRIMARY = 0xFF


class IndexBroken(Exception):
    """The index can't be what it should be: it has to be made again. The text says what is wrong with it."""


class IndexUnavailable(Exception):
    """There is no way to use an index now: the disk is full or read-only, or another process holds it."""


class Store(Protocol):
    """What an index is made beside: a folder for files that can be made again."""

    @property
    def lock_timeout_s(self) -> float:
        """How long one process waits for another."""
        ...

    def disposable(self, name: str) -> Path:
        """A file that can be made again."""
        ...

    def prepare(self) -> None:
        """Makes the folder."""
        ...


class IndexFile:
    """The database of a store, for one choice of what is indexed (`signature`)."""

    def __init__(self, store: Store, signature: str, *, name: str = INDEX, tables: str | None = None) -> None:
        self.path = store.disposable(name)
        self._staged = store.disposable(f"{name}.new")
        self._store = store
        self._signature = signature
        self._tables = _TABLES if tables is None else tables
        self._lock = name.partition(".")[0]

    def open(self) -> tuple[sqlite3.Connection, int] | None:
        """A connection and the file's inode; None where there is no file.

        Raises `IndexBroken` and `IndexUnavailable`.
        """
        # Under the lock: a connection is bound to its log by the first read, and no log may go between the two.
        with self._locked(self._lock, self._store.lock_timeout_s):
            inode = self.inode()
            if inode is None:
                return None
            with translated():
                connection = self._connection(self.path)
                try:
                    connection.execute("PRAGMA synchronous = NORMAL")
                    found = connection.execute("SELECT value FROM meta WHERE key = 'signature'").fetchone()
                    if found is None or found[0] != self._signature:
                        raise IndexBroken("it was made by another version of esaa or with other settings")
                except BaseException:
                    connection.close()
                    raise
            return connection, inode

    def inode(self) -> int | None:
        """The file's inode; None where there is none."""
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return None

    def make(self, known: int | None, fill: Callable[[sqlite3.Connection], None]) -> None:
        """Makes a new index aside and puts it into its place when it is whole. One process does, the others wait.

        Nothing is done where the file is another one than the `known` inode by then. Raises `IndexBroken` and
        `IndexUnavailable`.
        """
        with self._locked(f"{self._lock}-making", self._store.lock_timeout_s):
            if self.inode() != known:
                return
            _remove(self._staged)
            try:
                with translated(), closing(self._connection(self._staged)) as connection:
                    # A crash leaves a file that nobody looks at, so nothing of it need be saved on the way.
                    connection.execute("PRAGMA journal_mode = OFF")
                    connection.execute("PRAGMA synchronous = OFF")
                    connection.executescript(self._tables)
                    connection.execute("INSERT INTO meta VALUES ('signature', ?)", (self._signature,))
                    fill(connection)
                    connection.execute("PRAGMA journal_mode = WAL")
                _sync(self._staged)
                with self._locked(self._lock, self._store.lock_timeout_s):
                    _remove(self.path)
                    os.replace(self._staged, self.path)
            finally:
                _remove(self._staged)

    @contextmanager
    def _locked(self, name: str, timeout_s: float) -> Generator[None, None, None]:
        try:
            self._store.prepare()
            lock = self._store.disposable(f"locks/{name}.lock")
            with writer_lock(lock, timeout_s=timeout_s, what="another process that makes the index"):
                yield
        except StoreError as error:
            raise IndexUnavailable(error.message) from error
        except OSError as error:
            raise IndexUnavailable(f"{error.filename or self.path}: {error.strerror or error}") from error

    def _connection(self, path: Path) -> sqlite3.Connection:
        timeout_s = self._store.lock_timeout_s
        connection = sqlite3.connect(path, isolation_level=None, timeout=timeout_s, check_same_thread=False)
        connection.execute("PRAGMA cache_size = -32768")
        # Pages that are free hold nothing that the events don't hold too.
        connection.execute("PRAGMA secure_delete = OFF")
        return connection


def _remove(path: Path) -> None:
    # The database's own log first: a new database must never meet an old log.
    for suffix in ("-wal", "-shm", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def translated() -> Generator[None, None, None]:
    """What SQLite says, as one of the two ways in which an index can fail."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
        kind = IndexBroken if code in _BROKEN else IndexUnavailable
        raise kind(f"SQLite says: {error}") from error
