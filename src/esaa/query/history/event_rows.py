"""Events as rows of the index: names as numbers, times as numbers, the text that is searched, the facets of a block."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from esaa.kernel.times import moment_of
from esaa.protocol.summary import task_of
from esaa.query.history.part_rows import name_number
from esaa.query.history.schema import ACTOR, BLOCK, LABEL, NAME, SUBJECT
from esaa.query.history.search_text import label_of, text_of, words_of
from esaa.query.history.stored_lines import StoredEvent

NO_TIME = -(1 << 62)
"""The time of an event whose time can't be read: it counts as the first."""

_LABELS_MAX = 1000
_CACHED_MAX = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def id_key(event_id: str) -> int:
    """An id as a number: that in it, where it is one as esaa gives them, else one below zero that stands for it."""
    digits = event_id[3:]
    if event_id.startswith("EV-") and len(digits) < 19 and digits.isdecimal() and digits.isascii():
        number = int(digits)
        if f"EV-{number:08d}" == event_id:
            return number
    return -1 - int.from_bytes(blake2b(event_id.encode(), digest_size=7).digest(), "big")


def microseconds(ts: str) -> int:
    """A time of the log as a number."""
    moment = moment_of(ts)
    return NO_TIME if moment is None else (moment - _EPOCH) // _MICROSECOND


class EventRows:
    """Writes events. What a name's number is, it asks the index once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[tuple[int, str], int] = {}
        self._labels: int | None = None
        self._time = ("", NO_TIME)
        self._cause: tuple[str | None, int | None] = (None, None)
        self._rows: list[tuple[object, ...]] = []
        self._texts: list[tuple[int, str]] = []
        self.block: list[tuple[int, int, int | None, int]] = []

    def take(self, event: StoredEvent) -> None:
        """Takes one event."""
        start, length, _, action, payload, recorded = event
        seq = recorded.version
        if recorded.ts != self._time[0]:
            self._time = (recorded.ts, microseconds(recorded.ts))
        if recorded.causation_id != self._cause[0]:
            cause = recorded.causation_id
            self._cause = (cause, None if cause is None else id_key(cause))
        numbers = self._numbers
        name = numbers.get((NAME, action)) or self._number(NAME, action, words_of(action))
        actor = numbers.get((ACTOR, recorded.actor)) or self._number(ACTOR, recorded.actor, words_of(recorded.actor))
        label = self._label(event)
        if label is None:
            self._texts.append((seq, text_of(recorded, payload)))
        task = task_of(recorded.fact)
        subject = None if task is None else numbers.get((SUBJECT, task)) or self._number(SUBJECT, task, None)
        key = None if recorded.event_id == f"EV-{seq:08d}" else id_key(recorded.event_id)
        ts = self._time[1]
        self._rows.append((seq, start, length, ts, name, actor, label, subject, self._cause[1], key))
        self.block.append((name, actor, label, ts))

    def flush(self) -> None:
        """Writes what was taken."""
        self._connection.executemany(_INSERT, self._rows)
        self._connection.executemany("INSERT INTO search(rowid, words) VALUES (?, ?)", self._texts)
        self._rows, self._texts = [], []

    def seal(self, block: int) -> None:
        """Writes the facets of a block that was taken as a whole."""
        facets: dict[int, bytearray] = {}
        for place, (name, actor, label, _) in enumerate(self.block):
            for number in (name, actor) if label is None else (name, actor, label):
                bits = facets.get(number)
                if bits is None:
                    bits = facets[number] = bytearray(BLOCK // 8)
                bits[place >> 3] |= 1 << (place & 7)
        self._connection.executemany(
            "INSERT INTO facets VALUES (?, ?, ?)", [(number, block, bytes(bits)) for number, bits in facets.items()]
        )
        earliest = min(row[3] for row in self.block)
        self._connection.execute("INSERT INTO blocks VALUES (?, ?)", (block, earliest))
        self.block = []

    def forget(self) -> None:
        """Forgets what a transaction wrote that did not end well."""
        self._numbers.clear()
        self._labels = None
        self._rows, self._texts, self.block = [], [], []

    def _label(self, event: StoredEvent) -> int | None:
        text = label_of(event.action, event.payload, event.recorded.fact)
        if text is None:
            return None
        found = self._numbers.get((LABEL, text))
        if found is not None:
            return found
        labels = self._labels
        if labels is None:
            count = "SELECT count(*) FROM names WHERE kind = ?"
            labels = int(self._connection.execute(count, (LABEL,)).fetchone()[0])
        row = self._connection.execute("SELECT id FROM names WHERE kind = ? AND name = ?", (LABEL, text)).fetchone()
        self._labels = labels
        if row is None:
            if labels >= _LABELS_MAX:
                return None
            self._labels = labels + 1
        return self._number(LABEL, text, text_of(event.recorded, event.payload))

    def _number(self, kind: int, name: str, words: str | None) -> int:
        """The number of a name; a new one is found by its words."""
        if len(self._numbers) >= _CACHED_MAX:
            self._numbers.clear()
        connection = self._connection
        row = connection.execute("SELECT id FROM names WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        number = name_number(connection, kind, name) if row is None else row[0]
        if row is None and words is not None:
            connection.execute("INSERT INTO labels(rowid, words) VALUES (?, ?)", (number, words))
        self._numbers[kind, name] = number
        return number
