"""Trail events as tests tell them: a type and its metadata, one minute after the other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from esaa.kernel.recorded import Recorded
from esaa.trail.event import Actor, TrailEvent, Witnessed
from esaa.trail.evolve import evolve
from esaa.trail.facts.base import TrailFact
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.state import OrchestrationState
from esaa.trail.types import EventTypes
from esaa.trail.wire import raw_metadata
from tests.trail.metadata_examples import EXAMPLES

Act = tuple[str, dict[str, Any]]
Pair = tuple[TrailEvent, TrailFact]

TYPES = EventTypes()
START = datetime(2025, 12, 22, 10, 0, tzinfo=UTC)
SESSION = "5f0c2c7e-0000-4000-8000-000000000001"
ORCHESTRATOR = Actor(type="system", id="orchestrator")


def event_id(sequence: int) -> str:
    """The id of the event with this sequence number."""
    return f"00000000-0000-4000-8000-{sequence:012d}"


def clock(minute: float) -> str:
    """The timestamp so many minutes after the start of a scene: its first event is at minute 1."""
    moment = START + timedelta(minutes=minute)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def happened(
    sequence: int,
    event_type: str,
    metadata: dict[str, Any],
    *,
    issue_key: str | None = "PROJ-123",
    session_id: str = SESSION,
    actor: Actor = ORCHESTRATOR,
    causation_id: str | None = None,
    ts: str | None = None,
    version: str | None = None,
) -> TrailEvent:
    """One event."""
    return Recorded(
        version=sequence,
        event_id=event_id(sequence),
        ts=ts or clock(sequence),
        actor=actor.id,
        schema_version=version or TYPES.version_of(event_type),
        causation_id=causation_id,
        fact=Witnessed(
            event_type=event_type,
            metadata=raw_metadata(metadata),
            issue_key=issue_key,
            session_id=session_id,
            actor=actor,
        ),
    )


def scene(*acts: Act, first: int = 1) -> list[TrailEvent]:
    """The events of acts, one a minute."""
    return [happened(first + place, name, metadata) for place, (name, metadata) in enumerate(acts)]


def pairs(events: Iterable[TrailEvent]) -> list[Pair]:
    """Each event with its typed fact."""
    return [(event, TYPES.fact_of(event)) for event in events]


def fold(events: Iterable[TrailEvent], state: OrchestrationState | None = None) -> OrchestrationState:
    """The state after the events."""
    state = OrchestrationState() if state is None else state
    for event, fact in pairs(events):
        evolve(state, event, fact)
    return state


_NAMES: dict[str, list[Any]] = {
    "agent_name": ["ann", "bob"],
    "assigned_task": ["write it", "test it", "T-1"],
    "approval_id": ["ap-1", "ap-2"],
    "assumption_id": ["as-1", "as-2"],
    "budget_id": ["b-1", "b-2"],
    "channel": ["slack", "email"],
    "check_type": ["lint", "code_review"],
    "checkpoint_id": ["ck-1", "ck-2"],
    "checkpoint_phase": ["PLAN", "CODE"],
    "ci_run_id": ["ci-1", "ci-2"],
    "status": ["success", "failed"],
    "current_phase": ["PLAN", "CODE"],
    "deployment_id": ["d-1", "d-2"],
    "environment": ["staging", "production"],
    "failure_phase": ["PLAN", "CODE"],
    "gap_id": ["g-1", "g-2"],
    "initial_phase": ["EXPLORE", "PLAN"],
    "next_phase": ["CODE", None, ""],
    "phase": ["PLAN", "CODE"],
    "pr_number": [1, 2],
    "recovery_from": [event_id(1), event_id(2), event_id(3)],
    "replay_id": ["r-1", "r-2"],
    "reservation_id": ["res-1", "res-2"],
    "resume_phase": ["PLAN", "CODE"],
    "review_id": ["rv-1", "rv-2"],
    "system": ["jira", "github"],
    "task_id": ["T-1", "T-2"],
    "task_status": ["success", "failed", "skipped"],
    "test_suite": ["unit", "e2e"],
    "tool_name": ["Bash", "Edit"],
    "failed": [0, 2],
    "amount": [0, 3, 10],
    "reserved": [0, 5],
}
"""Few names for what later events refer to, so that they meet."""


def _metadata_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    example = EXAMPLES[name]
    required = set(TYPES.required_of(name))
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for key, value in example.items():
        if isinstance(value, bool):
            fields[key] = st.booleans()
        elif key in _NAMES and _fits(name, example, key):
            fields[key] = st.sampled_from([one for one in _NAMES[key] if _takes(name, example | {key: one})])
        else:
            fields[key] = st.just(value)
    return st.fixed_dictionaries(
        {key: one for key, one in fields.items() if key in required},
        optional={key: one for key, one in fields.items() if key not in required},
    )


def _fits(name: str, example: dict[str, Any], key: str) -> bool:
    return any(_takes(name, example | {key: one}) for one in _NAMES[key])


def _takes(name: str, metadata: dict[str, Any]) -> bool:
    return TYPES.faults(name, raw_metadata(metadata)) == []


_ACTS: dict[str, st.SearchStrategy[Act]] = {name: st.tuples(st.just(name), _metadata_of(name)) for name in TRAIL_TYPES}


def acts(*names: str) -> st.SearchStrategy[Act]:
    """Valid acts of these types, of all where none is named; optional fields come and go."""
    return st.sampled_from(names or tuple(TRAIL_TYPES)).flatmap(_ACTS.__getitem__)


def scenes(*names: str, size_max: int = 25) -> st.SearchStrategy[list[TrailEvent]]:
    """Scenes of acts of these types, in any order."""
    return st.lists(acts(*names), max_size=size_max).map(lambda told: scene(*told))
