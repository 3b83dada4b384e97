"""Times as numbers that sort alike: the upper bits of every row id of the index.

A row id is `slot << TIE_BITS | tie`. The slot is the millisecond since 1970; the tie numbers the events of one
millisecond in no order that means anything. What cannot be such a millisecond (a time before 1970 or after 2109, or
a text that is no time) gets the slot of the last one that is not later as a text, so that slots never contradict the
order of the texts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from esaa.kernel.times import moment_of

TIE_BITS = 21
TIES_MAX = 1 << TIE_BITS
SLOT_MAX = (1 << (63 - TIE_BITS)) - 1
HOUR = 3_600_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FORM = "YYYY-MM-DDTHH:MM:SS.mmmZ"
_MINUTE = 60_000
_MINUTES: dict[str, int] = {}
_MINUTES_MAX = 50_000
_SECONDS = {f"{second:02}.": second * 1000 for second in range(60)}
_MILLISECONDS = {f"{number:03}Z": number for number in range(1000)}


def slot_of(ts: str) -> tuple[int, bool]:
    """The slot of a time, and whether the slot says all that the text says."""
    # Events of one minute are many, and to read a time is dear.
    minute, second, millisecond = _MINUTES.get(ts[:17]), _SECONDS.get(ts[17:20]), _MILLISECONDS.get(ts[20:])
    if minute is not None and second is not None and millisecond is not None:
        return minute + second + millisecond, True
    slot, is_exact = _slot_read(ts)
    if is_exact and slot < SLOT_MAX - _MINUTE:
        if len(_MINUTES) >= _MINUTES_MAX:
            _MINUTES.clear()
        _MINUTES[ts[:17]] = slot - slot % _MINUTE
    return slot, is_exact


def _slot_read(ts: str) -> tuple[int, bool]:
    # What is read here could be written in other ways too, which do not sort like this one.
    if len(ts) == len(_FORM) and ts[4] + ts[7] + ts[10] + ts[19] + ts[23] == "--T.Z" and ts[11:13] < "24":
        moment = moment_of(ts)
        slot = -1 if moment is None else (moment - _EPOCH) // _MILLISECOND
        if 0 <= slot <= SLOT_MAX:
            return slot, True
    return floor_slot(ts), False


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
