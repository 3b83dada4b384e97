"""The rows of a report: what is said of one phase, agent, commit, gap, error and so on.

A value that is not known is null. Amounts keep their unit in the name; money is in millionths of a dollar.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """Base of all rows: the issue that it is about, and the event that tells of it first."""

    stream: str
    sequence: int


class PhaseRow(Row, kw_only=True):
    """One run of a phase. `status` is `active` while its end is not among the events."""

    phase: str
    status: str
    started_at: str | None
    ended_at: str | None
    duration_seconds: float | None
    agents: tuple[str, ...]
    retries: int
    quality_score: float | None
    reason: str | None


class AgentRow(Row, kw_only=True):
    """What one agent did. Tokens and cost are null where nobody recorded any.

    `total_seconds` is the working time of its completed runs; null where they sum to more than a number can say.
    """

    agent: str
    model: str | None
    status: str
    runs: int
    completions: int
    failures: int
    total_seconds: float | None
    outputs: int
    tasks_done: int
    rejected_outputs: int
    files_written: int
    commits: int
    tools_used: int
    tools_denied: int
    quality_score: float | None
    tokens_in: int | None
    tokens_out: int | None
    cost_micro_usd: int | None


class CommitRow(Row, kw_only=True):
    """A commit."""

    timestamp: str
    sha: str
    message: str
    author: str | None = None
    files_changed: int | None = None
    insertions: int | None = None
    deletions: int | None = None


class PullRequestRow(Row, kw_only=True):
    """A pull request, and how it ended."""

    number: int
    title: str | None
    status: str
    ended_at: str | None
    ended_by: str | None
    commit: str | None
    url: str | None
    base_branch: str | None
    head_branch: str | None


class GapRow(Row, kw_only=True):
    """A gap, from its finding to its end."""

    gap_id: str
    severity: str | None
    gap_type: str | None
    description: str | None
    status: str
    identified_at: str | None
    identified_by: str | None
    escalated_to: str | None
    resolved_at: str | None
    resolved_by: str | None
    resolution: str | None
    open_seconds: float | None


class ErrorRow(Row, kw_only=True):
    """Something that failed, and what came of it.

    `outcome` is `recovered` or `unrecovered` where a recovery says so, `overcome` where the same thing succeeded later,
    else `open`. `recoveries` are the lines of what was tried.
    """

    timestamp: str | None
    event_id: str
    kind: str
    about: str | None
    code: str | None
    message: str
    attempts: int
    outcome: str
    ended_at: str | None
    recoveries: tuple[str, ...]


class RejectionRow(Row, kw_only=True):
    """Something that was asked for and refused: what, by whom, by which rule, and why.

    `outcome` is `overcome` where the same task was delivered later, else `refused`.
    """

    timestamp: str
    event_id: str
    asked: str
    asked_by: str
    about: str | None
    rule: str
    reason: str | None
    layer: str | None
    message: str | None
    hint: str | None
    count: int
    outcome: str


class CheckRow(Row, kw_only=True):
    """The result of one quality check."""

    timestamp: str
    check_type: str
    status: str
    score: float | None
    issues_found: int | None
    blocking: bool
    reason: str | None


class TestRow(Row, kw_only=True):
    """The result of one run of tests."""

    __test__: ClassVar[bool] = False  # pytest takes a class of this name for a group of tests

    timestamp: str
    suite: str
    status: str
    total: int | None
    passed: int | None
    failed: int | None
    skipped: int | None
    duration_seconds: float | None
    line_coverage: float | None
    reason: str | None


class TaskRow(Row, kw_only=True):
    """A task of the governed run."""

    task_id: str
    title: str | None
    task_kind: str | None
    status: str
    owner: str | None
    created_at: str | None
    completed_at: str | None
    times_reopened: int
    outputs_rejected: int


class ApprovalRow(Row, kw_only=True):
    """Something that had to be allowed, and by whom it was decided."""

    approval_id: str
    subject: str | None
    risk: str | None
    requested_by: str | None
    requested_at: str | None
    status: str
    decided_by: str | None
    decided_at: str | None
    reason: str | None


class BudgetRow(Row, kw_only=True):
    """What could be spent, and what was."""

    budget_id: str
    scope: str
    unit: str
    limit: int | None
    spent: int
    reserved: int
    times_exceeded: int


class NoteRow(Row, kw_only=True):
    """A decision, a delivery, a turn of the story: one line of it."""

    timestamp: str
    event_type: str
    actor: str
    summary: str


class ActorRow(msgspec.Struct, kw_only=True):
    """Who did what: an actor's events by type, the first and the last of them."""

    actor_type: str
    actor_id: str
    model: str | None
    events: int
    event_types: dict[str, int]
    first_at: str
    last_at: str
