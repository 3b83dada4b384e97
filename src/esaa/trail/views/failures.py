"""Everything that failed in one stream, with what was done about it and how it ended.

A recovery belongs to the failure that its `recovery_from` names; where that names no event of the stream, to the
failure that caused it. A later success of the same thing (the agent, the phase, the suite, the environment) overcomes
a failure that no recovery speaks of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

import msgspec

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.deployments import DeploymentRolledBack
from esaa.trail.facts.recovery import RecoveryAttempted, RecoveryFailed, RecoverySucceeded
from esaa.trail.folds.reading import given
from esaa.trail.views.failure_kinds import Kind, failure_of, subjects_of_success

Outcome = Literal["open", "recovering", "recovered", "unrecovered", "overcome", "rolled_back"]


class RecoveryStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done about a failure."""

    timestamp: str
    event_type: str
    event_id: str
    sequence: int
    summary: str


class FailureStory(msgspec.Struct, kw_only=True):
    """One failure.

    - `kind`: what failed; `unknown` where only recoveries from it were recorded (then `event_id` is what they name).
    - `about`: which one: the agent, the phase, the suite, the tool, the environment, the task.
    - `count`: how many failures it stands for; more than 1 only for refused outputs.
    - `recoveries`: what was done about it, in the order of the events.
    - `outcome`: `recovered` and `unrecovered` are told by a recovery, `overcome` by a later success.
    - `ended_at`, `ended_by`: when, and by which event, it got its outcome.
    """

    event_id: str
    kind: Kind
    event_type: str | None = None
    timestamp: str | None = None
    sequence: int | None = None
    actor: str | None = None
    about: str | None = None
    message: str = ""
    code: str | None = None
    count: int = 1
    recoveries: list[RecoveryStep] = []
    attempts: int = 0
    outcome: Outcome = "open"
    ended_at: str | None = None
    ended_by: str | None = None

    @property
    def is_open(self) -> bool:
        """True while it is neither overcome nor given up."""
        return self.outcome in {"open", "recovering"}


_Recovery = RecoveryAttempted | RecoverySucceeded | RecoveryFailed
_Subject = tuple[Kind, str]


class _Stories:
    """The failures so far: all, by event (also by a recovery's event), and the open ones by subject."""

    def __init__(self) -> None:
        self.all: list[FailureStory] = []
        self.by_event: dict[str, FailureStory] = {}
        self.open: dict[_Subject, list[FailureStory]] = {}

    def add(self, story: FailureStory, subject: _Subject | None) -> None:
        """One more failure. `subject` is what a later success would be of."""
        self.all.append(story)
        self.by_event[story.event_id] = story
        if subject is not None:
            self.open.setdefault(subject, []).append(story)

    def of_recovery(self, event: TrailEvent, fact: _Recovery) -> FailureStory:
        """The failure that a recovery is about; a new one of an unknown kind where none is known."""
        story = self.by_event.get(fact.recovery_from) or self.by_event.get(event.causation_id or "")
        if story is None:
            story = FailureStory(event_id=fact.recovery_from, kind="unknown")
            self.add(story, None)
        self.by_event[event.event_id] = story
        return story


def failures(pairs: Iterable[tuple[TrailEvent, TrailFact]]) -> list[FailureStory]:
    """The failures in the order in which they happened. The events are those of one stream."""
    stories = _Stories()
    for event, fact in pairs:
        if isinstance(fact, _Recovery):
            _recovers(stories.of_recovery(event, fact), event, fact)
            continue
        if isinstance(fact, DeploymentRolledBack):
            _rolled_back(stories, event, fact)
            continue
        for subject in subjects_of_success(fact):
            for story in stories.open.pop(subject, ()):
                if story.is_open:
                    _ends(story, event, "overcome")
        failed = failure_of(fact)
        if failed is not None:
            story = FailureStory(
                event_id=event.event_id,
                kind=failed.kind,
                event_type=event.fact.event_type,
                timestamp=event.ts,
                sequence=event.version,
                actor=event.actor,
                about=failed.about,
                message=failed.message,
                code=failed.code,
                count=failed.count,
            )
            stories.add(story, failed.subject)
    return stories.all


def _recovers(story: FailureStory, event: TrailEvent, fact: _Recovery) -> None:
    story.recoveries.append(_step(event, fact))
    match fact:
        case RecoveryAttempted():
            story.attempts = given(fact.attempt_number) or story.attempts + 1
            story.outcome = "recovering"
            story.ended_at = story.ended_by = None
        case RecoverySucceeded():
            story.attempts = given(fact.recovery_attempt) or story.attempts
            _ends(story, event, "recovered")
        case RecoveryFailed():
            _ends(story, event, "unrecovered")
        case _:
            assert_never(fact)


def _rolled_back(stories: _Stories, event: TrailEvent, fact: DeploymentRolledBack) -> None:
    for story in stories.open.pop(("deployment", fact.environment), ()):
        story.recoveries.append(_step(event, fact))
        if story.is_open:
            _ends(story, event, "rolled_back")


def _step(event: TrailEvent, fact: TrailFact) -> RecoveryStep:
    return RecoveryStep(
        timestamp=event.ts,
        event_type=event.fact.event_type,
        event_id=event.event_id,
        sequence=event.version,
        summary=fact.summary(),
    )


def _ends(story: FailureStory, event: TrailEvent, outcome: Outcome) -> None:
    story.outcome = outcome
    story.ended_at = event.ts
    story.ended_by = event.event_id
