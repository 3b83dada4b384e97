"""The values that a folded state of the trail holds: what is known of one commit, task, check, approval and so on.

All of them are immutable; a change replaces the value. What is not known is None and left out of the JSON. Where a
value lies in a mapping, its id is the key.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from esaa.trail.facts.orchestration import OrchestrationConfig, OrchestrationMetrics, OrchestrationOutcome
from esaa.trail.facts.testing import Coverage

Status = Literal["not_started", "in_progress", "paused", "completed", "failed"]
TaskStatus = Literal["todo", "in_progress", "review", "done"]


class Assignment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the orchestration was started with, beyond the issue's key."""

    issue_summary: str | None = None
    issue_type: str | None = None
    priority: str | None = None
    labels: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    workflow_type: str | None = None
    estimated_complexity: str | None = None
    config: OrchestrationConfig | None = None


class Pause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the orchestration waits; there while it does."""

    since: str
    reason: str
    phase: str | None = None
    blocking_issue: str | None = None
    can_resume: bool | None = None
    resume_conditions: tuple[str, ...] = ()
    snapshot_id: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the orchestration failed; there until it goes on."""

    at: str
    reason: str
    phase: str | None = None
    error_message: str | None = None
    recovery_attempted: bool | None = None
    rollback_state: str | None = None
    next_actions: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the orchestration came to, as it said itself; there once it is completed."""

    final_state: str | None = None
    total_agents_spawned: int | None = None
    total_commits: int | None = None
    total_prs: int | None = None
    outcome: OrchestrationOutcome | None = None
    metrics: OrchestrationMetrics | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last summary of a phase, or of the whole: its words, and the last event that it is made from."""

    at: str
    text: str | None = None
    last_sequence: int | None = None


class FailedPhase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One failure of a phase. A later success does not take it away."""

    phase: str
    reason: str
    failed_at: str
    retry_count: int | None = None
    max_retries: int | None = None
    escalation_required: bool | None = None
    recovery_strategy: str | None = None


class Blocked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an agent waits for; there until the agent starts anew or ends."""

    blocked_by: str
    since: str
    blocking_agent: str | None = None
    blocking_issue_key: str | None = None
    estimated_unblock_time: str | None = None


class Escalation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A gap that someone else must decide about. `resolved_at` is set once the gap is closed."""

    reason: str
    escalated_at: str
    escalated_to: str | None = None
    channel: str | None = None
    severity: str | None = None
    work_paused: bool | None = None
    blocking_deployment: bool | None = None
    resolved_at: str | None = None


class Commit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commit, with the specification's three keys and the agent whose work it holds."""

    sha: str
    message: str
    timestamp: str
    agent_author: str | None = None


class Transition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A move of an issue in the tracker."""

    issue_key: str
    to_status: str
    timestamp: str
    from_status: str | None = None
    transition_trigger: str | None = None
    automated: bool | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document in the project (`doc_path`), or a page of the wiki (`page_id`)."""

    timestamp: str
    doc_path: str | None = None
    page_id: str | None = None
    url: str | None = None
    title: str | None = None
    doc_type: str | None = None
    created_by: str | None = None


class QualityCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of a quality check."""

    check_type: str
    status: Literal["running", "passed", "failed"]
    started_at: str | None = None
    completed_at: str | None = None
    checker_agent: str | None = None
    overall_score: float | None = None
    issues_found: int | None = None
    failure_reason: str | None = None
    blocking: bool | None = None


class SuiteRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of tests. `failed` means that tests failed, `aborted` that they did not run to their end."""

    test_suite: str
    status: Literal["running", "passed", "failed", "aborted"]
    started_at: str | None = None
    completed_at: str | None = None
    total_tests: int | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    coverage: Coverage | None = None
    failure_reason: str | None = None


class ErrorSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error. What was done about it is in `recoveries`, under its event id."""

    event_id: str
    error_type: str
    error_message: str
    timestamp: str
    error_code: str | None = None
    recoverable: bool | None = None
    recovery_strategy: str | None = None


class Recovery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done about the event that is its key."""

    status: Literal["attempted", "succeeded", "failed"]
    at: str
    attempts: int = 0
    strategy: str | None = None
    final_error: str | None = None
    escalation_required: bool | None = None


class RestorePoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A state of the work that one can go back to, and when that was done last."""

    checkpoint_id: str
    created_at: str | None = None
    phase: str | None = None
    reason: str | None = None
    git_sha: str | None = None
    can_rollback: bool | None = None
    restored_at: str | None = None
    restores: int = 0


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task: of the governed run, or (`is_assigned`) one that an agent was spawned for, whose text is its id then.

    The life of the agent moves only the second kind.
    """

    task_id: str
    status: TaskStatus
    is_assigned: bool = False
    title: str | None = None
    task_kind: str | None = None
    owner: str | None = None
    phase: str | None = None
    fixes: str | None = None
    created_at: str | None = None
    claimed_at: str | None = None
    completed_at: str | None = None
    amended_at: str | None = None
    times_reopened: int = 0
    outputs_rejected: int = 0


class Review(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A review; without a decision it is still awaited."""

    subject: str | None = None
    reviewer: str | None = None
    task_id: str | None = None
    pr_number: int | None = None
    requested_at: str | None = None
    decided_at: str | None = None
    decision: Literal["approve", "request_changes", "comment"] | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session with a language model; open until it has ended."""

    agent_name: str | None = None
    model: str | None = None
    client: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    outcome: str | None = None


class ModelUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one language model was used for so far."""

    prompts: int = 0
    responses: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micro_usd: int = 0
    compactions: int = 0


class ToolUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often one tool was asked for, and what came of it."""

    requested: int = 0
    denied: int = 0
    completed: int = 0
    failed: int = 0


class Calls(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often one other system was called, and what came of it."""

    started: int = 0
    completed: int = 0
    failed: int = 0


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that had to be allowed; open while nobody has decided and the time is not over."""

    status: Literal["open", "granted", "denied", "expired"]
    subject: str | None = None
    approval_type: str | None = None
    risk: str | None = None
    requested_by: str | None = None
    requested_at: str | None = None
    expires_at: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    reason: str | None = None
    task_id: str | None = None
    content_sha256: str | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be spent, what is, and what is set aside. `reservations` are the open ones that have a name."""

    scope: str
    unit: str
    spent: int = 0
    reserved: int = 0
    limit: int | None = None
    reservations: dict[str, int] = {}
    times_exceeded: int = 0
    exceeded_at: str | None = None


class CiRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run of continuous integration; `status` is the CI system's own word, `running` before it has one."""

    status: str
    workflow: str | None = None
    commit_sha: str | None = None
    branch: str | None = None
    url: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    failure_reason: str | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version on its way into an environment, in it, or out of it again."""

    environment: str
    status: Literal["running", "completed", "failed", "rolled_back"]
    deployed_version: str | None = None
    restored_version: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    reason: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A choice that was made."""

    question: str
    choice: str
    timestamp: str
    decision_id: str | None = None
    decided_by: str | None = None
    supersedes: str | None = None


class Assumption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is taken for true. Its key is its id, or its own text."""

    assumption: str
    timestamp: str
    status: Literal["open", "confirmed", "refuted"] = "open"
    agent_name: str | None = None
    decision_id: str | None = None


class Comment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A comment on an issue, with the beginning of its text."""

    issue_key: str
    excerpt: str
    timestamp: str
    comment_id: str | None = None
    comment_type: str | None = None
    posted_by: str | None = None


class Worklog(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Working time booked on an issue."""

    issue_key: str
    time_spent_seconds: int
    timestamp: str
    author: str | None = None


class Replay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Recorded events acted out again, or (dry) only planned."""

    is_dry: bool | None = None
    started_at: str | None = None
    completed_at: str | None = None
    replayed: int = 0
    skipped: int = 0
    failed: int = 0
    mismatched: int = 0


class StoreAct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done to the store itself: an archive, a deletion, an erasure, a repair, a merge."""

    event_type: str
    sequence: int
    timestamp: str
    what: str
