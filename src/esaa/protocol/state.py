"""The folded state of a governed run: tasks, issues, lessons, and the work in progress.

A `State` belongs to whoever folds it: `evolve` changes it in place and hands it back, so that a million events cost
no copies. Its values (`Task`, `Issue`, `Work`) are immutable, and `copy` is shallow.
"""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.protocol.task_table import Task, TaskTable

PROJECT_NAME = "esaa-core"
AUDIT_SCOPE = ".roadmap/"


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """An issue as `issues.json` shows it, plus `task_id`, the task that it is about."""

    issue_id: str
    status: str
    severity: str
    title: str
    baseline_id: str | None
    affected: Any  # as sent
    evidence: Any  # as sent
    resolution: Any  # as sent
    reported_by_task_id: str
    fixes_task_id: str | None
    hotfix_task_id: str | None
    created_event_seq: int
    resolved_event_seq: int | None

    @property
    def is_open(self) -> bool:
        """True until it is resolved."""
        return self.status == "open"

    @property
    def about_task_id(self) -> str:
        """The task on which the issue is: the one it wants fixed, else the one it was reported from."""
        return self.fixes_task_id or self.reported_by_task_id


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in the projection but decides what may come next on a task. Of one that is done, only the reports
    about it are counted, under `review`.

    `attempts` counts the refused and timed-out outputs; `since` is when the present attempt began; `rejected_at` the
    last refusal (for the cooldown); the three counters say how many outputs each asked action has had.
    """

    attempts: int = 0
    since: str | None = None
    rejected_at: str | None = None
    last_rejection: dict[str, str] | None = None
    claim: int = 0
    complete: int = 0
    review: int = 0
    reports: int = 0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run that the log is in. `is_open` is False before the first `run.start` and after a `run.end`.

    `issue_key` names the issue of the tracker that the run is bound to.
    """

    run_id: str | None = None
    status: str = "initialized"
    master_correlation_id: str | None = None
    baseline_id: str | None = None
    count: int = 0
    is_open: bool = False
    issue_key: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The events of a command that was given an id; kept for the current run."""

    first_seq: int
    last_seq: int


class UnknownActors(msgspec.Struct, frozen=True, kw_only=True):
    """When an unregistered actor's output was last recorded."""

    recorded_at: str | None = None


class Header(msgspec.Struct, kw_only=True):
    """Everything of a state but its tasks; what a snapshot stores beside them.

    `verify_status` is the answer of the last verification, and `events_since_verified` counts what came after it.
    """

    schema_version: str | None = None
    project_name: str = PROJECT_NAME
    audit_scope: str = AUDIT_SCOPE
    last_seq: int = 0
    last_ts: str = ""
    run: Run = Run()
    verify_status: str = "unknown"
    events_since_verified: int = 0
    issues: dict[str, Issue] = {}
    lessons: list[dict[str, Any]] = []
    work: dict[str, Work] = {}
    ended_runs: list[str] = []
    receipts: dict[str, Receipt] = {}
    unknown_actors: UnknownActors = UnknownActors()


class State:
    """The whole folded state. Tasks are in creation order and indexed by id."""

    __slots__ = ("header", "tasks")

    def __init__(self, header: Header | None = None, tasks: TaskTable | None = None) -> None:
        self.header = Header() if header is None else header
        self.tasks = TaskTable() if tasks is None else tasks

    def copy(self) -> State:
        """A state that can be folded on without touching this one."""
        header = msgspec.structs.replace(
            self.header,
            issues=dict(self.header.issues),
            lessons=list(self.header.lessons),
            work=dict(self.header.work),
            ended_runs=list(self.header.ended_runs),
            receipts=dict(self.header.receipts),
        )
        return State(header, self.tasks.copy())

    @property
    def seq(self) -> int:
        """The last folded event's seq; 0 at the beginning."""
        return self.header.last_seq

    def task(self, task_id: str) -> Task | None:
        """A task by id, or None."""
        return self.tasks.get(task_id)

    def work(self, task_id: str) -> Work:
        """The work in progress on a task (an empty one where there is none)."""
        return self.header.work.get(task_id, _NO_WORK)

    def open_issues(self, task_id: str | None = None) -> list[Issue]:
        """The open issues, all or those about one task, in the order in which they were reported."""
        return [
            issue
            for issue in self.header.issues.values()
            if issue.is_open and (task_id is None or issue.about_task_id == task_id)
        ]

    def active_lessons(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The active lessons, all or those whose scope holds the kind."""
        return [
            lesson
            for lesson in self.header.lessons
            if lesson.get("status", "active") == "active" and (kind is None or kind in lesson_kinds(lesson))
        ]


def lesson_kinds(lesson: dict[str, Any]) -> list[str]:
    """The task kinds in a lesson's scope; an absent scope means none."""
    scope = lesson.get("scope")
    kinds = scope.get("task_kinds") if isinstance(scope, dict) else None
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []


_NO_WORK = Work()
