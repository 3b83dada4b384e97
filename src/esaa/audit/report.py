"""The report as data: what it was asked, what it rests on, and what it says. Every format is a view of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, assert_never

import msgspec

from esaa.audit.actors import Actors
from esaa.audit.embedded import KIND
from esaa.audit.evidence import (
    REPORT_VERSION,
    ChainCheck,
    Conformance,
    Evidence,
    Generator,
    SelectionDigest,
    StreamHead,
    content_digest,
    heads_digest,
)
from esaa.audit.lanes import Lanes, overview
from esaa.audit.request import Grouping, Request, stream_order
from esaa.audit.rows import ActorRow
from esaa.audit.section import Section, SectionFold
from esaa.audit.seen import Seen, section_key
from esaa.audit.stream_fold import StreamFold
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.types import EventTypes
from esaa.trail.views.durations import seconds_between

SECTIONS_NAME: dict[Grouping, str] = {"issue": "issues", "user": "users", "phase": "phases"}
"""What the sections are called in the JSON."""

_OPEN_ERRORS = frozenset({"open", "recovering", "unrecovered"})


class Totals(msgspec.Struct, kw_only=True):
    """The figures of the whole report. Tokens and cost are null where nobody recorded any."""

    events: int
    streams: int
    actors: int
    agents: int
    phases_completed: int
    commits: int
    pull_requests: int
    pull_requests_merged: int
    gaps: int
    gaps_open: int
    errors: int
    errors_open: int
    rejections: int
    tests_passed: int
    tests_failed: int
    checks_passed: int
    checks_failed: int
    tasks: int
    tasks_done: int
    tokens_in: int | None
    tokens_out: int | None
    cost_micro_usd: int | None
    first_at: str | None
    last_at: str | None
    duration_seconds: float | None


class Report(msgspec.Struct, kw_only=True):
    """A whole report. `generated_at` is the only thing in it that does not follow from the trail and the request."""

    generated_at: str
    request: Request
    evidence: Evidence
    totals: Totals
    actors: tuple[ActorRow, ...]
    chart: Lanes | None
    sections: dict[str, Section]


class ReportFold:
    """Makes a report from the events of its streams, which come one after the other in the order of their names."""

    def __init__(self, request: Request, types: EventTypes) -> None:
        self.request = request
        self.types_seen: set[str] = set()
        self._types = types
        self._sections: dict[str, SectionFold] = {}
        self._actors = Actors()
        self._digest = SelectionDigest()
        self._conformance = Conformance()
        self._stream = StreamFold("")
        self._heads: list[StreamHead] = []
        self._checks: list[ChainCheck] = []
        self._selected = 0

    def begin(self, stream: str) -> None:
        """The events that follow are of this stream."""
        self._stream = StreamFold(stream)
        self._selected = 0

    def take(self, seen: Seen) -> None:
        """One selected event."""
        key = section_key(self.request, seen)
        section = self._sections.get(key)
        if section is None:
            section = self._sections[key] = SectionFold(key)
        section.take(seen.stream, seen.event, seen.fact)
        self._stream.take(key, seen.event, seen.fact)
        self._actors.take(seen.event)
        self._digest.add(seen.stream, seen.event.version, seen.leaf)
        self._conforms(seen)
        self._selected += 1

    def end(self, check: ChainCheck, merkle_root: str) -> None:
        """The stream is read to its end."""
        self._stream.finish(lambda key: self._sections[key].section, is_issue=self.request.by == "issue")
        self._checks.append(check)
        head = check.head(self._selected, merkle_root)
        if head is not None:
            self._heads.append(head)

    def finish(self, generated_at: str, generator_version: str, schema_version: str) -> Report:
        """The report."""
        sections = {one.key: one for one in sorted((fold.finish() for fold in self._sections.values()), key=self._rank)}
        actors = self._actors.rows()
        findings = tuple(finding for check in self._checks for finding in check.findings)
        evidence = Evidence(
            chain="broken" if findings else "intact",
            conformance=self._conformance,
            findings=findings,
            findings_count=sum(check.findings_count for check in self._checks),
            generator=Generator(name="esaa", version=generator_version),
            heads=tuple(self._heads),
            heads_sha256=heads_digest(self._heads),
            report_version=REPORT_VERSION,
            schema_version=schema_version,
            selection=self._digest.selection(),
        )
        report = Report(
            generated_at=generated_at,
            request=self.request,
            evidence=evidence,
            totals=_totals(list(sections.values()), len(actors)),
            actors=actors,
            chart=overview({key: (one.first_at, one.last_at) for key, one in sections.items()}),
            sections=sections,
        )
        report.evidence = msgspec.structs.replace(evidence, report_sha256=content_digest(said(report)))
        return report

    def _conforms(self, seen: Seen) -> None:
        name, told = seen.event.fact.event_type, seen.event.fact
        self.types_seen.add(name)
        conformance = self._conformance
        if not self._types.knows(name):
            conformance.unknown_type += 1
        elif type(seen.fact).__name__ != name and (name in TRAIL_TYPES or self._types.faults(name, told.metadata)):
            conformance.not_fitting += 1
        conformance.redacted += told.redaction is not None
        conformance.told_late += told.occurred_at is not None
        conformance.with_findings += told.findings is not None

    def _rank(self, section: Section) -> tuple[object, ...]:
        match self.request.by:
            case "issue":
                return stream_order(section.key)
            case "user":
                return (_USER_ORDER[section.actors[0].actor_type], -section.summary.total_events, section.key)
            case "phase":
                return (section.first_at, section.key)
            case _:
                assert_never(self.request.by)


_USER_ORDER = {"user": 0, "agent": 1, "system": 2}


def said(report: Report) -> dict[str, Any]:
    """Everything that a report says, as builtins, without the moment of its making and without its own digest."""
    value: dict[str, Any] = msgspec.to_builtins(report)
    del value["generated_at"]
    del value["evidence"]["report_sha256"]
    return value


def as_data(report: Report) -> dict[str, Any]:
    """The report as its JSON has it: the sections by their kind, all of it without a single event's body."""
    value: dict[str, Any] = msgspec.to_builtins(report)
    sections = value.pop("sections")
    return value | {"kind": KIND, SECTIONS_NAME[report.request.by]: sections}


def _totals(sections: Sequence[Section], actors: int) -> Totals:
    def count(number: Callable[[Section], int]) -> int:
        return sum(number(one) for one in sections)

    agents = [row for one in sections for row in one.agents]
    errors = [row for one in sections for row in one.errors if row.kind != "tool"]
    first = min((one.first_at for one in sections), default=None)
    last = max((one.last_at for one in sections), default=None)
    return Totals(
        events=count(lambda one: one.summary.total_events),
        streams=len({stream for one in sections for stream in one.streams}),
        actors=actors,
        agents=len({row.agent for row in agents}),
        phases_completed=count(lambda one: one.summary.phases_completed),
        commits=count(lambda one: len(one.commits)),
        pull_requests=count(lambda one: len(one.pull_requests)),
        pull_requests_merged=count(lambda one: sum(row.status == "merged" for row in one.pull_requests)),
        gaps=count(lambda one: len(one.gaps)),
        gaps_open=count(lambda one: sum(row.status != "resolved" for row in one.gaps)),
        errors=len(errors),
        errors_open=sum(row.outcome in _OPEN_ERRORS for row in errors),
        rejections=count(lambda one: sum(row.count for row in one.rejections)),
        tests_passed=count(lambda one: sum(row.passed or 0 for row in one.tests)),
        tests_failed=count(lambda one: sum(row.failed or 0 for row in one.tests)),
        checks_passed=count(lambda one: sum(row.status == "passed" for row in one.checks)),
        checks_failed=count(lambda one: sum(row.status == "failed" for row in one.checks)),
        tasks=count(lambda one: len(one.tasks)),
        tasks_done=count(lambda one: sum(row.status == "done" for row in one.tasks)),
        tokens_in=_sum(row.tokens_in for row in agents),
        tokens_out=_sum(row.tokens_out for row in agents),
        cost_micro_usd=_sum(row.cost_micro_usd for row in agents),
        first_at=first,
        last_at=last,
        duration_seconds=seconds_between(first, last),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [one for one in values if one is not None]
    return sum(known) if known else None
