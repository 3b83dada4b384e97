"""Which events made a value what it is."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from esaa.errors import NotFound, UsageError
from esaa.history.causation import causes_of
from esaa.history.changes import same
from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer, pointer_of
from esaa.history.values import value_in

STEPS_MAX = 100
READS_MAX = 5_000


class BlameStep(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a value, with the event that made it. `before` or `after` is None where there was no value."""

    seq: int
    before: Any
    after: Any
    entry: Entry


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of a value up to a moment, the newest last.

    - `value`: the value at that moment; None where there is none (any more), see `is_there`.
    - `cause`: what led to the newest change, the nearest first.
    - `is_cut`: true where there are older changes, which were not looked for.
    """

    pointer: str
    value: Any
    is_there: bool
    history: tuple[BlameStep, ...]
    cause: tuple[Entry, ...]
    is_cut: bool


def blame(past: Past, pointer: str, at: int, *, count: int = STEPS_MAX) -> Blame:
    """The newest `count` changes of the value at a pointer, up to an event.

    Raises `UsageError` for what is no pointer, or is one to more than a part; `NotFound` where there never was a value.
    """
    _check_narrow(past, pointer, at)
    value = value_in(past, at, pointer)
    steps, is_cut = _steps(past, pointer, at, count)
    if not steps and value is UNSET:
        raise NotFound(
            "VALUE_NOT_FOUND",
            f"Up to event #{at} there was no value at {pointer[:120]}.",
            "`esaa state` shows what there is.",
            pointer=pointer,
            at=at,
        )
    return Blame(
        pointer=pointer,
        value=_shown(value),
        is_there=value is not UNSET,
        history=tuple(reversed(steps)),
        cause=tuple(causes_of(past, steps[0].seq)) if steps else (),
        is_cut=is_cut,
    )


def _check_narrow(past: Past, pointer: str, at: int) -> None:
    """A whole document, and a member that is made of parts, have as many histories as parts."""
    names = parse_pointer(pointer)
    if names and (len(names) > 1 or past.part(at, pointer) is not UNSET):
        return
    example = next(past.parts(at, names[0]), None) if names else None
    if names and example is None:
        return
    below = pointer_of((*names, example[0])) if example else "/run/status"
    raise UsageError(
        "POINTER_TOO_WIDE",
        f"{pointer[:120] or 'The whole state'} is made of many parts, each with a history of its own.",
        f"Name one of them, such as {below[:120]}.",
        pointer=pointer,
    )


def _steps(past: Past, pointer: str, at: int, count: int) -> tuple[list[BlameStep], bool]:
    """The changes of a value, the newest first, and whether there are more."""
    seqs = past.part_changes(pointer, at)
    steps: list[BlameStep] = []
    after = value_in(past, seqs[-1], pointer) if seqs else UNSET
    for done, index in enumerate(range(len(seqs) - 1, -1, -1)):
        if len(steps) == count or done == READS_MAX:
            return steps, True
        # Between two changes of its part a value stays as it is.
        before = value_in(past, seqs[index - 1] if index else 0, pointer)
        if _differ(before, after):
            seq = seqs[index]
            steps.append(BlameStep(seq=seq, before=_shown(before), after=_shown(after), entry=past.entry(seq)))
        after = before
    return steps, False


def _differ(before: Any, after: Any) -> bool:
    # A list or an object may have become another one of the same content: that is no change.
    return not same(before, after)


def _shown(value: Any) -> Any:
    return None if value is UNSET else value
