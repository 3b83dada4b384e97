"""Events as rows of the index: names as numbers, a row id that sorts by time, the facets that full text looks up."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection
from hashlib import blake2b
from operator import itemgetter
from struct import Struct

import msgspec

from esaa.query.entries import Entry
from esaa.query.index_file import IndexUnavailable
from esaa.query.slots import TIE_BITS, TIES_MAX
from esaa.trail.event import TrailEvent

EVENT_TYPE, ACTOR, PHASE, AGENT, SESSION, HOUR = range(1, 7)
"""What a name in the table `names` names."""

ABOUT = (
    ("type", "event_type", EVENT_TYPE),
    ("actor", "actor_id", ACTOR),
    ("phase", "phase", PHASE),
    ("agent", "agent_name", AGENT),
)
"""The columns of the table `abouts`, with the fields of the settings. An event is about one row of it: there are few
of them, so that what is asked about several columns at once is found without comparing long lists of events."""
STREAM_TOKEN, NAME_TOKEN, ABOUT_TOKEN = "i", "n", "b"
"""What the numbers of streams, names and abouts begin with in the full-text index."""

NO_KEY = 0
"""The key of what has no id. (SQLite is given numbers sooner than nothing.)"""

_CACHED_MAX = 50_000
_unpacked = Struct(">q").unpack
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)"
_SET_ODD = "UPDATE events SET odd_ts = ? WHERE id = ?"
_INSERT_WORDS = "INSERT INTO search(rowid, facets, words) VALUES (?, ?, ?)"
_COUNT_NAMES = "UPDATE names SET events = events + ? WHERE id = ?"
_COUNT_ABOUTS = "UPDATE abouts SET events = events + ? WHERE id = ?"
_FIND_ABOUT = "SELECT id FROM abouts WHERE type IS ? AND actor IS ? AND phase IS ? AND agent IS ?"


class Names(msgspec.Struct, frozen=True, gc=False):
    """The number of a name, or of several that occur together, and its tokens in the full-text index."""

    number: int | None
    tokens: str


class Row(msgspec.Struct, frozen=True, gc=False):
    """An event on its way into the index. `order` never goes back within a stream; `slot` is that of its time."""

    order: int
    slot: int
    stream: int
    sequence: int
    segment: int
    start: int
    length: int
    text: str
    about: Names
    session: Names
    hour: int
    event_key: int
    correlation: int
    causation: int
    odd_ts: str | None


def id_key(text: str) -> int:
    """An id as a number of 64 bits, by which events are looked up and told apart."""
    number: int = _unpacked(blake2b(text.encode(), digest_size=8).digest())[0]
    return number


def has_abouts(facets: Collection[str]) -> bool:
    """True where what events are about as a whole is indexed too: where all of its parts are."""
    return all(facet in facets for _, facet, _ in ABOUT)


class RowWriter:
    """Puts rows into the tables, within the transaction that is open. `facets` are the fields that are indexed.

    What is cached of names holds as long as transactions are committed.
    """

    def __init__(self, connection: sqlite3.Connection, facets: Collection[str]) -> None:
        self._connection = connection
        self._facets = facets
        self._about: dict[tuple[str, str, str, str], Names] = {}
        self._sessions: dict[tuple[int, str], Names] = {}
        self._hours: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._named: Counter[int | None] = Counter()
        self._told: Counter[int | None] = Counter()

    def row(
        self, event: TrailEvent, entry: Entry, order: int, slot: tuple[int, bool], place: tuple[int, int, int, int]
    ) -> Row:
        """The row of an event. `place` is its stream, its segment, its offset there, and its length."""
        stream, segment, start, length = place
        about = (entry.event_type, entry.actor, entry.phase, entry.agent)
        hour = event.ts[:13]
        keys = self._keys
        if len(keys) >= _CACHED_MAX:
            keys.clear()
        # Mostly an event is the cause of the next one, and many share their story.
        event_key = keys[event.event_id] = id_key(event.event_id)
        correlation, causation = event.correlation_id, event.causation_id
        return Row(
            order,
            slot[0],
            stream,
            event.version,
            segment,
            start,
            length,
            entry.text,
            self._about.get(about) or self._new_about(about),
            self._sessions.get((stream, entry.session)) or self._new_session(stream, entry.session),
            self._hours.get(hour) or self._new_hour(hour),
            event_key,
            NO_KEY if correlation is None else keys.get(correlation) or self._new_key(correlation),
            NO_KEY if causation is None else keys.get(causation) or self._new_key(causation),
            None if slot[1] else event.ts,
        )

    def write(self, rows: list[Row]) -> None:
        """Inserts the rows, and counts them for `tally`. Raises `IndexUnavailable` for too many of one time."""
        events: list[tuple[object, ...]] = []
        words: list[tuple[int, str, str]] = []
        odd: list[tuple[str, int]] = []
        ties: dict[int, int] = {}
        last_id = self._connection.execute("SELECT max(id) FROM events").fetchone()[0]
        newest = -1 if last_id is None else last_id >> TIE_BITS
        for row in rows:
            slot, about, session = row.slot, row.about, row.session
            tie = 0 if slot > newest and slot not in ties else self._next_tie(slot, ties)
            ties[slot] = tie
            number = slot << TIE_BITS | tie
            # fmt: off
            events.append((
                number, row.stream, row.sequence, about.number, session.number,
                row.event_key, row.correlation, row.causation, row.segment, row.start, row.length,
            ))
            # fmt: on
            if row.odd_ts is not None:
                odd.append((row.odd_ts, number))
            words.append((number, about.tokens + session.tokens, row.text))
        # The full-text index writes everything out for each row id that goes back.
        events.sort(key=itemgetter(0))
        words.sort(key=itemgetter(0))
        self._connection.executemany(_INSERT_EVENT, events)
        self._connection.executemany(_INSERT_WORDS, words)
        self._connection.executemany(_SET_ODD, odd)
        self._named.update([row.hour for row in rows])
        self._named.update([row.session.number for row in rows])
        self._told.update([row.about.number for row in rows])

    def tally(self) -> None:
        """Adds up what was written, name by name: once at the end of a transaction."""
        for statement, counted in ((_COUNT_NAMES, self._named), (_COUNT_ABOUTS, self._told)):
            self._connection.executemany(statement, [(count, number) for number, count in counted.items()])
            counted.clear()

    def forget(self) -> None:
        """Forgets the numbers of names: those that a transaction gave are gone with it, and what was counted in it."""
        self._named.clear()
        self._told.clear()
        self._about.clear()
        self._sessions.clear()
        self._hours.clear()

    def _next_tie(self, slot: int, ties: dict[int, int]) -> int:
        """The next number of a slot that has events already."""
        tie = ties.get(slot)
        if tie is None:
            found = self._connection.execute(
                "SELECT max(id) FROM events WHERE id BETWEEN ? AND ?",
                (slot << TIE_BITS, (slot << TIE_BITS) + TIES_MAX - 1),
            ).fetchone()[0]
            tie = -1 if found is None else found & (TIES_MAX - 1)
        if tie + 1 >= TIES_MAX:
            raise IndexUnavailable(f"more than {TIES_MAX} events have the same time")
        return tie + 1

    def _new_about(self, about: tuple[str, str, str, str]) -> Names:
        """What an event is about: its type, its actor, its phase and its agent."""
        if len(self._about) >= _CACHED_MAX:
            self._about.clear()
        numbers = [self._number(field, name) for (_, _, field), name in zip(ABOUT, about, strict=True)]
        found = self._connection.execute(_FIND_ABOUT, numbers).fetchone()
        if found is None:
            added = "INSERT INTO abouts(type, actor, phase, agent) VALUES (?, ?, ?, ?)"
            number = self._connection.execute(added, numbers).lastrowid
        else:
            number = found[0]
        tokens = [
            f" {NAME_TOKEN}{one}"
            for one, (_, facet, _) in zip(numbers, ABOUT, strict=True)
            if one is not None and facet in self._facets
        ]
        if has_abouts(self._facets):
            tokens.append(f" {ABOUT_TOKEN}{number}")
        names = self._about[about] = Names(number, "".join(tokens))
        return names

    def _new_session(self, stream: int, session: str) -> Names:
        if len(self._sessions) >= _CACHED_MAX:
            self._sessions.clear()
        number = self._number(SESSION, session)
        tokens = f" {STREAM_TOKEN}{stream}" if "issue_key" in self._facets else ""
        if number is not None and "session_id" in self._facets:
            tokens += f" {NAME_TOKEN}{number}"
        names = self._sessions[stream, session] = Names(number, tokens)
        return names

    def _new_hour(self, hour: str) -> int:
        if len(self._hours) >= _CACHED_MAX:
            self._hours.clear()
        number = self._hours[hour] = self._number(HOUR, hour) or 0
        return number

    def _new_key(self, text: str) -> int:
        key = self._keys[text] = id_key(text)
        return key

    def _number(self, field: int, name: str) -> int | None:
        """The number of a name, a new one where it has none; None for the empty name."""
        if not name:
            return None
        select = "SELECT id FROM names WHERE field = ? AND name = ?"
        found = self._connection.execute(select, (field, name)).fetchone()
        if found is None:
            self._connection.execute("INSERT INTO names(field, name) VALUES (?, ?)", (field, name))
            found = self._connection.execute(select, (field, name)).fetchone()
        number: int = found[0]
        return number
