"""What happens in git and on the forge: commits and pull requests."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import CiStatus, Count, Number
from esaa.trail.facts.wording import counted, line, short, told


class CommitCreated(TrailFact, frozen=True, kw_only=True):
    """A commit was made. Recorded by the tool that made it, or by a git hook.

    - `commit_sha`: the commit.
    - `commit_message`: its whole message.
    - `files_changed`: how many files it changes.
    - `insertions`: how many lines it adds.
    - `deletions`: how many lines it removes.
    - `changed_files`: the paths of the files that it changes.
    - `smart_commit`: true where the message carries commands for the tracker.
    - `jira_transition`: the status that the commit moves the issue to.
    - `agent_author`: the agent whose work it holds.
    - `validation_passed`: true where the checks before the commit passed.
    """

    agent_field: ClassVar[str | None] = "agent_author"

    commit_sha: str
    commit_message: str
    files_changed: Count | UnsetType = UNSET
    insertions: Count | UnsetType = UNSET
    deletions: Count | UnsetType = UNSET
    changed_files: tuple[str, ...] | UnsetType = UNSET
    smart_commit: bool | UnsetType = UNSET
    jira_transition: str | UnsetType | None = UNSET
    agent_author: str | UnsetType = UNSET
    validation_passed: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        changes = " ".join(one for one in (told("+{}", self.insertions), told("-{}", self.deletions)) if one)
        return line(f"commit {short(self.commit_sha)}" + told(": {}", self.commit_message) + told(" ({})", changes))


class PRCreated(TrailFact, frozen=True, kw_only=True):
    """A pull request was opened. Recorded by the tool that opened it, or by the forge's webhook.

    - `pr_number`: its number on the forge.
    - `pr_url`: its address.
    - `pr_title`: its title.
    - `pr_description`: its whole description.
    - `base_branch`: the branch that it goes into.
    - `head_branch`: the branch that it comes from.
    - `commits_count`: how many commits it holds.
    - `files_changed`: how many files it changes.
    - `reviewers`: who is asked to review it.
    - `labels`: its labels.
    - `draft`: true where it is not ready for review.
    - `auto_merge_enabled`: true where the forge merges it as soon as it may.
    - `ci_status`: what CI says about its head.
    """

    pr_number: Number
    pr_title: str
    pr_url: str | UnsetType = UNSET
    pr_description: str | UnsetType = UNSET
    base_branch: str | UnsetType = UNSET
    head_branch: str | UnsetType = UNSET
    commits_count: Count | UnsetType = UNSET
    files_changed: Count | UnsetType = UNSET
    reviewers: tuple[str, ...] | UnsetType = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    draft: bool | UnsetType = UNSET
    auto_merge_enabled: bool | UnsetType = UNSET
    ci_status: CiStatus | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        kind = "draft pull request" if self.draft is True else "pull request"
        return line(f"{kind} #{self.pr_number} is opened" + told(": {}", self.pr_title))


class PRMerged(TrailFact, frozen=True, kw_only=True):
    """A pull request was merged. Recorded by the tool that merged it, or by the forge's webhook.

    - `pr_number`: its number on the forge.
    - `merged_by`: who merged it.
    - `merge_method`: how its commits came onto the base branch.
    - `merged_commit_sha`: the commit on the base branch.
    - `time_to_merge_hours`: how long it was open.
    - `reviews_count`: how many reviews it got.
    - `approvals_count`: how many of them approved.
    - `comments_count`: how many comments it got.
    - `ci_status`: what CI said about its head when it was merged.
    - `deployment_triggered`: true where the merge starts a deployment.
    """

    pr_number: Number
    merged_by: str | UnsetType = UNSET
    merge_method: (
        Literal["merge", "squash", "rebase", "rebase_merge", "squash_merge", "fast_forward", "manual"] | UnsetType
    ) = UNSET
    merged_commit_sha: str | UnsetType = UNSET
    time_to_merge_hours: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    reviews_count: Count | UnsetType = UNSET
    approvals_count: Count | UnsetType = UNSET
    comments_count: Count | UnsetType = UNSET
    ci_status: CiStatus | UnsetType = UNSET
    deployment_triggered: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        how = told(" ({})", self.merge_method, lambda name: name.replace("_", " "))
        approvals = told(", {}", self.approvals_count, lambda total: counted(total, "approval"))
        commit = told(" as {}", self.merged_commit_sha, short)
        return line(f"pull request #{self.pr_number} is merged{commit}{told(' by {}', self.merged_by)}{how}{approvals}")


class PRClosed(TrailFact, frozen=True, kw_only=True):
    """A pull request was closed without a merge. Recorded by the tool that closed it, or by the forge's webhook.

    - `pr_number`: its number on the forge.
    - `close_reason`: why, such as `superseded`, `rejected` or `stale`.
    - `closed_by`: who closed it.
    - `superseded_by_pr`: the number of the one that replaces it.
    - `comments`: the remark at closing.
    """

    pr_number: Number
    close_reason: str | UnsetType = UNSET
    closed_by: str | UnsetType = UNSET
    superseded_by_pr: Number | UnsetType | None = UNSET
    comments: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        by = f"{told(' by {}', self.closed_by)}{told(' in favour of #{}', self.superseded_by_pr)}"
        return line(f"pull request #{self.pr_number} is closed{by}" + told(": {}", self.close_reason))
