"""The members of a state document: which of them consist of parts, and how many parts each has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from esaa.history.log_document import MEMBERS, WHOLE
from esaa.history.past import Past

SINGLE_MEMBERS = tuple(name for name in MEMBERS if name in WHOLE)
PARTED_MEMBERS = tuple(name for name in MEMBERS if name not in WHOLE)
"""The members of the governed log's document: those that are one part, and those whose values are parts."""


@runtime_checkable
class HasMembers(Protocol):
    """A past that knows the parts of a member without reading them all."""

    def member_sizes(self, seq: int) -> dict[str, int]:
        """How many parts each member of `PARTED_MEMBERS` has after an event."""
        ...

    def parts_after(self, seq: int, member: str, name: str | None, count: int) -> Sequence[tuple[str, Any]]:
        """So many parts of a member in the order of `parts`, those that follow the one with this name."""
        ...


def member_sizes(past: Past, seq: int) -> dict[str, int]:
    """How many parts each member has that consists of parts."""
    if isinstance(past, HasMembers):
        return past.member_sizes(seq)
    return {member: sum(1 for _ in past.parts(seq, member)) for member in PARTED_MEMBERS}


def parts_after(past: Past, seq: int, member: str, name: str | None, count: int) -> Sequence[tuple[str, Any]]:
    """So many parts of a member, those that follow the one with this name; a name that is not there begins anew."""
    if isinstance(past, HasMembers):
        return past.parts_after(seq, member, name, count)
    return following(past.parts(seq, member), name, count)


def following(items: Iterable[tuple[str, Any]], name: str | None, count: int) -> list[tuple[str, Any]]:
    """So many named values, those that follow the one with this name; a name that is not there begins anew."""
    if name is None:
        return list(islice(items, count))
    everything = list(items)
    start = next((index + 1 for index, (one, _) in enumerate(everything) if one == name), 0)
    return everything[start : start + count]
