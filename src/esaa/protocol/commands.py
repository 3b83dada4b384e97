"""What the orchestrator can be asked to decide. Commands are imperative; what they lead to are facts.

Everything a decision depends on stands in the command, the state, the contracts or the time that is passed in.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from esaa.protocol.checks import CheckRun
from esaa.protocol.conflicts import Meeting
from esaa.protocol.intentions import AgentResult
from esaa.protocol.result import Refused


class FileOnDisk(msgspec.Struct, frozen=True, kw_only=True):
    """What lies at a path before a write: nothing, a file, or something that cannot be written (`fault` says why).

    `content` is None where the bytes were not needed; `meeting` says that it was changed after the agent had seen it.
    """

    sha256: str | None = None
    content: bytes | None = None
    fault: str | None = None
    meeting: Meeting | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all commands."""


class Submit(Command, frozen=True, kw_only=True):
    """An actor's result is put to the rules.

    - `asked_task_id`: the task that a dispatched agent was asked about.
    - `based_on`: the event up to which a dispatched agent had seen the project; None where nobody knows.
    - `workspace`: the name that this workspace has in signatures, or None where it has none.
    - `check_runs`: how the commands that its checks name ended on what it delivers; None where none were run yet.
    - `is_rehearsal`: the question is only whether it would be taken if its commands ended well.
    - `is_genuine`: whether the actor's registered key made the signature that the result carries.
    - `provenance`: which prompt, model and program it came from, as `provenance_of` gives it.
    - `received_at`: when a dispatched agent's answer came, where that may be before now: one that came in time and was
      kept while the run was down has not timed out.
    """

    actor: str
    result: AgentResult | Refused
    files: dict[str, FileOnDisk] = {}
    asked_task_id: str | None = None
    based_on: int | None = None
    workspace: str | None = None
    is_genuine: bool = False
    check_runs: tuple[CheckRun, ...] | None = None
    is_rehearsal: bool = False
    provenance: dict[str, Any] | None = None
    received_at: str | None = None


class RecordTimeout(Command, frozen=True, kw_only=True):
    """A dispatched agent gave no answer in time."""

    actor: str
    task_id: str
    source_action: str
    message: str
    provenance: dict[str, Any] | None = None


class CreateTask(Command, frozen=True, kw_only=True):
    """A task for the roadmap."""

    task_id: str
    task_kind: str
    title: str
    description: str | UnsetType = UNSET
    depends_on: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    boundary_grant: tuple[str, ...] = ()
    acceptance_criteria: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()


class AmendTask(Command, frozen=True, kw_only=True):
    """Other values for a `todo` task (0.4.1)."""

    task_id: str
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    depends_on: tuple[str, ...] | UnsetType = UNSET
    outputs: tuple[str, ...] | UnsetType = UNSET
    boundary_grant: tuple[str, ...] | UnsetType = UNSET
    acceptance_criteria: tuple[str, ...] | UnsetType = UNSET


class CreateHotfix(Command, frozen=True, kw_only=True):
    """A hotfix task for an open issue. Without `scope_patch`: the issue's affected paths, else the task's outputs."""

    issue_id: str
    fixes: str | None = None
    scope_patch: tuple[str, ...] = ()
    task_id: str | None = None


class ResolveIssue(Command, frozen=True, kw_only=True):
    """A person closes an issue."""

    issue_id: str
    status: str = "resolved_by_command"
    note: str | None = None


class RejectOutput(Command, frozen=True, kw_only=True):
    """A person refuses what an agent did outside the orchestrator's sight; it costs an attempt."""

    task_id: str
    actor: str
    error_code: str
    message: str


class StartRun(Command, frozen=True, kw_only=True):
    """A run begins, or the open one goes on. Without `run_id` the next free number is taken.

    With `issue_key` the run is bound to an issue of the tracker from its first batch on (see `BindIssue`).
    """

    run_id: str | None = None
    baseline_id: str | None = None
    project_name: str | UnsetType = UNSET
    issue_key: str | None = None


class BindIssue(Command, frozen=True, kw_only=True):
    """The open run belongs to an issue of the tracker from now on: the trail is told in that issue's stream."""

    issue_key: str


class EndRun(Command, frozen=True, kw_only=True):
    """The run ends."""

    status: Literal["success", "failed", "halted"]
    message: str | UnsetType = UNSET


class ReportDeadlock(Command, frozen=True, kw_only=True):
    """No task can go on: the monitor reports it on the first one and names all."""

    task_ids: tuple[str, ...]
    reasons: tuple[str, ...]


class RecordVerification(Command, frozen=True, kw_only=True):
    """The outcome of comparing read model and projection. `found_sha256` is None where they agree."""

    expected_sha256: str
    message: str | None = None
    found_sha256: str | None = None


class RecordRepair(Command, frozen=True, kw_only=True):
    """The orchestrator mended something that has no event of its own (`target`: log, files, views)."""

    target: str
    change: str
    detail: dict[str, Any]


AnyCommand = (
    Submit
    | RecordTimeout
    | CreateTask
    | AmendTask
    | CreateHotfix
    | ResolveIssue
    | RejectOutput
    | StartRun
    | BindIssue
    | EndRun
    | ReportDeadlock
    | RecordVerification
    | RecordRepair
)
