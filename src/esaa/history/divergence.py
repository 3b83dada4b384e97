"""Where two pasts part, and how long a log agreed with a read model.

Two copies of a log are compared line by line. Two runs never have the same lines, for their times differ: they are
compared by *meaning*, who did what to what, and what it changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from esaa.history.changes import Change, diff, same
from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer, pointer_of, value_at
from esaa.history.times import seconds_of
from esaa.history.values import changes_between

Likeness = Literal["lines", "meaning"]
CHANGES_MAX = 1_000


class FirstDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Where two pasts part: the event of each (None where one has ended), and in what the states then differ.

    `changes` lead from our state after this event to theirs; at most `CHANGES_MAX` of them.
    """

    seq: int
    ours: Entry | None
    theirs: Entry | None
    changes: tuple[Change, ...]


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """How far two pasts are the same, and where they part; `first` is None where they do not.

    `same_until` is the seq of the last event up to which they agree; None where a read model never was the log's.
    """

    same_until: int | None
    first: FirstDifference | None


def first_divergence(ours: Past, theirs: Past, likeness: Likeness = "lines") -> Divergence:
    """The first event in which two pasts differ. One that goes on where the other ends differs there too.

    By `meaning`, two events are alike that have the same name, actor and subject, and after which the same values
    have become the same; a time for another time makes no difference.
    """
    seq = _surely_same(ours, theirs) if likeness == "lines" else 0
    for mine, other in zip_longest(ours.entries(seq + 1, ours.head()), theirs.entries(seq + 1, theirs.head())):
        seq += 1
        if mine is None or other is None or not _alike(ours, theirs, mine, other, likeness):
            changes = _differences(ours, theirs, seq, mine, other)
            if likeness == "meaning":
                changes = [one for one in changes if not _is_other_time(one)]
            return Divergence(
                same_until=seq - 1,
                first=FirstDifference(seq=seq, ours=mine, theirs=other, changes=tuple(changes[:CHANGES_MAX])),
            )
    return Divergence(same_until=seq, first=None)


def model_divergence(past: Past, model: Mapping[str, Any], at: int) -> Divergence:
    """How a read model differs from the state after an event, and which state it shows instead.

    `model` has members of the document in the shape of the document; members that it lacks are not compared.
    `same_until` is the last event after which the log's state was the model's: the model is behind, and `first` is the
    event that it lacks. It is None where the model never was the log's: somebody changed it. Then `first` is the event
    that made the first of the values that differ.
    """
    document = past.document(at)
    changes = diff({name: document.get(name, UNSET) for name in model}, dict(model))
    if not changes:
        return Divergence(same_until=at, first=None)
    until = _agreed_until(past, model, at)
    if until is not None:
        seq = until + 1
    else:
        seqs = past.part_changes(changes[0].pointer, at)
        seq = seqs[-1] if seqs else at
    first = FirstDifference(
        seq=seq, ours=past.entry(seq) if seq else None, theirs=None, changes=tuple(changes[:CHANGES_MAX])
    )
    return Divergence(same_until=until, first=first)


class _Chained(msgspec.Struct):
    """What a line that is chained says of the line before it."""

    prev_hash: str | None = None


_CHAINED = msgspec.json.Decoder(_Chained)


def _surely_same(ours: Past, theirs: Past) -> int:
    """A seq up to which both have the same lines, found in a few looks where the lines are chained; else 0.

    Two equal lines that name the line before them by its hash have the same history.
    """
    same_until, differs_at = 0, min(ours.head(), theirs.head()) + 1
    while differs_at - same_until > 1:
        middle = (same_until + differs_at) // 2
        line = ours.line(middle)
        if line == theirs.line(middle) and _is_chained(line):
            same_until = middle
        else:
            differs_at = middle
    return same_until


def _is_chained(line: bytes) -> bool:
    try:
        return bool(_CHAINED.decode(line).prev_hash)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _alike(ours: Past, theirs: Past, mine: Entry, other: Entry, likeness: Likeness) -> bool:
    if likeness == "lines":
        return mine.leaf_hash == other.leaf_hash
    if (mine.name, mine.actor, mine.subject) != (other.name, other.actor, other.subject):
        return False
    seq = mine.seq
    changed = dict.fromkeys([*ours.changed_parts(seq - 1, seq), *theirs.changed_parts(seq - 1, seq)])
    return all(
        _is_other_time(change)
        for pointer in changed
        for change in diff(ours.part(seq, pointer), theirs.part(seq, pointer), pointer)
    )


def _differences(ours: Past, theirs: Past, seq: int, mine: Entry | None, other: Entry | None) -> list[Change]:
    """What differs between the two states after an event; of a past that has ended, against its end."""
    if other is None:
        return list(changes_between(ours, seq, seq - 1))
    if mine is None:
        return list(changes_between(theirs, seq - 1, seq))
    changed = dict.fromkeys([*ours.changed_parts(seq - 1, seq), *theirs.changed_parts(seq - 1, seq)])
    return [
        change for pointer in changed for change in diff(ours.part(seq, pointer), theirs.part(seq, pointer), pointer)
    ]


def _is_other_time(change: Change) -> bool:
    """True where both sides are times: when something was done is no part of what was done."""
    return _is_time(change.before) and _is_time(change.after)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 18 and value[10:11] == "T" and seconds_of(value) is not None


def _agreed_until(past: Past, model: Mapping[str, Any], at: int) -> int | None:
    """The last seq before `at` after which the state was the model's.

    As long as one part still is as it was at the end, and differs there, the whole differs too. So the way back leads
    from one last change to the next, and what changed in between is looked at once.
    """
    differing = _differing_parts(past, model, at)
    while differing:
        changed_at = [_last_change(past, pointer, at) for pointer in differing]
        before = min(changed_at) - 1
        if before < 0:
            return None
        for pointer in past.changed_parts(before, at):
            if parse_pointer(pointer)[0] not in model:
                continue
            if same(past.part(before, pointer), value_at(model, parse_pointer(pointer))):
                differing.discard(pointer)
            else:
                differing.add(pointer)
        at = before
    return at


def _differing_parts(past: Past, model: Mapping[str, Any], at: int) -> set[str]:
    """The pointers of the parts that differ between the state after an event and the model."""
    found: set[str] = set()
    for member, value in model.items():
        pointer = pointer_of((member,))
        part = past.part(at, pointer)
        names = [name for name, _ in past.parts(at, member)] if part is UNSET else []
        if names or (part is UNSET and isinstance(value, Mapping)):
            theirs = value if isinstance(value, Mapping) else {}
            for name in dict.fromkeys([*names, *theirs]):
                one = pointer_of((member, name))
                if not same(past.part(at, one), theirs.get(name, UNSET)):
                    found.add(one)
        elif not same(part, value):
            found.add(pointer)
    return found


def _last_change(past: Past, pointer: str, at: int) -> int:
    """The seq of the last event up to `at` that changed a part; 0 where none did."""
    seqs = past.part_changes(pointer, at)
    return seqs[-1] if seqs else 0
