"""The folded state of one stream of the trail: where an issue's orchestration stands, and what it has left behind.

A state belongs to whoever folds it: `evolve` changes it in place (docs/adr/0001). Its values are immutable, and
`copy_state` is shallow. Its JSON is what `esaa state --json` shows and what a snapshot keeps.
"""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.trail.state_values import (
    Approval,
    Assignment,
    Assumption,
    Blocked,
    Budget,
    Calls,
    CiRun,
    Comment,
    Commit,
    Decision,
    Deployment,
    Document,
    ErrorSeen,
    Escalation,
    FailedPhase,
    Failure,
    ModelUse,
    Pause,
    QualityCheck,
    Recovery,
    Replay,
    RestorePoint,
    Result,
    Review,
    Session,
    Status,
    StoreAct,
    SuiteRun,
    Summary,
    Task,
    ToolUse,
    Transition,
    Worklog,
)

SPECIFIED_FIELDS = (
    "issue_key",
    "session_id",
    "status",
    "current_phase",
    "completed_phases",
    "active_agents",
    "completed_agents",
    "failed_agents",
    "identified_gaps",
    "resolved_gaps",
    "commits",
    "prs",
    "jira_transitions",
    "documentation",
    "quality_checks",
    "errors",
    "checkpoints",
    "started_at",
    "completed_at",
    "duration_seconds",
)
"""The keys of the specification's state, in its order. They come first."""


class OrchestrationState(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything that is known of an issue at a moment.

    The specification's fields:

    - `issue_key`, `session_id`, `started_at`: of the last start.
    - `current_phase`: the phase that the work is in, or was in last.
    - `completed_phases`, `completed_agents`, `failed_agents`: names in the order of the events; who did it twice is
      there twice. `active_agents` are those that were spawned and have not ended.
    - `identified_gaps`: the metadata of the open gaps; `resolved_gaps`: the ids of the closed ones.
    - `prs`: the metadata of each pull request, with `status` (`open`, `merged`, `closed`) and what is known of its end.
    - `completed_at`, `duration_seconds`: of the end; None again when the work goes on.

    Ours:

    - `last_sequence`, `last_event_at`: of the last event that was folded.
    - `assignment`, `pause`, `failure`, `result`, `summary`: of the orchestration as a whole.
    - `phase_summaries`, `failed_phases`, `blocked_agents`, `escalated_gaps`: of phases, agents and gaps.
    - `tasks`: by id; `assigned_tasks`: the ids of the tasks that each active agent was spawned for, oldest first.
    - `rejected_outputs`: how many, by error code.
    - `files`: the digest of the last content by path; null for a deleted file.
    - `running_checks`, `running_tests`: the places in `quality_checks` and `test_runs` of those without a result.
    - `test_runs`, `ci_runs`, `deployments`, `reviews`, `approvals`, `budgets`, `recoveries`, `sessions`, `model_use`,
      `tools`, `external_calls`, `notifications` (by channel), `foreign_events` (by system), `decisions`,
      `assumptions`, `comments`, `worklogs`, `replays`: of their families, by id or name where they have one.
    - `configuration`: the last value of each setting that changed; `views`: the digest of each read model that was
      told of, null where none was; `store_acts`: what was done to the store itself.
    """

    issue_key: str | None = None
    session_id: str | None = None
    status: Status = "not_started"
    current_phase: str | None = None
    completed_phases: list[str] = []
    active_agents: list[str] = []
    completed_agents: list[str] = []
    failed_agents: list[str] = []
    identified_gaps: list[dict[str, Any]] = []
    resolved_gaps: list[str] = []
    commits: list[Commit] = []
    prs: list[dict[str, Any]] = []
    jira_transitions: list[Transition] = []
    documentation: list[Document] = []
    quality_checks: list[QualityCheck] = []
    errors: list[ErrorSeen] = []
    checkpoints: list[RestorePoint] = []
    started_at: str | None = None
    completed_at: str | None = None
    duration_seconds: float | None = None

    last_sequence: int = 0
    last_event_at: str | None = None
    assignment: Assignment | None = None
    pause: Pause | None = None
    failure: Failure | None = None
    result: Result | None = None
    summary: Summary | None = None
    phase_summaries: dict[str, Summary] = {}
    failed_phases: list[FailedPhase] = []
    blocked_agents: dict[str, Blocked] = {}
    escalated_gaps: dict[str, Escalation] = {}
    tasks: dict[str, Task] = {}
    assigned_tasks: dict[str, tuple[str, ...]] = {}
    rejected_outputs: dict[str, int] = {}
    files: dict[str, str | None] = {}
    running_checks: list[int] = []
    test_runs: list[SuiteRun] = []
    running_tests: list[int] = []
    ci_runs: dict[str, CiRun] = {}
    deployments: dict[str, Deployment] = {}
    reviews: dict[str, Review] = {}
    approvals: dict[str, Approval] = {}
    budgets: dict[str, Budget] = {}
    recoveries: dict[str, Recovery] = {}
    decisions: list[Decision] = []
    assumptions: dict[str, Assumption] = {}
    comments: list[Comment] = []
    worklogs: list[Worklog] = []
    sessions: dict[str, Session] = {}
    model_use: dict[str, ModelUse] = {}
    tools: dict[str, ToolUse] = {}
    external_calls: dict[str, Calls] = {}
    notifications: dict[str, int] = {}
    foreign_events: dict[str, int] = {}
    replays: dict[str, Replay] = {}
    configuration: dict[str, Any] = {}
    views: dict[str, str | None] = {}
    store_acts: list[StoreAct] = []

    def pending_tasks(self) -> list[Task]:
        """The tasks that are not done, in the order in which they came up."""
        return [task for task in self.tasks.values() if task.status != "done"]

    def open_approvals(self) -> list[str]:
        """The ids of the approvals that still wait for an answer."""
        return [approval_id for approval_id, approval in self.approvals.items() if approval.status == "open"]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(OrchestrationState)


def encode_state(state: OrchestrationState) -> bytes:
    """The state as one line of JSON, all keys in their order. Equal folds give equal bytes."""
    return _ENCODER.encode(state)


def decode_state(data: bytes) -> OrchestrationState:
    """The state of its JSON. Raises `ValueError` where it is none."""
    try:
        return _DECODER.decode(data)
    except RecursionError as error:
        raise ValueError("the state is nested too deeply") from error


def copy_state(state: OrchestrationState) -> OrchestrationState:
    """A state that can be folded on without touching this one."""
    copied = OrchestrationState()
    for name in OrchestrationState.__struct_fields__:
        value = getattr(state, name)
        if isinstance(value, list):
            value = list(value)
        elif isinstance(value, dict):
            value = dict(value)
        setattr(copied, name, value)
    return copied
