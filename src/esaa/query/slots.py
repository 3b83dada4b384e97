"""Times as numbers that sort alike: the upper bits of every row id of the index.

A row id is `slot << TIE_BITS | tie`. The slot is the millisecond since 1970; the tie numbers the events of one
millisecond in no order that means anything. What cannot be such a millisecond (a time before 1970 or after 2109, or
a text that is no time) gets the slot of the last one that is not later as a text, so that slots never contradict the
order of the texts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TIE_BITS = 21
TIES_MAX = 1 << TIE_BITS
SLOT_MAX = (1 << (63 - TIE_BITS)) - 1
HOUR = 3_600_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_HOURS_MAX = 10_000
_MINUTES = {f"{minute:02}:": minute * 60_000 for minute in range(60)}
_SECONDS = {f"{second:02}.": second * 1000 for second in range(60)}
_FRACTIONS = {f"{fraction:03}Z": fraction for fraction in range(1000)}


class SlotMaker:
    """Slots of times. The hours that were seen are remembered: most events share theirs with many others."""

    def __init__(self) -> None:
        self._hours: dict[str, int] = {}

    def slot(self, ts: str) -> tuple[int, bool]:
        """The slot of a time, and whether the slot says all that the text says."""
        try:
            base = self._hours[ts[:14]]
            return base + _MINUTES[ts[14:17]] + _SECONDS[ts[17:20]] + _FRACTIONS[ts[20:]], True
        except KeyError:
            return self._unusual(ts)

    def _unusual(self, ts: str) -> tuple[int, bool]:
        """A time of an hour that was not seen yet, or no time as the trail writes it."""
        hour = ts[:14]
        base = None if hour in self._hours else _hour_slot(hour)
        if base is None:
            return floor_slot(ts), False
        if len(self._hours) >= _HOURS_MAX:
            self._hours.clear()
        self._hours[hour] = base
        return self.slot(ts)


def slot_text(slot: int) -> str:
    """The time that a slot stands for."""
    moment = _EPOCH + slot * _MILLISECOND
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def floor_slot(text: str) -> int:
    """The last slot whose time is not later than a text; the first slot where all are."""
    low, high = 0, SLOT_MAX
    while low < high:
        middle = (low + high + 1) // 2
        if slot_text(middle) <= text:
            low = middle
        else:
            high = middle - 1
    return low


def _hour_slot(hour: str) -> int | None:
    """The first slot of `YYYY-MM-DDTHH:`, or None where it has none."""
    try:
        moment = datetime.fromisoformat(f"{hour}00:00").replace(tzinfo=UTC)
    except ValueError:
        return None
    base = (moment - _EPOCH) // _MILLISECOND
    return base if 0 <= base <= SLOT_MAX - HOUR and slot_text(base)[:14] == hour else None
