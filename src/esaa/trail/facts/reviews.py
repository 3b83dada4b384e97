"""Reviews of work: asked for, and decided."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Moment, Number
from esaa.trail.facts.wording import counted, line, told


class ReviewRequested(TrailFact, frozen=True, kw_only=True):
    """Someone is asked to judge a piece of work. Recorded by the orchestrator, or by the forge's webhook.

    Asking again is safe: a reviewer who was asked for it already has nothing more to do.

    - `review_id`: the review's name; its decision carries it too.
    - `subject`: what is to be reviewed, in one sentence.
    - `task_id`: the task whose work it is.
    - `pr_number`: the pull request that holds the work.
    - `reviewer`: who is asked.
    - `requested_by`: who asks.
    - `items`: what to look at, mostly paths.
    - `due_at`: until when an answer is needed.
    """

    is_repeatable: ClassVar[bool] = True
    agent_field: ClassVar[str | None] = "reviewer"

    review_id: str
    subject: str
    task_id: str | UnsetType = UNSET
    pr_number: Number | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    reviewer: str | UnsetType = UNSET
    requested_by: str | UnsetType = UNSET
    items: tuple[str, ...] | UnsetType = UNSET
    due_at: Moment | UnsetType | None = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"review{told(' by {}', self.reviewer)} is asked for" + told(": {}", self.subject))


class ReviewCompleted(TrailFact, frozen=True, kw_only=True):
    """A reviewer has decided. Recorded by the orchestrator, or by the forge's webhook.

    - `review_id`: the review.
    - `decision`: `approve`, `request_changes`, or `comment` where it is neither.
    - `subject`: what was reviewed, in one sentence.
    - `task_id`: the task whose work it is.
    - `pr_number`: the pull request that holds the work.
    - `reviewer`: who decided.
    - `reviewer_role`: the role in which, such as `qa`.
    - `items`: what has to change.
    - `notes`: the reviewer's remark.
    - `comments_count`: how many comments the review holds.
    """

    agent_field: ClassVar[str | None] = "reviewer"

    review_id: str
    decision: Literal["approve", "request_changes", "comment"]
    subject: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    pr_number: Number | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    reviewer: str | UnsetType = UNSET
    reviewer_role: str | UnsetType = UNSET
    items: tuple[str, ...] | UnsetType = UNSET
    notes: str | UnsetType | None = UNSET
    comments_count: Count | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        verdict = {"approve": "approves", "request_changes": "asks for changes", "comment": "comments"}[self.decision]
        about = told(" on {}", self.task_id) or told(" on #{}", self.pr_number) or told(" on {}", self.subject)
        items = told(" ({})", self.items or None, lambda items: counted(len(items), "item"))
        return line(f"review{about} {verdict}{items}" + told(": {}", self.notes))
