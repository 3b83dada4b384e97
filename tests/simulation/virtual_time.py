"""Time that passes only where everybody waits: an event loop that jumps to the next timer, and a clock on it.

Whatever waits with asyncio (sleeps, timeouts, the run's cooldowns) waits for virtual seconds, in the same order each
time. Where nobody waits for time and nothing is ready, the simulation would stand still for ever: that is an error.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class StandsStill(Exception):
    """Nothing is ready and nobody waits for a time: the program would hang for ever."""


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, lets the time pass."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise StandsStill
        if not ready and timeout is not None:
            self.passed_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are virtual."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The virtual seconds since the loop began."""
        return self._jumping.passed_s


class VirtualClock:
    """The clock of a simulation: it goes with the loop that runs, and can be set wrong by `jump`."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """The time, aware, UTC."""
        return self._start + self._offset + timedelta(seconds=asyncio.get_running_loop().time())

    async def sleep(self, seconds: float) -> None:
        """Waits for virtual seconds."""
        await asyncio.sleep(seconds)

    def jump(self, seconds: float) -> None:
        """Somebody sets the machine's clock, forwards or back."""
        self._offset += timedelta(seconds=seconds)


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end on virtual time. Raises `StandsStill` where the work would wait for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
