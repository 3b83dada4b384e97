"""AGENT_CONTRACT.yaml: what agents can and cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from esaa.contracts.executable_checks import ExecutableChecks
from esaa.contracts.values import (
    AGENT_ACTIONS,
    RESERVED_ACTIONS,
    TASK_KINDS,
    ContractFinding,
    ContractValue,
    ProtocolVersion,
    TaskKind,
)

NEVER_WRITE: tuple[str, ...] = (
    ".roadmap/**",
    ".git/**",
    ".claude/**",
    ".codex/**",
    ".gemini/**",
    ".husky/**",
    ".githooks/**",
)
"""What no task may ever write: the audit trail, version control, agent settings and hooks (DESIGN 12.4)."""

FORBIDDEN_FIELDS: tuple[str, ...] = (
    "schema_version",
    "event_id",
    "event_seq",
    "ts",
    "actor",
    "payload",
    "assigned_to",
    "started_at",
    "completed_at",
)
"""What an agent may not say about itself: the orchestrator stamps it (AGENT_CONTRACT, output contract)."""


class Boundary(ContractValue, frozen=True, kw_only=True):
    """The paths that a task of one kind may read and write. Globs as in DESIGN 12.4; a deny beats an allow."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    forbidden_write: tuple[str, ...]


class Boundaries(ContractValue, frozen=True, kw_only=True):
    """Boundaries by task kind (INV-003). What is not allowed is forbidden (`fail_closed`).

    `never_write` holds for every kind and every grant; it may be longer than `NEVER_WRITE`, never shorter.
    """

    enforcement: Literal["fail_closed"]
    matching: Literal["prefix_match"]
    by_task_kind: dict[TaskKind, Boundary]
    never_write: tuple[str, ...]


class OutputContract(ContractValue, frozen=True, kw_only=True):
    """The envelope of an agent result and the limits on what is read from an agent. Sizes in bytes."""

    required_keys: tuple[Literal["activity_event"], ...]
    optional_keys: tuple[Literal["file_updates"], ...]
    forbidden_fields: tuple[str, ...]
    result_bytes_max: int
    depth_max: int
    files_max: int
    file_bytes_max: int


class AgentContract(ContractValue, frozen=True, kw_only=True):
    """What agents may do, where they may write, and the shape of what they send.

    `vague_checks` are phrases too vague to be a verification check; a match is accepted with a recorded warning.
    """

    contract: Literal["agent"]
    version: ProtocolVersion
    allowed_actions: tuple[str, ...]
    reserved_actions: tuple[str, ...]
    boundaries: Boundaries
    output_contract: OutputContract
    vague_checks: tuple[str, ...]
    executable_checks: ExecutableChecks = ExecutableChecks()

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        if not self.allowed_actions:
            raise ContractFinding("allowed_actions is empty: no agent could do anything")
        for action in self.allowed_actions:
            if action not in AGENT_ACTIONS:
                raise ContractFinding(f"allowed_actions: {action!r} is not an agent action {AGENT_ACTIONS}")
        if set(self.reserved_actions) != set(RESERVED_ACTIONS):
            raise ContractFinding(f"reserved_actions must be exactly {RESERVED_ACTIONS}")
        missing = [kind for kind in TASK_KINDS if kind not in self.boundaries.by_task_kind]
        if missing:
            raise ContractFinding(f"boundaries.by_task_kind has no entry for {missing}")
        kept = [pattern for pattern in NEVER_WRITE if pattern not in self.boundaries.never_write]
        if kept:
            raise ContractFinding(f"boundaries.never_write must contain {kept}: these can never be granted")
        for where, patterns in self._patterns():
            for pattern in patterns:
                if not _is_pattern(pattern):
                    raise ContractFinding(f"boundaries.{where}: {pattern!r} is not a path below the workspace")
        absent = [field for field in FORBIDDEN_FIELDS if field not in self.output_contract.forbidden_fields]
        if absent:
            raise ContractFinding(f"output_contract.forbidden_fields must contain {absent}")
        if self.output_contract.required_keys != ("activity_event",):
            raise ContractFinding("output_contract.required_keys must be [activity_event]")
        limits = self.output_contract
        for name in ("result_bytes_max", "depth_max", "files_max", "file_bytes_max"):
            if getattr(limits, name) < 1:
                raise ContractFinding(f"output_contract.{name} must be at least 1")
        self.executable_checks.check()

    def _patterns(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield "never_write", self.boundaries.never_write
        for kind, boundary in self.boundaries.by_task_kind.items():
            yield f"by_task_kind.{kind}.read", boundary.read
            yield f"by_task_kind.{kind}.write", boundary.write
            yield f"by_task_kind.{kind}.forbidden_write", boundary.forbidden_write


def _is_pattern(text: str) -> bool:
    """A relative path with `/`, in which `**` can only be a whole component."""
    parts = text.removesuffix("/").split("/")
    if "\\" in text or any(part in ("", ".", "..") for part in parts):
        return False
    return all("**" not in part or part == "**" for part in parts)
