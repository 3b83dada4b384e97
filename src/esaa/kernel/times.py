"""Times as logs write them: what a clock said. The order of events is their seq."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_ts(text: str) -> datetime:
    """A time as esaa writes it. Raises `ValueError`."""
    return datetime.fromisoformat(text)


def moment_of(ts: str) -> datetime | None:
    """The moment in UTC that a log's time names, whoever wrote it; without an offset it is UTC.

    None for what is no time: a text that is not ISO 8601, or a moment for which UTC has no year from 1 to 9999.
    """
    try:
        moment = datetime.fromisoformat(ts)
        if moment.tzinfo is UTC:  # as nearly all are: this is asked for every event of an index
            return moment
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
