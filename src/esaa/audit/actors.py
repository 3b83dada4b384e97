"""Who did what: the events of each actor, by type."""

from __future__ import annotations

from esaa.audit.rows import ActorRow
from esaa.trail.event import TrailEvent

_TYPE_ORDER = {"user": 0, "agent": 1, "system": 2}


class Actors:
    """Counts, event by event."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], ActorRow] = {}

    def take(self, event: TrailEvent) -> None:
        """One more event."""
        actor = event.fact.actor
        row = self._rows.get((actor.type, actor.id))
        if row is None:
            row = self._rows[actor.type, actor.id] = ActorRow(
                actor_type=actor.type,
                actor_id=actor.id,
                model=None,
                events=0,
                event_types={},
                first_at=event.ts,
                last_at=event.ts,
            )
        row.events += 1
        row.model = actor.model or row.model
        row.event_types[event.fact.event_type] = row.event_types.get(event.fact.event_type, 0) + 1
        # Streams are read one after the other, so an earlier event may come later.
        row.first_at = min(row.first_at, event.ts)
        row.last_at = max(row.last_at, event.ts)

    def rows(self) -> tuple[ActorRow, ...]:
        """Persons first, then agents, then parts of the system; the busiest of each first."""
        return tuple(
            sorted(self._rows.values(), key=lambda row: (_TYPE_ORDER[row.actor_type], -row.events, row.actor_id))
        )


def actor_key(event: TrailEvent) -> str:
    """The name of an event's actor: `user:ID`, `agent:ID` or `system:ID`."""
    actor = event.fact.actor
    return f"{actor.type}:{actor.id}"
