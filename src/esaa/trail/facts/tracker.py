"""What is done in the tracker: transitions, comments, worklogs."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Moment
from esaa.trail.facts.wording import line, seconds, told


class IssueTransitioned(TrailFact, frozen=True, kw_only=True):
    """An issue moved to another status. Recorded by whoever moved it, or by the tracker's webhook.

    Moving it again is safe: an issue that is there already stays there.

    - `from_status`: the status before.
    - `to_status`: the status after.
    - `transition_trigger`: what moved it, such as `commit_created`.
    - `transition_id`: the tracker's name of the transition.
    - `automated`: true where no person did it.
    - `validation_passed`: true where the tracker's conditions were checked first.
    """

    is_repeatable: ClassVar[bool] = True

    issue_key: str
    to_status: str
    from_status: str | UnsetType = UNSET
    transition_trigger: str | UnsetType = UNSET
    transition_id: str | UnsetType = UNSET
    automated: bool | UnsetType = UNSET
    validation_passed: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.issue_key} moves{told(' from {}', self.from_status)} to {self.to_status}")


class CommentPosted(TrailFact, frozen=True, kw_only=True):
    """A comment was posted on an issue. Recorded by whoever posted it, or by the tracker's webhook.

    Posting it again is safe where the handler looks for its event id among the comments first.

    - `comment_id`: the tracker's name of the comment.
    - `comment_type`: what it is for, such as `progress_update`.
    - `posted_by`: in whose name it was posted.
    - `comment_body`: its whole text.
    - `visibility`: who can read it.
    - `attachments`: the names of the files that it carries.
    """

    is_repeatable: ClassVar[bool] = True

    issue_key: str
    comment_body: str
    comment_id: str | UnsetType = UNSET
    comment_type: str | UnsetType = UNSET
    posted_by: str | UnsetType = UNSET
    visibility: Literal["public", "internal", "private", "restricted", "team", "role", "group"] | UnsetType = UNSET
    attachments: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        kind = told(" ({})", self.comment_type, lambda name: name.replace("_", " "))
        return line(f"comment on {self.issue_key}{kind}" + told(": {}", self.comment_body))


class WorklogAdded(TrailFact, frozen=True, kw_only=True):
    """Working time was booked on an issue. Recorded by whoever booked it.

    Booking it again is safe where the handler looks for its event id among the worklogs first.

    - `time_spent_seconds`: how much time.
    - `time_spent_human`: the same in the tracker's words, such as `2h`.
    - `worklog_description`: what the time was spent on.
    - `started`: when the work began.
    - `author`: whose time it is.
    """

    is_repeatable: ClassVar[bool] = True

    issue_key: str
    time_spent_seconds: Count
    time_spent_human: str | UnsetType = UNSET
    worklog_description: str | UnsetType = UNSET
    started: Moment | UnsetType = UNSET
    author: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        spent = seconds(self.time_spent_seconds)
        return line(f"{spent} booked on {self.issue_key}" + told(": {}", self.worklog_description))
