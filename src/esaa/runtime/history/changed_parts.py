"""Which parts of the state changed between two moments: pages of them, and how many of each member."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import UNSET

from esaa.history.members import PARTED_MEMBERS
from esaa.history.past import Past
from esaa.history.pointers import on_one_way, parse_pointer, pointer_of

_AT_ONCE = 500


@runtime_checkable
class PagesChanges(Protocol):
    """A past that pages and counts its changed parts by itself."""

    def changed_page(self, after: int, until: int, offset: int, count: int, member: str | None = None) -> Sequence[str]:
        """So many of the pointers of `changed_parts` (of a member alone), from the one of this rank on."""
        ...

    def changed_members(self, after: int, until: int) -> dict[str, int]:
        """How many parts of each member changed."""
        ...


def changed_in(past: Past, first: int, last: int, member: str) -> Iterator[str]:
    """The pointers of the parts of one member that events after `first` up to `last` changed."""
    if not isinstance(past, PagesChanges):
        yield from (one for one in past.changed_parts(first, last) if _member(one) == member)
        return
    at = 0
    while page := past.changed_page(first, last, at, _AT_ONCE, member):
        yield from page
        at += len(page)


def changed_page(
    past: Past, first: int, last: int, names: tuple[str, ...], offset: int, count: int
) -> tuple[dict[str, int], list[str]]:
    """The changed parts at these names and below: how many of each member, and a page of them."""
    if names:
        single = _part_of(past, first, last, names)
        if single is not None:
            is_changed = any(seq > first for seq in reversed(past.part_changes(single, last)))
            return ({names[0]: 1}, [single][offset : offset + count]) if is_changed else ({}, [])
    if not isinstance(past, PagesChanges) or (names and names[0] not in PARTED_MEMBERS):
        found = [one for one in past.changed_parts(first, last) if on_one_way(parse_pointer(one), names)]
        return dict(Counter(_member(one) for one in found)), found[offset : offset + count]
    if not names:
        return past.changed_members(first, last), list(past.changed_page(first, last, offset, count))
    number = past.changed_members(first, last).get(names[0], 0)
    page = past.changed_page(first, last, offset, count, names[0])
    return ({names[0]: number} if number else {}), list(page)


def _part_of(past: Past, first: int, last: int, names: tuple[str, ...]) -> str | None:
    """The one part that these names lie in; None where there may be several."""
    if past.kind == "log" and names[0] in PARTED_MEMBERS:
        return pointer_of(names[:2]) if len(names) > 1 else None
    for depth in (1, 2):
        pointer = pointer_of(names[:depth])
        if any(past.part(seq, pointer) is not UNSET for seq in (last, first)):
            return pointer
    return None


def _member(part: str) -> str:
    return parse_pointer(part)[0]
