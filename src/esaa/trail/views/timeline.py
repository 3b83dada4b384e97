"""The specification's third projection: one line per event, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What happened when, and who did it; `sequence` and `event_id` lead to the whole event."""

    timestamp: str
    event_type: str
    actor: str
    summary: str
    sequence: int
    event_id: str


def timeline(pairs: Iterable[tuple[TrailEvent, TrailFact]]) -> list[TimelineEntry]:
    """An entry per event by timestamp, then by sequence; what is equal in both stays in its order."""
    entries = [
        TimelineEntry(
            timestamp=event.ts,
            event_type=event.fact.event_type,
            actor=event.actor,
            summary=fact.summary(),
            sequence=event.version,
            event_id=event.event_id,
        )
        for event, fact in pairs
    ]
    entries.sort(key=lambda entry: (entry.timestamp, entry.sequence))
    return entries
