"""The value at a pointer at a moment, and what differs between two moments. Only the parts that count are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from esaa.errors import NotFound
from esaa.history.changes import Change, diff
from esaa.history.past import Past
from esaa.history.pointers import on_one_way, parse_pointer, pointer_of, value_at


def value_in(past: Past, seq: int, pointer: str) -> Any:
    """The value at a pointer after an event, or `UNSET` where there is none. The empty pointer is the whole document.

    Raises `UsageError` for a text that is no pointer, `NotFound` for a seq that is not there.
    """
    names = parse_pointer(pointer)
    if not names:
        return past.document(seq)
    member, below = names[0], names[1:]
    part = past.part(seq, pointer_of((member,)))
    if part is not UNSET:
        return value_at(part, below)
    if below:
        part = past.part(seq, pointer_of(names[:2]))
        return UNSET if part is UNSET else value_at(part, below[1:])
    members = dict(past.parts(seq, member))
    # A member without any parts is there, and empty, or is not there: only the document knows.
    return members or value_at(past.document(seq), names)


def existing_value(past: Past, seq: int, pointer: str) -> Any:
    """The value at a pointer after an event. Raises `NotFound` where there is none."""
    value = value_in(past, seq, pointer)
    if value is UNSET:
        raise NotFound(
            "VALUE_NOT_FOUND",
            f"The state after event #{seq} has no value at {pointer[:120]}.",
            "`esaa state` shows what there is.",
            pointer=pointer,
            seq=seq,
        )
    return value


def changes_between(past: Past, before: int, after: int, pointer: str = "") -> Iterator[Change]:
    """What differs between the states after two events, at a pointer and below it, part by part.

    `before` may be the later one: then the way leads back. Done together the changes turn one document into the
    other, where both have the members in which parts lie.
    """
    names = parse_pointer(pointer)
    for part in past.changed_parts(min(before, after), max(before, after)):
        if on_one_way(parse_pointer(part), names):
            yield from changes_of_part(past, before, after, part, names)


def changes_of_part(past: Past, before: int, after: int, part: str, names: tuple[str, ...]) -> list[Change]:
    """What differs in one part between the states after two events, at these names of the document and below."""
    inside = names[len(parse_pointer(part)) :]
    first, last = (value_at(one, inside) for one in (past.part(before, part), past.part(after, part)))
    return diff(first, last, part + pointer_of(inside))
