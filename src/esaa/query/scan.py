"""The same answers by reading every stream: without an index, and as the measure of what the index answers."""

from __future__ import annotations

import heapq
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from esaa.query.entries import Entry, EntryMaker
from esaa.query.feed import Progress
from esaa.query.filters import Wanted
from esaa.query.index_file import WORDS_TABLE
from esaa.query.pages import Page, Position
from esaa.query.words import Words
from esaa.stores.trail import Located, TrailStore
from esaa.trail.event import TrailEvent

_AT_ONCE = 500


class _Match(NamedTuple):
    position: Position
    located: Located
    entry: Entry


class Scan:
    """Reads the streams of a store for each question. Memory does not grow with what is read."""

    def __init__(self, store: TrailStore, maker: EntryMaker, progress: Progress | None = None) -> None:
        self._store = store
        self._maker = maker
        self._progress = progress

    def has_type(self, name: str) -> bool:
        """True where an event of a type is in the trail."""
        mark = f'"event_type":"{name}"'
        return any(self._store.stream(stream).mentions(mark) for stream in self._store.names())

    def page(self, wanted: Wanted) -> Page:
        """The events of a page. Raises `CorruptLog` where a stream is damaged."""
        limit = wanted.query.limit
        pick = heapq.nlargest if wanted.is_newest_first else heapq.nsmallest
        found = pick(limit + 1, self._matches(wanted), key=_position)
        next_cursor = wanted.cursor_after(found[limit - 1].position) if len(found) > limit else None
        return Page(events=tuple(one.located for one in found[:limit]), next_cursor=next_cursor)

    def count(self, wanted: Wanted) -> int:
        """How many events match."""
        return sum(1 for _ in self._matches(wanted))

    def group(self, wanted: Wanted, by: str) -> Counter[str]:
        """How many of the matching events have which value; those that have none count for the empty text."""
        return Counter(_value(match, by) for match in self._matches(wanted))

    def _matches(self, wanted: Wanted) -> Iterator[_Match]:
        fitting = (match for match in self._read(wanted) if _fits(match, wanted))
        if wanted.words is None:
            return fitting
        return _with_words(fitting, wanted.words)

    def _read(self, wanted: Wanted) -> Iterator[_Match]:
        query = wanted.query
        wants_text = wanted.words is not None
        asked = set(query.issue_keys)
        count = 0
        for name in self._store.names():
            if asked and name not in asked:
                continue
            stream = self._store.stream(name)
            # Not further than what was acknowledged by now.
            last = stream.tip().head.version
            if query.last_sequence is not None:
                last = min(last, query.last_sequence)
            for located in stream.events(query.first_sequence or 1, last):
                event = located.event
                count += 1
                if self._progress is not None and count % _AT_ONCE == 0:
                    self._progress(count)
                entry = self._maker.entry(event, wants_text)
                yield _Match(Position(event.ts, name, event.version), located, entry)


def _fits(match: _Match, wanted: Wanted) -> bool:
    query, entry, event = wanted.query, match.entry, match.located.event
    if wanted.after is not None:
        is_after = match.position < wanted.after if wanted.is_newest_first else match.position > wanted.after
        if not is_after:
            return False
    return (
        (wanted.since is None or event.ts >= wanted.since)
        and (wanted.until is None or event.ts < wanted.until)
        and (not query.event_types or entry.event_type in query.event_types)
        and (not query.actors or entry.actor in query.actors)
        and (not query.sessions or entry.session in query.sessions)
        and (not query.phases or entry.phase in query.phases)
        and (not query.agents or entry.agent in query.agents)
        and (query.first_sequence is None or event.version >= query.first_sequence)
        and _has_ids(event, wanted)
    )


def _has_ids(event: TrailEvent, wanted: Wanted) -> bool:
    query = wanted.query
    return (
        (query.event_id is None or event.event_id == query.event_id)
        and (query.correlation_id is None or event.correlation_id == query.correlation_id)
        and (query.causation_id is None or event.causation_id == query.causation_id)
    )


def _with_words(matches: Iterable[_Match], words: Words) -> Iterator[_Match]:
    """Those whose text has the words, as the index would tell: some at a time go through a full-text table."""
    remaining = iter(matches)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(WORDS_TABLE)
        while some := list(islice(remaining, _AT_ONCE)):
            connection.executemany(
                "INSERT INTO search(rowid, words) VALUES (?, ?)",
                ((number, match.entry.text) for number, match in enumerate(some)),
            )
            found = connection.execute(
                "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid", (words.expression,)
            ).fetchall()
            connection.execute("INSERT INTO search(search) VALUES ('delete-all')")
            yield from (some[number] for (number,) in found)


def _position(match: _Match) -> Position:
    return match.position


def _value(one: _Match, by: str) -> str:
    """What an event counts for."""
    entry = one.entry
    match by:
        case "event_type":
            return entry.event_type
        case "issue_key":
            return entry.stream
        case "phase":
            return entry.phase
        case "agent_name":
            return entry.agent
        case "actor":
            return entry.actor
        case "session":
            return entry.session
        case "day":
            return one.position.ts[:10]
        case _:
            return one.position.ts[:13]
