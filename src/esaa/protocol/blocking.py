"""What open issues hold up (DESIGN 12.7): derived from the state, never stored."""

from __future__ import annotations

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.protocol.rejections import reject
from esaa.protocol.state import Issue, State
from esaa.protocol.task_table import Task

_BLOCKING = ("block_task", "halt_pipeline")
_SEVERITIES = ("low", "medium", "high", "critical")


def escalation(issue: Issue, rules: Governance) -> str:
    """What the policy makes of an issue; an unknown severity (another writer's) is only logged."""
    if issue.severity not in _SEVERITIES:
        return "log_only"
    return rules.runtime.escalation.of(issue.severity)  # type: ignore[arg-type]  # checked above


def blocking_issue(task: Task, state: State, rules: Governance) -> Issue | None:
    """The open issue that blocks a task, or None."""
    for issue in state.open_issues(task.task_id):
        if escalation(issue, rules) in _BLOCKING:
            return issue
    return None


def halting_issue(state: State, rules: Governance) -> Issue | None:
    """The open issue that halts the pipeline, or None."""
    for issue in state.open_issues():
        if escalation(issue, rules) == "halt_pipeline":
            return issue
    return None


def pending_hotfix(task: Task, state: State) -> str | None:
    """The unfinished hotfix that a task asked for and therefore waits for, or None."""
    for issue in state.open_issues():
        if issue.reported_by_task_id == task.task_id and issue.about_task_id != task.task_id:
            hotfix = None if issue.hotfix_task_id is None else state.task(issue.hotfix_task_id)
            if hotfix is not None and hotfix.status != "done":
                return hotfix.task_id
    return None


def mends(task: Task, issue: Issue) -> bool:
    """True for a hotfix of the issue: it goes on while everything else is halted."""
    return task.is_hotfix is True and task.issue_id == issue.issue_id


def refuse_blocked(task: Task, action: str, state: State, rules: Governance) -> Rejected | None:
    """Why an open issue forbids an act on a task, or None. A done task is left to the immutability layer."""
    if task.status == "done":
        return None
    issue = blocking_issue(task, state, rules)
    if issue is None and action == "review:approve":
        issue = next((one for one in state.open_issues(task.task_id) if one.severity in ("high", "critical")), None)
    if issue is not None:
        return reject(
            "TASK_BLOCKED",
            f"{task.task_id} is blocked by the open {issue.severity} issue {issue.issue_id}: {issue.title}",
            f"Mend it and run `esaa issue resolve {issue.issue_id}`.",
            counts=False,
        )
    halting = halting_issue(state, rules) if action == "claim" else None
    if halting is not None and not mends(task, halting):
        return reject(
            "PIPELINE_HALTED",
            f"The {halting.severity} issue {halting.issue_id} halts all new work: {halting.title}",
            f"Mend it and run `esaa issue resolve {halting.issue_id}`.",
            counts=False,
        )
    return None
