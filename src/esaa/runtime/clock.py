"""The clock, from outside: the log's times, and waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the log's time and waits."""

    def now(self) -> datetime:
        """The time, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return datetime.fromtimestamp(time.time(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await _sleep(seconds)


class ManualClock:
    """A clock that stands still and moves on when it is told to, or when someone waits. For tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves the clock; backwards too."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Moves the clock instead of waiting."""
        self.advance(seconds)
        await _sleep(0)


async def _sleep(seconds: float) -> None:
    # Who waits has the event loop loaded already; who only asks for the time must not pay for it.
    import asyncio

    await asyncio.sleep(seconds)


def log_time(moment: datetime, previous: str) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, never before the previous event's time: a clock that jumps back is clamped."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return max(text, previous) if previous.endswith("Z") else text
