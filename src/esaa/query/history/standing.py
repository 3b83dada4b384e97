"""Which parts are in which group after an event, and which parts changed between two: by blocks, and what is left."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from esaa.history.log_document import MEMBERS
from esaa.query.history.bits import packed, set_of, unpacked
from esaa.query.history.part_rows import GONE, Move
from esaa.query.history.schema import BLOCK, GROUP, MEMBER_BITS, NUMBER_OF, parts_of, place_of

_MOVES = "SELECT seq, part, grp FROM versions INDEXED BY versions_seq WHERE seq BETWEEN ? AND ? ORDER BY seq, part"
_PARTS = "SELECT part FROM versions INDEXED BY versions_seq WHERE seq BETWEEN ? AND ? ORDER BY seq, part"
_MOVED = """
SELECT part, grp FROM versions INDEXED BY versions_seq WHERE seq BETWEEN ? AND ? AND part BETWEEN ? AND ?
ORDER BY seq, part"""

_COUNTS_KEPT = 64


class Standing:
    """The parts of each group at the end of a block, as sets of places; and the way on from there."""

    def __init__(self, groups: dict[int, int] | None = None) -> None:
        self.groups: dict[int, int] = {} if groups is None else groups

    def follow(self, last: Mapping[int, int], member_of: Mapping[int, int]) -> dict[int, int]:
        """Moves parts into the groups that they are in at last; gives the places that were touched, by member."""
        placed: dict[int, dict[int, list[int]]] = {}
        for part, group in last.items():
            placed.setdefault(part >> MEMBER_BITS, {}).setdefault(group, []).append(place_of(part))
        touched: dict[int, int] = {}
        for member, places in placed.items():
            fresh = {group: set_of(found) for group, found in places.items()}
            mask = 0
            for bits in fresh.values():
                mask |= bits
            touched[member] = mask
            for group, number in member_of.items():
                if number == member and group in self.groups:
                    self.groups[group] &= ~mask
            for group, bits in fresh.items():
                if group != GONE:
                    self.groups[group] = self.groups.get(group, 0) | bits
        return touched


class Sealer:
    """Ends blocks while an index is filled."""

    def __init__(self, connection: sqlite3.Connection, blocks: int) -> None:
        self._connection = connection
        self._standing = load_standing(connection, blocks)

    def seal(self, block: int, moves: list[Move]) -> None:
        """Writes the end of a block, whose moves these are."""
        last = {part: group for _, part, group in moves}
        touched = self._standing.follow(last, groups_by_number(self._connection))
        self._connection.executemany(
            "INSERT INTO changed VALUES (?, ?, ?)", [(block, member, packed(mask)) for member, mask in touched.items()]
        )
        self._connection.executemany(
            "INSERT INTO standings VALUES (?, ?, ?)",
            [(block, group, packed(bits)) for group, bits in self._standing.groups.items() if bits],
        )


class Standings:
    """Answers from the blocks of an index. `members` of groups are those of `groups_by_number`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._counts: OrderedDict[tuple[int, int], dict[str, int]] = OrderedDict()

    def groups_at(self, seq: int, member: str) -> dict[int, int]:
        """The places of the parts in each group of a member after an event."""
        number = NUMBER_OF[member]
        member_of = {group: one for group, one in groups_by_number(self._connection).items() if one == number}
        blocks = seq // BLOCK
        standing = load_standing(self._connection, blocks, member_of)
        rows = self._connection.execute(_MOVED, (blocks * BLOCK + 1, seq, *parts_of(member)))
        standing.follow(dict(rows.fetchall()), member_of)
        return standing.groups

    def moves(self, first: int, last: int) -> Iterator[Move]:
        """What the events of a range moved."""
        return iter(self._connection.execute(_MOVES, (first, last)).fetchall())

    def count_changed(self, after: int, until: int) -> dict[str, int]:
        """How many parts of each member events after `after` up to `until` changed."""
        counts = self._counts.get((after, until))
        if counts is None:
            seen: dict[int, int] = {}
            for _ in self._steps(after, until, seen):
                """`seen` grows."""
            counts = {member: seen.get(number, 0).bit_count() for number, member in enumerate(MEMBERS)}
            # Who turns the pages of a difference asks again and again how long it is.
            self._counts[after, until] = counts
            while len(self._counts) > _COUNTS_KEPT:
                self._counts.popitem(last=False)
        return dict(counts)

    def changed(self, after: int, until: int, offset: int = 0, member: int | None = None) -> Iterator[int]:
        """The numbers of the parts (of a member alone) that changed, in the order of first change, from the one of this
        rank on."""
        skip = offset
        for (first, last), every in self._steps(after, until, {}):
            fresh = {one: bits if member in (None, one) else 0 for one, bits in every.items()}
            count = sum(bits.bit_count() for bits in fresh.values())
            if skip >= count:
                skip -= count
                continue
            for part in self._in_order(first, last, fresh):
                if skip:
                    skip -= 1
                else:
                    yield part

    def _steps(self, after: int, until: int, seen: dict[int, int]) -> Iterator[tuple[tuple[int, int], dict[int, int]]]:
        """Range by range the parts that changed there and not before; `seen` grows by them."""
        first_block, end_block = -(-after // BLOCK), until // BLOCK
        if first_block >= end_block:
            ranges = [(after + 1, until)]
        else:
            ranges = [(after + 1, first_block * BLOCK)]
            ranges += [(block * BLOCK + 1, (block + 1) * BLOCK) for block in range(first_block, end_block)]
            ranges.append((end_block * BLOCK + 1, until))
        kept: dict[int, dict[int, bytes]] = {}
        for block, member, bits in self._connection.execute(
            "SELECT block, member, bits FROM changed WHERE block >= ? AND block < ?", (first_block, end_block)
        ):
            kept.setdefault(block, {})[member] = bits
        for first, last in ranges:
            if first > last:
                continue
            block = (first - 1) // BLOCK
            if last - first + 1 == BLOCK and block * BLOCK + 1 == first:
                touched = {member: unpacked(bits) for member, bits in kept.get(block, {}).items()}
            else:
                touched = self._touched(first, last)
            fresh: dict[int, int] = {}
            for member, bits in touched.items():
                before = seen.get(member, 0)
                fresh[member] = bits & ~before
                seen[member] = before | bits
            yield (first, last), fresh

    def _touched(self, first: int, last: int) -> dict[int, int]:
        places: dict[int, set[int]] = {}
        for (part,) in self._connection.execute(_PARTS, (first, last)):
            places.setdefault(part >> MEMBER_BITS, set()).add(place_of(part))
        return {member: set_of(found) for member, found in places.items()}

    def _in_order(self, first: int, last: int, fresh: dict[int, int]) -> Iterator[int]:
        data = {member: bits.to_bytes((bits.bit_length() + 7) // 8, "little") for member, bits in fresh.items()}
        parts: dict[int, None] = dict.fromkeys(
            part for (part,) in self._connection.execute(_PARTS, (first, last)).fetchall()
        )
        for part in parts:
            bits, place = data[part >> MEMBER_BITS], place_of(part)
            if place >> 3 < len(bits) and bits[place >> 3] >> (place & 7) & 1:
                yield part


def load_standing(connection: sqlite3.Connection, blocks: int, only: dict[int, int] | None = None) -> Standing:
    """The standing after so many blocks, of all groups or some."""
    if only is None:
        rows = connection.execute("SELECT grp, bits FROM standings WHERE block = ?", (blocks - 1,))
        return Standing({group: unpacked(bits) for group, bits in rows})
    found: dict[int, int] = {}
    for group in only:
        row = connection.execute(
            "SELECT bits FROM standings WHERE block = ? AND grp = ?", (blocks - 1, group)
        ).fetchone()
        if row is not None:
            found[group] = unpacked(row[0])
    return Standing(found)


def groups_by_number(connection: sqlite3.Connection) -> dict[int, int]:
    """The number of the member of each group."""
    return {
        group: kind - GROUP
        for group, kind in connection.execute("SELECT id, kind FROM names WHERE kind >= ?", (GROUP,))
    }
