"""A query as SQL. What it asks for decides what leads: the full-text index, an index of ids, or the order of time."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from esaa.query.filters import Wanted
from esaa.query.rows import ABOUT, ABOUT_TOKEN, NAME_TOKEN, SESSION, STREAM_TOKEN, has_abouts, id_key
from esaa.query.slots import TIE_BITS, slot_of, slot_text

ID_MAX = (1 << 63) - 1

_CANDIDATES_MAX = 300
_ABOUTS_MAX = 64
_ABOUT_FILTERS = {"type": "event_types", "actor": "actors", "phase": "phases", "agent": "agents"}
_KEYS = (
    ("event_id", "event_key", "events_key"),
    ("causation_id", "causation", "events_causation"),
    ("correlation_id", "correlation", "events_correlation"),
)


class Tally(NamedTuple):
    """Where counts are kept that answer a question: a table with a column `events`, and which of its rows."""

    table: str
    where: str
    parameters: tuple[object, ...]

    def sql(self, columns: str, rest: str = "") -> str:
        """The statement; its parameters are `parameters` and those of the rest."""
        # Values are parameters; what is put together here was written in this package.
        return f"SELECT {columns} FROM {self.table} WHERE {self.where} {rest}"  # noqa: S608


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are asked for: `FROM source WHERE where` with ids in a range. `e` is the table of events.

    `id` is the column that the order is taken from. `is_counted` says that the full-text index alone can count them.
    """

    source: str
    id: str
    where: tuple[str, ...]
    parameters: tuple[object, ...]
    first_id: int
    last_id: int
    tally: Tally | None = None
    is_everything: bool = False
    is_counted: bool = False

    def sql(self, columns: str, rest: str = "", *, join: str = "") -> str:
        """The statement; its parameters are `parameters`, the two ends of the ids, and those of the rest."""
        where = "".join(f"{one} AND " for one in self.where)
        # Here too.
        return f"SELECT {columns} FROM {self.source} {join} WHERE {where}{self.id} BETWEEN ? AND ? {rest}"  # noqa: S608


class _Nothing(Exception):
    """No event can match."""


def selection(connection: sqlite3.Connection, wanted: Wanted, indexed: Collection[str]) -> Selection | None:
    """The rows of a query; None where no event can match. `indexed` are the fields that have an index."""
    try:
        return _Builder(connection, wanted, indexed).selection()
    except _Nothing:
        return None


class _Builder:
    def __init__(self, connection: sqlite3.Connection, wanted: Wanted, indexed: Collection[str]) -> None:
        self._connection = connection
        self._wanted = wanted
        self._indexed = indexed
        self._match: list[str] = []
        self._where: list[str] = []
        self._parameters: list[object] = []
        self._tallies: list[Tally] = []
        self._first_id, self._last_id = 0, ID_MAX

    def selection(self) -> Selection:
        words = self._wanted.words
        lead = self._keys()
        is_lead = bool(lead) and words is None
        self._names(is_lead=is_lead)
        self._abouts(is_lead=is_lead)
        named = len(self._where)
        if words is not None:
            self._match.append(f"words : ({words.expression})")
        if lead and words is not None:
            self._candidates(lead)
        source, row_id = "events e NOT INDEXED", "e.id"
        if is_lead:
            source = f"events e INDEXED BY {lead}"
        elif self._match:
            source, row_id = "search CROSS JOIN events e ON e.id = search.rowid", "search.rowid"
        self._ranges(row_id)
        is_whole = self._first_id == 0 and self._last_id == ID_MAX and len(self._where) == named
        is_tallied = is_whole and not lead and words is None and not self._has_keys() and len(self._tallies) <= 1
        tally = (self._tallies or [Tally("abouts", "1", ())])[0] if is_tallied else None
        where, parameters = self._where, self._parameters
        if row_id == "search.rowid":
            where, parameters = ["search MATCH ?", *where], [self._expression(), *parameters]
        return Selection(
            source=source,
            id=row_id,
            where=tuple(where),
            parameters=tuple(parameters),
            first_id=self._first_id,
            last_id=self._last_id,
            tally=tally,
            is_everything=is_tallied and not self._tallies,
            is_counted=row_id == "search.rowid" and len(where) == 1,
        )

    def _has_keys(self) -> bool:
        return any(getattr(self._wanted.query, name) is not None for name, _, _ in _KEYS)

    def _keys(self) -> str:
        """The conditions on ids, and the index that leads to few events; empty where none does."""
        lead = ""
        for name, column, index in _KEYS:
            value: str | None = getattr(self._wanted.query, name)
            if value is not None:
                self._add(f"e.{column} = ? AND e.{column} <> 0", [id_key(value)])
                if not lead and (name == "event_id" or name in self._indexed):
                    lead = index
        return lead

    def _candidates(self, lead: str) -> None:
        """Few events are looked up one by one in the full-text index; of many, at least the time is known."""
        name, column = next((name, column) for name, column, index in _KEYS if index == lead)
        key = id_key(getattr(self._wanted.query, name))
        source = f"FROM events INDEXED BY {lead} WHERE {column} = ? AND {column} <> 0"
        rows = self._connection.execute(f"SELECT id {source} LIMIT ?", (key, _CANDIDATES_MAX + 1)).fetchall()
        if not rows:
            raise _Nothing
        if len(rows) <= _CANDIDATES_MAX:
            self._add(f"search.rowid IN ({_marks(rows)})", [row[0] for row in rows])
        else:
            ends = self._connection.execute(f"SELECT min(id), max(id) {source}", (key,)).fetchone()
            self._first_id, self._last_id = ends

    def _names(self, *, is_lead: bool) -> None:
        """The streams and the sessions."""
        query = self._wanted.query
        if query.issue_keys:
            found = self._numbers("SELECT id FROM streams WHERE name = ?", (), query.issue_keys)
            self._one_of("issue_key", "stream", STREAM_TOKEN, found, is_lead=is_lead)
            self._tallies.append(Tally("streams", f"id IN ({_marks(found)})", tuple(found)))
        if query.sessions:
            found = self._numbers("SELECT id FROM names WHERE field = ? AND name = ?", (SESSION,), query.sessions)
            self._one_of("session_id", "session", NAME_TOKEN, found, is_lead=is_lead)
            self._tallies.append(Tally("names", f"id IN ({_marks(found)})", tuple(found)))

    def _abouts(self, *, is_lead: bool) -> None:
        """Types, actors, phases and agents, together where that is shorter."""
        clauses: list[str] = []
        parameters: list[object] = []
        single: list[tuple[str, list[int]]] = []
        for column, field, kind in ABOUT:
            values: tuple[str, ...] = getattr(self._wanted.query, _ABOUT_FILTERS[column])
            if values:
                found = self._numbers("SELECT id FROM names WHERE field = ? AND name = ?", (kind,), values)
                clauses.append(f"{column} IN ({_marks(found)})")
                parameters += found
                if field in self._indexed and not is_lead:
                    single.append((NAME_TOKEN, found))
        if not clauses:
            return
        abouts = Tally("abouts", " AND ".join(clauses), tuple(parameters))
        self._tallies.append(abouts)
        rows = self._connection.execute(abouts.sql("id", "LIMIT ?"), (*parameters, _ABOUTS_MAX + 1)).fetchall()
        if not rows:
            raise _Nothing
        if len(single) > 1 and len(rows) <= _ABOUTS_MAX and has_abouts(self._indexed):
            single = [(ABOUT_TOKEN, [row[0] for row in rows])]
        elif len(single) < len(clauses):
            self._add(f"e.about IN ({abouts.sql('id')})", parameters)
        for token, numbers in single:
            self._look_up(token, numbers)

    def _one_of(self, field: str, column: str, token: str, numbers: list[int], *, is_lead: bool) -> None:
        if field in self._indexed and not is_lead:
            self._look_up(token, numbers)
        else:
            self._add(f"e.{column} IN ({_marks(numbers)})", numbers)

    def _numbers(self, select: str, fixed: tuple[int, ...], values: tuple[str, ...]) -> list[int]:
        rows = [self._connection.execute(select, (*fixed, value)).fetchone() for value in dict.fromkeys(values)]
        found = [row[0] for row in rows if row is not None]
        if not found:
            raise _Nothing
        return found

    def _look_up(self, token: str, numbers: list[int]) -> None:
        self._match.append(f"facets : ({' OR '.join(f'{token}{number}' for number in numbers)})")

    def _expression(self) -> str:
        """For the full-text index: numbers were made here, words were quoted where they were parsed."""
        return " AND ".join(f"({part})" for part in self._match)

    def _add(self, where: str, parameters: Sequence[object]) -> None:
        self._where.append(where)
        self._parameters += parameters

    def _ranges(self, row_id: str) -> None:
        """Sequences and times. Times that are no slots of their own need a look at the row."""
        query = self._wanted.query
        for bound, compared in ((query.first_sequence, ">="), (query.last_sequence, "<=")):
            if bound is not None:
                self._add(f"e.sequence {compared} ?", [bound])
        since, until = self._wanted.since, self._wanted.until
        if since is not None:
            slot, is_exact = slot_of(since)
            self._first_id = max(self._first_id, slot << TIE_BITS)
            if slot == 0 or not is_exact:
                self._add(
                    f"CASE WHEN e.odd_ts IS NULL THEN {row_id} >= ? ELSE e.odd_ts >= ? END",
                    [_first_exact(slot, since), since],
                )
        if until is not None:
            slot, is_exact = slot_of(until)
            is_odd = slot == 0 or not is_exact
            self._last_id = min(self._last_id, (slot + is_odd << TIE_BITS) - 1)
            if is_odd:
                self._add(
                    f"CASE WHEN e.odd_ts IS NULL THEN {row_id} < ? ELSE e.odd_ts < ? END",
                    [_first_exact(slot, until), until],
                )


def _first_exact(slot: int, ts: str) -> int:
    """The first id of those whose slot says all of their time, and whose time is not before one that lies in `slot`."""
    # A trail time that is not a slot's own lies before the first slot or after the last one.
    return slot << TIE_BITS if slot_text(slot) >= ts else ID_MAX


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
