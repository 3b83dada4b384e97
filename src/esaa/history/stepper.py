"""A walk through a past, one event at a time or from breakpoint to breakpoint, forwards and backwards.

Where a breakpoint hits depends on the past alone and not on the way there, so that going back finds the very events
that going on had found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET

from esaa.errors import NotFound, UsageError
from esaa.history.changes import same
from esaa.history.entries import Entry, EntryFilter
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer
from esaa.history.predicates import Predicate
from esaa.history.values import changes_between, value_in

Reason = Literal["here", "breakpoint", "end", "start", "limit"]
"""Why a walk stopped. `limit`: it looked at as many events as it may at once; the same command goes on from here."""

LOOKS_MAX = 2_000
_PAGE = 100


class Breakpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where to stop: at an event that meets all that is said here; several names (actors, subjects) mean any of them.

    - `where`: JMESPath; it stops at an event after which this holds, where it did not before (or could not be asked).
    - `pointer`: it stops at an event that changed the value there.
    """

    names: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    rejections_only: bool = False
    where: str | None = None
    pointer: str | None = None


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A watched value; None where there is none. `is_changed`: since the stop before it was another one.

    `fault` says why the expression cannot be asked at this moment; empty where it can.
    """

    expression: str
    value: Any
    is_changed: bool
    fault: str = ""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Where a walk stands: after which event (None before the first), why, and at which breakpoint, by its number."""

    seq: int
    entry: Entry | None
    reason: Reason
    breakpoint: int | None
    watches: tuple[Watch, ...]


class _Hit(NamedTuple):
    seq: int
    breakpoint: int | None


class _Ready(NamedTuple):
    """A breakpoint that was checked, with its expression compiled."""

    wanted: EntryFilter | None
    predicate: Predicate | None
    pointer: str | None


class Stepper:
    """A walk. `here` is where it stands; each move gives the new stop."""

    def __init__(self, past: Past, at: int = 0, *, looks_max: int = LOOKS_MAX) -> None:
        """Raises `NotFound` for a moment that is not there. `looks_max`: how many states one move may look at."""
        self._past = past
        self._looks_max = looks_max
        self._breakpoints: dict[int, tuple[Breakpoint, _Ready]] = {}
        self._watches: dict[str, Predicate | None] = {}
        self._numbers = 0
        self._seq = self._checked(at)
        self.here = self._stop("here", None, {})

    @property
    def breakpoints(self) -> dict[int, Breakpoint]:
        """The breakpoints by their numbers."""
        return {number: one for number, (one, _) in self._breakpoints.items()}

    def add_breakpoint(self, wanted: Breakpoint) -> int:
        """Adds a breakpoint and gives its number. Raises `UsageError` for one that says nothing, or nothing legal."""
        ready = _ready(wanted)
        self._numbers += 1
        self._breakpoints[self._numbers] = (wanted, ready)
        return self._numbers

    def remove_breakpoint(self, number: int) -> None:
        """Takes a breakpoint away. Raises `NotFound`."""
        if self._breakpoints.pop(number, None) is None:
            raise NotFound("BREAKPOINT_NOT_FOUND", f"There is no breakpoint {number}.", "List the breakpoints.")

    def watch(self, expression: str) -> Stop:
        """Watches a value from now on: a JSON pointer, or else JMESPath. Raises `UsageError` for what is neither."""
        if expression.startswith("/"):
            parse_pointer(expression)
            self._watches[expression] = None
        else:
            self._watches[expression] = Predicate(expression)
        return self._arrive(self._seq, "here", None)

    def unwatch(self, expression: str) -> Stop:
        """Watches a value no longer. Raises `NotFound`."""
        if expression not in self._watches:
            raise NotFound("WATCH_NOT_FOUND", f"{expression[:80]!r} is not watched.", "List the watched values.")
        del self._watches[expression]
        return self._arrive(self._seq, "here", None)

    def go(self, seq: int) -> Stop:
        """Jumps to a moment. Raises `NotFound`."""
        return self._arrive(self._checked(seq), "here", None)

    def step(self, count: int = 1) -> Stop:
        """So many events on, at most to the end."""
        head = self._past.head()
        if self._seq + count > head:
            return self._arrive(head, "end", None)
        return self._arrive(self._seq + count, "here", None)

    def back(self, count: int = 1) -> Stop:
        """So many events back, at most to the moment before the first."""
        if self._seq - count < 0:
            return self._arrive(0, "start", None)
        return self._arrive(self._seq - count, "here", None)

    def next(self) -> Stop:
        """On to the next event about the same subject; one step where the present event is about nothing."""
        subject = self._subject()
        if subject is None:
            return self.step()
        wanted = EntryFilter(subjects=(subject,), first=self._seq + 1)
        found = self._past.find(wanted, count=1).entries
        return self._arrive(found[0].seq, "here", None) if found else self._arrive(self._past.head(), "end", None)

    def previous(self) -> Stop:
        """Back to the event before it about the same subject; one step where the present event is about nothing."""
        subject = self._subject()
        if subject is None:
            return self.back()
        found = next(_backwards(self._past, EntryFilter(subjects=(subject,)), 1, self._seq - 1), None)
        return self._arrive(0, "start", None) if found is None else self._arrive(found, "here", None)

    def continue_(self) -> Stop:
        """On to the next event at which a breakpoint hits, or to the end."""
        head = self._past.head()
        best = _Hit(head + 1, None)
        for number, (_, ready) in self._breakpoints.items():
            found = self._first_hit(ready, range(self._seq + 1, min(best.seq, head + 1)))
            best = best if found is None else _Hit(found[0], number if found[1] else None)
        if best.seq > head:
            return self._arrive(head, "end", None)
        return self._arrive(best.seq, "limit" if best.breakpoint is None else "breakpoint", best.breakpoint)

    def reverse_continue(self) -> Stop:
        """Back to the last event before this one at which a breakpoint hits, or to the start."""
        best = _Hit(0, None)
        for number, (_, ready) in self._breakpoints.items():
            found = self._first_hit(ready, range(self._seq - 1, best.seq, -1))
            best = best if found is None else _Hit(found[0], number if found[1] else None)
        if best.seq == 0:
            return self._arrive(0, "start", None)
        return self._arrive(best.seq, "limit" if best.breakpoint is None else "breakpoint", best.breakpoint)

    def _first_hit(self, ready: _Ready, seqs: range) -> tuple[int, bool] | None:
        """The first of these seqs at which a breakpoint hits, and True; with False, how far it may look at once."""
        for looked, seq in enumerate(self._candidates(ready, seqs), start=1):
            if self._hits(ready, seq):
                return seq, True
            if looked == self._looks_max:
                return seq, False
        return None

    def _candidates(self, ready: _Ready, seqs: range) -> Iterable[int]:
        """The seqs among these at which a breakpoint may hit, in their order."""
        if not seqs:
            return ()
        first, last = sorted((seqs[0], seqs[-1]))
        if ready.wanted is not None:
            return (_forwards if seqs.step > 0 else _backwards)(self._past, ready.wanted, first, last)
        pointers: tuple[str, ...] | None = None
        if ready.pointer is not None:
            pointers = (ready.pointer,) if self._is_narrow(ready.pointer) else None
        else:
            assert ready.predicate is not None, "a breakpoint says something"
            pointers = ready.predicate.seen_parts(self._past, self._past.head())
        if pointers is None:
            return seqs
        changed = {seq for one in pointers for seq in self._past.part_changes(one, last) if seq >= first}
        return sorted(changed, reverse=seqs.step < 0)

    def _is_narrow(self, pointer: str) -> bool:
        """True for a pointer into one part; what is made of parts may be changed by any event."""
        return pointer.count("/") > 1 or (pointer != "" and self._past.part(self._past.head(), pointer) is not UNSET)

    def _hits(self, ready: _Ready, seq: int) -> bool:
        if ready.pointer is not None and not any(changes_between(self._past, seq - 1, seq, ready.pointer)):
            return False
        predicate = ready.predicate
        if predicate is None:
            return True
        return predicate.is_met_at(self._past, seq) and not predicate.is_met_at(self._past, seq - 1)

    def _arrive(self, seq: int, reason: Reason, number: int | None) -> Stop:
        before = {one.expression: one.value for one in self.here.watches}
        self._seq = seq
        self.here = self._stop(reason, number, before)
        return self.here

    def _stop(self, reason: Reason, number: int | None, before: dict[str, Any]) -> Stop:
        watches: list[Watch] = []
        for expression, predicate in self._watches.items():
            value, fault = self._watched(expression, predicate)
            is_changed = expression in before and not same(before[expression], value)
            watches.append(Watch(expression=expression, value=value, is_changed=is_changed, fault=fault))
        entry = self._past.entry(self._seq) if self._seq else None
        return Stop(seq=self._seq, entry=entry, reason=reason, breakpoint=number, watches=tuple(watches))

    def _watched(self, expression: str, predicate: Predicate | None) -> tuple[Any, str]:
        if predicate is None:
            value = value_in(self._past, self._seq, expression)
            return (None if value is UNSET else value), ""
        try:
            return predicate.value_at(self._past, self._seq), ""
        except UsageError as error:
            return None, error.message

    def _subject(self) -> str | None:
        return self.here.entry.subject if self.here.entry is not None else None

    def _checked(self, seq: int) -> int:
        head = self._past.head()
        if not 0 <= seq <= head:
            raise NotFound("EVENT_NOT_FOUND", f"There is no event #{seq}.", f"The last one is #{head}.")
        return seq


def _ready(wanted: Breakpoint) -> _Ready:
    if wanted.pointer is not None:
        parse_pointer(wanted.pointer)
    entries = None
    if wanted.names or wanted.actors or wanted.subjects or wanted.rejections_only:
        entries = EntryFilter(
            names=wanted.names,
            actors=wanted.actors,
            subjects=wanted.subjects,
            rejections_only=wanted.rejections_only,
        )
    if entries is None and wanted.where is None and wanted.pointer is None:
        raise UsageError(
            "BREAKPOINT_EMPTY",
            "The breakpoint says nothing about the event at which to stop.",
            "Name an action, an actor, a task, a condition or a pointer.",
        )
    predicate = None if wanted.where is None else Predicate(wanted.where)
    return _Ready(entries, predicate, wanted.pointer)


def _forwards(past: Past, wanted: EntryFilter, first: int, last: int) -> Iterator[int]:
    """The seqs of the events that fit a filter, oldest first."""
    while first <= last:
        page = past.find(msgspec.structs.replace(wanted, first=first, last=last), count=_PAGE).entries
        yield from (one.seq for one in page)
        if len(page) < _PAGE:
            return
        first = page[-1].seq + 1


def _backwards(past: Past, wanted: EntryFilter, first: int, last: int) -> Iterator[int]:
    """The seqs of the events that fit a filter, newest first."""
    if last < first:
        return
    within = msgspec.structs.replace(wanted, first=first, last=last)
    left = past.find(within, count=1).total
    while left:
        offset = max(left - _PAGE, 0)
        page = past.find(within, offset=offset, count=left - offset).entries
        yield from (one.seq for one in reversed(page))
        left = offset
