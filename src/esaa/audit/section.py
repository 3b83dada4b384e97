"""One section of a report: an issue, an actor or a phase, with everything that its events tell."""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.audit.actors import Actors
from esaa.audit.lanes import LaneFold, Lanes
from esaa.audit.rows import (
    ActorRow,
    AgentRow,
    ApprovalRow,
    BudgetRow,
    CheckRow,
    CommitRow,
    ErrorRow,
    GapRow,
    NoteRow,
    PhaseRow,
    PullRequestRow,
    RejectionRow,
    TaskRow,
    TestRow,
)
from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact
from esaa.trail.wire import event_view

COUNTED = {
    "PhaseCompleted": "phases_completed",
    "AgentSpawned": "agents_spawned",
    "CommitCreated": "commits_created",
    "PRCreated": "prs_created",
    "ErrorOccurred": "errors_occurred",
}
"""What the specification's summary counts."""


class Summary(msgspec.Struct, kw_only=True):
    """The specification's summary of an issue (workflow 5), but for its timeline, which the JSON report adds."""

    total_events: int = 0
    orchestration_started: dict[str, Any] | None = None
    orchestration_completed: dict[str, Any] | None = None
    phases_completed: int = 0
    agents_spawned: int = 0
    commits_created: int = 0
    prs_created: int = 0
    errors_occurred: int = 0


class Section(msgspec.Struct, kw_only=True):
    """What the report says of one issue, actor or phase. `streams` are the issues that its events are from.

    `title` and `status` are those of an issue's orchestration; an actor and a phase have none.
    """

    key: str
    title: str | None = None
    status: str | None = None
    first_at: str = ""
    last_at: str = ""
    streams: list[str] = []
    event_types: dict[str, int] = {}
    summary: Summary = msgspec.field(default_factory=Summary)
    actors: tuple[ActorRow, ...] = ()
    agents: list[AgentRow] = []
    approvals: list[ApprovalRow] = []
    budgets: list[BudgetRow] = []
    chart: Lanes | None = None
    checks: list[CheckRow] = []
    commits: list[CommitRow] = []
    errors: list[ErrorRow] = []
    gaps: list[GapRow] = []
    notes: list[NoteRow] = []
    phases: list[PhaseRow] = []
    pull_requests: list[PullRequestRow] = []
    rejections: list[RejectionRow] = []
    tasks: list[TaskRow] = []
    tests: list[TestRow] = []


class SectionFold:
    """Counts the events of a section. Its rows come from `stream_fold`, which sees whole streams."""

    def __init__(self, key: str) -> None:
        self.section = Section(key=key)
        self._actors = Actors()
        self._lanes = LaneFold()

    def take(self, stream: str, event: TrailEvent, fact: TrailFact) -> None:
        """One more event; the streams come one after the other."""
        section, name = self.section, event.fact.event_type
        if not section.streams or section.streams[-1] != stream:
            section.streams.append(stream)
        section.first_at = min(section.first_at or event.ts, event.ts)
        section.last_at = max(section.last_at, event.ts)
        section.event_types[name] = section.event_types.get(name, 0) + 1
        _count(section.summary, name, event)
        self._actors.take(event)
        self._lanes.take(stream, event, fact)

    def finish(self) -> Section:
        """The section."""
        self.section.actors = self._actors.rows()
        self.section.chart = self._lanes.lanes()
        return self.section


def _count(summary: Summary, name: str, event: TrailEvent) -> None:
    summary.total_events += 1
    counted = COUNTED.get(name)
    if counted is not None:
        setattr(summary, counted, getattr(summary, counted) + 1)
    elif name == "OrchestrationStarted" and summary.orchestration_started is None:
        summary.orchestration_started = _view(event)
    elif name == "OrchestrationCompleted" and summary.orchestration_completed is None:
        summary.orchestration_completed = _view(event)


def _view(event: TrailEvent) -> dict[str, Any]:
    """The whole event; without its metadata where another writer put a number there that no reader can keep."""
    try:
        return event_view(event)
    except (msgspec.DecodeError, RecursionError):
        fact = msgspec.structs.replace(event.fact, metadata=msgspec.Raw(b"{}"))
        return event_view(msgspec.structs.replace(event, fact=fact))
