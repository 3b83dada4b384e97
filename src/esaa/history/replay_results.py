"""How replayed events ended when they were recorded, and whether a replay ended alike.

A beginning such as TestRunStarted ends with TestRunCompleted or TestRunFailed: the first such event that it caused, or,
where nobody said what caused what, the next one about the same suite, check, run, agent, phase or review.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact, named
from esaa.trail.wire import metadata_of


class Recorded(NamedTuple):
    """The event that tells how another one ended, with its fact."""

    event: TrailEvent
    fact: TrailFact


class Ending(NamedTuple):
    """How events of a type end: what names both, the type of a good end, the fields to compare, that of a bad end."""

    identity: str
    completed: str
    compared: tuple[str, ...]
    failed: str | None


ENDINGS: Mapping[str, Ending] = {
    "TestRunStarted": Ending(
        "test_suite", "TestRunCompleted", ("total_tests", "passed", "failed", "skipped"), "TestRunFailed"
    ),
    "QualityCheckStarted": Ending(
        "check_type",
        "QualityCheckCompleted",
        ("passed_quality_gate", "issues_found", "overall_score"),
        "QualityCheckFailed",
    ),
    "CiRunStarted": Ending("ci_run_id", "CiRunCompleted", ("status",), "CiRunFailed"),
    "AgentSpawned": Ending("agent_name", "AgentCompleted", ("task_status", "outputs_created"), "AgentFailed"),
    "PhaseStarted": Ending("phase", "PhaseCompleted", ("success_criteria_met", "next_phase"), "PhaseFailed"),
    "ReviewRequested": Ending("review_id", "ReviewCompleted", ("decision",), None),
}
"""The types whose outcome is told by a later event. The outcome of any other is told by the event itself."""

_STARTS_OF = {
    end: start for start, ending in ENDINGS.items() for end in (ending.completed, ending.failed) if end is not None
}
_VOLATILE = frozenset({"duration_seconds", "extra", "issue_key"})


def recorded_results(pairs: Iterable[tuple[TrailEvent, TrailFact]]) -> dict[str, Recorded]:
    """The ends of those events that have one among `pairs`, by the id of the event that began."""
    found: dict[str, Recorded] = {}
    types: dict[str, str] = {}
    open_ids: dict[tuple[str, str | None], list[str]] = {}
    for event, fact in pairs:
        name = event.fact.event_type
        if name in ENDINGS:
            types[event.event_id] = name
            open_ids.setdefault((name, named(fact, ENDINGS[name].identity)), []).append(event.event_id)
            continue
        start = _STARTS_OF.get(name)
        if start is None:
            continue
        waiting = open_ids.get((start, named(fact, ENDINGS[start].identity)), [])
        cause = event.causation_id
        if cause is None or types.get(cause) != start:
            cause = waiting[-1] if waiting else None
        if cause is None or cause in found:
            continue
        found[cause] = Recorded(event, fact)
        if cause in waiting:
            waiting.remove(cause)
    return found


def matches_recorded(event: TrailEvent, recorded: Recorded | None, outcome: Mapping[str, Any]) -> bool | None:
    """True where an outcome says what was recorded, False where it says something else, None where nobody can tell.

    Compared is what both have: the fields of `ENDINGS`, or the metadata of the event itself.
    """
    ending = ENDINGS.get(event.fact.event_type)
    if ending is None:
        return _same(metadata_of(event), outcome, set(outcome) - _VOLATILE)
    if recorded is None:
        return None
    if recorded.event.fact.event_type == ending.failed:
        # A good end is another outcome, where the handler tells of an end at all.
        return False if set(ending.compared) & set(outcome) else None
    return _same(metadata_of(recorded.event), outcome, set(ending.compared))


def _same(recorded: Mapping[str, Any], outcome: Mapping[str, Any], fields: set[str]) -> bool | None:
    common = fields & set(recorded) & set(outcome)
    return all(recorded[key] == outcome[key] for key in common) if common else None
