"""Orchestrations, phases and agents: the specification's own rules, and those for what its text leaves open.

Where the work goes on after its end (a second start, a resumption), the end is taken back: an orchestration has a
`completed_at` exactly while it is completed or failed.
"""

from __future__ import annotations

from esaa.trail.event import TrailEvent
from esaa.trail.facts.agents import AgentBlocked, AgentCompleted, AgentFailed, AgentSpawned
from esaa.trail.facts.orchestration import (
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationPaused,
    OrchestrationResumed,
    OrchestrationStarted,
)
from esaa.trail.facts.phases import PhaseCompleted, PhaseFailed, PhaseStarted
from esaa.trail.facts.summaries import OrchestrationSummarized, PhaseSummarized
from esaa.trail.folds.reading import excerpt, given
from esaa.trail.folds.tasks import assign, finish_assigned
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import (
    Assignment,
    Blocked,
    FailedPhase,
    Failure,
    Pause,
    Result,
    Summary,
)


def orchestration_started(state: OrchestrationState, event: TrailEvent, fact: OrchestrationStarted) -> None:
    """The work begins, or begins again: the lists of what was done before stay."""
    _goes_on(state)
    state.status = "in_progress"
    state.issue_key = fact.issue_key or event.fact.issue_key
    state.session_id = event.fact.session_id
    state.current_phase = fact.initial_phase
    state.started_at = event.ts
    state.assignment = Assignment(
        issue_summary=given(fact.issue_summary),
        issue_type=given(fact.issue_type),
        priority=given(fact.priority),
        labels=given(fact.labels) or (),
        components=given(fact.components) or (),
        workflow_type=given(fact.workflow_type),
        estimated_complexity=given(fact.estimated_complexity),
        config=given(fact.config),
    )


def orchestration_completed(state: OrchestrationState, event: TrailEvent, fact: OrchestrationCompleted) -> None:
    """The work is finished."""
    _goes_on(state)
    state.status = "completed"
    state.completed_at = event.ts
    state.duration_seconds = given(fact.duration_seconds)
    state.result = Result(
        final_state=given(fact.final_state),
        total_agents_spawned=given(fact.total_agents_spawned),
        total_commits=given(fact.total_commits),
        total_prs=given(fact.total_prs),
        outcome=given(fact.outcome),
        metrics=given(fact.metrics),
    )


def orchestration_failed(state: OrchestrationState, event: TrailEvent, fact: OrchestrationFailed) -> None:
    """The work ends without its result."""
    duration = state.duration_seconds
    _goes_on(state)
    state.status = "failed"
    state.completed_at = event.ts
    # As in the specification, a failure says nothing about the duration that was told before.
    state.duration_seconds = duration
    state.failure = Failure(
        at=event.ts,
        reason=excerpt(fact.failure_reason),
        phase=given(fact.failure_phase),
        error_message=excerpt(given(fact.error_message) or "") or None,
        recovery_attempted=given(fact.recovery_attempted),
        rollback_state=given(fact.rollback_state),
        next_actions=given(fact.next_actions) or (),
    )


def orchestration_paused(state: OrchestrationState, event: TrailEvent, fact: OrchestrationPaused) -> None:
    """The work waits."""
    _goes_on(state)
    state.status = "paused"
    state.current_phase = given(fact.current_phase) or state.current_phase
    state.pause = Pause(
        since=event.ts,
        reason=excerpt(fact.pause_reason),
        phase=state.current_phase,
        blocking_issue=given(fact.blocking_issue),
        can_resume=given(fact.can_resume),
        resume_conditions=given(fact.resume_conditions) or (),
        snapshot_id=given(fact.snapshot_id),
    )


def orchestration_resumed(state: OrchestrationState, _event: TrailEvent, fact: OrchestrationResumed) -> None:
    """The work goes on."""
    _goes_on(state)
    state.status = "in_progress"
    state.current_phase = given(fact.resume_phase) or state.current_phase


def phase_started(state: OrchestrationState, _event: TrailEvent, fact: PhaseStarted) -> None:
    """The work is in the phase from here on."""
    state.current_phase = fact.phase


def phase_completed(state: OrchestrationState, _event: TrailEvent, fact: PhaseCompleted) -> None:
    """The work is in the next phase from here on, where there is one."""
    state.completed_phases.append(fact.phase)
    state.current_phase = given(fact.next_phase) or state.current_phase


def phase_failed(state: OrchestrationState, event: TrailEvent, fact: PhaseFailed) -> None:
    """The work stays in the phase: it may be tried again."""
    state.failed_phases.append(
        FailedPhase(
            phase=fact.phase,
            reason=excerpt(fact.failure_reason),
            failed_at=event.ts,
            retry_count=given(fact.retry_count),
            max_retries=given(fact.max_retries),
            escalation_required=given(fact.escalation_required),
            recovery_strategy=given(fact.recovery_strategy),
        )
    )


def agent_spawned(state: OrchestrationState, event: TrailEvent, fact: AgentSpawned) -> None:
    """One more agent of the name is active; it has its task, where it was given one."""
    name = fact.agent_name
    state.active_agents.append(name)
    state.blocked_agents.pop(name, None)
    task = given(fact.assigned_task)
    if task:
        assign(state, event, name, excerpt(task))


def agent_completed(state: OrchestrationState, event: TrailEvent, fact: AgentCompleted) -> None:
    """One agent of the name less is active; its task is done, unless it says otherwise."""
    name = fact.agent_name
    _ended(state, name)
    state.completed_agents.append(name)
    if name in state.assigned_tasks:
        status = given(fact.task_status)
        finish_assigned(state, event, name, is_done=status is None or status.startswith("success"))


def agent_failed(state: OrchestrationState, event: TrailEvent, fact: AgentFailed) -> None:
    """One agent of the name less is active; its task waits for another."""
    name = fact.agent_name
    _ended(state, name)
    state.failed_agents.append(name)
    if name in state.assigned_tasks:
        finish_assigned(state, event, name, is_done=False)


def agent_blocked(state: OrchestrationState, event: TrailEvent, fact: AgentBlocked) -> None:
    """The agent is active still, and waits."""
    state.blocked_agents[fact.agent_name] = Blocked(
        blocked_by=excerpt(fact.blocked_by),
        since=event.ts,
        blocking_agent=given(fact.blocking_agent),
        blocking_issue_key=given(fact.blocking_issue_key),
        estimated_unblock_time=given(fact.estimated_unblock_time),
    )


def phase_summarized(state: OrchestrationState, event: TrailEvent, fact: PhaseSummarized) -> None:
    """The last summary of each phase is kept."""
    state.phase_summaries[fact.phase] = Summary(
        at=event.ts, text=given(fact.text), last_sequence=given(fact.last_sequence)
    )


def orchestration_summarized(state: OrchestrationState, event: TrailEvent, fact: OrchestrationSummarized) -> None:
    """The last summary is kept."""
    state.summary = Summary(at=event.ts, text=given(fact.text), last_sequence=given(fact.last_sequence))


def _goes_on(state: OrchestrationState) -> None:
    """What was true of the status until now is not any more."""
    state.completed_at = None
    state.duration_seconds = None
    state.pause = None
    state.failure = None
    state.result = None


def _ended(state: OrchestrationState, agent_name: str) -> None:
    if agent_name in state.active_agents:
        state.active_agents.remove(agent_name)
    state.blocked_agents.pop(agent_name, None)
