"""Places on an axis: events by their order, or by their time with idle times cut short or left out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median_low
from typing import Literal, NamedTuple

import msgspec

AxisName = Literal["wall", "order", "busy"]
"""`wall`: by the clock, with long idle times cut short. `order`: each event takes the same room. `busy`: by the time
in which somebody was at work; idle times take no room."""

TICK_PIXELS = 90
GAPS_MAX = 100
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAY = 86_400


class LaneTick(msgspec.Struct, frozen=True, kw_only=True):
    """A mark of the axis."""

    x: float
    label: str


class LaneGap(msgspec.Struct, frozen=True, kw_only=True):
    """A place where so many seconds in which nobody acted are left out."""

    x: float
    seconds: float


class Stretch(NamedTuple):
    """A time in which something happened, in seconds since 1970; a moment has its start as its end."""

    start: float
    end: float


class Axis:
    """An axis over the events `first` to `last`, `width` wide. `x` says where an event, or its time, has its place."""

    def __init__(self, name: AxisName, first: int, last: int, stretches: Iterable[Stretch], width: float) -> None:
        self.name: AxisName = name
        self._first, self._count, self._width = first, max(last - first + 1, 1), width
        self._pieces: list[_Piece] = []
        if name != "order":
            self._pieces = _laid_out(_joined(stretches), name)
        room = sum(piece.room for piece in self._pieces)
        # Events of one and the same second have no places but their order.
        self._scale = width / room if room > 0 else 0.0
        self._starts = [piece.start for piece in self._pieces]

    @property
    def is_of_time(self) -> bool:
        """False where only the order counts: because that is wanted, or because no time went by."""
        return self._scale > 0

    def x(self, seq: int, seconds: float) -> float:
        """The place of an event that happened at a time; the place after it where seq is that of the next one."""
        if not self.is_of_time:
            return min(max((seq - self._first) / self._count, 0.0), 1.0) * self._width
        piece = self._pieces[max(bisect_right(self._starts, seconds) - 1, 0)]
        length = piece.end - piece.start
        share = (seconds - piece.start) / length if length > 0 else 0.0
        return (piece.before + min(max(share, 0.0), 1.0) * piece.room) * self._scale

    def gaps(self) -> tuple[LaneGap, ...]:
        """The idle times that are cut, in their order: the longest `GAPS_MAX`."""
        cut = [piece for piece in self._pieces if self.is_of_time and piece.is_cut]
        longest = sorted(cut, key=_length, reverse=True)[:GAPS_MAX]
        return tuple(
            LaneGap(x=(piece.before + piece.room / 2) * self._scale, seconds=_length(piece))
            for piece in sorted(longest)
        )

    def ticks(self) -> tuple[LaneTick, ...]:
        """Marks at round numbers, not closer than they can be read."""
        marks = self._marks_of_time() if self.is_of_time else self._marks_of_order()
        kept: list[LaneTick] = []
        for mark in marks:
            if not kept or mark.x - kept[-1].x >= TICK_PIXELS * 0.8:
                kept.append(mark)
        return tuple(kept)

    def _marks_of_order(self) -> Iterator[LaneTick]:
        step = _round_number(self._count * TICK_PIXELS / self._width)
        for seq in range(-(-self._first // step) * step, self._first + self._count, step):
            yield LaneTick(x=(seq - self._first) / self._count * self._width, label=f"#{seq}")

    def _marks_of_time(self) -> Iterator[LaneTick]:
        step = _round_time(TICK_PIXELS / self._scale)
        if self.name == "busy":
            room = self._width / self._scale
            for number in range(int(room // step) + 1):
                yield LaneTick(x=number * step * self._scale, label=duration_text(number * step))
            return
        for piece in self._pieces:
            if not piece.is_cut:
                for number in range(int(-(-piece.start // step)), int(piece.end // step) + 1):
                    yield LaneTick(x=self.x(0, number * step), label=_clock_text(number * step, step))


def duration_text(seconds: float) -> str:
    """A length of time in its two largest units: `45 s`, `3 min`, `2 h 5 min`, `4 d 1 h`."""
    whole = round(seconds)
    for size, unit, smaller, name in ((_DAY, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


class _Piece(NamedTuple):
    """A stretch of time that lies on the axis after so much `before` it, and takes so much `room`."""

    start: float
    end: float
    before: float
    room: float
    is_cut: bool


def _length(piece: _Piece) -> float:
    return piece.end - piece.start


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches that touch are one; in the order of time."""
    joined: list[Stretch] = []
    for one in sorted(stretches):
        if joined and one.start <= joined[-1].end:
            joined[-1] = Stretch(joined[-1].start, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return joined


def _laid_out(stretches: Sequence[Stretch], name: AxisName) -> list[_Piece]:
    """The stretches and the idle times between them, with the room that each takes. Neighbours to scale are one."""
    idle = [after.start - before.end for before, after in pairwise(stretches)]
    longest, room = (0.0, 0.0) if name == "busy" else _cut(stretches, idle)
    pieces: list[_Piece] = []
    before = 0.0
    for index, one in enumerate(stretches):
        if index and idle[index - 1] > longest:
            pieces.append(_Piece(stretches[index - 1].end, one.start, before, room, True))
            before += room
        elif index:
            # An idle time to scale, and what comes after it, prolong the piece.
            last = pieces.pop()
            before = last.before
            one = Stretch(last.start, one.end)  # noqa: PLW2901  # the stretch grew by what lies before it
        pieces.append(_Piece(one.start, one.end, before, one.end - one.start, False))
        before += one.end - one.start
    return pieces


def _cut(stretches: Sequence[Stretch], idle: Sequence[float]) -> tuple[float, float]:
    """From which length on an idle time is cut, and the room that it then takes.

    What is seen of the rest decides: an idle time that would take half as much room as all of it is cut to a fiftieth.
    """
    busy = sum(one.end - one.start for one in stretches)
    usual = busy / 5 if busy > 0 else 10 * median_low(idle or [0.0])
    rest = busy + sum(min(one, usual) for one in idle)
    return max(rest / 2, 1.0), max(rest / 50, 1.0)


def _round_number(least: float) -> int:
    """The first of 1, 2, 5, 10, 20, 50, ... that is not below."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size >= least:
                return factor * size
        size *= 10


def _round_time(least: float) -> int:
    """The first round number of seconds that is not below."""
    fitting = next((step for step in _STEPS if step >= least), None)
    return fitting if fitting is not None else _DAY * _round_number(least / _DAY)


def _clock_text(seconds: float, step: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    if step >= _DAY or seconds % _DAY == 0:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
