"""The phases of one stream, run by run: when each began and ended, who worked in it, how often it was tried."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from esaa.trail.event import TrailEvent
from esaa.trail.facts.agents import AgentSpawned
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.orchestration import (
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationStarted,
)
from esaa.trail.facts.phases import PhaseCompleted, PhaseFailed, PhaseStarted
from esaa.trail.facts.tasks import TaskClaimed
from esaa.trail.folds.reading import given
from esaa.trail.views.durations import seconds_between


class PhaseRun(msgspec.Struct, kw_only=True):
    """One run of a phase, from its beginning to its end.

    - `status`: `interrupted` is a run that was begun again, or whose orchestration was finished, before it had an end.
    - `duration_seconds`: as its end says, else from its timestamps.
    - `agents`: who was started or claimed a task in it, and whom its end names.
    - `retries`: how many of its tries had failed before the last one; a try needs no `PhaseStarted` of its own.
    - `first_sequence`, `last_sequence`: the events that begin and end it; None where there is no such event.
    """

    phase: str
    status: Literal["active", "completed", "failed", "interrupted"]
    started_at: str | None = None
    completed_at: str | None = None
    duration_seconds: float | None = None
    agents: list[str] = []
    retries: int = 0
    quality_score: float | None = None
    success_criteria_met: bool | None = None
    failure_reason: str | None = None
    first_sequence: int | None = None
    last_sequence: int | None = None


def phases(pairs: Iterable[tuple[TrailEvent, TrailFact]]) -> list[PhaseRun]:
    """The runs in the order in which they began. The events are those of one stream."""
    runs = _Runs()
    for event, fact in pairs:
        match fact:
            case OrchestrationStarted():
                runs.announce(fact.initial_phase, event)
            case PhaseStarted():
                runs.begin(fact.phase, event)
            case PhaseCompleted():
                _completed(runs, event, fact)
            case PhaseFailed():
                _failed(runs, event, fact)
            case AgentSpawned() | TaskClaimed():
                if runs.open:
                    _joined(runs.open[-1], (fact.agent_name,))
            case OrchestrationFailed():
                _orchestration_failed(runs, event, fact)
            case OrchestrationCompleted():
                for run in tuple(runs.open):
                    runs.end(run, event, "interrupted")
            case _:
                pass
    return runs.all


class _Runs:
    """The runs so far, and those of them that are open, the oldest first.

    `announced` is an open run that only the phase before, or the orchestration, has told of.
    """

    def __init__(self) -> None:
        self.all: list[PhaseRun] = []
        self.open: list[PhaseRun] = []
        self._last: dict[str, PhaseRun] = {}
        self._announced: PhaseRun | None = None

    def announce(self, phase: str, event: TrailEvent) -> None:
        """The work is in a phase from here on; its beginning may be recorded yet."""
        last = self._last.get(phase)
        if last is None or last.status != "active":
            self._announced = self._add(phase, event)

    def begin(self, phase: str, event: TrailEvent) -> None:
        """A phase begins: one that was announced, or a new run. A run that is open still was interrupted."""
        last = self._last.get(phase)
        if last is not None and last is self._announced and last.status == "active":
            last.started_at, last.first_sequence = event.ts, event.version
            self._announced = None
            return
        if last is not None and last.status == "active":
            self.end(last, event, "interrupted")
        self._add(phase, event)

    def ending(self, phase: str) -> PhaseRun:
        """The run that an end is about: the open one; the failed one, which was tried again; else one not begun."""
        last = self._last.get(phase)
        if last is not None and last.status == "failed":
            last.retries += 1
            return last
        if last is not None and last.status == "active":
            return last
        return self._add(phase, None)

    def end(
        self,
        run: PhaseRun,
        event: TrailEvent,
        status: Literal["completed", "failed", "interrupted"],
        duration_seconds: float | None = None,
    ) -> None:
        """A run is over, for now."""
        # By identity: two runs may be equal in all they say.
        self.open = [one for one in self.open if one is not run]
        run.status = status
        run.completed_at = event.ts
        run.last_sequence = event.version
        run.failure_reason = None
        if duration_seconds is None:
            duration_seconds = seconds_between(run.started_at, event.ts)
        run.duration_seconds = duration_seconds

    def _add(self, phase: str, event: TrailEvent | None) -> PhaseRun:
        last = self._last.get(phase)
        run = PhaseRun(phase=phase, status="active")
        if event is not None:
            run.started_at, run.first_sequence = event.ts, event.version
        if last is not None and last.status == "failed":
            run.retries = last.retries + 1
        self.all.append(run)
        self.open.append(run)
        self._last[phase] = run
        return run


def _completed(runs: _Runs, event: TrailEvent, fact: PhaseCompleted) -> None:
    run = runs.ending(fact.phase)
    runs.end(run, event, "completed", given(fact.duration_seconds))
    run.quality_score = given(fact.quality_score)
    run.success_criteria_met = given(fact.success_criteria_met)
    _joined(run, given(fact.agents_used) or ())
    following = given(fact.next_phase)
    if following:
        runs.announce(following, event)


def _failed(runs: _Runs, event: TrailEvent, fact: PhaseFailed) -> None:
    run = runs.ending(fact.phase)
    runs.end(run, event, "failed")
    run.failure_reason = fact.failure_reason
    run.retries = max(run.retries, given(fact.retry_count) or 0)


def _orchestration_failed(runs: _Runs, event: TrailEvent, fact: OrchestrationFailed) -> None:
    for run in tuple(runs.open):
        is_cause = run.phase == fact.failure_phase
        runs.end(run, event, "failed" if is_cause else "interrupted")
        run.failure_reason = fact.failure_reason if is_cause else None


def _joined(run: PhaseRun, agents: Iterable[str]) -> None:
    run.agents.extend(agent for agent in agents if agent not in run.agents)
