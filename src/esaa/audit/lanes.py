"""The timeline as data: one lane for each phase and agent, with what lasted as spans and what happened as marks."""

from __future__ import annotations

from typing import Literal

import msgspec

from esaa.trail.event import TrailEvent
from esaa.trail.facts.agents import AgentCompleted, AgentFailed, AgentSpawned
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.phases import PhaseCompleted, PhaseFailed, PhaseStarted
from esaa.trail.facts.sessions import SessionEnded, SessionStarted
from esaa.trail.facts.tasks import TaskClaimed, TaskCompleted

LaneKind = Literal["section", "phase", "agent", "event"]
Outcome = Literal["open", "completed", "failed"]
MarkKind = Literal["commit", "pull_request", "gap", "error", "recovery", "refused", "approval"]

LANES_MAX = 24
SPANS_MAX = 200
MARKS_MAX = 300

MARKS: dict[str, MarkKind] = {
    "CommitCreated": "commit",
    "PRCreated": "pull_request",
    "PRMerged": "pull_request",
    "GapIdentified": "gap",
    "GapEscalated": "gap",
    "ErrorOccurred": "error",
    "AgentFailed": "error",
    "PhaseFailed": "error",
    "OrchestrationFailed": "error",
    "RecoverySucceeded": "recovery",
    "GapResolved": "recovery",
    "OutputRejected": "refused",
    "ToolDenied": "refused",
    "ApprovalDenied": "refused",
    "ApprovalGranted": "approval",
}
"""What the lane of events shows. The words are the legend's."""


class Span(msgspec.Struct, kw_only=True):
    """Something that lasted; without an end it was open at the last event."""

    start: str
    end: str | None = None
    outcome: Outcome = "open"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. `sequence` leads to the event."""

    at: str
    kind: MarkKind
    sequence: int
    stream: str


class Lane(msgspec.Struct, kw_only=True):
    """One line of the chart. `spans_dropped` says how many did not fit."""

    kind: LaneKind
    name: str
    spans: list[Span] = []
    spans_dropped: int = 0


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: from when to when, its lanes and marks, and how many of both did not fit."""

    first_at: str
    last_at: str
    lanes: tuple[Lane, ...]
    lanes_dropped: int
    marks: tuple[Mark, ...]
    marks_dropped: int


class LaneFold:
    """Follows the events of a section."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[LaneKind, str], Lane] = {}
        self._open: dict[tuple[LaneKind, str, str], Span | None] = {}
        self._marks: list[Mark] = []
        self._marks_dropped = 0
        self._lanes_dropped: set[tuple[LaneKind, str]] = set()
        self._first = ""
        self._last = ""

    def take(self, stream: str, event: TrailEvent, fact: TrailFact) -> None:
        """One more event."""
        self._first = min(self._first or event.ts, event.ts)
        self._last = max(self._last, event.ts)
        kind = MARKS.get(event.fact.event_type)
        if kind is not None:
            if len(self._marks) < MARKS_MAX:
                self._marks.append(Mark(at=event.ts, kind=kind, sequence=event.version, stream=stream))
            else:
                self._marks_dropped += 1
        match fact:
            case PhaseStarted():
                self._begin("phase", fact.phase, stream, event)
            case PhaseCompleted():
                self._end("phase", fact.phase, stream, event, "completed")
            case PhaseFailed():
                self._end("phase", fact.phase, stream, event, "failed")
            case AgentSpawned() | TaskClaimed():
                self._begin("agent", fact.agent_name, stream, event)
            case AgentCompleted() | TaskCompleted():
                self._end("agent", fact.agent_name, stream, event, "completed")
            case AgentFailed():
                self._end("agent", fact.agent_name, stream, event, "failed")
            case SessionStarted() if isinstance(fact.agent_name, str):
                self._begin("agent", fact.agent_name, stream, event)
            case SessionEnded() if isinstance(fact.agent_name, str):
                outcome: Outcome = "failed" if fact.outcome in ("failed", "timed_out") else "completed"
                self._end("agent", fact.agent_name, stream, event, outcome)
            case _:
                pass

    def lanes(self) -> Lanes | None:
        """The chart so far; None without events."""
        if not self._first:
            return None
        ordered = sorted(self._lanes.values(), key=lambda lane: lane.kind != "phase")
        return Lanes(
            first_at=self._first,
            last_at=self._last,
            lanes=tuple(ordered),
            lanes_dropped=len(self._lanes_dropped),
            marks=tuple(self._marks),
            marks_dropped=self._marks_dropped,
        )

    def _begin(self, kind: LaneKind, name: str, stream: str, event: TrailEvent) -> None:
        # An agent that claims a task while it works on another one works on.
        if (kind, name, stream) not in self._open:
            self._open[kind, name, stream] = self._add(kind, name, Span(start=event.ts))

    def _end(self, kind: LaneKind, name: str, stream: str, event: TrailEvent, outcome: Outcome) -> None:
        if (kind, name, stream) in self._open:
            span = self._open.pop((kind, name, stream))
        else:
            # Its beginning is not among the events: the end at least is a point in time.
            span = self._add(kind, name, Span(start=event.ts))
        if span is not None:
            span.end, span.outcome = event.ts, outcome

    def _add(self, kind: LaneKind, name: str, span: Span) -> Span | None:
        lane = self._lanes.get((kind, name))
        if lane is None:
            if len(self._lanes) >= LANES_MAX:
                self._lanes_dropped.add((kind, name))
                return None
            lane = self._lanes[kind, name] = Lane(kind=kind, name=name)
        if len(lane.spans) >= SPANS_MAX:
            lane.spans_dropped += 1
            return None
        lane.spans.append(span)
        return span


def overview(sections: dict[str, tuple[str, str]]) -> Lanes | None:
    """One lane for each section of a report, from its first event to its last; None for a single one."""
    if len(sections) < 2:
        return None
    shown = list(sections.items())[:LANES_MAX]
    return Lanes(
        first_at=min(first for first, _ in sections.values()),
        last_at=max(last for _, last in sections.values()),
        lanes=tuple(
            Lane(kind="section", name=name, spans=[Span(start=first, end=last, outcome="completed")])
            for name, (first, last) in shown
        ),
        lanes_dropped=len(sections) - len(shown),
        marks=(),
        marks_dropped=0,
    )
