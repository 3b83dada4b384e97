"""The events of a stream as a report sees them: with their fact, their leaf hash, and the phase that they fall into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, assert_never

from esaa.audit.actors import actor_key
from esaa.audit.request import Request
from esaa.kernel.chain import leaf_hash
from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact, agent_of, phase_of
from esaa.trail.facts.orchestration import OrchestrationResumed, OrchestrationStarted
from esaa.trail.facts.phases import PhaseCompleted, PhaseStarted
from esaa.trail.folds.reading import given
from esaa.trail.types import EventTypes

NO_PHASE = "(no phase)"


class Seen(NamedTuple):
    """One event. `phase` is its own, else the one that its issue is in; `agent` is whom it names."""

    stream: str
    line: bytes
    leaf: str
    event: TrailEvent
    fact: TrailFact
    phase: str | None
    agent: str | None


def seen_events(
    stream: str, located: Iterable[tuple[bytes, TrailEvent]], request: Request, types: EventTypes
) -> Iterator[Seen]:
    """The selected events of a stream. All events before them are read, too: they say which phase it is in."""
    current: str | None = None
    for line, event in located:
        fact = types.fact_of(event)
        own = phase_of(fact)
        if request.selects(event):
            yield Seen(stream, line, leaf_hash(line), event, fact, own or current, agent_of(fact))
        match fact:
            case OrchestrationStarted():
                current = fact.initial_phase
            case PhaseStarted():
                current = fact.phase
            case PhaseCompleted():
                current = given(fact.next_phase) or fact.phase
            case OrchestrationResumed():
                current = given(fact.resume_phase) or current
            case _:
                pass


def section_key(request: Request, seen: Seen) -> str:
    """The section of the report that an event belongs to."""
    match request.by:
        case "issue":
            return seen.stream
        case "user":
            return actor_key(seen.event)
        case "phase":
            return seen.phase or NO_PHASE
        case _:
            assert_never(request.by)
