"""What says whether the work is good: quality checks, tests, CI and deployments; errors, recoveries, restore points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from msgspec.structs import replace

from esaa.trail.event import TrailEvent
from esaa.trail.facts.ci import CiRunCompleted, CiRunFailed, CiRunStarted
from esaa.trail.facts.deployments import (
    DeploymentCompleted,
    DeploymentFailed,
    DeploymentRolledBack,
    DeploymentStarted,
)
from esaa.trail.facts.quality import QualityCheckCompleted, QualityCheckFailed, QualityCheckStarted
from esaa.trail.facts.recovery import ErrorOccurred, RecoveryAttempted, RecoveryFailed, RecoverySucceeded
from esaa.trail.facts.restore_points import CheckpointCreated, CheckpointRestored
from esaa.trail.facts.testing import TestRunCompleted, TestRunFailed, TestRunStarted
from esaa.trail.folds.reading import excerpt, given
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import (
    CiRun,
    Deployment,
    ErrorSeen,
    QualityCheck,
    Recovery,
    RestorePoint,
    SuiteRun,
)

R = TypeVar("R", QualityCheck, SuiteRun)
V = TypeVar("V")


def quality_check_started(state: OrchestrationState, event: TrailEvent, fact: QualityCheckStarted) -> None:
    """One more check, without a result yet."""
    state.running_checks.append(len(state.quality_checks))
    check = QualityCheck(
        check_type=fact.check_type,
        status="running",
        started_at=event.ts,
        checker_agent=given(fact.checker_agent),
    )
    state.quality_checks.append(check)


def quality_check_completed(state: OrchestrationState, event: TrailEvent, fact: QualityCheckCompleted) -> None:
    """The newest running check of the type has its result; where none is running, it is a check of its own."""
    place = _place(state.quality_checks, state.running_checks, lambda check: check.check_type == fact.check_type)
    begun = QualityCheck(check_type=fact.check_type, status="running") if place is None else state.quality_checks[place]
    ended = replace(
        begun,
        status="passed" if fact.passed_quality_gate else "failed",
        completed_at=event.ts,
        overall_score=given(fact.overall_score),
        issues_found=given(fact.issues_found),
    )
    _put(state.quality_checks, place, ended)


def quality_check_failed(state: OrchestrationState, event: TrailEvent, fact: QualityCheckFailed) -> None:
    """The newest running check of the type failed; where none is running, it is a check of its own."""
    place = _place(state.quality_checks, state.running_checks, lambda check: check.check_type == fact.check_type)
    begun = QualityCheck(check_type=fact.check_type, status="running") if place is None else state.quality_checks[place]
    critical = given(fact.critical_issues)
    ended = replace(
        begun,
        status="failed",
        completed_at=event.ts,
        issues_found=None if critical is None else len(critical),
        failure_reason=excerpt(fact.failure_reason),
        blocking=given(fact.blocking),
    )
    _put(state.quality_checks, place, ended)


def test_run_started(state: OrchestrationState, event: TrailEvent, fact: TestRunStarted) -> None:
    """One more run of tests, without a result yet."""
    state.running_tests.append(len(state.test_runs))
    run = SuiteRun(
        test_suite=fact.test_suite, status="running", started_at=event.ts, total_tests=given(fact.test_count)
    )
    state.test_runs.append(run)


def test_run_completed(state: OrchestrationState, event: TrailEvent, fact: TestRunCompleted) -> None:
    """The newest running run of the suite has its result; where none is running, it is a run of its own."""
    place = _place(state.test_runs, state.running_tests, lambda run: run.test_suite == fact.test_suite)
    begun = SuiteRun(test_suite=fact.test_suite, status="running") if place is None else state.test_runs[place]
    ended = replace(
        begun,
        status="failed" if fact.failed else "passed",
        completed_at=event.ts,
        total_tests=fact.total_tests,
        passed=fact.passed,
        failed=fact.failed,
        skipped=given(fact.skipped),
        coverage=given(fact.coverage),
    )
    _put(state.test_runs, place, ended)


def test_run_failed(state: OrchestrationState, event: TrailEvent, fact: TestRunFailed) -> None:
    """The newest running run of the suite has no result; where none is running, it is a run of its own."""
    place = _place(state.test_runs, state.running_tests, lambda run: run.test_suite == fact.test_suite)
    begun = SuiteRun(test_suite=fact.test_suite, status="running") if place is None else state.test_runs[place]
    ended = replace(begun, status="aborted", completed_at=event.ts, failure_reason=excerpt(fact.failure_reason))
    _put(state.test_runs, place, ended)


def error_occurred(state: OrchestrationState, event: TrailEvent, fact: ErrorOccurred) -> None:
    """One more error."""
    error = ErrorSeen(
        event_id=event.event_id,
        error_type=fact.error_type,
        error_message=excerpt(fact.error_message),
        timestamp=event.ts,
        error_code=given(fact.error_code),
        recoverable=given(fact.recoverable),
        recovery_strategy=given(fact.recovery_strategy),
    )
    state.errors.append(error)


def recovery_attempted(state: OrchestrationState, event: TrailEvent, fact: RecoveryAttempted) -> None:
    """One more attempt; the event tells which, or it is counted."""
    known = state.recoveries.get(fact.recovery_from)
    state.recoveries[fact.recovery_from] = Recovery(
        status="attempted",
        at=event.ts,
        attempts=given(fact.attempt_number) or (known.attempts if known else 0) + 1,
        strategy=given(fact.recovery_strategy) or (known.strategy if known else None),
    )


def recovery_succeeded(state: OrchestrationState, event: TrailEvent, fact: RecoverySucceeded) -> None:
    """The error is overcome."""
    known = state.recoveries.get(fact.recovery_from)
    state.recoveries[fact.recovery_from] = Recovery(
        status="succeeded",
        at=event.ts,
        attempts=given(fact.recovery_attempt) or (known.attempts if known else 0),
        strategy=known.strategy if known else None,
    )


def recovery_failed(state: OrchestrationState, event: TrailEvent, fact: RecoveryFailed) -> None:
    """The error could not be overcome."""
    known = state.recoveries.get(fact.recovery_from)
    state.recoveries[fact.recovery_from] = Recovery(
        status="failed",
        at=event.ts,
        attempts=known.attempts if known else 0,
        strategy=known.strategy if known else None,
        final_error=excerpt(given(fact.final_error) or "") or None,
        escalation_required=given(fact.escalation_required),
    )


def checkpoint_created(state: OrchestrationState, event: TrailEvent, fact: CheckpointCreated) -> None:
    """One more restore point, or the same one anew."""
    place = _restore_point(state, fact.checkpoint_id)
    known = None if place is None else state.checkpoints[place]
    point = RestorePoint(
        checkpoint_id=fact.checkpoint_id,
        created_at=event.ts,
        phase=given(fact.checkpoint_phase),
        reason=given(fact.checkpoint_reason),
        git_sha=given(fact.git_sha),
        can_rollback=given(fact.can_rollback),
        restored_at=None if known is None else known.restored_at,
        restores=0 if known is None else known.restores,
    )
    _put(state.checkpoints, place, point)


def checkpoint_restored(state: OrchestrationState, event: TrailEvent, fact: CheckpointRestored) -> None:
    """The work is where it was at the restore point: in its phase again. What was done since then stays recorded."""
    place = _restore_point(state, fact.checkpoint_id)
    known = RestorePoint(checkpoint_id=fact.checkpoint_id) if place is None else state.checkpoints[place]
    _put(state.checkpoints, place, replace(known, restored_at=event.ts, restores=known.restores + 1))
    state.current_phase = known.phase or state.current_phase


def ci_run_started(state: OrchestrationState, event: TrailEvent, fact: CiRunStarted) -> None:
    """The run is running, also where an earlier attempt has ended."""
    state.ci_runs[fact.ci_run_id] = CiRun(
        status="running",
        workflow=given(fact.workflow),
        commit_sha=given(fact.commit_sha),
        branch=given(fact.branch),
        url=given(fact.url),
        started_at=event.ts,
    )


def ci_run_completed(state: OrchestrationState, event: TrailEvent, fact: CiRunCompleted) -> None:
    """The run has ended, as the CI system says."""
    _ci_ended(state, event, fact, fact.status, None)


def ci_run_failed(state: OrchestrationState, event: TrailEvent, fact: CiRunFailed) -> None:
    """The run failed, or could not run."""
    _ci_ended(state, event, fact, "failed", excerpt(fact.failure_reason))


def deployment_started(state: OrchestrationState, event: TrailEvent, fact: DeploymentStarted) -> None:
    """The version is on its way."""
    state.deployments[fact.deployment_id] = Deployment(
        environment=fact.environment,
        status="running",
        deployed_version=given(fact.deployed_version),
        started_at=event.ts,
    )


def deployment_completed(state: OrchestrationState, event: TrailEvent, fact: DeploymentCompleted) -> None:
    """The version is there."""
    _deployed(state, event, fact, "completed", None)


def deployment_failed(state: OrchestrationState, event: TrailEvent, fact: DeploymentFailed) -> None:
    """The version did not get there."""
    _deployed(state, event, fact, "failed", fact.failure_reason)


def deployment_rolled_back(state: OrchestrationState, event: TrailEvent, fact: DeploymentRolledBack) -> None:
    """The version is out again."""
    known = state.deployments.get(fact.deployment_id)
    begun = known or Deployment(environment=fact.environment, status="running")
    state.deployments[fact.deployment_id] = replace(
        begun,
        environment=fact.environment,
        status="rolled_back",
        deployed_version=begun.deployed_version or given(fact.rolled_back_version),
        restored_version=given(fact.restored_version),
        ended_at=event.ts,
        reason=excerpt(fact.reason),
    )


def _place(values: list[R], running: list[int], is_meant: Callable[[R], bool]) -> int | None:
    """The place of the newest running one that is meant, which runs no more; None where there is none."""
    # An older one was most likely left behind by a crash.
    for index in range(len(running) - 1, -1, -1):
        place = running[index]
        if is_meant(values[place]):
            del running[index]
            return place
    return None


def _put(values: list[V], place: int | None, value: V) -> None:
    if place is None:
        values.append(value)
    else:
        values[place] = value


def _restore_point(state: OrchestrationState, checkpoint_id: str) -> int | None:
    for place in range(len(state.checkpoints) - 1, -1, -1):
        if state.checkpoints[place].checkpoint_id == checkpoint_id:
            return place
    return None


def _ci_ended(
    state: OrchestrationState, event: TrailEvent, fact: CiRunCompleted | CiRunFailed, status: str, reason: str | None
) -> None:
    begun = state.ci_runs.get(fact.ci_run_id) or CiRun(status="running")
    state.ci_runs[fact.ci_run_id] = replace(
        begun,
        status=status,
        workflow=begun.workflow or given(fact.workflow),
        commit_sha=begun.commit_sha or given(fact.commit_sha),
        branch=begun.branch or given(fact.branch),
        url=begun.url or given(fact.url),
        ended_at=event.ts,
        failure_reason=reason,
    )


def _deployed(
    state: OrchestrationState,
    event: TrailEvent,
    fact: DeploymentCompleted | DeploymentFailed,
    status: Literal["completed", "failed"],
    reason: str | None,
) -> None:
    known = state.deployments.get(fact.deployment_id)
    begun = known or Deployment(environment=fact.environment, status="running")
    state.deployments[fact.deployment_id] = replace(
        begun,
        environment=fact.environment,
        status=status,
        deployed_version=given(fact.deployed_version) or begun.deployed_version,
        ended_at=event.ts,
        reason=None if reason is None else excerpt(reason),
    )
