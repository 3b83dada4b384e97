"""The facts of the governed run: what each event of the log says.

Wire names are the protocol's (`claim`), fact names are past tense (`TaskClaimed`). Values that a projection repeats
"as sent" are kept as plain JSON (`Any`): a typed struct would drop keys that another writer put there. Absent and
null differ, hence `UNSET`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

Json = Any  # a JSON value exactly as it was sent
Optional = UnsetType


class FactBase(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts; `action` is the wire name."""

    action_name: ClassVar[str] = ""


class RunStarted(FactBase, kw_only=True):
    """A run begins. Written by the orchestrator, also at the first append after a `run.end`."""

    action_name: ClassVar[str] = "run.start"
    run_id: str | None = None
    status: str = "initialized"
    master_correlation_id: str | None = None
    baseline_id: str | None = None
    project_name: str | UnsetType = UNSET
    audit_scope: str | UnsetType = UNSET


class RunEnded(FactBase, kw_only=True):
    """A run ends: `success` (all tasks done), `failed` (no way on), `halted` (a person must act)."""

    action_name: ClassVar[str] = "run.end"
    status: str = ""
    message: str | UnsetType = UNSET


class TaskCreated(FactBase, kw_only=True):
    """A task enters the roadmap in `todo`. Written by the orchestrator."""

    action_name: ClassVar[str] = "task.create"
    task_id: str
    task_kind: str
    title: str
    description: str | UnsetType = UNSET
    depends_on: tuple[str, ...] | UnsetType = UNSET
    targets: Json = UNSET
    outputs: Json = UNSET
    boundary_grant: tuple[str, ...] | None | UnsetType = UNSET
    task_type: Json = UNSET
    acceptance_criteria: Json = UNSET
    required_review_mode: Json = UNSET
    supersedes: tuple[str, ...] | UnsetType = UNSET
    executable_checks: tuple[str, ...] | UnsetType = UNSET
    plugin: Json = UNSET
    is_hotfix: bool | UnsetType = UNSET
    issue_id: Json = UNSET
    fixes: Json = UNSET
    scope_patch: tuple[str, ...] | UnsetType = UNSET
    required_verification: Json = UNSET
    baseline_id: Json = UNSET


class HotfixCreated(TaskCreated, kw_only=True):
    """A hotfix task for an open issue; the done task that it `fixes` stays untouched (INV-001)."""

    action_name: ClassVar[str] = "hotfix.create"


class TaskAmended(FactBase, kw_only=True):
    """A `todo` task gets other values (0.4.1 only). Empty values change nothing, but for `boundary_grant`."""

    action_name: ClassVar[str] = "task.amend"
    task_id: str
    boundary_grant: tuple[str, ...] | None | UnsetType = UNSET
    scope_patch: tuple[str, ...] | None | UnsetType = UNSET
    description: str | None | UnsetType = UNSET
    title: str | None | UnsetType = UNSET
    acceptance_criteria: Json = UNSET
    task_kind: str | None | UnsetType = UNSET
    task_type: Json = UNSET
    depends_on: tuple[str, ...] | None | UnsetType = UNSET
    required_review_mode: Json = UNSET
    required_verification: Json = UNSET
    executable_checks: tuple[str, ...] | None | UnsetType = UNSET
    outputs: Json = UNSET


class TaskClaimed(FactBase, kw_only=True):
    """An agent takes a task: `todo` becomes `in_progress`, the actor owns it."""

    action_name: ClassVar[str] = "claim"
    action: str = "claim"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | None | UnsetType = UNSET


class TaskCompleted(FactBase, kw_only=True):
    """The owner delivers: `in_progress` becomes `review`. File writes follow as events of their own."""

    action_name: ClassVar[str] = "complete"
    action: str = "complete"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | None | UnsetType = UNSET
    verification: Json = UNSET
    issue_id: Json = UNSET
    fixes: Json = UNSET


class TaskReviewed(FactBase, kw_only=True):
    """A reviewer decides: `approve` makes the task `done` for good, `request_changes` sends it back."""

    action_name: ClassVar[str] = "review"
    action: str = "review"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | None | UnsetType = UNSET
    decision: str
    tasks: tuple[str, ...] = ()
    reviewer_role: str | UnsetType = UNSET


class IssueReported(FactBase, kw_only=True):
    """An agent (or the runtime monitor) opens or reopens an issue. It may carry a lesson."""

    action_name: ClassVar[str] = "issue.report"
    action: str = "issue.report"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | None | UnsetType = UNSET
    issue_id: str
    severity: str
    title: str
    evidence: Json = UNSET
    affected: Json = UNSET
    category: Json = UNSET
    subtype: Json = UNSET
    lesson: Json = UNSET
    fixes: str | None | UnsetType = UNSET


class IssueResolved(FactBase, kw_only=True):
    """The orchestrator closes an issue, after its hotfix was approved or by a person's word."""

    action_name: ClassVar[str] = "issue.resolve"
    issue_id: str
    resolution: Json = UNSET


class OutputRejected(FactBase, kw_only=True):
    """An agent's output was refused; nothing of it took effect (INV-002).

    `counts` tells whether the refusal costs the task an attempt; `rejected_actor` whose output it was.
    """

    action_name: ClassVar[str] = "output.rejected"
    task_id: str | None = None
    error_code: str = ""
    message: str = ""
    source_action: str | None = None
    reason: str | UnsetType = UNSET
    layer: str | UnsetType = UNSET
    hint: str | UnsetType = UNSET
    rejected_actor: str | UnsetType = UNSET
    counts: bool | UnsetType = UNSET
    result_sha256: str | UnsetType = UNSET
    count: int | UnsetType = UNSET
    digests: tuple[str, ...] | UnsetType = UNSET


class FileWritten(FactBase, kw_only=True):
    """A file was written for a task; one event per file. `effects` holds path, digests before and after, bytes."""

    action_name: ClassVar[str] = "orchestrator.file.write"
    task_id: str
    files: tuple[str, ...] = ()
    effects: Json = UNSET


class ViewMutated(FactBase, kw_only=True):
    """A read model follows the log, or the orchestrator did something that has no name of its own (`change`).

    The first `view.mutate` after an agent's act closes the act's batch.
    """

    action_name: ClassVar[str] = "orchestrator.view.mutate"
    target: str = ""
    change: Json = UNSET
    lessons: Json = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    detail: Json = UNSET


class VerificationStarted(FactBase, kw_only=True):
    """The orchestrator begins to compare the read model with the log."""

    action_name: ClassVar[str] = "verify.start"
    strict: Json = UNSET


class VerificationPassed(FactBase, kw_only=True):
    """The projection is what the read model says; its hash is recorded (INV-006)."""

    action_name: ClassVar[str] = "verify.ok"
    projection_hash_sha256: str = ""


class VerificationFailed(FactBase, kw_only=True):
    """The read model differs from the projection (`verify_status: mismatch`)."""

    action_name: ClassVar[str] = "verify.fail"
    verify_status: str = ""
    message: Json = UNSET
    expected_sha256: Json = UNSET
    found_sha256: Json = UNSET


class ForeignRecorded(FactBase, kw_only=True):
    """An action of another writer's vocabulary (0.4.1 extensions). It changes no task."""

    action_name: ClassVar[str] = "?"
    name: str
    payload: Json = UNSET


Fact = (
    VerificationStarted
    | VerificationPassed
    | ViewMutated
    | TaskClaimed
    | TaskCompleted
    | FileWritten
    | TaskReviewed
    | TaskCreated
    | HotfixCreated
    | OutputRejected
    | IssueReported
    | IssueResolved
    | RunStarted
    | RunEnded
    | VerificationFailed
    | TaskAmended
    | ForeignRecorded
)

FACT_TYPES: tuple[type[FactBase], ...] = (
    RunStarted,
    RunEnded,
    TaskCreated,
    HotfixCreated,
    TaskClaimed,
    TaskCompleted,
    TaskReviewed,
    IssueReported,
    IssueResolved,
    OutputRejected,
    FileWritten,
    ViewMutated,
    VerificationStarted,
    VerificationPassed,
    VerificationFailed,
    TaskAmended,
)
"""The fifteen events of 0.4.0, and `task.amend` of 0.4.1."""
