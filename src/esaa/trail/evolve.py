"""`evolve(state, event, fact)`: how each event of the trail changes the state. Total: it never raises.

The rules of the specification's families are those of its `project_orchestration_state`. Whether the events tell a
story that makes sense is not asked here (`state_audit` asks).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esaa.trail.event import TrailEvent
from esaa.trail.facts import (
    agents,
    approvals,
    budgets,
    ci,
    decisions,
    deployments,
    documentation,
    external,
    files,
    gaps,
    git,
    orchestration,
    phases,
    quality,
    records,
    recovery,
    replays,
    restore_points,
    reviews,
    sessions,
    summaries,
    testing,
    tools,
    tracker,
)
from esaa.trail.facts import tasks as task_facts
from esaa.trail.facts.base import TrailFact
from esaa.trail.folds import checks, conduct, delivery, tasks, upkeep, work
from esaa.trail.state import OrchestrationState

PROJECTION_VERSION = 1
"""Raised with every change of these rules or of the state's shape; a snapshot of another version is discarded."""

Fold = Callable[[OrchestrationState, TrailEvent, Any], None]  # the fact's type is that of its key in FOLDS

FOLDS: dict[type[TrailFact], Fold] = {
    orchestration.OrchestrationStarted: work.orchestration_started,
    orchestration.OrchestrationCompleted: work.orchestration_completed,
    orchestration.OrchestrationFailed: work.orchestration_failed,
    orchestration.OrchestrationPaused: work.orchestration_paused,
    orchestration.OrchestrationResumed: work.orchestration_resumed,
    phases.PhaseStarted: work.phase_started,
    phases.PhaseCompleted: work.phase_completed,
    phases.PhaseFailed: work.phase_failed,
    agents.AgentSpawned: work.agent_spawned,
    agents.AgentCompleted: work.agent_completed,
    agents.AgentFailed: work.agent_failed,
    agents.AgentBlocked: work.agent_blocked,
    gaps.GapIdentified: delivery.gap_identified,
    gaps.GapResolved: delivery.gap_resolved,
    gaps.GapEscalated: delivery.gap_escalated,
    git.CommitCreated: delivery.commit_created,
    git.PRCreated: delivery.pr_created,
    git.PRMerged: delivery.pr_merged,
    git.PRClosed: delivery.pr_closed,
    tracker.IssueTransitioned: delivery.issue_transitioned,
    tracker.CommentPosted: delivery.comment_posted,
    tracker.WorklogAdded: delivery.worklog_added,
    documentation.DocumentationCreated: delivery.documentation_created,
    documentation.ConfluencePageCreated: delivery.confluence_page_created,
    quality.QualityCheckStarted: checks.quality_check_started,
    quality.QualityCheckCompleted: checks.quality_check_completed,
    quality.QualityCheckFailed: checks.quality_check_failed,
    testing.TestRunStarted: checks.test_run_started,
    testing.TestRunCompleted: checks.test_run_completed,
    testing.TestRunFailed: checks.test_run_failed,
    restore_points.CheckpointCreated: checks.checkpoint_created,
    restore_points.CheckpointRestored: checks.checkpoint_restored,
    recovery.ErrorOccurred: checks.error_occurred,
    recovery.RecoveryAttempted: checks.recovery_attempted,
    recovery.RecoverySucceeded: checks.recovery_succeeded,
    recovery.RecoveryFailed: checks.recovery_failed,
    task_facts.TaskCreated: tasks.task_created,
    task_facts.TaskAmended: tasks.task_amended,
    task_facts.TaskClaimed: tasks.task_claimed,
    task_facts.TaskCompleted: tasks.task_completed,
    task_facts.TaskReopened: tasks.task_reopened,
    task_facts.TaskDone: tasks.task_done,
    task_facts.OutputRejected: tasks.output_rejected,
    files.FileWritten: tasks.file_written,
    files.FileDeleted: tasks.file_deleted,
    reviews.ReviewRequested: tasks.review_requested,
    reviews.ReviewCompleted: tasks.review_completed,
    sessions.SessionStarted: conduct.session_started,
    sessions.SessionEnded: conduct.session_ended,
    sessions.PromptSubmitted: conduct.prompt_submitted,
    sessions.ResponseReceived: conduct.response_received,
    sessions.ContextCompacted: conduct.context_compacted,
    tools.ToolRequested: conduct.tool_requested,
    tools.ToolDenied: conduct.tool_denied,
    tools.ToolCompleted: conduct.tool_completed,
    tools.ToolFailed: conduct.tool_failed,
    approvals.ApprovalRequested: conduct.approval_requested,
    approvals.ApprovalGranted: conduct.approval_granted,
    approvals.ApprovalDenied: conduct.approval_denied,
    approvals.ApprovalExpired: conduct.approval_expired,
    budgets.BudgetReserved: conduct.budget_reserved,
    budgets.BudgetSettled: conduct.budget_settled,
    budgets.BudgetExceeded: conduct.budget_exceeded,
    ci.CiRunStarted: checks.ci_run_started,
    ci.CiRunCompleted: checks.ci_run_completed,
    ci.CiRunFailed: checks.ci_run_failed,
    deployments.DeploymentStarted: checks.deployment_started,
    deployments.DeploymentCompleted: checks.deployment_completed,
    deployments.DeploymentFailed: checks.deployment_failed,
    deployments.DeploymentRolledBack: checks.deployment_rolled_back,
    decisions.DecisionMade: conduct.decision_made,
    decisions.AssumptionRecorded: conduct.assumption_recorded,
    external.ExternalCallStarted: conduct.external_call_started,
    external.ExternalCallCompleted: conduct.external_call_completed,
    external.ExternalCallFailed: conduct.external_call_failed,
    external.NotificationSent: conduct.notification_sent,
    external.ForeignEventObserved: conduct.foreign_event_observed,
    replays.ReplayStarted: upkeep.replay_started,
    replays.EventReplayed: upkeep.event_replayed,
    replays.ReplayCompleted: upkeep.replay_completed,
    summaries.PhaseSummarized: work.phase_summarized,
    summaries.OrchestrationSummarized: work.orchestration_summarized,
    records.ConfigurationChanged: upkeep.configuration_changed,
    records.ReadModelUpdated: upkeep.read_model_updated,
    records.ArchiveCreated: upkeep.store_changed,
    records.SegmentDeleted: upkeep.store_changed,
    records.DataErased: upkeep.store_changed,
    records.LogRepaired: upkeep.store_changed,
    records.TrailMerged: upkeep.store_changed,
}
"""What each type of fact does to the state."""

UNCHANGING: frozenset[type[TrailFact]] = frozenset(
    {records.SnapshotCreated, records.SnapshotDiscarded, records.ReportGenerated, orchestration.RunMeasured}
)
"""The types that change nothing but the place: what they tell of is made from the trail, or only measured."""


def evolve(state: OrchestrationState, event: TrailEvent, fact: TrailFact) -> None:
    """Changes the state by one more event, whose typed fact is `fact`. An `Untyped` fact moves only the place."""
    fold = FOLDS.get(type(fact))
    if fold is not None:
        fold(state, event, fact)
    state.last_sequence = event.version
    state.last_event_at = event.ts
