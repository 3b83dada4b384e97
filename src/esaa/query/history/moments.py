"""Where events lie in the log, which one a moment, an id or a cause names, and what lies there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from esaa.history.indexed import Facets
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact
from esaa.query.history.event_rows import microseconds
from esaa.query.history.schema import ACTOR, BLOCK, NAME, SUBJECT
from esaa.query.history.stored_lines import VOCABULARY

_SPAN_BYTES_MAX = 4 * 1024 * 1024
_PLACES = "SELECT seq, start, length FROM events WHERE seq "


class Place(NamedTuple):
    """Where the line of an event lies."""

    seq: int
    start: int
    length: int


class EventPlaces:
    """Answers from the events of one index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def places(self, seqs: Sequence[int]) -> list[Place]:
        """Where the lines of these events lie; `seqs` ascend."""
        if not seqs:
            return []
        if seqs[-1] - seqs[0] + 1 == len(seqs):
            rows = self._connection.execute(_PLACES + "BETWEEN ? AND ?", (seqs[0], seqs[-1]))
            return [Place(*row) for row in rows]
        return [Place(*row) for seq in seqs for row in self._connection.execute(_PLACES + "= ?", (seq,))]

    def of_names(self, names: Collection[str], after: int, until: int) -> list[Place]:
        """Where the events of some names lie, those after a seq up to another."""
        known = self._connection.execute("SELECT id, name FROM names WHERE kind = ?", (NAME,))
        wanted = {number for number, name in known if name in names}
        rows = self._connection.execute(
            "SELECT seq, start, length, name FROM events WHERE seq > ? AND seq <= ?", (after, until)
        )
        return [Place(*place) for *place, name in rows if name in wanted]

    def with_key(self, key: int, head: int) -> list[int]:
        """The events with the number of an id: an id is mostly that of its own place."""
        rows = self._connection.execute("SELECT seq FROM events WHERE key = ? ORDER BY seq", (key,))
        found = [seq for (seq,) in rows]
        if (
            1 <= key <= head
            and not self._connection.execute(
                "SELECT 1 FROM events WHERE seq = ? AND key IS NOT NULL", (key,)
            ).fetchone()
        ):
            found = sorted([*found, key])
        return found

    def caused_by(self, key: int, head: int) -> list[int]:
        """The events with the number of a cause."""
        rows = self._connection.execute("SELECT seq FROM events WHERE cause = ? AND seq <= ? ORDER BY seq", (key, head))
        return [seq for (seq,) in rows]

    def last_at(self, ts: str, head: int) -> int:
        """The last event that is not later than a time; 0 where all are. Times of another writer may go back."""
        moment, whole = microseconds(ts), head // BLOCK
        last = self._last(whole * BLOCK + 1, head, moment)
        if last:
            return last
        row = self._connection.execute(
            "SELECT block FROM blocks WHERE earliest <= ? AND block < ? ORDER BY block DESC LIMIT 1", (moment, whole)
        ).fetchone()
        return 0 if row is None else self._last(row[0] * BLOCK + 1, (row[0] + 1) * BLOCK, moment)

    def facets(self) -> Facets:
        """The names, the actors, and the number of subjects."""
        select = "SELECT name FROM names WHERE kind = ? ORDER BY name"
        count = self._connection.execute("SELECT count(*) FROM names WHERE kind = ?", (SUBJECT,)).fetchone()[0]
        names, actors = (tuple(name for (name,) in self._connection.execute(select, (one,))) for one in (NAME, ACTOR))
        return Facets(names=names, actors=actors, subjects_count=count)

    def _last(self, first: int, last: int, moment: int) -> int:
        row = self._connection.execute(
            "SELECT max(seq) FROM events WHERE seq BETWEEN ? AND ? AND ts <= ?", (first, last, moment)
        ).fetchone()
        return row[0] or 0


def read_places(log: Path, places: Sequence[Place]) -> list[tuple[bytes, Recorded[Fact]]] | None:
    """The lines at some places, ascending, with their events; None where one of them is another event."""
    if not places:
        return []
    found: list[tuple[bytes, Recorded[Fact]]] = []
    try:
        fd = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        begin, end = places[0].start, places[-1].start + places[-1].length
        span = os.pread(fd, end - begin, begin) if 0 < end - begin <= _SPAN_BYTES_MAX else None
        for seq, start, length in places:
            line = os.pread(fd, length, start) if span is None else span[start - begin : start - begin + length]
            recorded = VOCABULARY.decode(line)
            if recorded.version != seq:
                return None
            found.append((line, recorded))
    except (OSError, MalformedLine):
        return None
    finally:
        os.close(fd)
    return found
