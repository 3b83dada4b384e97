"""The facts of the governed run: what each event of the log says.

Wire names are the protocol's (`claim`), fact names are past tense (`TaskClaimed`). Values that a projection repeats
"as sent" are kept as plain JSON (`Any`): a typed struct would drop keys that another writer put there. Absent and
null differ, hence `UNSET`.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from esaa.protocol.fact_base import FactBase, Json


class RunStarted(FactBase, frozen=True, kw_only=True):
    """A run begins. Written by the orchestrator, also at the first append after a `run.end`.

    - `run_id`: the run's name, such as `RUN-0001`.
    - `status`: `initialized`.
    - `master_correlation_id`: the story that all runs of the workspace belong to.
    - `project_name`: the project's name in the projection; in the first event of a workspace.
    - `audit_scope`: what the log is about; `.roadmap/` where it is absent.
    """

    action_name: ClassVar[str] = "run.start"
    run_id: str | None = None
    status: str = "initialized"
    master_correlation_id: str | None = None
    baseline_id: str | None = None
    project_name: str | UnsetType = UNSET
    audit_scope: str | UnsetType = UNSET


class RunEnded(FactBase, frozen=True, kw_only=True):
    """A run ends. Written by the orchestrator.

    - `status`: `success` (all tasks are done), `failed` (no way leads on) or `halted` (a person must act).
    - `message`: why, unless it is a success.
    """

    action_name: ClassVar[str] = "run.end"
    status: str = ""
    message: str | UnsetType = UNSET


class TaskCreated(FactBase, frozen=True, kw_only=True):
    """A task enters the roadmap in `todo`. Written by the orchestrator.

    - `task_kind`: `spec`, `impl` or `qa`; it decides the boundary and who is asked.
    - `title`: one line.
    - `description`: what has to be done; the title where it is absent.
    - `depends_on`: the tasks that must be done before this one can be claimed.
    - `targets`: labels.
    - `outputs`: `{"files": [...]}`, the files that the task is to deliver.
    - `boundary_grant`: patterns that widen what the task may write; they never beat a deny.
    - `task_type`: a finer kind, for whoever reads it.
    - `acceptance_criteria`: what the reviewer will look for.
    - `required_review_mode`: how the review is to be done, for whoever reads it.
    - `supersedes`: tasks that this one replaces; they are told by `superseded_by`.
    - `executable_checks`: checks that a program can run, for whoever reads them.
    - `plugin`: data of an extension, as sent.
    - `is_hotfix`: true for a task that mends what is done.
    - `issue_id`: for a hotfix, the issue that it mends.
    - `fixes`: for a hotfix, the done task that it mends.
    - `scope_patch`: for a hotfix, the paths that it may write at most.
    - `required_verification`: `{"checks_min": N}`, how many verification checks its `complete` needs at least.
    """

    action_name: ClassVar[str] = "task.create"
    task_id: str
    task_kind: str
    title: str
    description: str | UnsetType = UNSET
    depends_on: tuple[str, ...] | UnsetType = UNSET
    targets: Json = UNSET
    outputs: Json = UNSET
    boundary_grant: tuple[str, ...] | UnsetType | None = UNSET
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


class HotfixCreated(TaskCreated, frozen=True, kw_only=True):
    """A hotfix task for an open issue; the done task that it `fixes` stays untouched (INV-001).

    Written by the orchestrator, by a person's command or because an issue named a done task in `fixes`.
    """

    action_name: ClassVar[str] = "hotfix.create"


class TaskAmended(FactBase, frozen=True, kw_only=True):
    """A `todo` task gets other values (0.4.1 only). Empty values change nothing, but for `boundary_grant`.

    Written by the orchestrator. The fields are those of `task.create`, each with its new value.

    - `title`: the new title.
    - `description`: the new description.
    - `task_kind`: the new kind.
    - `task_type`: the new finer kind.
    - `depends_on`: the new dependencies.
    - `outputs`: the new outputs.
    - `boundary_grant`: the new grants; an empty list takes them away.
    - `scope_patch`: the new scope.
    - `acceptance_criteria`: the new criteria.
    - `required_review_mode`: the new way of reviewing.
    - `required_verification`: the new number of checks.
    - `executable_checks`: the new checks.
    """

    action_name: ClassVar[str] = "task.amend"
    task_id: str
    boundary_grant: tuple[str, ...] | UnsetType | None = UNSET
    scope_patch: tuple[str, ...] | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    title: str | UnsetType | None = UNSET
    acceptance_criteria: Json = UNSET
    task_kind: str | UnsetType | None = UNSET
    task_type: Json = UNSET
    depends_on: tuple[str, ...] | UnsetType | None = UNSET
    required_review_mode: Json = UNSET
    required_verification: Json = UNSET
    executable_checks: tuple[str, ...] | UnsetType | None = UNSET
    outputs: Json = UNSET


class TaskClaimed(FactBase, frozen=True, kw_only=True):
    """An agent takes a task: `todo` becomes `in_progress`, and the event's actor owns it."""

    action_name: ClassVar[str] = "claim"
    action: str = "claim"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET
    signature: Json = UNSET
    erasable: Json = UNSET
    provenance: Json = UNSET


class TaskCompleted(FactBase, frozen=True, kw_only=True):
    """The owner delivers: `in_progress` becomes `review`. File writes follow as events of their own.

    - `verification`: `{"checks": [...]}` as sent: what was checked, and how to repeat it.
    - `issue_id`: for a hotfix, the issue that it mends.
    - `fixes`: for a hotfix, the done task that it mends.
    - `check_runs`: where the contract allows commands, every check as `{"check", "kind"}`: `run` was run by the
      orchestrator on the delivered files, with its exit code, duration and output digest; `text` is the agent's word.
    """

    action_name: ClassVar[str] = "complete"
    action: str = "complete"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET
    verification: Json = UNSET
    issue_id: Json = UNSET
    fixes: Json = UNSET
    check_runs: Json = UNSET
    signature: Json = UNSET
    erasable: Json = UNSET
    provenance: Json = UNSET


class TaskReviewed(FactBase, frozen=True, kw_only=True):
    """A reviewer decides. `done` is for good (INV-001).

    - `decision`: `approve` makes the task `done`, `request_changes` sends it back to `in_progress`.
    - `tasks`: the task's id in an approval, what has to change in a request for changes.
    - `reviewer_role`: `qa`. On the line it stands beside the payload, not in it.
    """

    action_name: ClassVar[str] = "review"
    action: str = "review"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET
    decision: str
    tasks: tuple[str, ...] = ()
    reviewer_role: str | UnsetType = UNSET
    signature: Json = UNSET
    erasable: Json = UNSET
    provenance: Json = UNSET


class IssueReported(FactBase, frozen=True, kw_only=True):
    """An agent (or `runtime-monitor`: attempts used up, deadlock) opens or reopens an issue. It may carry a lesson.

    - `severity`: `low`, `medium`, `high` or `critical`; the escalation of RUNTIME_POLICY.yaml follows from it.
    - `title`: one sentence.
    - `evidence`: `{"symptom": ..., "repro_steps": [...]}`, as sent.
    - `affected`: `{"baseline_id", "environment", "paths"}`, as sent.
    - `category`: with `process` and the subtype `lesson`, the lesson is taken into lessons.json.
    - `subtype`: see `category`.
    - `lesson`: a mistake, the rule that follows from it, its scope and its enforcement.
    - `fixes`: the done task that has to be mended; the orchestrator creates the hotfix in the same batch.
    """

    action_name: ClassVar[str] = "issue.report"
    action: str = "issue.report"
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET
    issue_id: str
    severity: str
    title: str
    evidence: Json = UNSET
    affected: Json = UNSET
    category: Json = UNSET
    subtype: Json = UNSET
    lesson: Json = UNSET
    fixes: str | UnsetType | None = UNSET
    signature: Json = UNSET
    erasable: Json = UNSET
    provenance: Json = UNSET


class IssueResolved(FactBase, frozen=True, kw_only=True):
    """The orchestrator closes an issue, after its hotfix was approved or by a person's word.

    - `resolution`: `{"status", "hotfix_task_id", "note"}`: how it was resolved.
    """

    action_name: ClassVar[str] = "issue.resolve"
    issue_id: str
    resolution: Json = UNSET


class OutputRejected(FactBase, frozen=True, kw_only=True):
    """An agent's output was refused; nothing of it took effect (INV-002). Written by the orchestrator.

    - `task_id`: the task that the output was about, where that could be read.
    - `error_code`: the precise code.
    - `message`: what was wrong, and where.
    - `source_action`: the act that was tried, or that the task was waiting for.
    - `reason`: one of the specification's six reject conditions.
    - `layer`: which of the seven validation layers refused.
    - `hint`: what to do instead.
    - `rejected_actor`: whose output it was.
    - `counts`: true where the refusal costs the task an attempt.
    - `result_sha256`: the digest of the refused bytes.
    - `output_sha256`: where the refused bytes were kept, the digest under which `.roadmap/blobs` has them until they
      are let go. It differs from `result_sha256` where secrets were taken out of them.
    - `count`: for outputs of unregistered actors, how many this event stands for.
    - `digests`: for outputs of unregistered actors, the digests of some of them.
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
    output_sha256: str | UnsetType = UNSET
    count: int | UnsetType = UNSET
    digests: tuple[str, ...] | UnsetType = UNSET
    provenance: Json = UNSET


class FileWritten(FactBase, frozen=True, kw_only=True):
    """A file is written for a task; one event per file, in the batch of the `complete`.

    The content lies in `.roadmap/blobs` before the event is appended; the file itself follows the event.

    - `files`: the path.
    - `effects`: `[{"path", "before_sha256", "after_sha256", "bytes"}]`; `before_sha256` is null for a new file.
    """

    action_name: ClassVar[str] = "orchestrator.file.write"
    task_id: str
    files: tuple[str, ...] = ()
    effects: Json = UNSET


class ViewMutated(FactBase, frozen=True, kw_only=True):
    """A read model follows the log, or the orchestrator did something that has no event of its own, such as a repair.

    The first one after an agent's act closes the act's batch.

    - `target`: `roadmap`, `issues`, `lessons`; for repairs `log`, `files`; `blobs` for erasures; `trail` for a binding.
    - `change`: `projected`, `bound`, `erased`, or what was done.
    - `lessons`: the whole list of lessons, where it is replaced.
    - `warnings`: remarks about the accepted output (a vague check, an output that was not delivered).
    - `detail`: what a repair did: bytes removed, their digest, where the copy lies; for `bound` the `issue_key`.
    """

    action_name: ClassVar[str] = "orchestrator.view.mutate"
    target: str = ""
    change: Json = UNSET
    lessons: Json = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    detail: Json = UNSET

    def bound_issue_key(self) -> str | None:
        """The issue of the tracker that it binds the run to; None where it is about something else."""
        is_binding = self.target == "trail" and self.change == "bound" and isinstance(self.detail, dict)
        issue_key = self.detail.get("issue_key") if is_binding else None
        return issue_key if isinstance(issue_key, str) else None


class VerificationStarted(FactBase, frozen=True, kw_only=True):
    """The orchestrator begins to compare the read model with the log.

    - `strict`: true.
    """

    action_name: ClassVar[str] = "verify.start"
    strict: Json = UNSET


class VerificationPassed(FactBase, frozen=True, kw_only=True):
    """The read model is what the log gives (INV-006). Written by the orchestrator.

    - `projection_hash_sha256`: the hash of the projection of all events before this verification.
    """

    action_name: ClassVar[str] = "verify.ok"
    projection_hash_sha256: str = ""


class VerificationFailed(FactBase, frozen=True, kw_only=True):
    """The read model differed from what the log gives. Written by the orchestrator.

    - `verify_status`: `mismatch`.
    - `message`: which read model differed.
    - `expected_sha256`: the hash of the projection.
    - `found_sha256`: the digest of the file as it lay there.
    """

    action_name: ClassVar[str] = "verify.fail"
    verify_status: str = ""
    message: Json = UNSET
    expected_sha256: Json = UNSET
    found_sha256: Json = UNSET


class ForeignRecorded(FactBase, frozen=True, kw_only=True):
    """An action of another writer's vocabulary (0.4.1 extensions), kept as it is. It changes no task."""

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
