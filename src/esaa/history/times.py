"""The times of events as seconds. The order of events is their seq; a time is only what a clock said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from esaa.kernel.times import moment_of

_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def seconds_of(ts: str) -> float | None:
    """The seconds since 1970 of a log's time; None for a text that is no time.

    A time outside of 1970 to 9999 has none either: a log is younger, and it could not be written in another zone.
    """
    moment = moment_of(ts)
    seconds = -1.0 if moment is None else moment.timestamp()
    return seconds if 0 <= seconds <= _LAST else None


def seconds_between(ts: str, later: str) -> float:
    """How long it was from one event to a later one: never less than 0, and 0 where a time cannot be read."""
    first, last = seconds_of(ts), seconds_of(later)
    return 0.0 if first is None or last is None else max(last - first, 0.0)


def running_seconds(times: Iterable[str]) -> Iterator[float]:
    """The seconds of events in their order. A clock that was set back, or that wrote no time, stands still."""
    latest: float | None = None
    for ts in times:
        seconds = seconds_of(ts)
        if latest is None or (seconds is not None and seconds > latest):
            latest = seconds
        yield latest or 0.0
