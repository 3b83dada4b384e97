"""From the events of one stream to the rows of a report, through the projections of the trail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import UnsetType

from esaa.audit.rows import (
    AgentRow,
    ApprovalRow,
    BudgetRow,
    CheckRow,
    CommitRow,
    ErrorRow,
    GapRow,
    NoteRow,
    PhaseRow,
    PullRequestRow,
    RejectionRow,
    TaskRow,
    TestRow,
)
from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact, agent_of
from esaa.trail.facts.git import CommitCreated
from esaa.trail.facts.tasks import OutputRejected
from esaa.trail.facts.tools import ToolDenied
from esaa.trail.facts.wording import brief
from esaa.trail.folds.reading import given
from esaa.trail.state import OrchestrationState
from esaa.trail.views.agent_metrics import AgentMetric, agent_metrics
from esaa.trail.views.failures import failures
from esaa.trail.views.gaps import gaps
from esaa.trail.views.phases import phases
from esaa.trail.views.quality import quality

Pair = tuple[TrailEvent, TrailFact]
Pairs = Sequence[Pair]

NOTED = frozenset((
    "OrchestrationStarted", "OrchestrationCompleted", "OrchestrationFailed", "OrchestrationPaused",
    "OrchestrationResumed", "DecisionMade", "AssumptionRecorded", "IssueTransitioned", "ReviewCompleted",
    "CiRunCompleted", "CiRunFailed", "DeploymentCompleted", "DeploymentFailed", "DeploymentRolledBack",
    "DocumentationCreated", "ConfluencePageCreated", "CheckpointCreated", "CheckpointRestored", "GapEscalated",
    "ReplayCompleted", "ConfigurationChanged", "ArchiveCreated", "SegmentDeleted", "DataErased", "LogRepaired",
    "TrailMerged", "SnapshotDiscarded",
))  # fmt: skip
"""The turns of the story: decisions, deliveries, and what was done to the store."""


def phase_rows(stream: str, pairs: Pairs) -> list[PhaseRow]:
    """The runs of phases."""
    return [
        PhaseRow(
            stream=stream,
            sequence=run.first_sequence or run.last_sequence or 0,
            phase=run.phase,
            status=run.status,
            started_at=run.started_at,
            ended_at=run.completed_at,
            duration_seconds=run.duration_seconds,
            agents=tuple(run.agents),
            retries=run.retries,
            quality_score=run.quality_score,
            reason=run.failure_reason,
        )
        for run in phases(pairs)
    ]


def agent_rows(stream: str, pairs: Pairs) -> list[AgentRow]:
    """The agents with their metrics."""
    first: dict[str, int] = {}
    for event, fact in pairs:
        first.setdefault(agent_of(fact) or event.actor, event.version)
    return [
        AgentRow(
            stream=stream,
            sequence=first.get(name, pairs[0][0].version),
            agent=name,
            model=one.model,
            status=one.status,
            runs=one.runs,
            completions=one.completions,
            failures=one.failures,
            total_seconds=one.total_seconds if math.isfinite(one.total_seconds) else None,
            outputs=len(one.outputs_created),
            tasks_done=one.tasks_done,
            rejected_outputs=one.rejected_outputs,
            files_written=one.files_written,
            commits=one.commits,
            tools_used=sum(one.tools_used.values()),
            tools_denied=one.tools_denied,
            quality_score=one.quality_score,
            # Nothing recorded is not the same as nothing spent.
            tokens_in=one.tokens_in or None,
            tokens_out=one.tokens_out or None,
            cost_micro_usd=one.cost_micro_usd or None,
        )
        for name, one in agent_metrics(pairs).items()
        if _worked(one)
    ]


def commit_rows(stream: str, pairs: Pairs) -> list[CommitRow]:
    """The commits."""
    return [
        CommitRow(
            stream=stream,
            sequence=event.version,
            timestamp=event.ts,
            sha=fact.commit_sha,
            message=brief(fact.commit_message),
            author=given(fact.agent_author) or event.actor,
            files_changed=given(fact.files_changed),
            insertions=given(fact.insertions),
            deletions=given(fact.deletions),
        )
        for event, fact in pairs
        if isinstance(fact, CommitCreated)
    ]


def pull_request_rows(stream: str, pairs: Pairs, state: OrchestrationState) -> list[PullRequestRow]:
    """The pull requests, with their end where it is known."""
    first = _firsts(pairs, "pr_number")
    return [_pull_request(stream, first, one) for one in state.prs]


def gap_rows(stream: str, pairs: Pairs) -> list[GapRow]:
    """The gaps, open ones first."""
    first = _firsts(pairs, "gap_id")
    return [
        GapRow(
            stream=stream,
            sequence=first.get(gap.gap_id, 0),
            gap_id=gap.gap_id,
            severity=gap.severity,
            gap_type=gap.gap_type,
            description=gap.description,
            status=gap.status,
            identified_at=gap.identified_at,
            identified_by=gap.identified_by,
            escalated_to=gap.escalated_to,
            resolved_at=gap.resolved_at,
            resolved_by=gap.resolved_by,
            resolution=gap.resolution_strategy,
            open_seconds=gap.time_to_resolve_seconds,
        )
        for gap in gaps(pairs)
    ]


def failure_rows(stream: str, pairs: Pairs) -> tuple[list[ErrorRow], list[RejectionRow]]:
    """What failed, with what was done about it; and what agents asked for and did not get."""
    stories = failures(pairs)
    errors = [
        ErrorRow(
            stream=stream,
            sequence=story.sequence or next((step.sequence for step in story.recoveries), 0),
            timestamp=story.timestamp,
            event_id=story.event_id,
            kind=story.kind,
            about=story.about,
            code=story.code,
            message=brief(story.message),
            attempts=story.attempts,
            outcome=story.outcome,
            ended_at=story.ended_at,
            # The row says already which error it was.
            recoveries=tuple(step.summary.replace(story.event_id, "it") for step in story.recoveries),
        )
        for story in stories
        if story.kind != "output"
    ]
    overcome = {story.event_id for story in stories if story.outcome in ("overcome", "recovered")}
    rejections: list[RejectionRow] = []
    for event, fact in pairs:
        match fact:
            case OutputRejected():
                rejections.append(_refused_output(stream, event, fact, event.event_id in overcome))
            case ToolDenied():
                rejections.append(_refused_tool(stream, event, fact))
            case _:
                pass
    return errors, rejections


def check_rows(stream: str, pairs: Pairs) -> tuple[list[CheckRow], list[TestRow]]:
    """The results of quality checks, and those of test runs."""
    found = quality(pairs)
    coverage = {(one.timestamp, one.test_suite): one.lines for one in found.coverage}
    checks = [
        CheckRow(
            stream=stream,
            sequence=one.sequence,
            timestamp=one.timestamp,
            check_type=one.check_type,
            status="passed" if one.is_passed else "failed",
            score=one.overall_score,
            issues_found=one.issues_found,
            blocking=one.blocking,
            reason=_brief(one.failure_reason),
        )
        for one in found.checks
    ]
    tests = [
        TestRow(
            stream=stream,
            sequence=one.sequence,
            timestamp=one.timestamp,
            suite=one.test_suite,
            status=one.status,
            total=one.total_tests,
            passed=one.passed,
            failed=one.failed,
            skipped=one.skipped,
            duration_seconds=one.duration_seconds,
            line_coverage=coverage.get((one.timestamp, one.test_suite)),
            reason=_brief(one.failure_reason),
        )
        for one in found.tests
    ]
    return checks, tests


def task_rows(stream: str, pairs: Pairs, state: OrchestrationState) -> list[TaskRow]:
    """The tasks, in the order in which they came up."""
    first = _firsts(pairs, "task_id")
    return [
        TaskRow(
            stream=stream,
            sequence=first.get(one.task_id, 0),
            task_id=one.task_id,
            title=one.title,
            task_kind=one.task_kind,
            status=one.status,
            owner=one.owner,
            created_at=one.created_at,
            completed_at=one.completed_at,
            times_reopened=one.times_reopened,
            outputs_rejected=one.outputs_rejected,
        )
        for one in state.tasks.values()
    ]


def approval_rows(stream: str, pairs: Pairs, state: OrchestrationState) -> list[ApprovalRow]:
    """What had to be allowed."""
    first = _firsts(pairs, "approval_id")
    return [
        ApprovalRow(
            stream=stream,
            sequence=first.get(name, 0),
            approval_id=name,
            subject=one.subject,
            risk=one.risk,
            requested_by=one.requested_by,
            requested_at=one.requested_at,
            status=one.status,
            decided_by=one.decided_by,
            decided_at=one.decided_at,
            reason=_brief(one.reason),
        )
        for name, one in state.approvals.items()
    ]


def budget_rows(stream: str, pairs: Pairs, state: OrchestrationState) -> list[BudgetRow]:
    """What could be spent."""
    first = _firsts(pairs, "budget_id")
    return [
        BudgetRow(
            stream=stream,
            sequence=first.get(name, 0),
            budget_id=name,
            scope=one.scope,
            unit=one.unit,
            limit=one.limit,
            spent=one.spent,
            reserved=one.reserved,
            times_exceeded=one.times_exceeded,
        )
        for name, one in state.budgets.items()
    ]


def note_rows(stream: str, pairs: Pairs) -> list[NoteRow]:
    """The turns of the story, one line each."""
    return [
        NoteRow(
            stream=stream,
            sequence=event.version,
            timestamp=event.ts,
            event_type=event.fact.event_type,
            actor=event.actor,
            summary=fact.summary(),
        )
        for event, fact in pairs
        if event.fact.event_type in NOTED
    ]


def _worked(metric: AgentMetric) -> bool:
    """False for who is only named: the orchestrator that closed a gap, the person who made a commit."""
    return metric.status != "unspawned" or any((
        metric.tasks_claimed, metric.tasks_delivered, metric.tasks_done, metric.rejected_outputs, metric.files_written,
        metric.prompts, metric.tokens_in, metric.tokens_out, metric.tools_used, metric.tools_denied,
    ))  # fmt: skip


def _refused_output(stream: str, event: TrailEvent, fact: OutputRejected, is_overcome: bool) -> RejectionRow:
    return RejectionRow(
        stream=stream,
        sequence=event.version,
        timestamp=event.ts,
        event_id=event.event_id,
        asked=given(fact.source_action) or "output",
        asked_by=given(fact.agent_name) or event.actor,
        about=given(fact.task_id),
        rule=fact.error_code,
        reason=given(fact.reason),
        layer=given(fact.layer),
        message=_brief(fact.message),
        hint=_brief(fact.hint),
        count=given(fact.count) or 1,
        outcome="overcome" if is_overcome else "refused",
    )


def _refused_tool(stream: str, event: TrailEvent, fact: ToolDenied) -> RejectionRow:
    return RejectionRow(
        stream=stream,
        sequence=event.version,
        timestamp=event.ts,
        event_id=event.event_id,
        asked=f"tool {fact.tool_name}",
        asked_by=given(fact.agent_name) or event.actor,
        about=given(fact.task_id),
        rule=given(fact.rule) or given(fact.denied_by) or "policy",
        reason=None,
        layer=None,
        message=brief(fact.reason),
        hint=None,
        count=1,
        outcome="refused",
    )


def _pull_request(stream: str, first: dict[Any, int], one: dict[str, Any]) -> PullRequestRow:
    # Kept as sent: of a type that was checked when it was recorded, and of any type where the store was lenient.
    number = one.get("pr_number")
    return PullRequestRow(
        stream=stream,
        sequence=first.get(number, 0),
        number=number if isinstance(number, int) else 0,
        title=_text(one, "pr_title"),
        status=_text(one, "status") or "open",
        ended_at=_text(one, "merged_at") or _text(one, "closed_at"),
        ended_by=_text(one, "merged_by") or _text(one, "closed_by"),
        commit=_text(one, "merged_commit_sha"),
        url=_text(one, "pr_url"),
        base_branch=_text(one, "base_branch"),
        head_branch=_text(one, "head_branch"),
    )


def _firsts(pairs: Pairs, field: str) -> dict[Any, int]:
    """The first event about each thing that a field names."""
    found: dict[Any, int] = {}
    for event, fact in pairs:
        name = getattr(fact, field, None)
        if isinstance(name, str | int):
            found.setdefault(name, event.version)
    return found


def _text(value: dict[str, Any], key: str) -> str | None:
    found = value.get(key)
    return brief(found) if isinstance(found, str) else None


def _brief(text: str | UnsetType | None) -> str | None:
    value = given(text)
    return None if value is None else brief(value)
