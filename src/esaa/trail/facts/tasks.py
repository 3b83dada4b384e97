"""The life of a task in the governed run: from its creation to done, and the outputs that were refused on the way.

These are fed from the log of the run, which alone decides; recording one by hand changes no task.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, Json, TrailFact
from esaa.trail.facts.values import Count, Number, Seconds, Sha256
from esaa.trail.facts.wording import counted, line, listed, seconds, told


class TaskCreated(TrailFact, frozen=True, kw_only=True):
    """A task enters the roadmap. Fed from the governed run.

    - `task_id`: the task.
    - `title`: what it is about, in one line.
    - `task_kind`: `spec`, `impl` or `qa`; it decides who is asked and what may be written.
    - `description`: what has to be done.
    - `depends_on`: the tasks that must be done before it can be claimed.
    - `outputs`: the files that it is to deliver.
    - `targets`: labels.
    - `acceptance_criteria`: what the reviewer will look for, as it was sent.
    - `supersedes`: the tasks that it replaces.
    - `is_hotfix`: true for a task that mends what is done.
    - `issue_id`: for a hotfix, the issue that it mends.
    - `fixes`: for a hotfix, the done task that it mends.
    - `scope_patch`: the paths that it may write at most.
    """

    task_id: str
    title: str
    task_kind: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    depends_on: tuple[str, ...] | UnsetType = UNSET
    outputs: tuple[str, ...] | UnsetType = UNSET
    targets: tuple[str, ...] | UnsetType = UNSET
    acceptance_criteria: Json = UNSET
    supersedes: tuple[str, ...] | UnsetType = UNSET
    is_hotfix: bool | UnsetType = UNSET
    issue_id: str | UnsetType | None = UNSET
    fixes: str | UnsetType | None = UNSET
    scope_patch: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        what = "hotfix" if self.is_hotfix is True else "task"
        of = told(" ({})", self.task_kind)
        return line(f"{what} {self.task_id}{of} is created{told(' for {}', self.fixes)}" + told(": {}", self.title))


class TaskAmended(TrailFact, frozen=True, kw_only=True):
    """A task that nobody has claimed gets other values. Fed from the governed run.

    - `task_id`: the task.
    - `changes`: the new values by the names of their fields.
    - `reason`: why, in one sentence.
    """

    task_id: str
    changes: Data
    phase: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        what = told(": {}", tuple(self.changes) or None, listed)
        return line(f"task {self.task_id} is amended{what}{told(' ({})', self.reason)}")


class TaskClaimed(TrailFact, frozen=True, kw_only=True):
    """An agent takes a task and owns it from here on. Fed from the governed run.

    - `task_id`: the task.
    - `task_kind`: its kind.
    - `title`: its title.
    - `attempt`: which attempt at the task it is, from 1.
    - `notes`: the agent's remark.
    """

    task_id: str
    agent_name: str
    task_kind: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        again = f" (attempt {self.attempt})" if isinstance(self.attempt, int) and self.attempt > 1 else ""
        return line(f"{self.agent_name} claims {self.task_id}{again}" + told(": {}", self.title))


class TaskCompleted(TrailFact, frozen=True, kw_only=True):
    """The owner of a task delivers; it waits for its review. Fed from the governed run.

    - `task_id`: the task.
    - `task_kind`: its kind.
    - `checks`: what the agent checked, and how to repeat it.
    - `files_written`: the paths of the files that it delivers.
    - `notes`: the agent's remark.
    - `issue_id`: for a hotfix, the issue that it mends.
    - `fixes`: for a hotfix, the done task that it mends.
    """

    task_id: str
    agent_name: str
    task_kind: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    checks: tuple[str, ...] | UnsetType = UNSET
    files_written: tuple[str, ...] | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET
    issue_id: str | UnsetType | None = UNSET
    fixes: str | UnsetType | None = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        files = told(" with {}", self.files_written, lambda paths: counted(len(paths), "file"))
        checks = told(", {}", self.checks, lambda checks: counted(len(checks), "check"))
        return line(f"{self.agent_name} delivers {self.task_id}{took}{files}{checks}")


class TaskReopened(TrailFact, frozen=True, kw_only=True):
    """A review sends a task back to its owner. Fed from the governed run.

    - `task_id`: the task.
    - `items`: what has to change.
    - `reviewer`: who sent it back.
    - `reason`: why, in one sentence.
    """

    task_id: str
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    items: tuple[str, ...] | UnsetType = UNSET
    reviewer: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        items = told(": {}", self.items or None, listed) or told(": {}", self.reason)
        return line(f"task {self.task_id} goes back{told(' to {}', self.agent_name)}{items}")


class TaskDone(TrailFact, frozen=True, kw_only=True):
    """A review approves a task: it is done for good. Fed from the governed run.

    - `task_id`: the task.
    - `task_kind`: its kind.
    - `title`: its title.
    - `approved_by`: who approved it.
    - `attempts`: how many attempts it took.
    """

    task_id: str
    agent_name: str | UnsetType = UNSET
    task_kind: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    approved_by: str | UnsetType = UNSET
    attempts: Count | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        return line(f"task {self.task_id} is done{took}" + told(": {}", self.title))


class OutputRejected(TrailFact, frozen=True, kw_only=True):
    """An agent's output was refused; nothing of it took effect. Fed from the governed run.

    - `error_code`: the precise code.
    - `task_id`: the task that the output was about; null where that could not be read.
    - `message`: what was wrong, and where.
    - `layer`: which of the validation layers refused.
    - `reason`: which of the six reject conditions it is.
    - `hint`: what to do instead.
    - `source_action`: the act that was tried.
    - `counts`: true where the refusal costs the task an attempt.
    - `result_sha256`: the digest of the refused bytes.
    - `count`: for outputs of unregistered actors, how many this event stands for.
    """

    error_code: str
    task_id: str | UnsetType | None = UNSET
    message: str | UnsetType = UNSET
    layer: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    hint: str | UnsetType = UNSET
    agent_name: str | UnsetType | None = UNSET
    phase: str | UnsetType = UNSET
    source_action: str | UnsetType | None = UNSET
    counts: bool | UnsetType = UNSET
    result_sha256: Sha256 | UnsetType = UNSET
    count: Count | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        several = f"{self.count} outputs" if isinstance(self.count, int) and self.count > 1 else "output"
        of = told(" of {}", self.agent_name)
        verb = "are" if several != "output" else "is"
        about = told(" for {}", self.task_id)
        return line(f"{several}{of}{about} {verb} refused, {self.error_code}" + told(": {}", self.message))
