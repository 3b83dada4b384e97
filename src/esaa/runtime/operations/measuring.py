"""Where the time of a process goes: to its agents, to itself, to waiting."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from msgspec import UNSET

from esaa.trail.facts.orchestration import AgentMeasured, RunMeasured

_DIGITS = 3


class Measuring:
    """The measures of one process. Times are those of the workspace's clock; the processor's is the machine's."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._began = now()
        self._cpu = time.process_time()
        self._calls: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._at_work = 0
        self._busy_s = 0.0
        self._busy_since = self._began

    def began(self) -> None:
        """An agent begins to work."""
        if self._at_work == 0:
            self._busy_since = self._now()
        self._at_work += 1

    def ended(self, agent: str, seconds: float) -> None:
        """An agent that began has worked so long."""
        self._calls[agent] += 1
        self._seconds[agent] = self._seconds.get(agent, 0.0) + seconds
        self._at_work -= 1
        if self._at_work == 0:
            self._busy_s += _since(self._busy_since, self._now())

    def fact(self, run_id: str | None) -> RunMeasured:
        """What was measured up to now."""
        return RunMeasured(
            run_id=run_id or UNSET,
            duration_seconds=_since(self._began, self._now()),
            cpu_seconds=round(time.process_time() - self._cpu, _DIGITS),
            calls=self._calls.total(),
            agent_seconds=round(sum(self._seconds.values()), _DIGITS),
            busy_seconds=round(self._busy_s, _DIGITS),
            agents=tuple(
                AgentMeasured(agent_name=name, calls=self._calls[name], seconds=round(took, _DIGITS))
                for name, took in sorted(self._seconds.items())
            ),
        )


def _since(before: datetime, now: datetime) -> float:
    return round(max((now - before).total_seconds(), 0.0), _DIGITS)
