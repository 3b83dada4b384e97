"""Who acted when: one lane for each actor, with what lasted as spans, summed up to what a screen can show.

An entry says when somebody was done, and about what. A `complete` was worked on since the task was last handed over
or since the actor's last act, whichever came later; so was a review. In a stream, a beginning and its end tell it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from esaa.errors import UsageError
from esaa.history.axes import Axis, AxisName, LaneGap, LaneTick, Stretch
from esaa.history.entries import Entry, Kind
from esaa.history.times import running_seconds

LANES_MAX = 24
WIDTH_MAX = 10_000
OTHERS = "others"
_LABEL_MAX = 120

_ACTS = frozenset({"task.create", "hotfix.create", "claim", "complete", "review"})
"""What hands a task over: whoever has it next can begin."""
_WORK = {"complete": "work", "review": "review"}
_STARTS = re.compile(r"(\w+?)(Started|Spawned|Requested|Claimed)")
_ENDS = re.compile(r"(\w+?)(Completed|Failed|Ended|Granted|Denied)")
_BACKGROUND = frozenset({"Session", "Orchestration", "Phase"})
"""What lasts while others are at work; as spans they would only hide it."""


class LaneSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lasted, from and to in units of the width that was asked for; `count` events in one.

    `kind`: `work`, `review`, `open` (begun and not ended), `rejection`, `event`, or `many` for different ones in one.
    """

    from_: float = msgspec.field(name="from")
    to: float
    seq_first: int
    seq_last: int
    label: str
    kind: str
    count: int


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What one actor did. The last lane may be that of all others together."""

    actor: str
    spans: tuple[LaneSpan, ...]


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: the lanes in the order in which their actors first acted, the marks of the axis, and what it leaves out.

    `axis` is the one that was asked for; where no time went by, its places are those of the order.
    """

    axis: AxisName
    first: int
    last: int
    width: int
    lanes: tuple[Lane, ...]
    ticks: tuple[LaneTick, ...]
    gaps: tuple[LaneGap, ...]


class _Activity(NamedTuple):
    """What an actor did, from one event (or before the first that is shown) to another."""

    actor: str
    seq_first: int
    seq_last: int
    start: float
    end: float
    kind: str
    label: str


def lanes(entries: Iterable[Entry], *, kind: Kind, axis: AxisName = "wall", width: int = 1000) -> Lanes:
    """The chart of some events that follow each other, `width` units wide. The cost is that of the entries.

    Raises `UsageError` for a width that no screen has.
    """
    if not 1 <= width <= WIDTH_MAX:
        raise UsageError("WIDTH_INVALID", f"{width} is no width of a chart.", f"Ask for 1 to {WIDTH_MAX}.")
    seen = list(entries)
    if not seen:
        return Lanes(axis=axis, first=0, last=0, width=width, lanes=(), ticks=(), gaps=())
    first, last = seen[0].seq, seen[-1].seq
    times = list(running_seconds(one.ts for one in seen))
    activities = (_of_log if kind == "log" else _of_stream)(seen, times)
    # What is still open would fill all time up to the end: it does not make a time busy.
    stretches = [Stretch(one.start, one.end) for one in activities if one.kind != "open" and one.end > one.start]
    stretches += [Stretch(one, one) for one in dict.fromkeys(times)]
    ruler = Axis(axis, first, last, stretches, width)
    by_actor: dict[str, list[_Activity]] = defaultdict(list)
    for one in activities:
        actor = one.actor if one.actor in by_actor or len(by_actor) < LANES_MAX - 1 else OTHERS
        by_actor[actor].append(one)
    return Lanes(
        axis=axis,
        first=first,
        last=last,
        width=width,
        lanes=tuple(Lane(actor=actor, spans=_spans(found, ruler, width)) for actor, found in by_actor.items()),
        ticks=ruler.ticks(),
        gaps=ruler.gaps(),
    )


def _of_log(entries: Sequence[Entry], times: Sequence[float]) -> list[_Activity]:
    found: list[_Activity] = []
    handed: dict[str, int] = {}
    acted: dict[str, int] = {}
    held: dict[str, int] = {}
    for index, entry in enumerate(entries):
        subject, name = entry.subject, entry.name
        if subject is None or name not in _ACTS:
            found.append(_moment(entry, times[index]))
            continue
        if name in _WORK:
            since = max(handed.get(subject, 0), acted.get(entry.actor, 0))
            found.append(_lasting(entry, _WORK[name], entries[since], times[since], times[index]))
        else:
            found.append(_moment(entry, times[index]))
        handed[subject] = acted[entry.actor] = index
        held.pop(subject, None)
        if name == "claim":
            held[subject] = index
    found += [_still_open(entries, times, index) for index in held.values()]
    return found


def _of_stream(entries: Sequence[Entry], times: Sequence[float]) -> list[_Activity]:
    found: list[_Activity] = []
    begun: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        start, end = _STARTS.fullmatch(entry.name), _ENDS.fullmatch(entry.name)
        named = start or end
        stem = named.group(1) if named else ""
        open_ones = begun[stem, entry.subject] if named and stem not in _BACKGROUND else []
        if end and open_ones:
            since = _begin_of(entry, entries, open_ones)
            open_ones.remove(since)
            found.append(_lasting(entry, _kind_of(stem), entries[since], times[since], times[index]))
            continue
        if start:
            open_ones.append(index)
        found.append(_moment(entry, times[index]))
    found += [_still_open(entries, times, index) for open_ones in begun.values() for index in open_ones]
    return found


def _begin_of(entry: Entry, entries: Sequence[Entry], open_ones: Sequence[int]) -> int:
    """The beginning that an end belongs to: the one that it names as its cause, else the last one."""
    caused = (index for index in open_ones if entries[index].event_id == entry.causation_id)
    return next(caused, open_ones[-1])


def _kind_of(stem: str) -> str:
    return "review" if stem in ("Review", "Approval") else "work"


def _moment(entry: Entry, seconds: float) -> _Activity:
    kind = "rejection" if entry.is_rejection else "event"
    return _Activity(entry.actor, entry.seq, entry.seq, seconds, seconds, kind, entry.summary)


def _lasting(entry: Entry, kind: str, since: Entry, start: float, end: float) -> _Activity:
    return _Activity(
        entry.actor, since.seq, entry.seq, start, end, "rejection" if entry.is_rejection else kind, entry.summary
    )


def _still_open(entries: Sequence[Entry], times: Sequence[float], index: int) -> _Activity:
    entry = entries[index]
    return _Activity(entry.actor, entry.seq, entries[-1].seq, times[index], times[-1], "open", entry.summary)


def _spans(activities: Sequence[_Activity], axis: Axis, width: int) -> tuple[LaneSpan, ...]:
    """The spans of a lane. What is narrower than one unit is summed up with its neighbours in the same unit."""
    placed = [_placed(one, axis) for one in activities]
    spans = [one for one in placed if one.to - one.from_ >= 1]
    narrow: dict[int, LaneSpan] = {}
    for one in sorted(placed, key=_first_seq):
        if one.to - one.from_ < 1:
            unit = min(int(one.from_), width - 1)
            narrow[unit] = _summed(narrow[unit], one) if unit in narrow else one
    widest = sorted(spans, key=_width_of, reverse=True)[: 4 * width]
    return tuple(sorted([*widest, *narrow.values()], key=_place))


def _placed(one: _Activity, axis: Axis) -> LaneSpan:
    # On an axis of order an event takes the room up to the next one; in time it takes none.
    return LaneSpan(
        from_=axis.x(one.seq_first, one.start),
        to=axis.x(one.seq_last + 1, one.end),
        seq_first=one.seq_first,
        seq_last=one.seq_last,
        label=one.label[:_LABEL_MAX],
        kind=one.kind,
        count=1,
    )


def _summed(one: LaneSpan, other: LaneSpan) -> LaneSpan:
    """Two spans in one. A refusal among them is not hidden."""
    kinds = {one.kind, other.kind}
    count = one.count + other.count
    return LaneSpan(
        from_=min(one.from_, other.from_),
        to=max(one.to, other.to),
        seq_first=min(one.seq_first, other.seq_first),
        seq_last=max(one.seq_last, other.seq_last),
        label=f"{count} events",
        kind=one.kind if len(kinds) == 1 else "rejection" if "rejection" in kinds else "many",
        count=count,
    )


def _first_seq(span: LaneSpan) -> int:
    return span.seq_first


def _width_of(span: LaneSpan) -> float:
    return span.to - span.from_


def _place(span: LaneSpan) -> tuple[float, float]:
    # Of two that begin together the wider one comes first: what is drawn later lies above.
    return span.from_, -span.to
