"""The gaps of one stream, each with its whole story: found by whom, escalated to whom, closed how and how fast."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

import msgspec

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.gaps import GapEscalated, GapIdentified, GapResolved
from esaa.trail.folds.reading import given
from esaa.trail.views.durations import seconds_between

_BY_SEVERITY = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4, None: 5}


class GapStory(msgspec.Struct, kw_only=True):
    """One gap.

    - `status`: `escalated` is open still, and waits for someone else.
    - `identified_at`: when it was found first; None where only its end was recorded.
    - `time_to_resolve_seconds`: as the event says, else from when it was found last.
    - `times_identified`: more than 1 where it came back, or was found by several.
    """

    gap_id: str
    status: Literal["open", "escalated", "resolved"] = "open"
    gap_type: str | None = None
    severity: str | None = None
    phase: str | None = None
    description: str | None = None
    affected_modules: list[str] = []
    blocking: bool = False
    blocking_deployment: bool = False
    identified_at: str | None = None
    identified_by: str | None = None
    times_identified: int = 0
    escalated_at: str | None = None
    escalated_to: str | None = None
    escalation_reason: str | None = None
    resolved_at: str | None = None
    resolved_by: str | None = None
    resolution_strategy: str | None = None
    time_to_resolve_seconds: float | None = None

    @property
    def is_open(self) -> bool:
        """True until it is resolved."""
        return self.status != "resolved"


def gaps(pairs: Iterable[tuple[TrailEvent, TrailFact]]) -> list[GapStory]:
    """The open gaps first, the worst of them first; then the resolved ones in the order in which they were closed."""
    stories: dict[str, GapStory] = {}
    found_at: dict[str, str] = {}
    for event, fact in pairs:
        if not isinstance(fact, GapIdentified | GapEscalated | GapResolved):
            continue
        story = stories.setdefault(fact.gap_id, GapStory(gap_id=fact.gap_id))
        match fact:
            case GapIdentified():
                found_at[fact.gap_id] = event.ts
                _identified(story, event, fact)
            case GapEscalated():
                _escalated(story, event, fact)
            case GapResolved():
                _resolved(story, event, fact, found_at.get(fact.gap_id))
            case _:
                assert_never(fact)
    return sorted(stories.values(), key=_rank)


def _rank(story: GapStory) -> tuple[bool, int, str]:
    if story.is_open:
        return False, _BY_SEVERITY[story.severity], story.identified_at or ""
    return True, 0, story.resolved_at or ""


def _identified(story: GapStory, event: TrailEvent, fact: GapIdentified) -> None:
    if story.status == "resolved":
        # It came back: its end was none.
        story.status = "open"
        story.resolved_at = story.resolved_by = story.resolution_strategy = story.time_to_resolve_seconds = None
    story.gap_type = given(fact.gap_type) or story.gap_type
    story.severity = fact.severity
    story.phase = given(fact.phase) or story.phase
    story.description = fact.description
    story.affected_modules = list(given(fact.affected_modules) or story.affected_modules)
    story.blocking = fact.blocking is True
    story.identified_at = story.identified_at or event.ts
    story.identified_by = story.identified_by or given(fact.identified_by) or event.actor
    story.times_identified += 1


def _escalated(story: GapStory, event: TrailEvent, fact: GapEscalated) -> None:
    if story.status == "open":
        story.status = "escalated"
    story.gap_type = story.gap_type or given(fact.gap_type)
    story.severity = given(fact.severity) or story.severity
    story.blocking_deployment = fact.blocking_deployment is True
    story.blocking = story.blocking or fact.work_paused is True
    story.escalated_at = event.ts
    story.escalated_to = given(fact.escalated_to)
    story.escalation_reason = fact.escalation_reason


def _resolved(story: GapStory, event: TrailEvent, fact: GapResolved, found_at: str | None) -> None:
    told = given(fact.time_to_resolve_seconds)
    story.status = "resolved"
    story.resolved_at = event.ts
    story.resolved_by = given(fact.resolved_by) or event.actor
    story.resolution_strategy = given(fact.resolution_strategy)
    story.time_to_resolve_seconds = seconds_between(found_at, event.ts) if told is None else told
