"""What is measured of a log, in its index: how long tasks took, and what the outputs of each run come to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from esaa.audit.run_metrics import COUNTED, RunCounter, RunMetrics
from esaa.history.task_times import DONE, TIMED, TaskClock, TaskSpans
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, OutputRejected
from esaa.query.history.part_rows import name_number
from esaa.query.history.schema import RUN

SUMS_EVERY = 512
"""The sums of the run that goes on are written after so many events, and whenever another run goes on."""
_BYTES_FOR_AN_EVENT = 16
"""Sums that are large (a run of very many actors) are written less often."""

_NEWEST = """
SELECT first, created, begun, status, attempts, rejections, waiting, working, review, since, total FROM spans
WHERE first = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"""
# What is done takes no longer. Of each other task the row with the greatest seq; the rest of its columns come from that
# row, as SQLite promises.
_SLOWEST = """
SELECT first, spent FROM timed WHERE first <= :at AND done <= :at
UNION ALL
SELECT first, waiting + working + review
    + CASE WHEN status = :done OR since IS NULL OR :now IS NULL THEN 0 ELSE max(:now - since, 0) END
FROM (SELECT first, max(seq), status, waiting, working, review, since FROM spans
      WHERE first IN (SELECT first FROM timed WHERE first <= :at AND (done IS NULL OR done > :at)) AND seq <= :at
      GROUP BY first)
ORDER BY 2 DESC, 1 LIMIT :count"""
_LAST_SUMS = "SELECT seq, run FROM sums WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
_SUMS_OF = "SELECT value FROM sums WHERE run = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
_FOREVER = 1 << 62

Events = Callable[[int, int, tuple[str, ...]], Iterable[Recorded[Fact]]]
"""The events of some names after one seq, up to another."""

COUNTED_NAMES = tuple(sorted(fact.action_name for fact in COUNTED))


class MeasureRows:
    """Writes what is measured."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_whole = False
        self._clock = TaskClock(self._known)
        self._runs = RunCounter(self._known_run)
        self._is_changed = False
        self._due = SUMS_EVERY
        self._names: list[tuple[int, str]] = []
        self._spans: list[tuple[object, ...]] = []
        self._ends: dict[int, tuple[int | None, int | None]] = {}
        self._sums: list[tuple[int, int, bytes]] = []

    def __len__(self) -> int:
        return len(self._clock)

    def fill(self) -> None:
        """Nothing is there yet, so nothing is looked up."""
        self._is_whole = True

    def resume(self, seq: int, events: Events) -> None:
        """Goes on after an event that the index holds."""
        self._is_whole = False
        self._clock = TaskClock(self._known)
        self._names, self._spans, self._ends, self._sums = [], [], {}, []
        self._runs, after = counted_up_to(self._connection, seq, events)
        self._is_changed = True
        self._runs.known = self._known_run
        self._due = after + SUMS_EVERY

    def take(self, event: Recorded[Fact]) -> None:
        """Takes one event."""
        seq, fact = event.version, event.fact
        if isinstance(fact, TIMED):
            self._time(event)
        if isinstance(fact, COUNTED):
            self._count(event)
        if seq >= self._due:
            self._write(seq, self._runs.current)

    def flush(self) -> None:
        """Writes what was taken."""
        many = self._connection.executemany
        many("INSERT INTO timed(first, name) VALUES (?, ?)", self._names)
        many("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._spans)
        many("UPDATE timed SET done = ?, spent = ? WHERE first = ?", [(*end, one) for one, end in self._ends.items()])
        many("INSERT OR REPLACE INTO sums VALUES (?, ?, ?)", self._sums)
        self._names, self._spans, self._ends, self._sums = [], [], {}, []

    def let_go(self) -> None:
        """Forgets the tasks; they are looked up again."""
        self._clock.let_go()
        self._is_whole = False

    def _time(self, event: Recorded[Fact]) -> None:
        changed = self._clock.take(event)
        if changed is None:
            return
        name, spans = changed
        seq = event.version
        first, *rest = msgspec.structs.astuple(spans)
        if first == seq:
            self._names.append((first, name))
        self._spans.append((first, seq, *rest))
        if spans.status == DONE and not isinstance(event.fact, OutputRejected):
            self._ends[first] = (seq, spans.until(None))
        elif spans.status != DONE and spans.total is not None:
            self._ends[first] = (None, None)  # it was done, and is not any more

    def _count(self, event: Recorded[Fact]) -> None:
        runs = self._runs
        before = runs.current
        is_changed = runs.take(event)
        if runs.current is not before and before is not None:
            if self._is_changed:
                self._write(event.version - 1, before)
            # One run is held; the others are fetched when they come back.
            runs.runs = {} if runs.current is None else {runs.current.run_id: runs.current}
        self._is_changed |= is_changed

    def _write(self, seq: int, run: RunMetrics | None) -> None:
        value = b"" if run is None else msgspec.json.encode(run)
        number = 0 if run is None else name_number(self._connection, RUN, run.run_id)
        self._sums.append((seq, number, value))
        self._is_changed = False
        self._due = seq + max(SUMS_EVERY, len(value) // _BYTES_FOR_AN_EVENT)

    def _known(self, name: str) -> TaskSpans | None:
        if self._is_whole:
            return None
        row = self._connection.execute("SELECT first FROM timed WHERE name = ?", (name,)).fetchone()
        return None if row is None else _spans_at(self._connection, row[0], _FOREVER)

    def _known_run(self, name: str) -> RunMetrics | None:
        wanted = _run_number(self._connection, name)
        for _, number, value in reversed(self._sums):
            if number == wanted:
                return msgspec.json.decode(value, type=RunMetrics)
        return _sums_of(self._connection, name, _FOREVER)


class LogMeasures:
    """Answers from what was measured. `events` reads those of the log that no sums hold yet."""

    def __init__(self, connection: sqlite3.Connection, events: Events) -> None:
        self._connection = connection
        self._events = events

    def slowest(self, seq: int, now: int | None, count: int) -> list[tuple[str, TaskSpans]]:
        """The slowest tasks after an event, at the time `now`, with their names."""
        rows = self._connection.execute(_SLOWEST, {"at": seq, "now": now, "count": count, "done": DONE}).fetchall()
        found: list[tuple[str, TaskSpans]] = []
        for first, _ in rows:
            (name,) = self._connection.execute("SELECT name FROM timed WHERE first = ?", (first,)).fetchone()
            spans = _spans_at(self._connection, first, seq)
            assert spans is not None, "a task that is timed has times"
            found.append((name, spans))
        return found

    def count(self, seq: int) -> int:
        """How many tasks were seen up to an event."""
        found: int = self._connection.execute("SELECT count(*) FROM timed WHERE first <= ?", (seq,)).fetchone()[0]
        return found

    def runs(self, seq: int) -> list[RunMetrics]:
        """What each run came to after an event, the oldest first."""
        counter, _ = counted_up_to(self._connection, seq, self._events)
        found: dict[str, RunMetrics] = {}
        for number, name in self._connection.execute("SELECT id, name FROM names WHERE kind = ? ORDER BY id", (RUN,)):
            row = self._connection.execute(_SUMS_OF, (number, seq)).fetchone()
            if row is not None:
                found[name] = msgspec.json.decode(row[0], type=RunMetrics)
        return list((found | counter.runs).values())


def counted_up_to(connection: sqlite3.Connection, seq: int, events: Events) -> tuple[RunCounter, int]:
    """What the runs came to that went on since sums were written last, and the event up to which these were."""
    row = connection.execute(_LAST_SUMS, (seq,)).fetchone()
    after, number = (0, 0) if row is None else row
    found = None
    if number:
        (found,) = connection.execute("SELECT name FROM names WHERE id = ?", (number,)).fetchone()
    counter = RunCounter(lambda name: _sums_of(connection, name, after), found)
    for event in events(after, seq, COUNTED_NAMES):
        counter.take(event)
    return counter, after


def _run_number(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute("SELECT id FROM names WHERE kind = ? AND name = ?", (RUN, name)).fetchone()
    return None if row is None else row[0]


def _sums_of(connection: sqlite3.Connection, name: str, seq: int) -> RunMetrics | None:
    number = _run_number(connection, name)
    row = None if number is None else connection.execute(_SUMS_OF, (number, seq)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=RunMetrics)


def _spans_at(connection: sqlite3.Connection, first: int, seq: int) -> TaskSpans | None:
    row = connection.execute(_NEWEST, (first, seq)).fetchone()
    return None if row is None else TaskSpans(*row)
