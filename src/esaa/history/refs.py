"""One way to name a moment, everywhere: `#12`, `12`, `EV-00000012`, `HEAD~3`, an ISO-8601 time, `@{2h}`; `A..B`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from esaa.errors import UsageError
from esaa.kernel.times import moment_of

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# The library would take any character between date and time, and a long number for a time.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9].*)?|[0-9]{8}T[0-9].*")
_FORMS = "Write #12, EV-00000012, HEAD~3, 2026-02-27T01:25:22Z or @{2h}."


class AtSeq(msgspec.Struct, frozen=True):
    """The event with this seq."""

    seq: int


class AtHead(msgspec.Struct, frozen=True):
    """So many events before the last one."""

    back: int


class AtTime(msgspec.Struct, frozen=True):
    """The last event that is not later than this time (ISO-8601, UTC, as the log writes it)."""

    ts: str


Ref = AtSeq | AtHead | AtTime


def parse_ref(text: str, now: datetime) -> Ref:
    """The moment that a text names. Raises `UsageError`."""
    number = re.fullmatch(r"#?([0-9]{1,18})|EV-([0-9]{1,18})", text)
    if number:
        return AtSeq(int(number.group(1) or number.group(2)))
    head = re.fullmatch(r"HEAD(?:~([0-9]{1,18}))?", text)
    if head:
        return AtHead(int(head.group(1) or 0))
    ago = re.fullmatch(r"@\{([0-9]{1,9})([smhdw])\}", text)
    if ago:
        try:
            moment = now.astimezone(UTC) - timedelta(seconds=int(ago.group(1)) * _UNITS[ago.group(2)])
        except OverflowError as error:
            raise _unknown(text) from error
        return AtTime(_log_ts(moment))
    if _TIME.fullmatch(text) is None:
        raise _unknown(text)
    named = moment_of(text)
    if named is None:
        raise _unknown(text)
    return AtTime(_log_ts(named))


def parse_range(text: str, now: datetime) -> tuple[Ref | None, Ref | None]:
    """Both ends of `A..B`; an end left out is None; without `..` both are the same moment. Raises `UsageError`."""
    if ".." not in text:
        ref = parse_ref(text, now)
        return ref, ref
    first, _, last = text.partition("..")
    return (parse_ref(first, now) if first else None), (parse_ref(last, now) if last else None)


def _log_ts(moment: datetime) -> str:
    # Not strftime: it does not pad a year before 1000.
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _unknown(text: str) -> UsageError:
    return UsageError("REF_INVALID", f"{text[:80]!r} names no moment of a log.", _FORMS)
