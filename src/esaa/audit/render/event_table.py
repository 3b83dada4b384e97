"""The table of all events, as every page format shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from esaa.audit.render.as_json import EventsOf
from esaa.audit.render.tables import Cell, Column, event_cell, time_text
from esaa.audit.report import Report
from esaa.audit.seen import Seen, section_key

EVENT_COLUMNS = (
    Column("Event", "event"),
    Column("Time", "time"),
    Column("Type", "code"),
    Column("Actor", "code"),
    Column("Phase", "code"),
    Column("What happened"),
    Column("Leaf hash", "code"),
)
LEAF_SHOWN = 12


class EventLine(NamedTuple):
    """One row, with what a page can show beside it."""

    cells: tuple[Cell, ...]
    seen: Seen


def event_lines(report: Report, events_of: EventsOf) -> Iterator[EventLine]:
    """The rows in the order of the streams."""
    with_stream = report.totals.streams > 1
    for head in report.evidence.heads:
        if head.selected:
            for seen in events_of(head.stream):
                yield EventLine(_cells(seen, with_stream=with_stream), seen)


def is_listed(report: Report, rows_max: int) -> bool:
    """True where the events are few enough to be listed on a page."""
    return report.evidence.selection.events <= rows_max


def elsewhere(report: Report, rows_max: int) -> str:
    """What a page says in place of its table."""
    events = report.evidence.selection.events
    return (
        f"This report is about {events:,} events; a page lists at most {rows_max:,}. "
        "Every one of them is in the JSON and the CSV of the same report."
    )


def details_of(report: Report, seen: Seen, length_max: int) -> str:
    """The rest of an event: its ids and its metadata, as indented JSON."""
    event, told = seen.event, seen.event.fact
    lines = [f"event_id: {event.event_id}", f"session_id: {told.session_id}"]
    if report.request.by != "issue":
        lines.append(f"section: {section_key(report.request, seen)}")
    lines += [
        f"{name}: {value}"
        for name, value in (
            ("correlation_id", event.correlation_id),
            ("causation_id", event.causation_id),
            ("git_sha", told.git_sha),
            ("branch", told.branch),
            ("occurred_at", told.occurred_at),
        )
        if value
    ]
    lines += [f"redacted: {one.kind} in {one.path} ({one.count})" for one in told.redaction or ()]
    lines += [f"finding: {one.code} {one.path}: {one.message}" for one in told.findings or ()]
    lines += [f"leaf_hash: {seen.leaf}", "metadata:", _indented(told.metadata)]
    text = "\n".join(lines)
    if len(text) <= length_max:
        return text
    return f"{text[:length_max]}\n… {len(text) - length_max:,} more characters; the JSON report has them."


def _indented(metadata: msgspec.Raw) -> str:
    try:
        return msgspec.json.format(bytes(metadata), indent=2).decode()
    except RecursionError:  # another writer nested it endlessly
        return bytes(metadata).decode()


def _cells(seen: Seen, *, with_stream: bool) -> tuple[Cell, ...]:
    event, told = seen.event, seen.event.fact
    return (
        event_cell(seen.stream, event.version, with_stream=with_stream),
        Cell(time_text(event.ts)),
        Cell(told.event_type),
        Cell(f"{told.actor.type}:{told.actor.id}"),
        Cell(seen.phase or ""),
        Cell(seen.fact.summary()),
        Cell(seen.leaf[:LEAF_SHOWN]),
    )
