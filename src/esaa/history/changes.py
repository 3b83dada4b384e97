"""What differs between two JSON values, as changes at JSON pointers, and the way from one to the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from esaa.errors import UsageError
from esaa.history.pointers import parse_pointer, pointer_of, value_at


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One place at which two documents differ.

    `add` has an `after` alone, `remove` a `before` alone, `replace` both; the other one is null.
    """

    op: Literal["add", "remove", "replace"]
    pointer: str
    before: Any = None
    after: Any = None


def diff(before: Any, after: Any, pointer: str = "") -> list[Change]:
    """What has to be done to `before`, change by change, to get `after`. `pointer` is where both of them lie.

    `UNSET` on either side is a value that is not there. Members of objects come in their order in `before`, then the
    new ones; lists are compared place by place, and what a list loses is told from its end. So the changes can be
    done one after the other, and a pointer means the same place in both documents.
    """
    found: list[Change] = []
    _compare(before, after, pointer, found)
    return found


def apply(changes: Iterable[Change], value: Any) -> Any:
    """The value after these changes, done in their order. The given value is not touched.

    `UNSET` is a value that is not there, in both directions. Raises `UsageError` where a change does not fit.
    """
    for change in changes:
        names = parse_pointer(change.pointer)
        found = value_at(value, names)
        if (found is UNSET) is not (change.op == "add"):
            raise _unfit(change, "is not there" if found is UNSET else "is there already")
        value = _put(value, names, UNSET if change.op == "remove" else change.after, change)
    return value


def inverted(changes: Iterable[Change]) -> list[Change]:
    """The way back: what undoes these changes, the last one first."""
    return [_inverse(change) for change in reversed(list(changes))]


def same(one: Any, other: Any) -> bool:
    """True where two JSON values are the same. To Python `1`, `1.0` and `true` are equal; in a log they are not."""
    found: list[Change] = []
    _compare(one, other, "", found)
    return not found


def _compare(before: Any, after: Any, pointer: str, found: list[Change]) -> None:
    if before is after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        _compare_objects(before, after, pointer, found)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for index in range(min(len(before), len(after))):
            _compare(before[index], after[index], f"{pointer}/{index}", found)
        found += [
            Change(op="add", pointer=f"{pointer}/{index}", after=after[index])
            for index in range(len(before), len(after))
        ]
        found += [
            Change(op="remove", pointer=f"{pointer}/{index}", before=before[index])
            for index in range(len(before) - 1, len(after) - 1, -1)
        ]
    elif before is UNSET:
        found.append(Change(op="add", pointer=pointer, after=after))
    elif after is UNSET:
        found.append(Change(op="remove", pointer=pointer, before=before))
    elif type(before) is not type(after) or before != after:
        found.append(Change(op="replace", pointer=pointer, before=before, after=after))


def _compare_objects(before: Mapping[str, Any], after: Mapping[str, Any], pointer: str, found: list[Change]) -> None:
    for name, value in before.items():
        _compare(value, after.get(name, UNSET), pointer + pointer_of((name,)), found)
    for name, value in after.items():
        if name not in before:
            found.append(Change(op="add", pointer=pointer + pointer_of((name,)), after=value))


def _put(value: Any, names: tuple[str, ...], new: Any, change: Change) -> Any:
    """A copy of the value with another one at these names, or with none where the new one is `UNSET`."""
    if not names:
        return new
    name, rest = names[0], names[1:]
    if isinstance(value, Mapping):
        if rest and name not in value:
            raise _unfit(change, "lies in nothing")
        members = dict(value)
        put = _put(value.get(name, UNSET), rest, new, change)
        if put is UNSET:
            del members[name]
        else:
            members[name] = put
        return members
    if isinstance(value, list | tuple):
        return _put_in_list(list(value), name, rest, new, change)
    raise _unfit(change, "lies in nothing")


def _put_in_list(items: list[Any], name: str, rest: tuple[str, ...], new: Any, change: Change) -> list[Any]:
    if not rest and name == str(len(items)):
        return [*items, new]
    if value_at(items, (name,)) is UNSET:
        raise _unfit(change, "lies in nothing")
    index = int(name)
    put = _put(items[index], rest, new, change)
    return items[:index] + ([] if put is UNSET else [put]) + items[index + 1 :]


def _inverse(change: Change) -> Change:
    ops: dict[str, Literal["add", "remove", "replace"]] = {"add": "remove", "remove": "add", "replace": "replace"}
    return Change(op=ops[change.op], pointer=change.pointer, before=change.after, after=change.before)


def _unfit(change: Change, why: str) -> UsageError:
    return UsageError(
        "CHANGE_DOES_NOT_FIT",
        f"The change `{change.op} {change.pointer[:120] or '(all)'}` does not fit: the value {why}.",
        "Apply changes to the very value from which they were made, in their order.",
    )
