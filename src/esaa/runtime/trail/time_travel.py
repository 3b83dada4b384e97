"""What it looked like at a moment: the state, the events around it, and the specification's summary (workflow 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from esaa.runtime.trail.states import TrailStates, moment_text
from esaa.runtime.trail.trail import Trail
from esaa.trail.intake import parse_time, trail_time
from esaa.trail.state import OrchestrationState
from esaa.trail.wire import event_view


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a time-travel query; its keys are the specification's."""

    query_timestamp: str
    state: OrchestrationState
    surrounding_events: tuple[dict[str, Any], ...]
    state_summary: dict[str, Any]
    sequence: int
    findings: tuple[str, ...] = ()


def time_travel_query(
    trail: Trail, issue_key: str, query_timestamp: str, *, window_minutes: float = 5, states: TrailStates | None = None
) -> Moment:
    """The state of an issue at a time, with the events of `window_minutes` before and after it.

    Raises `UsageError` for a time or a key that is none, `NotFound` for an issue without events.
    """
    at = moment_text(query_timestamp)
    found = (states or TrailStates(trail)).reconstruct(issue_key, at)
    moment = parse_time(at)
    assert moment is not None, "moment_text gives a time"
    window = timedelta(minutes=window_minutes)
    stream = trail.store.stream(issue_key)
    first = stream.sequence_at(_just_before(trail_time(moment - window))) + 1
    last = stream.sequence_at(trail_time(moment + window))
    around = tuple(event_view(located.event) for located in stream.events(first, last)) if first <= last else ()
    return Moment(
        query_timestamp=query_timestamp,
        state=found.state,
        surrounding_events=around,
        state_summary=summary_of(found.state),
        sequence=found.sequence,
        findings=found.findings,
    )


def summary_of(state: OrchestrationState) -> dict[str, Any]:
    """The specification's summary of a state."""
    return {
        "current_phase": state.current_phase,
        "active_agents": list(state.active_agents),
        "completed_phases": list(state.completed_phases),
        "pending_tasks": len(state.pending_tasks()),
    }


def _just_before(ts: str) -> str:
    """A text that sorts before a time and after every earlier one: its own millisecond is inside the window."""
    return ts[:-1]
