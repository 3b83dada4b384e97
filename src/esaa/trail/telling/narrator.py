"""Tells of the governed run what no single event of its log says: sessions, orchestrations, phases, agents at work.

It knows nothing of the log's vocabulary: the translator calls it with plain values, and collects what was told.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET

from esaa.trail.event import Actor, Source
from esaa.trail.facts.agents import AgentBlocked, AgentFailed, AgentSpawned
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.gaps import GapEscalated
from esaa.trail.facts.orchestration import (
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationMetrics,
    OrchestrationOutcome,
    OrchestrationPaused,
    OrchestrationResumed,
    OrchestrationStarted,
)
from esaa.trail.facts.phases import PhaseCompleted, PhaseStarted
from esaa.trail.facts.recovery import RecoveryFailed, RecoverySucceeded
from esaa.trail.facts.reviews import ReviewRequested
from esaa.trail.facts.sessions import SessionEnded, SessionStarted
from esaa.trail.facts.summaries import OrchestrationSummarized, PhaseSummarized
from esaa.trail.facts.tasks import TaskCreated
from esaa.trail.telling.derived_ids import event_uuid, session_uuid
from esaa.trail.telling.fitting import name
from esaa.trail.telling.run_story import FIX, OBJECTIVES, Cause, PhaseStory, RunStory, Tally, TaskStory, lasted

ORCHESTRATOR = Actor(type="system", id="orchestrator")
_DERIVED = (
    SessionStarted,
    SessionEnded,
    OrchestrationStarted,
    OrchestrationResumed,
    OrchestrationPaused,
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationSummarized,
    PhaseStarted,
    PhaseCompleted,
    PhaseSummarized,
    TaskCreated,
    AgentSpawned,
    AgentFailed,
    AgentBlocked,
    ReviewRequested,
    GapEscalated,
    RecoverySucceeded,
    RecoveryFailed,
)
"""What the orchestrator makes of an act; the rest is told in the name of whoever acted."""
_TASKS_SHOWN_MAX = 100

Outcome = Literal["completed", "failed", "interrupted"]


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the trail that an event of the log led to, ready to be recorded. `ts` is the log's time."""

    event_id: str
    issue_key: str | None
    session_id: str
    ts: str
    actor: Actor
    correlation_id: str | None
    causation_id: str
    source: Source
    fact: TrailFact

    @property
    def event_type(self) -> str:
        """The type's name."""
        return type(self.fact).__name__


class Narrator:
    """Tells, and keeps the story. `cause` is the event of the log that is told of just now."""

    def __init__(self, story: RunStory) -> None:
        self.story = story
        self.told: list[Translated] = []
        self.cause = Cause(event_id="", leaf_hash="", ts="", actor=ORCHESTRATOR)

    def tell(self, fact: TrailFact) -> str:
        """Tells one more event of the present cause, and returns its id."""
        story, cause = self.story, self.cause
        event_id = event_uuid(cause.leaf_hash, cause.told)
        cause.told += 1
        story.tally.events += 1
        self.told.append(
            Translated(
                event_id=event_id,
                issue_key=story.issue_key,
                session_id=story.session_id,
                ts=cause.ts,
                actor=ORCHESTRATOR if isinstance(fact, _DERIVED) else cause.actor,
                correlation_id=story.correlation_id,
                causation_id=cause.event_id,
                source=Source(event_id=cause.event_id, leaf_hash=cause.leaf_hash),
                fact=fact,
            )
        )
        return event_id

    # Runs

    def open_session(
        self, *, run_id: str | None, correlation_id: str | None, issue_key: str | None, trigger: str
    ) -> None:
        """A run begins, in the stream of an issue or in `global`. One that was halted there goes on."""
        story = self.story
        if story.is_open:
            self._close_session("interrupted", "another run begins")
        if issue_key != story.issue_key:
            self._turn_to(issue_key)
            story.paused_at = None
        if story.paused_at is None:
            story.phases, story.phases_completed = {}, []
            for task in story.tasks.values():
                task.spawned_at = None
        previous = story.session_id
        story.session_id = session_uuid(self.cause.leaf_hash, run_id)
        story.run_id, story.correlation_id = run_id, correlation_id
        story.is_open, story.started_at, story.tally = True, self.cause.ts, Tally()
        self.tell(SessionStarted(client="esaa", trigger=trigger, resumed_from=previous or UNSET))

    def begin(self, phase: str) -> None:
        """The orchestration begins in a phase, or goes on after a halt."""
        story = self.story
        story.current_phase = phase
        if story.paused_at is None:
            self._start()
            return
        self.tell(
            OrchestrationResumed(
                issue_key=story.issue_key,
                paused_at=story.paused_at,
                resumed_at=self.cause.ts,
                pause_duration_seconds=lasted(story.paused_at, self.cause.ts),
                resume_phase=phase,
            )
        )
        story.paused_at = None

    def move(self, issue_key: str) -> None:
        """The run is told in the stream of another issue from now on; where it was told before, it stands still.

        What is counted begins anew: a summary is about what its own readers were told.
        """
        story = self.story
        text = f"the run goes on in {issue_key}"
        self.tell(
            OrchestrationPaused(
                issue_key=story.issue_key,
                pause_reason="bound_to_another_issue",
                current_phase=story.current_phase,
                blocking_issue=text,
                can_resume=False,
            )
        )
        self._close_session("interrupted", text)
        self._turn_to(issue_key)
        story.started_at, story.tally, story.phases_completed = self.cause.ts, Tally(), []
        self.tell(SessionStarted(client="esaa", trigger="bound"))
        self._start()

    def end(self, status: str, message: str | None) -> None:
        """The run ends: its orchestration is completed, failed, or waits for a person."""
        story, cause = self.story, self.cause
        duration = lasted(story.started_at, cause.ts)
        outcome: Outcome = "completed" if status == "success" else "interrupted" if status == "halted" else "failed"
        if outcome == "completed":
            self._dismiss("the run ended")
            self.tell(
                OrchestrationCompleted(
                    issue_key=story.issue_key,
                    duration_seconds=duration,
                    phases_completed=tuple(story.phases_completed),
                    total_agents_spawned=story.tally.spawned,
                    final_state="success",
                    outcome=OrchestrationOutcome(code_changed=bool(story.tally.files)),
                    metrics=OrchestrationMetrics(files_changed=len(story.tally.files)),
                )
            )
        elif outcome == "interrupted":
            story.paused_at = cause.ts
            self.tell(
                OrchestrationPaused(
                    issue_key=story.issue_key,
                    pause_reason="manual_intervention_required",
                    current_phase=story.current_phase,
                    blocking_issue=message or UNSET,
                    can_resume=True,
                    resume_conditions=("the blocking issue is resolved",),
                )
            )
        else:
            reason = message or name(status, "the run failed")
            self._dismiss(f"the run failed: {reason}")
            self.tell(
                OrchestrationFailed(
                    issue_key=story.issue_key,
                    failure_reason=reason,
                    failure_phase=story.current_phase,
                    next_actions=("esaa status",),
                )
            )
        self._sum_up("paused" if outcome == "interrupted" else outcome, duration)
        self._close_session(outcome, message)
        story.is_open = False

    # Phases, tasks and agents

    def enter_phase(self, phase: str) -> None:
        """Work is done in a phase; it begins, unless it is active."""
        story = self.story
        if phase not in story.phases:
            story.phases[phase] = PhaseStory(started_at=self.cause.ts)
            if phase in story.phases_completed:
                story.phases_completed.remove(phase)
            self._announce_phase(phase)

    def leave_phase(self, phase: str) -> None:
        """A task of a phase is done; with the last one of them the phase is complete."""
        story = self.story
        if phase in story.open_in_phase or phase not in story.phases:
            return
        ended = story.phases.pop(phase)
        story.phases_completed.append(phase)
        following = story.next_phase()
        story.current_phase = following or phase
        duration = lasted(ended.started_at, self.cause.ts)
        tally = ended.tally
        self.tell(
            PhaseCompleted(
                phase=phase,
                duration_seconds=duration,
                agents_used=tuple(tally.agents),
                outputs=dict(ended.outputs),
                success_criteria_met=True,
                ready_for_next_phase=following is not None,
                next_phase=following,
            )
        )
        self.tell(
            PhaseSummarized(
                phase=phase,
                text=tally.text(),
                duration_seconds=duration,
                agents=tuple(tally.agents),
                agents_failed=len(tally.failed),
                files_changed=len(tally.files),
                gaps_identified=tally.gaps_identified,
                gaps_resolved=tally.gaps_resolved,
                errors=tally.errors,
                recoveries=tally.recoveries,
            )
        )

    def introduce(self, task_id: str, task: TaskStory) -> None:
        """Tells that the task was created, where the readers of this stream do not know it yet."""
        if task.told_in == self.story.telling:
            return
        task.told_in = self.story.telling
        self.tell(
            TaskCreated(
                task_id=name(task_id),
                title=name(task.title, task_id or "unknown"),
                task_kind=name(task.kind),
                phase=task.phase,
                is_hotfix=True if task.phase == FIX else UNSET,
            )
        )

    def spawn(self, task_id: str, task: TaskStory, reason: str) -> None:
        """The owner of a task begins an attempt at it."""
        task.spawned_at = self.cause.ts
        for tally in self.story.tallies(task.phase):
            tally.spawned += 1
        self.take_part(task)
        self._announce_agent(task_id, task, reason)

    def take_part(self, task: TaskStory) -> None:
        """The owner of a task works in its phase, and in the run."""
        for tally in self.story.tallies(task.phase):
            if task.owner is not None and task.owner not in tally.agents:
                tally.agents.append(task.owner)

    def agent_failed(self, task: TaskStory | None, fact: AgentFailed) -> None:
        """An agent's attempt has failed; where it worked on the task, it does not any more."""
        for tally in self.story.tallies(None if task is None else task.phase):
            if fact.agent_name not in tally.failed:
                tally.failed.append(fact.agent_name)
        if task is not None and task.owner == fact.agent_name:
            task.spawned_at = None
        self.tell(fact)

    def _start(self) -> None:
        """The orchestration begins in this stream; what is at hand is told with it."""
        story = self.story
        self.tell(
            OrchestrationStarted(
                issue_key=story.issue_key,
                initial_phase=story.current_phase,
                issue_summary=story.project_name or UNSET,
                workflow_type="governed",
                extra={"run_id": story.run_id} if story.run_id else UNSET,
            )
        )
        for phase in story.phases:
            self._announce_phase(phase)
        for task_id, task in story.tasks.items():
            if task.status != "in_progress" or task.owner is None:
                continue
            self.enter_phase(task.phase)
            self.introduce(task_id, task)
            if task.spawned_at is None:
                self.spawn(task_id, task, f"goes on with {task_id}")
            else:
                story.tally.spawned += 1
                self.take_part(task)
                self._announce_agent(task_id, task, f"goes on with {task_id}")

    def _turn_to(self, issue_key: str | None) -> None:
        self.story.issue_key = issue_key
        self.story.telling += 1

    def _announce_phase(self, phase: str) -> None:
        story = self.story
        tasks = [task_id for task_id, task in story.tasks.items() if task.phase == phase][:_TASKS_SHOWN_MAX]
        story.current_phase = phase
        self.tell(
            PhaseStarted(
                phase=phase,
                phase_objective=OBJECTIVES.get(phase, UNSET),
                inputs={"tasks": tasks} if tasks else UNSET,
                success_criteria=("every task of the phase is approved",),
            )
        )

    def _announce_agent(self, task_id: str, task: TaskStory, reason: str) -> None:
        self.tell(
            AgentSpawned(
                agent_name=name(task.owner),
                agent_type=name(task.kind),
                spawn_reason=reason,
                assigned_task=task_id,
            )
        )

    def _dismiss(self, reason: str) -> None:
        """The run is over, and nobody works on."""
        for task_id, task in self.story.tasks.items():
            if task.spawned_at is not None:
                details = {"task_id": task_id}
                fact = AgentFailed(agent_name=name(task.owner), failure_reason=reason, error_details=details)
                self.agent_failed(task, fact)

    def _sum_up(self, status: str, duration: float) -> None:
        story = self.story
        tally = story.tally
        self.tell(
            OrchestrationSummarized(
                issue_key=story.issue_key,
                text=tally.text(),
                status=status,
                duration_seconds=duration,
                events=tally.events,
                phases=tuple(story.phases_completed),
                agents=tuple(tally.agents),
                agents_failed=len(tally.failed),
                files_changed=len(tally.files),
                tasks_done=tally.tasks_done,
                outputs_rejected=tally.outputs_rejected,
                gaps_identified=tally.gaps_identified,
                gaps_resolved=tally.gaps_resolved,
                errors=tally.errors,
                recoveries=tally.recoveries,
            )
        )

    def _close_session(self, outcome: Outcome, reason: str | None) -> None:
        self.tell(
            SessionEnded(
                outcome=outcome,
                end_reason=reason or UNSET,
                duration_seconds=lasted(self.story.started_at, self.cause.ts),
            )
        )
