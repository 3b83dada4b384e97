"""The state after any event, from the index: one part, a page of them, the task board, the whole document."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from msgspec import UNSET

from esaa.history.board import STATUSES, Board, BoardColumn, Card, card_of
from esaa.history.log_document import MEMBERS, WHOLE, run_part, verification_part
from esaa.history.members import PARTED_MEMBERS
from esaa.protocol.state import Header
from esaa.query.history.bits import above, numbers_of
from esaa.query.history.part_rows import GONE, find_part, value_at
from esaa.query.history.schema import GROUP, MEMBER_BITS, NUMBER_OF, part_number, parts_of, place_of
from esaa.query.history.standing import Standings
from esaa.query.history.versions import decoded

_RANGE = "SELECT part, grp, value FROM versions WHERE part BETWEEN ? AND ? AND seq <= ? ORDER BY part, seq DESC"
_LAST_CHANGE = "SELECT seq FROM versions WHERE part = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"


class LogParts:
    """Answers from the parts of one index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.standings = Standings(connection)

    def value(self, seq: int, names: tuple[str, ...]) -> Any:
        """The part with these names; `UNSET` where there is none."""
        if len(names) == 1 and names[0] in WHOLE:
            part = find_part(self._connection, names[0], "")
            found = None if part is None else value_at(self._connection, part, seq)
            if found is not None:
                return found[0]
            # Before an event says otherwise.
            return run_part(Header()) if names[0] == "run" else verification_part(Header())
        if len(names) != 2 or names[0] not in PARTED_MEMBERS:
            return UNSET
        part = find_part(self._connection, *names)
        found = None if part is None else value_at(self._connection, part, seq)
        return UNSET if found is None else found[0]

    def document(self, seq: int) -> dict[str, Any]:
        """The whole state."""
        return {
            member: self.value(seq, (member,)) if member in WHOLE else dict(self._values(seq, member))
            for member in MEMBERS
        }

    def sizes(self, seq: int) -> dict[str, int]:
        """How many parts each member has."""
        return {
            member: sum(bits.bit_count() for bits in self.standings.groups_at(seq, member).values())
            for member in PARTED_MEMBERS
        }

    def page(self, seq: int, member: str, after: str | None, count: int) -> list[tuple[str, Any]]:
        """So many parts of a member, after the one with a name; a name that is not there begins anew."""
        if member not in PARTED_MEMBERS:
            return []
        bits = self._all(seq, member)
        last = None if after is None else find_part(self._connection, member, after)
        if last is not None:
            bits = above(bits, place_of(last))
        return list(self._read(seq, member, islice(numbers_of(bits), count)))

    def changes(self, names: tuple[str, ...], until: int) -> list[int]:
        """The events that changed the part in which something lies, or any part of it."""
        execute = self._connection.execute
        if not names:
            rows = execute(
                "SELECT DISTINCT seq FROM versions INDEXED BY versions_seq WHERE seq <= ? ORDER BY seq", (until,)
            )
            return [seq for (seq,) in rows]
        member = names[0]
        if member not in MEMBERS:
            return []
        if member in WHOLE or len(names) > 1:
            part = find_part(self._connection, member, "" if member in WHOLE else names[1])
            rows = execute("SELECT seq FROM versions WHERE part = ? AND seq <= ? ORDER BY seq", (part, until))
            return [seq for (seq,) in rows]
        rows = execute(
            "SELECT DISTINCT seq FROM versions WHERE part BETWEEN ? AND ? AND seq <= ?", (*parts_of(member), until)
        )
        return sorted(seq for (seq,) in rows)

    def names_of(self, numbers: Sequence[int]) -> list[tuple[str, ...]]:
        """The names of parts by their numbers."""
        select = "SELECT name FROM parts WHERE id = ?"
        named: list[tuple[str, ...]] = []
        for number in numbers:
            member = MEMBERS[number >> MEMBER_BITS]
            if member in WHOLE:
                named.append((member,))
            else:
                named.append((member, self._connection.execute(select, (number,)).fetchone()[0]))
        return named

    def board(self, at: int, since: int | None, status: str | None, after: str | None, count: int) -> Board:
        """The task board."""
        names: dict[int, str] = dict(
            self._connection.execute("SELECT id, name FROM names WHERE kind = ?", (GROUP + NUMBER_OF["tasks"],))
        )
        found = {names[group]: bits for group, bits in self.standings.groups_at(at, "tasks").items() if bits}
        statuses = [*STATUSES, *sorted(found.keys() - set(STATUSES))]
        open_issues = self._open_issues(at)
        last = None if after is None else find_part(self._connection, "tasks", after)
        columns: list[BoardColumn] = []
        for name in statuses:
            if status is not None and name != status:
                continue
            bits = found.get(name, 0)
            # As everywhere: a card that is not in the column begins it anew.
            is_in = last is not None and bits >> place_of(last) & 1
            rest = above(bits, place_of(last)) if last is not None and is_in else bits
            page = list(islice(numbers_of(rest), count))
            cards = tuple(self._card(at, since, place, open_issues) for place in page)
            more = bool(cards) and rest.bit_count() > len(page)
            columns.append(
                BoardColumn(status=name, total=bits.bit_count(), cards=cards, next=cards[-1].task_id if more else None)
            )
        counts = {name: found[name].bit_count() for name in statuses if name in found}
        return Board(counts=counts, columns=tuple(columns))

    def _card(self, at: int, since: int | None, place: int, open_issues: int) -> Card:
        number = part_number("tasks", place)
        task = value_at(self._connection, number, at)
        assert task is not None, "a task that is on the board is there"
        task_id: str = task[0]["task_id"]
        working = find_part(self._connection, "work", task_id)
        work = None if working is None else value_at(self._connection, working, at)
        is_changed = since is not None and any(
            part is not None and self._changed_after(part, since, at) for part in (number, working)
        )
        issues = self._issues_about(task_id, at, open_issues) if open_issues else 0
        return card_of(task[0], None if work is None else work[0], issues, is_changed=is_changed)

    def _changed_after(self, part: int, since: int, at: int) -> bool:
        row = self._connection.execute(_LAST_CHANGE, (part, at)).fetchone()
        return row is not None and row[0] > since

    def _open_issues(self, at: int) -> int:
        names = dict(
            self._connection.execute("SELECT id, name FROM names WHERE kind = ?", (GROUP + NUMBER_OF["issues"],))
        )
        groups = self.standings.groups_at(at, "issues")
        return next((bits for group, bits in groups.items() if names[group] == "open"), 0)

    def _issues_about(self, task_id: str, at: int, open_issues: int) -> int:
        count = 0
        for (issue,) in self._connection.execute("SELECT issue FROM abouts WHERE task = ?", (task_id,)):
            if open_issues >> place_of(issue) & 1:
                value = value_at(self._connection, issue, at)
                links = {} if value is None else value[0]["links"]
                # What an issue is about may change when it is reported again.
                count += (links.get("fixes_task_id") or links.get("reported_by_task_id")) == task_id
        return count

    def _all(self, seq: int, member: str) -> int:
        found = 0
        for bits in self.standings.groups_at(seq, member).values():
            found |= bits
        return found

    def _values(self, seq: int, member: str) -> Iterator[tuple[str, Any]]:
        return self._read(seq, member, numbers_of(self._all(seq, member)))

    def _read(self, seq: int, member: str, places: Iterator[int]) -> Iterator[tuple[str, Any]]:
        """The parts at these places, which ascend, with their values: many at once where they lie side by side."""
        while run := list(islice(places, 256)):
            first, last = part_number(member, run[0]), part_number(member, run[-1])
            if last - first > 4 * len(run):
                for place in run:
                    number = part_number(member, place)
                    found = value_at(self._connection, number, seq)
                    if found is not None:
                        yield self.names_of([number])[0][1], found[0]
                continue
            names: dict[int, str] = dict(
                self._connection.execute("SELECT id, name FROM parts WHERE id BETWEEN ? AND ?", (first, last))
            )
            values: dict[int, list[bytes]] = {}
            gone: set[int] = set()
            for part, group, value in self._connection.execute(_RANGE, (first, last, seq)):
                if group == GONE:
                    gone.add(part)
                elif part not in gone:
                    values.setdefault(part, []).append(value)
            for part, found_values in values.items():
                yield names[part], decoded(found_values)[0]
