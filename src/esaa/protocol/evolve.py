"""`evolve(state, recorded) -> state`: how each fact changes the state. Total: it never raises on a well-formed fact.

The rules are PROJECTION_SPEC.md's. Whether a fact *should* have been recorded is not asked here (`verify` asks).
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.kernel.by_type import ByType
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import (
    Fact,
    FileWritten,
    ForeignRecorded,
    HotfixCreated,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    VerificationFailed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.state import AUDIT_SCOPE, PROJECT_NAME, Issue, Run, State
from esaa.protocol.task_table import Task
from esaa.protocol.tracking import track

PROJECTION_VERSION = 7
"""Raised with every change of these rules; a snapshot of another version is discarded."""

_replace = msgspec.structs.replace


def evolve(state: State, recorded: Recorded[Fact]) -> State:
    """The state after one more event. Takes ownership of `state`."""
    track(state, recorded)
    return project(state, recorded)


def project(state: State, recorded: Recorded[Fact]) -> State:
    """The projection alone: what the read models show. Takes ownership of `state`."""
    header = state.header
    if header.schema_version is None:
        header.schema_version = recorded.schema_version
    header.last_seq = recorded.version
    if recorded.ts != header.last_ts:  # the events of a burst share one text
        header.last_ts = recorded.ts
    fact = recorded.fact
    _FOLDS[type(fact)](state, fact, recorded)
    return state


def _nothing(state: State, fact: Fact, recorded: Recorded[Fact]) -> None:
    """A fact that the read models do not show."""


def _changed(state: State) -> None:
    header = state.header
    header.verify_status = "unknown"
    header.events_since_verified += 1


def _verified(state: State, fact: VerificationPassed, recorded: Recorded[Fact]) -> None:
    state.header.verify_status, state.header.events_since_verified = "ok", 0


def _not_verified(state: State, fact: VerificationFailed, recorded: Recorded[Fact]) -> None:
    state.header.verify_status, state.header.events_since_verified = fact.verify_status or "mismatch", 0


def _run_ended(state: State, fact: RunEnded, recorded: Recorded[Fact]) -> None:
    state.header.run = _replace(state.header.run, status=fact.status, is_open=False)


def _run_started(state: State, fact: RunStarted, recorded: Recorded[Fact]) -> None:
    _changed(state)
    header = state.header
    if fact.project_name is not UNSET:
        header.project_name = fact.project_name or PROJECT_NAME
    if fact.audit_scope is not UNSET:
        header.audit_scope = fact.audit_scope or AUDIT_SCOPE
    header.run = Run(
        run_id=fact.run_id,
        status=fact.status,
        master_correlation_id=fact.master_correlation_id,
        baseline_id=fact.baseline_id,
        count=header.run.count + 1,
        is_open=True,
    )


def _created(state: State, fact: TaskCreated, recorded: Recorded[Fact]) -> None:
    _changed(state)
    task = Task(
        task_id=fact.task_id,
        task_kind=fact.task_kind,
        title=fact.title,
        description=fact.title if fact.description is UNSET else fact.description,
        status="todo",
        depends_on=() if fact.depends_on is UNSET else fact.depends_on,
        targets=[] if fact.targets is UNSET else fact.targets,
        outputs={"files": []} if fact.outputs is UNSET else fact.outputs,
    )
    changes: dict[str, Any] = {}
    if isinstance(fact, HotfixCreated) or fact.is_hotfix is True:
        changes["is_hotfix"] = True if fact.is_hotfix is UNSET else fact.is_hotfix
        for name in ("issue_id", "fixes", "scope_patch", "required_verification", "baseline_id"):
            value = getattr(fact, name)
            if value is not UNSET:
                changes[name] = value
    if fact.boundary_grant is not UNSET and fact.boundary_grant:
        changes["boundary_grant"] = _slashes(fact.boundary_grant)
    if fact.plugin is not UNSET and fact.plugin:
        changes["plugin"] = fact.plugin
    for name in ("task_type", "acceptance_criteria", "required_review_mode", "supersedes"):
        value = getattr(fact, name)
        if value is not UNSET:
            changes[name] = value
    if fact.executable_checks is not UNSET:
        changes["executable_checks"] = tuple(sorted(set(fact.executable_checks)))
    state.tasks.add(_replace(task, **changes) if changes else task)
    if fact.supersedes is not UNSET:
        for old_id in fact.supersedes:
            _superseded(state, old_id, fact.task_id)
    if isinstance(fact, HotfixCreated) and isinstance(fact.issue_id, str):
        issue = state.header.issues.get(fact.issue_id)
        if issue is not None:
            state.header.issues[issue.issue_id] = _replace(issue, hotfix_task_id=fact.task_id)


def _superseded(state: State, old_id: str, new_id: str) -> None:
    old = state.tasks.get(old_id)
    if old is not None:
        known = list(old.superseded_by) if isinstance(old.superseded_by, list | tuple) else []
        if new_id not in known:
            state.tasks.put(_replace(old, superseded_by=[*known, new_id]))


_AMENDABLE = (
    "boundary_grant",
    "scope_patch",
    "description",
    "title",
    "acceptance_criteria",
    "task_kind",
    "task_type",
    "depends_on",
    "required_review_mode",
    "required_verification",
)


def _amended(state: State, fact: TaskAmended, recorded: Recorded[Fact]) -> None:
    _changed(state)
    task = state.tasks.get(fact.task_id)
    if task is None or task.status != "todo":
        return
    changes: dict[str, Any] = {
        name: value for name in _AMENDABLE if (value := getattr(fact, name)) and value is not UNSET
    }
    if fact.boundary_grant is not UNSET:
        changes["boundary_grant"] = _slashes(fact.boundary_grant) if fact.boundary_grant else UNSET
    if fact.executable_checks is not UNSET and fact.executable_checks:
        changes["executable_checks"] = tuple(sorted(set(fact.executable_checks)))
    if isinstance(fact.outputs, dict) and "files" in fact.outputs:
        changes["outputs"] = {"files": fact.outputs["files"]}
    if changes:
        state.tasks.put(_replace(task, **changes))


def _claimed(state: State, fact: TaskClaimed, recorded: Recorded[Fact]) -> None:
    _changed(state)
    task = state.tasks.get(fact.task_id)
    if task is not None:
        state.tasks.put(
            _replace(task, status="in_progress", assigned_to=intern(recorded.actor), started_at=state.header.last_ts)
        )


def _completed(state: State, fact: TaskCompleted, recorded: Recorded[Fact]) -> None:
    _changed(state)
    task = state.tasks.get(fact.task_id)
    if task is None:
        return
    state.tasks.put(
        _replace(
            task,
            status="review",
            verification=fact.verification or task.verification,
            issue_id=task.issue_id if fact.issue_id is UNSET else fact.issue_id,
            fixes=task.fixes if fact.fixes is UNSET else fact.fixes,
        )
    )


def _reviewed(state: State, fact: TaskReviewed, recorded: Recorded[Fact]) -> None:
    _changed(state)
    task = state.tasks.get(fact.task_id)
    if task is None:
        return
    if fact.decision == "approve":
        state.tasks.put(_replace(task, status="done", completed_at=state.header.last_ts))
    else:
        state.tasks.put(_replace(task, status="in_progress"))


def _reported(state: State, fact: IssueReported, recorded: Recorded[Fact]) -> None:
    header = state.header
    affected = {} if fact.affected is UNSET else fact.affected
    baseline = affected.get("baseline_id") if isinstance(affected, dict) else None
    known = header.issues.get(fact.issue_id)
    header.issues[fact.issue_id] = Issue(
        issue_id=fact.issue_id,
        status="open",
        severity=fact.severity,
        title=fact.title,
        baseline_id=baseline if isinstance(baseline, str) else None,
        affected=affected,
        evidence={} if fact.evidence is UNSET else fact.evidence,
        resolution={},
        reported_by_task_id=fact.task_id,
        fixes_task_id=fact.fixes or None if fact.fixes is not UNSET else None,
        hotfix_task_id=None if known is None else known.hotfix_task_id,
        created_event_seq=recorded.version if known is None else known.created_event_seq,
        resolved_event_seq=None,
    )
    if fact.category == "process" and fact.subtype == "lesson" and isinstance(fact.lesson, dict):
        header.lessons.append(_lesson(f"LES-{len(header.lessons) + 1:04d}", fact))


def _lesson(lesson_id: str, fact: IssueReported) -> dict[str, Any]:
    return {
        "lesson_id": lesson_id,
        "status": "active",
        "title": fact.title,
        **fact.lesson,
        "source_refs": [{"type": "issue", "ref": fact.issue_id}],
    }


def _resolved(state: State, fact: IssueResolved, recorded: Recorded[Fact]) -> None:
    issue = state.header.issues.get(fact.issue_id)
    if issue is None:
        return
    resolution = {} if fact.resolution is UNSET else fact.resolution
    issue = _replace(issue, status="resolved", resolution=resolution, resolved_event_seq=recorded.version)
    state.header.issues[fact.issue_id] = issue


def _view_mutated(state: State, fact: ViewMutated, recorded: Recorded[Fact]) -> None:
    if isinstance(fact.lessons, list):
        state.header.lessons = [lesson for lesson in fact.lessons if isinstance(lesson, dict)]
    issue_key = fact.bound_issue_key()
    if issue_key is not None:
        state.header.run = _replace(state.header.run, issue_key=issue_key)


def _slashes(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path.replace("\\", "/") for path in paths)


_FOLDS: ByType[Callable[[State, Any, Recorded[Fact]], None]] = ByType(
    {
        RunStarted: _run_started,
        RunEnded: _run_ended,
        TaskCreated: _created,  # hotfixes too
        TaskClaimed: _claimed,
        TaskCompleted: _completed,
        TaskReviewed: _reviewed,
        TaskAmended: _amended,
        IssueReported: _reported,
        IssueResolved: _resolved,
        ViewMutated: _view_mutated,
        VerificationPassed: _verified,
        VerificationFailed: _not_verified,
        VerificationStarted: _nothing,
        FileWritten: _nothing,
        OutputRejected: _nothing,
        ForeignRecorded: _nothing,
    }
)
