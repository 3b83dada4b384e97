"""Files of the project that were written or deleted under governance."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Sha256
from esaa.trail.facts.wording import line, size, told


class FileWritten(TrailFact, frozen=True, kw_only=True):
    """A file got new content; one event per file. Recorded by the orchestrator, or by a hook of the agent.

    Writing it again is safe where the handler compares `after_sha256` first: equal content needs no write.

    - `path`: the file, relative to the project.
    - `after_sha256`: the digest of the content after.
    - `before_sha256`: the digest of the content before; null for a new file.
    - `size_bytes`: how large the file is after.
    - `task_id`: the task that it was written for.
    """

    is_repeatable: ClassVar[bool] = True

    path: str
    after_sha256: Sha256
    before_sha256: Sha256 | UnsetType | None = UNSET
    size_bytes: Count | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        new = " (new)" if self.before_sha256 is None else ""
        return line(f"{self.path} is written{new}{told(', {}', self.size_bytes, size)}{told(' for {}', self.task_id)}")


class FileDeleted(TrailFact, frozen=True, kw_only=True):
    """A file was deleted. Recorded by the orchestrator, or by a hook of the agent.

    Never repeated by a replay: another file may lie at the path by then.

    - `path`: the file, relative to the project.
    - `before_sha256`: the digest of the content that it had.
    - `size_bytes`: how large it was.
    - `task_id`: the task that it was deleted for.
    - `reason`: why, in one sentence.
    """

    path: str
    before_sha256: Sha256 | UnsetType = UNSET
    size_bytes: Count | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.path} is deleted{told(' for {}', self.task_id)}" + told(": {}", self.reason))
