"""Approvals: what a person has to allow before it happens."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Moment, Severity, Sha256
from esaa.trail.facts.wording import line, told


class ApprovalRequested(TrailFact, frozen=True, kw_only=True):
    """Someone is asked to allow something; it waits until then. Recorded by whoever asks.

    - `approval_id`: the request's name; the answer carries it too.
    - `subject`: what is to be allowed, in one sentence.
    - `approval_type`: its kind, such as `deployment`, `tool_use` or `budget`.
    - `requested_by`: who asks.
    - `approvers`: who may answer.
    - `reason`: why it is needed.
    - `risk`: how bad it can get.
    - `expires_at`: when the request is no longer valid.
    - `task_id`: the task that waits.
    - `tool_use_id`: the use of a tool that waits.
    - `content_sha256`: the digest of what is to be allowed: the answer is about this content, and about nothing else.
    """

    version: ClassVar[str] = "1.1.0"

    approval_id: str
    subject: str
    approval_type: str | UnsetType = UNSET
    requested_by: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    approvers: tuple[str, ...] | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    risk: Severity | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    task_id: str | UnsetType = UNSET
    tool_use_id: str | UnsetType = UNSET
    content_sha256: Sha256 | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        risk = told(" (risk {})", self.risk)
        return line(f"approval {self.approval_id}{risk} is asked for" + told(": {}", self.subject))


class ApprovalGranted(TrailFact, frozen=True, kw_only=True):
    """Someone allows what was asked for. Recorded by the face that took the answer.

    Never repeated by a replay: a person allowed it once, for the moment in which it was asked.

    - `approval_id`: the request.
    - `granted_by`: who allows it.
    - `subject`: what is allowed, in one sentence.
    - `reason`: the remark with the answer.
    - `scope`: how far the answer goes: this once, for the task, the session, the run, or always.
    - `conditions`: what has to hold for it.
    - `expires_at`: until when it holds.
    - `task_id`: the task that waited.
    - `content_sha256`: the digest of what is allowed.
    """

    version: ClassVar[str] = "1.1.0"

    approval_id: str
    granted_by: str
    subject: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    scope: Literal["once", "task", "session", "run", "always"] | UnsetType = UNSET
    conditions: tuple[str, ...] | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    task_id: str | UnsetType = UNSET
    content_sha256: Sha256 | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"approval {self.approval_id} is granted by {self.granted_by}" + told(": {}", self.subject))


class ApprovalDenied(TrailFact, frozen=True, kw_only=True):
    """Someone does not allow what was asked for. Recorded by the face that took the answer.

    - `approval_id`: the request.
    - `denied_by`: who does not allow it.
    - `subject`: what is not allowed, in one sentence.
    - `reason`: why.
    - `task_id`: the task that waited.
    - `content_sha256`: the digest of what is not allowed.
    """

    version: ClassVar[str] = "1.1.0"

    approval_id: str
    denied_by: str
    subject: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    content_sha256: Sha256 | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"approval {self.approval_id} is denied by {self.denied_by}" + told(": {}", self.reason))


class ApprovalExpired(TrailFact, frozen=True, kw_only=True):
    """Nobody answered in time; what was asked for does not happen. Recorded by the orchestrator.

    - `approval_id`: the request.
    - `subject`: what was to be allowed, in one sentence.
    - `requested_by`: who asked.
    - `expired_at`: when the time was over.
    - `task_id`: the task that waited.
    - `content_sha256`: the digest of what was to be allowed.
    """

    version: ClassVar[str] = "1.1.0"

    approval_id: str
    subject: str | UnsetType = UNSET
    requested_by: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    expired_at: Moment | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    content_sha256: Sha256 | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"approval {self.approval_id} expires without an answer" + told(": {}", self.subject))
