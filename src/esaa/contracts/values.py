"""The words that all contracts share: versions, actions, kinds, and the base of every contract value."""

from __future__ import annotations

from typing import Literal

import msgspec

ProtocolVersion = Literal["0.4.0", "0.4.1"]
TaskKind = Literal["spec", "impl", "qa"]
Severity = Literal["low", "medium", "high", "critical"]

TASK_KINDS: tuple[TaskKind, ...] = ("spec", "impl", "qa")

AGENT_ACTIONS: tuple[str, ...] = ("claim", "complete", "review", "issue.report")
"""What an agent may ask for (AGENT_CONTRACT, allowed)."""

RESERVED_ACTIONS: tuple[str, ...] = (
    "run.start",
    "run.end",
    "task.create",
    "hotfix.create",
    "issue.resolve",
    "output.rejected",
    "orchestrator.file.write",
    "orchestrator.view.mutate",
    "verify.start",
    "verify.ok",
    "verify.fail",
)
"""What only the orchestrator may write (AGENT_CONTRACT, reserved)."""

REJECT_CONDITIONS: tuple[str, ...] = (
    "unknown_action",
    "schema_violation",
    "boundary_violation",
    "immutable_done_violation",
    "lock_violation",
    "invalid_transition",
)

INVARIANTS: tuple[str, ...] = ("INV-001", "INV-002", "INV-003", "INV-004", "INV-005", "INV-006")


class ContractValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all contract values: immutable, and an unknown key is refused, so that no key is decoration."""


class ContractFinding(ValueError):
    """Raised by a contract's own checks; the loader adds the file's name and turns it into `ContractError`."""
