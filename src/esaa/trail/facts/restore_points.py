"""Restore points: states of the work that one can go back to.

The specification calls them checkpoints, and so do the names of the types. A *checkpoint* elsewhere in esaa is a
signed tree head, which these are not.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count
from esaa.trail.facts.wording import counted, line, short, told


class CheckpointCreated(TrailFact, frozen=True, kw_only=True):
    """A *restore point* was made, not a signed checkpoint: a state that the work can go back to.

    Recorded by the orchestrator. Making it again is safe: it holds the same state under the same name.

    - `checkpoint_id`: the restore point's name.
    - `checkpoint_phase`: the phase in which it was made.
    - `checkpoint_reason`: why, such as `major_milestone_completed`.
    - `state_snapshot`: where the state lies.
    - `git_sha`: the commit that belongs to it.
    - `can_rollback`: true where everything is there that going back needs.
    - `files_changed_since_last`: how many files changed since the restore point before.
    - `commits_since_last`: how many commits were made since the restore point before.
    """

    is_repeatable: ClassVar[bool] = True
    phase_field: ClassVar[str | None] = "checkpoint_phase"

    checkpoint_id: str
    checkpoint_phase: str | UnsetType = UNSET
    checkpoint_reason: str | UnsetType = UNSET
    state_snapshot: str | UnsetType = UNSET
    git_sha: str | UnsetType = UNSET
    can_rollback: bool | UnsetType = UNSET
    files_changed_since_last: Count | UnsetType = UNSET
    commits_since_last: Count | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        where = told(" in {}", self.checkpoint_phase)
        at = told(" at {}", self.git_sha, short)
        why = told(": {}", self.checkpoint_reason, lambda name: name.replace("_", " "))
        return line(f"restore point {self.checkpoint_id} is made{where}{at}{why}")


class CheckpointRestored(TrailFact, frozen=True, kw_only=True):
    """The work went back to a *restore point*, not to a signed checkpoint. Recorded by whoever went back.

    - `checkpoint_id`: the restore point.
    - `restore_reason`: why, such as `test_failure_rollback`.
    - `restored_by`: who went back.
    - `files_restored`: how many files got their old content.
    - `git_reset_to`: the commit that is checked out now.
    - `state_validated`: true where the state was checked afterwards.
    """

    checkpoint_id: str
    restore_reason: str | UnsetType = UNSET
    restored_by: str | UnsetType = UNSET
    files_restored: Count | UnsetType = UNSET
    git_reset_to: str | UnsetType = UNSET
    state_validated: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        files = told(" ({})", self.files_restored, lambda total: counted(total, "file"))
        why = told(": {}", self.restore_reason, lambda name: name.replace("_", " "))
        return line(f"back to restore point {self.checkpoint_id}{files}{why}")
