"""Events that fit a filter, by rank: sets of seqs are joined and counted as bits, and only a page of them is read."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

import msgspec

from esaa.history.entries import EntryFilter
from esaa.protocol.facts import OutputRejected
from esaa.query.history.bits import between, bits_of, numbers_of
from esaa.query.history.schema import ACTOR, BLOCK, NAME, SUBJECT
from esaa.query.words import parse_words

_TERMS_KEPT = 64
_TAIL = "SELECT seq, name, actor, label FROM events WHERE seq > ? AND seq <= ?"
# What SQLite gathers into one text is read faster than rows.
_FOUND = "SELECT json_group_array(rowid) FROM search WHERE search MATCH ? AND rowid > ? AND rowid <= ?"


class EventFinder:
    """Finds events in one index. Bit n of a set stands for event n."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._terms: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def find(self, wanted: EntryFilter, head: int, offset: int, count: int) -> tuple[int, list[int]]:
        """How many events fit, and the seqs of a page of them. Raises `UsageError` for a text that is none."""
        first, last = max(wanted.first, 1), head if wanted.last is None else min(wanted.last, head)
        found = self._fitting(wanted, head)
        if found is None:
            total = max(last - first + 1, 0)
            return total, list(range(first + offset, min(first + offset + count, last + 1)))
        found &= between(first, last)
        return found.bit_count(), list(islice(numbers_of(found, offset=offset), count))

    def _fitting(self, wanted: EntryFilter, head: int) -> int | None:
        """The events that fit, wherever they are; None where all do."""
        sets: list[int] = []
        if wanted.names:
            sets.append(self._any_facet(NAME, wanted.names, head))
        if wanted.actors:
            sets.append(self._any_facet(ACTOR, wanted.actors, head))
        if wanted.rejections_only:
            sets.append(self._any_facet(NAME, (OutputRejected.action_name,), head))
        if wanted.subjects:
            sets.append(self._about(wanted.subjects, head))
        if wanted.text.strip():
            sets.append(self._with_text(wanted.text, head))
        if not sets:
            return None
        found = sets[0]
        for one in sets[1:]:
            found &= one
        return found

    def _any_facet(self, kind: int, names: Iterable[str], head: int) -> int:
        return self._facets((number for name in names for number in self._number(kind, name)), head)

    def _about(self, subjects: Iterable[str], head: int) -> int:
        seqs = [
            row[0]
            for subject in subjects
            for number in self._number(SUBJECT, subject)
            for row in self._connection.execute("SELECT seq FROM events WHERE subject = ? AND seq <= ?", (number, head))
        ]
        return bits_of(seqs, head + 1)

    def _number(self, kind: int, name: str) -> list[int]:
        rows = self._connection.execute("SELECT id FROM names WHERE kind = ? AND name = ?", (kind, name))
        return [row[0] for row in rows]

    def _facets(self, numbers: Iterable[int], head: int) -> int:
        """The events that have any of these names, actors or labels."""
        whole = head // BLOCK
        found = 0
        asked = set(numbers)
        for number in asked:
            data = bytearray(whole * BLOCK // 8)
            rows = self._connection.execute(
                "SELECT block, bits FROM facets WHERE name = ? AND block < ?", (number, whole)
            )
            for block, bits in rows:
                data[block * BLOCK // 8 : (block + 1) * BLOCK // 8] = bits
            # The first bit of a block stands for its first event.
            found |= int.from_bytes(data, "little") << 1
        tail = (
            seq
            for seq, *facets in self._connection.execute(_TAIL, (whole * BLOCK, head))
            if not asked.isdisjoint(facets)
        )
        return found | bits_of(tail, head + 1)

    def _with_text(self, text: str, head: int) -> int:
        words = parse_words(text)
        found = -1
        for group in words.groups:
            hit = 0
            for term in group:
                hit |= self._with_term(term, head)
            found &= hit
        for term in words.without:
            found &= ~self._with_term(term, head)
        return found

    def _with_term(self, term: str, head: int) -> int:
        """The events with a term. What was found before is kept: events are only added."""
        seen, bits = self._terms.get(term, (0, 0))
        if seen > head:
            return bits & between(0, head)
        if seen < head:
            row = self._connection.execute(_FOUND, (term, seen, head)).fetchone()
            bits |= bits_of(msgspec.json.decode(row[0], type=list[int]), head + 1)
            labels = self._connection.execute("SELECT rowid FROM labels WHERE labels MATCH ?", (term,))
            bits |= self._facets((label for (label,) in labels), head)
            self._terms[term] = (head, bits)
            while len(self._terms) > _TERMS_KEPT:
                self._terms.popitem(last=False)
        self._terms.move_to_end(term)
        return bits
