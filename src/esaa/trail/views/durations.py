"""How long something took, where no event says so: from the timestamps of its beginning and its end."""

from __future__ import annotations

from datetime import datetime


def seconds_between(start: str | None, end: str | None) -> float | None:
    """The seconds from one timestamp to another; 0 where they go back, None where one is missing or no time."""
    if start is None or end is None:
        return None
    try:
        taken = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):  # TypeError: one has a zone, the other has none
        return None
    return max(0.0, taken.total_seconds())
