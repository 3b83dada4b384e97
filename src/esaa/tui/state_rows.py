"""The state after an event as rows of a tree: only what is open is read, part by part."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from msgspec import UNSET

from esaa.history.members import PARTED_MEMBERS, SINGLE_MEMBERS, member_sizes, parts_after
from esaa.history.past import Past
from esaa.history.pointers import pointer_of

_CHILDREN_MAX = 100

Names = tuple[str, ...]


class StateRow(NamedTuple):
    """One row: where the value lies, what it is, whether it can be and is open, and whether the event changed it.

    `names` is None in a row that only says that there is more.
    """

    names: Names | None
    depth: int
    label: str
    value: Any
    is_branch: bool
    is_open: bool
    is_changed: bool


class Parts(NamedTuple):
    """Stands for the value of a member that consists of so many parts."""

    size: int


class _Branches(NamedTuple):
    opened: set[Names]
    touched: set[Names]


def state_rows(past: Past, seq: int, opened: Collection[Names], changed: Collection[Names]) -> Iterator[StateRow]:
    """The rows of the state after an event. `opened` are the branches that are open, `changed` the values that changed.

    A long branch shows its first members, and those that changed or are open; a row says that there are more.
    """
    touched = {names[:length] for names in changed for length in range(1, len(names) + 1)}
    branches = _Branches(set(opened), touched)
    for name, value in _members(past, seq):
        yield from _rows(past, seq, (name,), value, branches)


def _rows(past: Past, seq: int, names: Names, value: Any, branches: _Branches) -> Iterator[StateRow]:
    is_parted = isinstance(value, Parts)
    is_branch = is_parted or (isinstance(value, dict | list | tuple) and len(value) > 0)
    is_open = is_branch and names in branches.opened
    yield StateRow(names, len(names) - 1, names[-1], value, is_branch, is_open, names in branches.touched)
    if not is_open:
        return
    kept = branches.opened | branches.touched
    wanted = {one[len(names)] for one in kept if len(one) > len(names) and one[: len(names)] == names}
    children = _parts(past, seq, names[0], value.size, wanted) if is_parted else _inside(value, wanted)
    for name, child in children:
        if name is None:
            yield StateRow(None, len(names), "", child, False, False, False)
        else:
            yield from _rows(past, seq, (*names, name), child, branches)


def _members(past: Past, seq: int) -> list[tuple[str, Any]]:
    """The members of the document. Those that consist of parts are read when they are opened."""
    if past.kind == "trail":
        return list(past.document(seq).items())
    single = [(name, past.part(seq, pointer_of((name,)))) for name in SINGLE_MEMBERS]
    sizes = member_sizes(past, seq)
    parted = [(name, Parts(sizes.get(name, 0))) for name in PARTED_MEMBERS]
    return [(name, value) for name, value in single if value is not UNSET] + parted


def _parts(past: Past, seq: int, member: str, count: int, wanted: set[str]) -> Iterator[tuple[str | None, Any]]:
    first = parts_after(past, seq, member, None, _CHILDREN_MAX)
    yield from first
    if count <= len(first):
        return
    shown = {name for name, _ in first}
    others = [(name, past.part(seq, pointer_of((member, name)))) for name in sorted(wanted - shown)]
    yield from ((name, value) for name, value in others if value is not UNSET)
    yield None, f"{count - len(shown | wanted):,} more"


def _inside(value: Any, wanted: set[str]) -> Iterator[tuple[str | None, Any]]:
    items: list[tuple[str, Any]] = (
        list(value.items()) if isinstance(value, dict) else [(str(place), one) for place, one in enumerate(value)]
    )
    yield from items[:_CHILDREN_MAX]
    rest = items[_CHILDREN_MAX:]
    kept = [(name, one) for name, one in rest if name in wanted]
    yield from kept
    if len(rest) > len(kept):
        yield None, f"{len(rest) - len(kept):,} more"
