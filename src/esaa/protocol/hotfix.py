"""Hotfix tasks: how an issue on a done task becomes a new task that leaves the old one untouched (INV-001)."""

from __future__ import annotations

from esaa.contracts.governance import Governance
from esaa.protocol.boundaries import pattern_fault, write_boundary
from esaa.protocol.facts import HotfixCreated
from esaa.protocol.state import Issue, State
from esaa.protocol.task_table import Task

TASK_ID_CHARS_MAX = 128
"""As long as an id may be in an agent result; no agent could name a task with a longer one."""


def hotfix_fact(
    issue: Issue,
    fixes: Task,
    state: State,
    rules: Governance,
    *,
    scope: tuple[str, ...] = (),
    task_id: str | None = None,
) -> HotfixCreated | None:
    """The hotfix of an issue, or None where no legal scope is left.

    The scope is the given one, else the issue's affected paths, else the outputs of the task that it mends.
    """
    if scope:
        legal = _legal(scope, fixes, rules)
        if set(legal) != set(scope):
            return None
    else:
        legal = _legal(_affected(issue), fixes, rules) or _legal(fixes.output_files, fixes, rules)
    if not legal:
        return None
    return HotfixCreated(
        task_id=task_id or _free_id(issue, state),
        task_kind=fixes.task_kind,
        title=f"Hotfix for {issue.issue_id}: {issue.title}",
        description=f"Mend issue {issue.issue_id} of {fixes.task_id} inside the scope, without changing what is done.",
        depends_on=(),
        targets=[issue.issue_id],
        outputs={"files": [path for path in legal if "*" not in path and not path.endswith("/")]},
        boundary_grant=fixes.boundary_grant,
        is_hotfix=True,
        issue_id=issue.issue_id,
        fixes=fixes.task_id,
        scope_patch=legal,
        required_verification={"checks_min": rules.orchestrator.verification_gate.hotfix},
        baseline_id=issue.baseline_id or state.header.run.baseline_id,
    )


def _affected(issue: Issue) -> tuple[str, ...]:
    paths = issue.affected.get("paths") if isinstance(issue.affected, dict) else None
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()


def _legal(scope: tuple[str, ...], fixes: Task, rules: Governance) -> tuple[str, ...]:
    boundary = write_boundary(fixes, rules.agent)
    if boundary is None:
        return ()
    legal: list[str] = []
    for pattern in scope:
        probe = pattern.removesuffix("**").rstrip("/").replace("*", "x")
        inside = boundary.refusal(probe) is None or boundary.refusal(probe + "/x") is None
        if pattern_fault(pattern) is None and inside and pattern not in legal:
            legal.append(pattern)
    return tuple(legal)


def _free_id(issue: Issue, state: State) -> str:
    base = f"HF-{issue.issue_id}"[:TASK_ID_CHARS_MAX]
    if base not in state.tasks:
        return base
    base = base[: TASK_ID_CHARS_MAX - 8]
    number = 2
    while f"{base}-{number}" in state.tasks:
        number += 1
    return f"{base}-{number}"
