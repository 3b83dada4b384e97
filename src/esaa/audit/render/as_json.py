"""The report as JSON: all of its data, and every event as the very bytes that the trail holds.

An event stands on a line of its own, so that its leaf hash can be checked without esaa. The keys of an issue's summary
are the specification's (workflow 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from esaa.audit.render.json_stream import Elements, json_pieces
from esaa.audit.report import SECTIONS_NAME, Report, as_data
from esaa.audit.request import command_of
from esaa.audit.seen import Seen
from esaa.kernel.canonical import canonical
from esaa.trail.views.timeline import TimelineEntry

EventsOf = Callable[[str], Iterator[Seen]]
"""The selected events of a stream, as often as they are asked for."""


def json_report(report: Report, events_of: EventsOf) -> Iterator[bytes]:
    """The pieces of the file."""
    data: dict[str, Any] = as_data(report) | {"command": command_of(report.request, "json")}
    if report.request.by == "issue":
        for key, section in data[SECTIONS_NAME["issue"]].items():
            section["issue_key"] = key
            section["events"] = _events(events_of, [key])
            section["summary"]["timeline"] = _timeline(events_of, key)
    else:
        streams = [head.stream for head in report.evidence.heads if head.selected]
        data["events"] = _events(events_of, streams)
    yield from json_pieces(data)
    yield b"\n"


def entry_of(seen: Seen) -> TimelineEntry:
    """An event's line of the timeline."""
    event = seen.event
    return TimelineEntry(
        timestamp=event.ts,
        event_type=event.fact.event_type,
        actor=event.actor,
        summary=seen.fact.summary(),
        sequence=event.version,
        event_id=event.event_id,
    )


def _events(events_of: EventsOf, streams: list[str]) -> Elements:
    return Elements(lambda: (seen.line.strip() for stream in streams for seen in events_of(stream)))


def _timeline(events_of: EventsOf, stream: str) -> Elements:
    return Elements(lambda: (canonical(msgspec.to_builtins(entry_of(seen))) for seen in events_of(stream)))
