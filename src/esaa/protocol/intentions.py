"""What agents may want: the four intentions and the file updates, as typed values. An intention is no fact."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from esaa.protocol.signature import PresentedSignature

Severity = Literal["low", "medium", "high", "critical"]


class Intention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the four: what is asked, on which task, and the status that the agent believed it had."""

    action: str
    task_id: str
    prior_status: str | UnsetType = UNSET
    notes: str | UnsetType = UNSET


class Claim(Intention, frozen=True, kw_only=True):
    """To take a task."""


class Complete(Intention, frozen=True, kw_only=True):
    """To deliver a task: checks made, files to write. `verification` is kept as sent."""

    verification: Any = UNSET
    issue_id: str | UnsetType = UNSET
    fixes: str | UnsetType = UNSET

    @property
    def checks(self) -> tuple[str, ...]:
        """The verification checks."""
        checks = self.verification.get("checks") if isinstance(self.verification, dict) else None
        return tuple(str(check) for check in checks) if isinstance(checks, list) else ()


class Review(Intention, frozen=True, kw_only=True):
    """To approve a task or to ask for changes."""

    decision: Literal["approve", "request_changes"]
    tasks: tuple[str, ...]


class ReportIssue(Intention, frozen=True, kw_only=True):
    """To report a defect, a risk or a lesson."""

    issue_id: str
    severity: Severity
    title: str
    evidence: Any
    affected: Any = UNSET
    category: str | UnsetType = UNSET
    subtype: str | UnsetType = UNSET
    lesson: Any = UNSET
    fixes: str | UnsetType = UNSET


AnyIntention = Claim | Complete | Review | ReportIssue

INTENTIONS: dict[str, type[Claim] | type[Complete] | type[Review] | type[ReportIssue]] = {
    "claim": Claim,
    "complete": Complete,
    "review": Review,
    "issue.report": ReportIssue,
}


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One replacement in a text; without `replace_all` the old text must stand exactly once."""

    old_string: str
    new_string: str
    replace_all: bool = False


class FileUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to write: its whole `content`, or `edits` to the text whose SHA-256 is `base_sha256`."""

    path: str
    content: str | UnsetType = UNSET
    base_sha256: str | UnsetType = UNSET
    edits: tuple[Edit, ...] | UnsetType = UNSET


class AgentResult(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed agent result: one intention, the files that go with it, and the digest of the bytes it came from.

    `signature` is there where the workspace asks for one and the submission carried one; it is not checked yet. `sent`
    are those bytes.
    """

    intention: AnyIntention
    updates: tuple[FileUpdate, ...]
    fields: dict[str, Any]
    result_sha256: str
    signature: PresentedSignature | None = None
    sent: bytes = b""
