"""The parts of the state in the index: their numbers, their versions, and what a fold is given of them again."""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import Any

from esaa.history.log_document import FileOfTask
from esaa.history.log_fold import PartChange
from esaa.protocol.state import Issue, Work
from esaa.protocol.task_table import Task
from esaa.query.history.schema import GROUP, NUMBER_OF, part_number, parts_of
from esaa.query.history.versions import decoded, encoded, file_from, issue_from, task_from, work_from

GONE = 0
"""The group of a part that is not there any more."""

_FIND = "SELECT id FROM parts WHERE name = ? AND id BETWEEN ? AND ?"
_VALUES = "SELECT grp, value FROM versions WHERE part = ? AND seq <= ? ORDER BY seq DESC"
_ALWAYS = 1 << 62


Move = tuple[int, int, int]
"""From an event on a part is in a group: seq, part, group."""

_Known = tuple[int, int]
"""A part by its number, and the steps in a row that led to its newest value."""


def find_part(connection: sqlite3.Connection, member: str, name: str) -> int | None:
    """The number of a part by its name."""
    row = connection.execute(_FIND, (name, *parts_of(member))).fetchone()
    return None if row is None else row[0]


def value_at(connection: sqlite3.Connection, part: int, seq: int = _ALWAYS) -> tuple[dict[str, Any], int] | None:
    """The value of a part after an event, and how many steps led to it; None where it is not there."""
    rows = connection.execute(_VALUES, (part, seq))
    newest = next(rows, None)
    if newest is None or newest[0] == GONE:
        return None
    # What was gone came back whole, so no step leads across that.
    return decoded(value for _, value in chain((newest,), rows))


class PartRows:
    """Writes versions, and is the ground of the fold: what was written comes back from here."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], _Known] = {}
        self._groups: dict[tuple[str, str], int] = {}
        self._places: dict[str, int] = {}
        self._parts: list[tuple[int, str]] = []
        self._versions: list[tuple[int, int, int, bytes | None]] = []
        self._abouts: set[tuple[str, int]] = set()
        self.moves: list[Move] = []
        self.is_whole = False

    def take(self, seq: int, changes: list[PartChange]) -> None:
        """Takes what an event changed."""
        for member, name, before, after in changes:
            key = (member, name)
            part, steps = self._known.get(key) or self._load(member, name)
            group, value = GONE, None
            if after is None:
                steps = 0
            else:
                group = self._group(member, after)
                value, steps = encoded(before, after, steps)
            self._known[key] = (part, steps)
            self._versions.append((part, seq, group, value))
            self.moves.append((seq, part, group))
            if member == "issues" and after is not None:
                self._abouts.add((after["links"]["fixes_task_id"] or after["links"]["reported_by_task_id"], part))

    def flush(self) -> None:
        """Writes what was taken."""
        execute = self._connection.executemany
        execute("INSERT INTO parts VALUES (?, ?)", self._parts)
        self._versions.sort(key=_order)
        execute("INSERT INTO versions VALUES (?, ?, ?, ?)", self._versions)
        execute("INSERT OR IGNORE INTO abouts VALUES (?, ?)", sorted(self._abouts))
        self._parts, self._versions, self._abouts = [], [], set()

    def let_go(self) -> None:
        """Forgets which parts there are; they are looked up again."""
        self._known.clear()
        self.is_whole = False

    def forget(self) -> None:
        """Forgets all that a transaction wrote that did not end well."""
        self.let_go()
        self._groups.clear()
        self._places.clear()
        self._parts, self._versions, self._abouts = [], [], set()
        self.moves = []

    def task(self, task_id: str) -> Task | None:
        """A task that was written."""
        value = self._value("tasks", task_id)
        return None if value is None else task_from(value)

    def work(self, task_id: str) -> Work | None:
        """The work on a task."""
        value = self._value("work", task_id)
        return None if value is None else work_from(value)

    def issue(self, issue_id: str) -> Issue | None:
        """An issue."""
        value = self._value("issues", issue_id)
        return None if value is None else issue_from(value)

    def file(self, path: str) -> FileOfTask | None:
        """A file."""
        value = self._value("files", path)
        return None if value is None else file_from(value)

    def _value(self, member: str, name: str) -> dict[str, Any] | None:
        if self.is_whole:
            return None
        part = find_part(self._connection, member, name)
        found = None if part is None else value_at(self._connection, part)
        if part is not None:
            self._known[member, name] = (part, 0 if found is None else found[1])
        return None if found is None else found[0]

    def _load(self, member: str, name: str) -> _Known:
        part = None if self.is_whole else find_part(self._connection, member, name)
        if part is None:
            place = self._places.get(member)
            if place is None:
                last = self._connection.execute(
                    "SELECT max(id) FROM parts WHERE id BETWEEN ? AND ?", parts_of(member)
                ).fetchone()[0]
                place = 0 if last is None else last - parts_of(member)[0]
            self._places[member] = place + 1
            part = part_number(member, place + 1)
            self._parts.append((part, name))
            return (part, 0)
        found = value_at(self._connection, part)
        return (part, 0 if found is None else found[1])

    def _group(self, member: str, value: Any) -> int:
        if member == "tasks":
            name = value.status
        elif member == "issues":
            name = value["status"]
        else:
            name = ""
        number = self._groups.get((member, name))
        if number is None:
            number = self._groups[member, name] = name_number(self._connection, GROUP + NUMBER_OF[member], name)
        return number


def name_number(connection: sqlite3.Connection, kind: int, name: str) -> int:
    """The number of a name, a new one where it has none."""
    select = "SELECT id FROM names WHERE kind = ? AND name = ?"
    row = connection.execute(select, (kind, name)).fetchone()
    if row is None:
        connection.execute("INSERT INTO names(kind, name) VALUES (?, ?)", (kind, name))
        row = connection.execute(select, (kind, name)).fetchone()
    number: int = row[0]
    return number


def _order(row: tuple[int, int, int, bytes | None]) -> tuple[int, int]:
    return row[0], row[1]
