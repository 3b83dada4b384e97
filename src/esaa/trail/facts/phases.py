"""The life of a phase: started, completed, failed."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Count, Seconds
from esaa.trail.facts.wording import counted, line, seconds, told


class PhaseStarted(TrailFact, frozen=True, kw_only=True):
    """A phase of the orchestration begins. Recorded by the orchestrator.

    Beginning a phase again is safe: a handler that meets its event id a second time has nothing to do.

    - `phase_objective`: what the phase is for.
    - `expected_agents`: how many agents are expected to work in it.
    - `expected_duration_minutes`: how long it is expected to take.
    - `inputs`: what the phase starts from.
    - `success_criteria`: what has to hold for the phase to be complete.
    """

    is_repeatable: ClassVar[bool] = True

    phase: str
    phase_objective: str | UnsetType = UNSET
    expected_agents: Count | UnsetType = UNSET
    expected_duration_minutes: Seconds | UnsetType = UNSET
    inputs: Data | UnsetType = UNSET
    success_criteria: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.phase} begins" + told(": {}", self.phase_objective))


class PhaseCompleted(TrailFact, frozen=True, kw_only=True):
    """A phase of the orchestration is complete. Recorded by the orchestrator.

    - `agents_used`: the names of the agents that worked in it.
    - `outputs`: what the phase produced: a name for each output, and where it lies.
    - `success_criteria_met`: true where all criteria of the start hold.
    - `quality_score`: 0 to 100.
    - `ready_for_next_phase`: true where nothing keeps the next phase from starting.
    - `next_phase`: the phase that follows; the orchestration is in it from here on.
    """

    phase: str
    duration_seconds: Seconds | UnsetType = UNSET
    agents_used: tuple[str, ...] | UnsetType = UNSET
    outputs: Data | UnsetType = UNSET
    success_criteria_met: bool | UnsetType = UNSET
    quality_score: float | UnsetType = UNSET
    ready_for_next_phase: bool | UnsetType = UNSET
    next_phase: str | UnsetType | None = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        after = told(" after {}", self.duration_seconds, seconds)
        by = told(" by {}", self.agents_used, lambda agents: counted(len(agents), "agent"))
        onward = told(", next {}", self.next_phase)
        return line(f"{self.phase} is complete{after}{by}{onward}")


class PhaseFailed(TrailFact, frozen=True, kw_only=True):
    """A phase failed. It may be tried again. Recorded by the orchestrator.

    - `failure_reason`: why, in one sentence.
    - `error_details`: the values behind the reason.
    - `retry_attempted`: true where the phase was tried again.
    - `retry_count`: how often it was tried again so far.
    - `max_retries`: how often it may be tried again.
    - `escalation_required`: true where a person has to act.
    - `recovery_strategy`: what is done about it.
    """

    phase: str
    failure_reason: str
    error_details: Data | UnsetType = UNSET
    retry_attempted: bool | UnsetType = UNSET
    retry_count: Count | UnsetType = UNSET
    max_retries: Count | UnsetType = UNSET
    escalation_required: bool | UnsetType = UNSET
    recovery_strategy: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.phase} fails" + told(": {}", self.failure_reason))
