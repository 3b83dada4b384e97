"""What a task may read and write (layer 5, INV-003): deny beats allow, grants widen, `scope_patch` narrows."""

from __future__ import annotations

import msgspec

from esaa.contracts.agent import AgentContract
from esaa.contracts.values import TaskKind
from esaa.protocol.paths import covered, covered_folded, fold, guarded_component, path_fault
from esaa.protocol.task_table import Task

READ_ONLY_TRAIL: tuple[str, ...] = (
    ".roadmap/activity.jsonl",
    ".roadmap/.esaa/**",
    ".roadmap/blobs/**",
    ".roadmap/events/**",
    ".roadmap/snapshots/**",
    ".roadmap/inbox/**",
    ".roadmap/cassettes/**",
)
"""What reading under `.roadmap` never means: logs, blobs, keys, other agents' answers (DESIGN 12.4)."""


class WriteBoundary(msgspec.Struct, frozen=True):
    """The patterns that decide whether a path may be written. `scope` is None where nothing narrows."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]
    scope: tuple[str, ...] | None

    def refusal(self, path: str) -> str | None:
        """Why the path may not be written, or None."""
        if covered_folded(path, self.deny) or guarded_component(path) is not None:
            return "is forbidden"
        if self.scope is not None and not covered(path, self.scope):
            return f"is outside the hotfix's scope_patch ({', '.join(self.scope)})"
        if not covered(path, self.allow):
            return f"is outside the boundary ({', '.join(self.allow)})"
        return None


def write_boundary(task: Task, contract: AgentContract) -> WriteBoundary | None:
    """The boundary of a task, or None where its kind has none (another writer's kind)."""
    if task.task_kind not in contract.boundaries.by_task_kind:
        return None
    base = contract.boundaries.by_task_kind[task.task_kind]
    grant = task.boundary_grant if isinstance(task.boundary_grant, tuple) else ()
    scope = _strings(task.scope_patch)
    return WriteBoundary(
        allow=base.write + grant,
        deny=base.forbidden_write + contract.boundaries.never_write,
        scope=scope if task.is_hotfix is True or scope else None,
    )


def may_read(path: str, kind: TaskKind, contract: AgentContract) -> bool:
    """True when a task of this kind may be shown the file."""
    if covered_folded(path, READ_ONLY_TRAIL):
        return False
    return covered(path, contract.boundaries.by_task_kind[kind].read)


def write_set(task: Task, contract: AgentContract) -> tuple[str, ...]:
    """The patterns that a task may write while it is in flight: its declared outputs, else its whole boundary."""
    declared = task.output_files
    if declared:
        return declared
    boundary = write_boundary(task, contract)
    if boundary is None:
        return ("**",)
    return boundary.scope or boundary.allow


def duplicate_path(paths: list[str]) -> tuple[str, str] | None:
    """Two paths that are the same file on some file system, or a file and a directory of one name; or None."""
    seen: dict[str, str] = {}
    for path in paths:
        folded = fold(path)
        if folded in seen:
            return seen[folded], path
        seen[folded] = path
    for folded, path in seen.items():
        parent = folded
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in seen:
                return seen[parent], path
    return None


def pattern_fault(pattern: str) -> str | None:
    """Why a text is no legal pattern, or None: a path whose components may hold `*`, or end in `/` or `/**`."""
    stem = pattern[:-3] if pattern.endswith("/**") else pattern.removesuffix("/")
    return path_fault(stem.replace("*", "x"))


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()
