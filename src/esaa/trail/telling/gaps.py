"""Tells of the issues of a run as gaps: found, escalated to a person, closed, and whose work they hold up.

As the narrator it knows nothing of the log's vocabulary; it is called with plain values.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from esaa.trail.facts.agents import AgentBlocked
from esaa.trail.facts.gaps import GapEscalated, GapIdentified, GapResolved
from esaa.trail.facts.recovery import RecoveryFailed
from esaa.trail.telling.fitting import data, name, text
from esaa.trail.telling.narrator import Narrator
from esaa.trail.telling.run_story import OpenGap, lasted


class GapTelling:
    """The acts on issues, told by a narrator."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator

    def found(self, gap: GapIdentified, *, about: str, phase: str | None) -> None:
        """Someone reports an issue about a task. A grave one is a person's to resolve, and holds the work up."""
        narrator = self._narrator
        narrator.story.gaps[gap.gap_id] = OpenGap(since=narrator.cause.ts, phase=phase)
        for tally in narrator.story.tallies(phase):
            tally.gaps_identified += 1
        narrator.tell(gap)
        if gap.blocking is True:
            self._escalated(gap, about)

    def closed(self, gap_id: str, by: str, resolution: Any) -> None:
        """An issue is resolved."""
        narrator = self._narrator
        gap = narrator.story.gaps.pop(name(gap_id), None)
        for tally in narrator.story.tallies(None if gap is None else gap.phase):
            tally.gaps_resolved += 1
        details = data(resolution)
        narrator.tell(
            GapResolved(
                gap_id=name(gap_id),
                resolution_strategy=UNSET if details is UNSET else text(details.get("status")),
                resolved_by=name(by),
                resolution_details=details,
                time_to_resolve_seconds=UNSET if gap is None else lasted(gap.since, narrator.cause.ts),
            )
        )

    def given_up(self, task_id: str, reason: str) -> None:
        """The attempts at a task are used up: what went wrong on the way was not overcome."""
        task = self._narrator.story.tasks.get(task_id)
        if task is None:
            return
        errors, task.errors = task.errors, []
        for error in errors:
            self._narrator.tell(
                RecoveryFailed(
                    recovery_from=error.event_id,
                    all_attempts_exhausted=True,
                    final_error=name(reason),
                    escalation_required=True,
                )
            )

    def _escalated(self, gap: GapIdentified, about: str) -> None:
        """The protocol's escalation: a high issue blocks its task, a critical one halts the pipeline."""
        is_critical = gap.severity == "critical"
        held_up = "the pipeline is halted" if is_critical else f"{about} is blocked"
        self._narrator.tell(
            GapEscalated(
                gap_id=gap.gap_id,
                escalation_reason=f"{held_up} until a person resolves it",
                severity=gap.severity,
                escalated_to="operator",
                work_paused=True,
            )
        )
        task = self._narrator.story.tasks.get(about)
        if task is not None and task.spawned_at is not None:
            self._narrator.tell(
                AgentBlocked(
                    agent_name=name(task.owner),
                    blocked_by=f"{gap.gap_id}: {gap.description}",
                    can_work_on_other_tasks=not is_critical,
                )
            )
