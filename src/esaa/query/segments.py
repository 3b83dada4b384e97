"""The segments that the index knows, kept in step with the files of a stream.

A file that moves (into the archive, compressed or not) keeps its number, so that the rows of its events still find it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from esaa.kernel.vocabulary import MalformedLine
from esaa.query.index_file import IndexBroken
from esaa.query.tails import Source
from esaa.query.tree import TrailTree
from esaa.stores.trail_files import VOCABULARY
from esaa.stores.trail_layout import ARCHIVE
from esaa.stores.trail_segments import KINDS, Kind, first_line

_SELECT = "SELECT id, path, kind, first FROM segments WHERE stream = ?"


class SegmentTable:
    """The table `segments`, within the transaction that is open."""

    def __init__(self, connection: sqlite3.Connection, base: Path, tree: TrailTree) -> None:
        self._connection = connection
        self._base = base
        self._tree = tree

    def sources(self, stream: int, name: str, sequence: int) -> list[Source]:
        """The segments of a stream in the order of their events, after a look at its files.

        `sequence` is the last one that was indexed. Raises `IndexBroken` where indexed events are gone or others have
        taken their place, and `MalformedLine` and `StoreError` where a new file can't be read.
        """
        known = [Source(*row) for row in self._connection.execute(_SELECT, (stream,))]
        files = self._tree.files_of(name)
        is_same = {source.path for source in known} == files.keys()
        if is_same and self._tree.has_only_grown(name):
            return sorted(known, key=lambda source: source.first)
        for source in known:
            # A merge writes files anew under their old names; sealed ones never change.
            is_plain = source.path in files and source.kind in ("jsonl", "json")
            if is_plain and self._first(source.path, source.kind) != source.first:
                raise IndexBroken(f"{source.path} does not begin with the event that was indexed")
        if not is_same:
            known = self._adapted(stream, name, sequence, known, files)
        return sorted(known, key=lambda source: source.first)

    def _adapted(
        self, stream: int, name: str, sequence: int, known: list[Source], files: dict[str, Kind]
    ) -> list[Source]:
        found = {source.first: source for source in known if source.path in files}
        gone = {source.first: source for source in known if source.path not in files}
        fresh = files.keys() - {source.path for source in known}
        for path in sorted(fresh, key=lambda path: _rank(path, files[path])):
            first = self._first(path, files[path])
            if first is None or first in found:
                # Empty as yet, or a copy that is being made: what becomes of it shows later.
                self._tree.distrust(path)
                continue
            old = gone.pop(first, None)
            if old is None and first <= sequence:
                raise IndexBroken(f"events of {name} that were indexed have been written anew")
            found[first] = self._put(stream, Source(0 if old is None else old.number, path, files[path], first))
        for source in gone.values():
            if source.first <= sequence:
                raise IndexBroken(f"events of {name} that were indexed are gone")
            self._connection.execute("DELETE FROM segments WHERE id = ?", (source.number,))
        return list(found.values())

    def _first(self, path: str, kind: Kind) -> int | None:
        """The sequence of the first event of a file; None where it has no whole line yet."""
        line = first_line(self._base / path, kind)
        if line is None:
            return None
        try:
            return VOCABULARY.decode(line).version
        except MalformedLine:
            if kind == "jsonl" and (self._base / path).stat().st_size == len(line):
                return None
            raise

    def _put(self, stream: int, source: Source) -> Source:
        if source.number:
            self._connection.execute(
                "UPDATE segments SET path = ?, kind = ? WHERE id = ?", (source.path, source.kind, source.number)
            )
            return source
        added = self._connection.execute(
            "INSERT INTO segments(stream, path, kind, first) VALUES (?, ?, ?, ?)",
            (stream, source.path, source.kind, source.first),
        )
        assert added.lastrowid is not None, "a row was inserted"
        return source._replace(number=added.lastrowid)


def _rank(path: str, kind: Kind) -> int:
    """Of two files that begin alike the live, plain one counts, as in the store."""
    return KINDS.index(kind) + (len(KINDS) if path.startswith(f"{ARCHIVE}/") else 0)
