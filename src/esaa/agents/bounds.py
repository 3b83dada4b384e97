"""What the agent of one order may read and write, asked at the moment it wants to."""

from __future__ import annotations

import msgspec

from esaa.contracts.agent import AgentContract
from esaa.protocol.boundaries import may_read, write_boundary
from esaa.protocol.paths import path_fault
from esaa.protocol.task_table import Task


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The boundaries of one order: those of its task, and whether its act brings files at all."""

    task: Task
    contract: AgentContract
    action: str

    @property
    def readable(self) -> tuple[str, ...]:
        """The patterns of what may be read; none for a kind that the contract does not know."""
        by_kind = self.contract.boundaries.by_task_kind
        return by_kind[self.task.task_kind].read if self.task.task_kind in by_kind else ()

    def read_refusal(self, path: str) -> str | None:
        """Why the project path may not be read, or None."""
        fault = path_fault(path)
        if fault is not None:
            return fault
        if self.task.task_kind not in self.contract.boundaries.by_task_kind:
            return f"belongs to a task of the unknown kind {self.task.task_kind}"
        if not may_read(path, self.task.task_kind, self.contract):
            return "is outside of what this task may read"
        return None

    def write_refusal(self, path: str) -> str | None:
        """Why the project path may not be written, or None. The orchestrator judges the result all the same."""
        fault = path_fault(path)
        if fault is not None:
            return fault
        if self.action != "complete":
            return f"cannot be written now: a {self.action} brings no files"
        boundary = write_boundary(self.task, self.contract)
        if boundary is None:
            return f"belongs to a task of the unknown kind {self.task.task_kind}"
        return boundary.refusal(path)
