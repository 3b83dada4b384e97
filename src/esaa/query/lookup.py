"""Answers from the index: which rows, in the canonical order, and the lines that they stand for."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from esaa.kernel.vocabulary import MalformedLine
from esaa.query.conditions import Selection, selection
from esaa.query.filters import Wanted
from esaa.query.index_file import IndexBroken
from esaa.query.pages import Page, Position
from esaa.query.rows import EVENT_TYPE, HOUR, SESSION, id_key
from esaa.query.slots import HOUR as HOUR_MS
from esaa.query.slots import TIE_BITS, slot_of, slot_text
from esaa.query.tails import NOWHERE
from esaa.stores.trail import Located, TrailStore
from esaa.stores.trail_files import VOCABULARY

_COLUMNS = "e.id, e.stream, e.sequence, e.segment, e.start, e.length, e.event_key, e.odd_ts"
_ABOUT_GROUPS = {"event_type": "type", "actor": "actor", "phase": "phase", "agent_name": "agent"}
_STREAM, _NAME = "SELECT name FROM streams WHERE id = ?", "SELECT name FROM names WHERE id = ?"
_LENGTHS = {"day": 10, "hour": 13}


class _Found(NamedTuple):
    id: int
    stream: int
    sequence: int
    segment: int
    start: int
    length: int
    event_key: int
    odd_ts: str | None


class Lookup:
    """Reads the index. Each answer is taken from one state of it."""

    def __init__(self, connection: sqlite3.Connection, store: TrailStore, indexed: Collection[str]) -> None:
        self._connection = connection
        self._store = store
        self._indexed = indexed
        self._streams: dict[int, str] = {}

    def has_type(self, name: str) -> bool:
        """True where an event of a type was indexed."""
        select = "SELECT 1 FROM names WHERE field = ? AND name = ?"
        return self._connection.execute(select, (EVENT_TYPE, name)).fetchone() is not None

    def page(self, wanted: Wanted) -> Page:
        """The events of a page. Raises `IndexBroken` where a row does not lead to its event."""
        limit = wanted.query.limit
        with self._one_state():
            chosen = selection(self._connection, wanted, self._indexed)
            found = [] if chosen is None else self._found(chosen, wanted, limit + 1)
            events = tuple(self._located(row) for row in found[:limit])
        last = found[limit - 1] if len(found) > limit else None
        return Page(events=events, next_cursor=wanted.cursor_after(self._position(last)) if last else None)

    def count(self, wanted: Wanted) -> int:
        """How many events match."""
        with self._one_state():
            chosen = selection(self._connection, wanted, self._indexed)
            return 0 if chosen is None else self._count(chosen)

    def group(self, wanted: Wanted, by: str) -> Counter[str]:
        """How many of the matching events have which value; those that have none count for the empty text."""
        with self._one_state():
            chosen = selection(self._connection, wanted, self._indexed)
            return Counter() if chosen is None else self._grouped(chosen, by)

    @contextmanager
    def _one_state(self) -> Generator[None, None, None]:
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def _found(self, chosen: Selection, wanted: Wanted, wanted_rows: int) -> list[_Found]:
        """The first rows after the cursor. Rows of one slot have no order of their own: they are taken together."""
        is_newest = wanted.is_newest_first
        first_id, last_id = chosen.first_id, chosen.last_id
        found: list[_Found] = []
        if wanted.after is not None:
            slot = slot_of(wanted.after.ts)[0]
            found = self._slot_rows(chosen, slot, wanted, wanted.after, wanted_rows)
            if is_newest:
                last_id = min(last_id, (slot << TIE_BITS) - 1)
            else:
                first_id = max(first_id, slot + 1 << TIE_BITS)
        missing = wanted_rows - len(found)
        if missing <= 0 or first_id > last_id:
            return found
        order = f"ORDER BY {chosen.id} {'DESC' if is_newest else 'ASC'} LIMIT ?"
        rows = self._rows(chosen.sql(_COLUMNS, order), (*chosen.parameters, first_id, last_id, missing))
        if len(rows) == missing:
            # The last slot may have more rows than were taken, and others of them may come first.
            slot = rows[-1].id >> TIE_BITS
            rows = [row for row in rows if row.id >> TIE_BITS != slot]
            rest = self._slot_rows(chosen, slot, wanted, None, missing - len(rows))
        else:
            rest = []
        return found + sorted(rows, key=self._position, reverse=is_newest) + rest

    def _slot_rows(
        self, chosen: Selection, slot: int, wanted: Wanted, after: Position | None, limit: int
    ) -> list[_Found]:
        direction, compared = ("DESC", "<") if wanted.is_newest_first else ("ASC", ">")
        ids = (max(chosen.first_id, slot << TIE_BITS), min(chosen.last_id, (slot + 1 << TIE_BITS) - 1))
        text = slot_text(slot)
        parameters: list[object] = [*chosen.parameters, *ids]
        rest = ""
        if after is not None:
            rest = f"AND (coalesce(e.odd_ts, ?), t.name, e.sequence) {compared} (?, ?, ?) "
            parameters += (text, *after)
        rest += f"ORDER BY coalesce(e.odd_ts, ?) {direction}, t.name {direction}, e.sequence {direction} LIMIT ?"
        sql = chosen.sql(_COLUMNS, rest, join="JOIN streams t ON t.id = e.stream")
        return self._rows(sql, (*parameters, text, limit))

    def _rows(self, sql: str, parameters: tuple[object, ...]) -> list[_Found]:
        return [_Found(*row) for row in self._connection.execute(sql, parameters)]

    def _position(self, row: _Found) -> Position:
        return Position(row.odd_ts or slot_text(row.id >> TIE_BITS), self._stream(row.stream), row.sequence)

    def _stream(self, number: int) -> str:
        name = self._streams.get(number)
        if name is None:
            name = self._connection.execute(_STREAM, (number,)).fetchone()[0]
            self._streams[number] = name
        return name

    def _located(self, row: _Found) -> Located:
        """The event of a row, from where it lay, or else from where the store finds it."""
        line = self._line(row)
        with suppress(MalformedLine):
            located = None if line is None else self._checked(line, row)
            if located is not None:
                return located
        stream = self._stream(row.stream)
        line = self._store.stream(stream).line_at(row.sequence)
        located = None if line is None else self._checked(line, row)
        if located is None:
            raise IndexBroken(f"event {row.sequence} of {stream} is not the one that was indexed")
        return located

    def _checked(self, line: bytes, row: _Found) -> Located | None:
        event = VOCABULARY.decode(line)
        is_it = event.version == row.sequence and id_key(event.event_id) == row.event_key
        return Located(line, event) if is_it else None

    def _line(self, row: _Found) -> bytes | None:
        segment = self._connection.execute("SELECT path, kind FROM segments WHERE id = ?", (row.segment,)).fetchone()
        if segment is None or segment[1] != "jsonl" or row.start == NOWHERE:
            return None
        try:
            fd = os.open(self._store.base / segment[0], os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return os.pread(fd, row.length, row.start)
        finally:
            os.close(fd)

    def _count(self, chosen: Selection) -> int:
        if chosen.tally is not None:
            return self._number(chosen.tally.sql("coalesce(sum(events), 0)"), chosen.tally.parameters)
        sql = chosen.sql("count(*)")
        if chosen.is_counted:
            sql = "SELECT count(*) FROM search WHERE search MATCH ? AND rowid BETWEEN ? AND ?"
        return self._number(sql, (*chosen.parameters, chosen.first_id, chosen.last_id))

    def _grouped(self, chosen: Selection, by: str) -> Counter[str]:
        """Counts by value: from the tallies where they have them, else from the rows."""
        parameters = (*chosen.parameters, chosen.first_id, chosen.last_id)
        if by in _LENGTHS:
            return self._by_time(chosen, parameters, _LENGTHS[by])
        if by == "issue_key":
            if chosen.is_everything:
                return self._pairs("SELECT name, events FROM streams WHERE events > 0", ())
            return self._named(_STREAM, chosen.sql("e.stream, count(*)", "GROUP BY e.stream"), parameters)
        if by == "session":
            if chosen.is_everything:
                return self._pairs("SELECT name, events FROM names WHERE field = ?", (SESSION,))
            return self._named(_NAME, chosen.sql("e.session, count(*)", "GROUP BY e.session"), parameters)
        column = _ABOUT_GROUPS[by]
        if chosen.tally is not None and chosen.tally.table == "abouts":
            sql = chosen.tally.sql(f"{column}, sum(events)", f"GROUP BY {column}")
            return self._named(_NAME, sql, chosen.tally.parameters)
        join = "JOIN abouts a ON a.id = e.about"
        return self._named(_NAME, chosen.sql(f"a.{column}, count(*)", f"GROUP BY a.{column}", join=join), parameters)

    def _by_time(self, chosen: Selection, parameters: tuple[object, ...], length: int) -> Counter[str]:
        counts: Counter[str] = Counter()
        if chosen.is_everything:
            for name, events in self._pairs("SELECT name, events FROM names WHERE field = ?", (HOUR,)).items():
                counts[name[:length]] += events
            return counts
        hour = f"({chosen.id} >> {TIE_BITS}) / {HOUR_MS}"
        columns = f"CASE WHEN e.odd_ts IS NULL THEN {hour} ELSE e.odd_ts END AS one, count(*)"
        for one, events in self._connection.execute(chosen.sql(columns, "GROUP BY one"), parameters):
            counts[(one if isinstance(one, str) else slot_text(one * HOUR_MS))[:length]] += events
        return counts

    def _named(self, name: str, sql: str, parameters: tuple[object, ...]) -> Counter[str]:
        """Counts by number as counts by name."""
        names: Counter[str] = Counter()
        for number, count in self._pairs(sql, parameters).items():
            row = self._connection.execute(name, (number,)).fetchone()
            names["" if row is None else row[0]] += count
        return names

    def _number(self, sql: str, parameters: tuple[object, ...]) -> int:
        number: int = self._connection.execute(sql, parameters).fetchone()[0]
        return number

    def _pairs(self, sql: str, parameters: tuple[object, ...]) -> Counter[Any]:
        return Counter(dict(self._connection.execute(sql, parameters).fetchall()))
