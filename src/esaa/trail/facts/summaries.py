"""Summaries that are kept: what a phase, or a whole orchestration, came to.

Everything in them follows from the events before; keeping it spares a reader the fold, and tells it in words.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Number, Seconds
from esaa.trail.facts.wording import counted, dollars, line, seconds, told


class PhaseSummarized(TrailFact, frozen=True, kw_only=True):
    """What a phase came to. Recorded by the orchestrator when the phase is over.

    Summing up again is safe: the same events give the same summary.

    - `text`: the summary in words.
    - `events`: how many events it is made from.
    - `first_sequence`: the first of them.
    - `last_sequence`: the last of them.
    - `agents`: the agents that worked in the phase.
    - `agents_failed`: how many of them failed.
    - `commits`: how many commits were made.
    - `files_changed`: how many files changed.
    - `gaps_identified`: how many gaps were found.
    - `gaps_resolved`: how many gaps were closed.
    - `errors`: how many errors occurred.
    - `recoveries`: how many of them were overcome.
    - `tokens_in`: how many tokens were sent to models.
    - `tokens_out`: how many tokens came back.
    - `cost_micro_usd`: what it cost, in millionths of a dollar.
    - `highlights`: what is worth knowing of it, one sentence each.
    """

    is_repeatable: ClassVar[bool] = True

    phase: str
    text: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    events: Count | UnsetType = UNSET
    first_sequence: Number | UnsetType = UNSET
    last_sequence: Number | UnsetType = UNSET
    agents: tuple[str, ...] | UnsetType = UNSET
    agents_failed: Count | UnsetType = UNSET
    commits: Count | UnsetType = UNSET
    files_changed: Count | UnsetType = UNSET
    gaps_identified: Count | UnsetType = UNSET
    gaps_resolved: Count | UnsetType = UNSET
    errors: Count | UnsetType = UNSET
    recoveries: Count | UnsetType = UNSET
    tokens_in: Count | UnsetType = UNSET
    tokens_out: Count | UnsetType = UNSET
    cost_micro_usd: Count | UnsetType = UNSET
    highlights: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        events = told(", {}", self.events, lambda total: counted(total, "event"))
        return line(f"summary of {self.phase}{events}{_took(self.duration_seconds)}" + told(": {}", self.text))


class OrchestrationSummarized(TrailFact, frozen=True, kw_only=True):
    """What the work on an issue came to. Recorded by the orchestrator when it ends.

    The `issue_key` is null where the run works without an issue. Summing up again is safe: the same events give the
    same summary.

    - `text`: the summary in words.
    - `status`: how the work stands, such as `completed`, `failed` or `paused`.
    - `events`: how many events it is made from.
    - `first_sequence`: the first of them.
    - `last_sequence`: the last of them.
    - `phases`: the phases that are complete.
    - `agents`: the agents that worked on it.
    - `agents_failed`: how many of them failed.
    - `commits`: how many commits were made.
    - `pull_requests`: how many pull requests were opened.
    - `files_changed`: how many files changed.
    - `tasks_done`: how many tasks are done.
    - `outputs_rejected`: how many outputs of agents were refused.
    - `gaps_identified`: how many gaps were found.
    - `gaps_resolved`: how many gaps were closed.
    - `errors`: how many errors occurred.
    - `recoveries`: how many of them were overcome.
    - `tokens_in`: how many tokens were sent to models.
    - `tokens_out`: how many tokens came back.
    - `cost_micro_usd`: what it cost, in millionths of a dollar.
    - `highlights`: what is worth knowing of it, one sentence each.
    """

    is_repeatable: ClassVar[bool] = True

    issue_key: str | None
    text: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    events: Count | UnsetType = UNSET
    first_sequence: Number | UnsetType = UNSET
    last_sequence: Number | UnsetType = UNSET
    phases: tuple[str, ...] | UnsetType = UNSET
    agents: tuple[str, ...] | UnsetType = UNSET
    agents_failed: Count | UnsetType = UNSET
    commits: Count | UnsetType = UNSET
    pull_requests: Count | UnsetType = UNSET
    files_changed: Count | UnsetType = UNSET
    tasks_done: Count | UnsetType = UNSET
    outputs_rejected: Count | UnsetType = UNSET
    gaps_identified: Count | UnsetType = UNSET
    gaps_resolved: Count | UnsetType = UNSET
    errors: Count | UnsetType = UNSET
    recoveries: Count | UnsetType = UNSET
    tokens_in: Count | UnsetType = UNSET
    tokens_out: Count | UnsetType = UNSET
    cost_micro_usd: Count | UnsetType = UNSET
    highlights: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        what = self.issue_key or "the run"
        status = told(" ({})", self.status)
        cost = told(", {}", self.cost_micro_usd, dollars)
        events = told(", {}", self.events, lambda total: counted(total, "event"))
        took = _took(self.duration_seconds)
        return line(f"summary of {what}{status}{events}{took}{cost}" + told(": {}", self.text))


def _took(duration: float | UnsetType) -> str:
    return told(", {}", duration, seconds)
