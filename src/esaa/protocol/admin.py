"""What the operator and the orchestrator itself may decide: tasks, hotfixes, issues, runs, deadlocks."""

from __future__ import annotations

import re
from typing import Any

from msgspec import UNSET, UnsetType

from esaa.contracts.governance import Governance
from esaa.contracts.swarm import MONITOR
from esaa.contracts.values import TASK_KINDS
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Draft
from esaa.protocol.boundaries import pattern_fault
from esaa.protocol.commands import (
    AmendTask,
    CreateHotfix,
    CreateTask,
    RejectOutput,
    ReportDeadlock,
    ResolveIssue,
    StartRun,
)
from esaa.protocol.facts import (
    Fact,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunStarted,
    TaskAmended,
    TaskCreated,
    ViewMutated,
)
from esaa.protocol.hotfix import hotfix_fact
from esaa.protocol.paths import path_fault
from esaa.protocol.rejections import CODES, reject
from esaa.protocol.roadmap import schema_version
from esaa.protocol.state import State
from esaa.protocol.task_table import Task
from esaa.protocol.transitions import ACTION_OF_STATUS

_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""As agent_result.schema.json has it."""


def create_task(command: CreateTask, state: State) -> TaskCreated | Rejected:
    """A new task, or why there can be none."""
    refusal = _refuse_id(command.task_id, state)
    if refusal is not None:
        return refusal
    if command.task_kind not in TASK_KINDS:
        return reject("SCHEMA_INVALID", f"{command.task_kind!r} is no task kind.", f"One of {', '.join(TASK_KINDS)}.")
    refusal = (
        _refuse_dependencies(command.task_id, command.depends_on, state)
        or _refuse_outputs(command.outputs)
        or _refuse_patterns("boundary_grant", command.boundary_grant)
    )
    if refusal is not None:
        return refusal
    unknown = [name for name in command.supersedes if name not in state.tasks]
    if unknown:
        return reject("TASK_NOT_FOUND", f"supersedes names the unknown task {unknown[0]!r}.", "`esaa task list`.")
    return TaskCreated(
        task_id=command.task_id,
        task_kind=command.task_kind,
        title=command.title,
        description=command.description,
        depends_on=command.depends_on,
        targets=list(command.targets),
        outputs={"files": list(command.outputs)},
        boundary_grant=command.boundary_grant or UNSET,
        acceptance_criteria=list(command.acceptance_criteria) or UNSET,
        supersedes=command.supersedes or UNSET,
    )


def amend_task(command: AmendTask, state: State) -> TaskAmended | Rejected:
    """Other values for a task that nobody has begun; 0.4.1 logs only (DESIGN 12.8)."""
    if schema_version(state) != "0.4.1":
        return reject(
            "UNKNOWN_ACTION",
            f"`task.amend` belongs to protocol 0.4.1; this log is {schema_version(state)}.",
            "Create a task that supersedes the old one: `esaa task create --supersedes`.",
        )
    task = state.task(command.task_id)
    if task is None:
        return reject("TASK_NOT_FOUND", f"There is no task {command.task_id!r}.", "`esaa task list` names all tasks.")
    if task.status != "todo":
        return reject(
            "INVALID_TRANSITION",
            f"{task.task_id} is {task.status}; only todo tasks are amended.",
            "Create a task that supersedes it.",
        )
    refusal = (
        _refuse_dependencies(task.task_id, _given(command.depends_on), state)
        or _refuse_outputs(_given(command.outputs))
        or _refuse_patterns("boundary_grant", _given(command.boundary_grant))
    )
    if refusal is not None:
        return refusal
    criteria: Any = UNSET if command.acceptance_criteria is UNSET else list(command.acceptance_criteria)
    return TaskAmended(
        task_id=task.task_id,
        title=command.title,
        description=command.description,
        depends_on=command.depends_on,
        outputs=UNSET if command.outputs is UNSET else {"files": list(command.outputs)},
        boundary_grant=command.boundary_grant,
        acceptance_criteria=criteria,
    )


def create_hotfix(command: CreateHotfix, state: State, rules: Governance) -> Fact | Rejected:
    """A hotfix task for an open issue, or why there can be none."""
    issue = state.header.issues.get(command.issue_id)
    if issue is None:
        return reject("HOTFIX_ISSUE_NOT_FOUND", f"There is no issue {command.issue_id!r}.", "Report it first.")
    if not issue.is_open:
        return reject("HOTFIX_ISSUE_NOT_OPEN", f"{issue.issue_id} is {issue.status}.", "Report it again to reopen it.")
    fixes = command.fixes or issue.about_task_id
    task = state.task(fixes)
    if task is None:
        return reject("TASK_NOT_FOUND", f"There is no task {fixes!r} to fix.", "`esaa task list` names all tasks.")
    if task.status != "done":
        return reject(
            "HOTFIX_TARGET_NOT_DONE",
            f"{task.task_id} is {task.status}; a hotfix mends what is done.",
            "Ask for changes in its review instead.",
        )
    existing = None if issue.hotfix_task_id is None else state.task(issue.hotfix_task_id)
    if existing is not None and existing.status != "done":
        return reject(
            "HOTFIX_ALREADY_EXISTS", f"{existing.task_id} is the hotfix of {issue.issue_id}.", "Finish that one."
        )
    if command.task_id is not None and (refusal := _refuse_id(command.task_id, state)) is not None:
        return refusal
    fact = hotfix_fact(issue, task, state, rules, scope=command.scope_patch, task_id=command.task_id)
    if fact is None:
        return reject(
            "HOTFIX_SCOPE_INVALID",
            f"The scope of a hotfix of {task.task_id} is empty or outside the {task.task_kind} boundary.",
            "Give the paths to mend with --scope.",
        )
    return fact


def resolve_issue(command: ResolveIssue, state: State) -> IssueResolved | Rejected:
    """The end of an issue by a person's word."""
    issue = state.header.issues.get(command.issue_id)
    if issue is None:
        return reject(
            "ISSUE_NOT_FOUND", f"There is no issue {command.issue_id!r}.", "`esaa status` names the open ones."
        )
    if not issue.is_open:
        return reject("ISSUE_NOT_OPEN", f"{issue.issue_id} is {issue.status} already.", "Nothing has to be done.")
    resolution: dict[str, Any] = {"status": command.status, "hotfix_task_id": issue.hotfix_task_id}
    if command.note is not None:
        resolution["note"] = command.note
    return IssueResolved(issue_id=issue.issue_id, resolution=resolution)


def reject_output(command: RejectOutput, state: State, rules: Governance) -> OutputRejected | Rejected:
    """A person's refusal of the present attempt."""
    task = state.task(command.task_id)
    if task is None:
        return reject("TASK_NOT_FOUND", f"There is no task {command.task_id!r}.", "`esaa task list` names all tasks.")
    if task.status == "done":
        return reject(
            "IMMUTABLE_DONE_VIOLATION",
            f"{task.task_id} is done; there is no attempt to refuse.",
            "Report an issue instead.",
        )
    code = CODES[command.error_code]
    return OutputRejected(
        task_id=task.task_id,
        error_code=command.error_code,
        message=command.message,
        source_action=ACTION_OF_STATUS[task.status],
        reason=code.reason,
        layer=code.layer,
        rejected_actor=command.actor,
        counts=state.work(task.task_id).attempts < rules.runtime.attempts.max,
    )


def start_run(command: StartRun, state: State) -> RunStarted | Rejected:
    """A new run, or why there can be none."""
    run = state.header.run
    if run.is_open:
        return reject(
            "RUN_CONFLICT",
            f"The run {run.run_id} is open.",
            f"Go on with it: `esaa run --run-id {run.run_id}`.",
        )
    if command.run_id in state.header.ended_runs:
        return reject("RUN_CONFLICT", f"The run {command.run_id} has ended.", "Begin the next one: `esaa run`.")
    return RunStarted(
        run_id=command.run_id or next_run_id(state),
        status="initialized",
        master_correlation_id=run.master_correlation_id or "CID-ESAA-INIT",
        baseline_id=command.baseline_id or run.baseline_id or "B-000",
        project_name=command.project_name,
    )


def bind_issue(issue_key: str, state: State) -> ViewMutated | None:
    """What binds the open run to an issue of the tracker, or None where it is bound to that one already."""
    run = state.header.run
    if run.is_open and run.issue_key == issue_key:
        return None
    return binding(issue_key)


def binding(issue_key: str) -> ViewMutated:
    """The fact that binds a run to an issue of the tracker. It changes nothing that a projection shows."""
    return ViewMutated(target="trail", change="bound", detail={"issue_key": issue_key})


def next_run_id(state: State) -> str:
    """`RUN-%04d`, one more than the runs that the log has seen."""
    return f"RUN-{state.header.run.count + 1:04d}"


def report_deadlock(command: ReportDeadlock, state: State) -> Draft[Fact] | None:
    """The monitor's report that no task can go on, or None where it is reported already."""
    first = state.task(command.task_ids[0])
    issue_id = f"ISS-DEADLOCK-{command.task_ids[0]}"
    known = state.header.issues.get(issue_id)
    if first is None or (known is not None and known.is_open):
        return None
    fact = IssueReported(
        task_id=first.task_id,
        prior_status=first.status,
        issue_id=issue_id,
        severity="high",
        title=f"Deadlock: {len(command.task_ids)} task(s) can never start",
        evidence={
            "symptom": "; ".join(command.reasons),
            "repro_steps": ["esaa status", *(f"esaa status {task_id}" for task_id in command.task_ids[:20])],
        },
    )
    return Draft(actor=MONITOR, fact=fact)


def _refuse_dependencies(task_id: str, depends_on: tuple[str, ...], state: State) -> Rejected | None:
    for name in depends_on:
        if name == task_id:
            return reject("DEPENDENCY_INVALID", f"{task_id} cannot depend on itself.", "Leave it out of depends_on.")
        other = state.task(name)
        if other is None:
            return reject(
                "DEPENDENCY_INVALID", f"{task_id} depends on the unknown task {name!r}.", "Create that first."
            )
        if _reaches(other, task_id, state):
            return reject("DEPENDENCY_INVALID", f"{task_id} and {name} would wait for each other.", "Break the circle.")
    return None


def _reaches(start: Task, goal: str, state: State) -> bool:
    seen: set[str] = set()
    stack = [start]
    while stack:
        for name in stack.pop().depends_on:
            if name == goal:
                return True
            if name not in seen:
                seen.add(name)
                task = state.task(name)
                if task is not None:
                    stack.append(task)
    return False


def _refuse_id(task_id: str, state: State) -> Rejected | None:
    if task_id in state.tasks:
        return reject("DUPLICATE_TASK", f"The task {task_id} exists.", "Choose another id.")
    if not _TASK_ID.fullmatch(task_id):
        hint = (
            "Up to 128 letters, digits, `.`, `_` and `-`, beginning with a letter or digit: agents must send it back."
        )
        return reject("SCHEMA_INVALID", f"{task_id!r} is no task id.", hint)
    return None


def _refuse_outputs(paths: tuple[str, ...]) -> Rejected | None:
    for path in paths:
        fault = path_fault(path)
        if fault is not None:
            return reject("PATH_INVALID", f"The output {path!r} {fault}.", "Name a file inside the project.")
    return None


def _refuse_patterns(name: str, patterns: tuple[str, ...]) -> Rejected | None:
    for pattern in patterns:
        fault = pattern_fault(pattern)
        if fault is not None:
            return reject("PATH_INVALID", f"The {name} {pattern!r} {fault}.", "Name paths, `dir/**` or `dir/*.md`.")
    return None


def _given(value: tuple[str, ...] | UnsetType) -> tuple[str, ...]:
    return () if value is UNSET else value
