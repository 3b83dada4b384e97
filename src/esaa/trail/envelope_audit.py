"""The audit of a trail stream's envelopes: what every stored event must be, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from esaa.kernel.line_audit import FINDINGS_MAX, LineFinding
from esaa.trail.event import GLOBAL
from esaa.trail.intake import is_uuid, parse_time, trail_time
from esaa.trail.types import EventTypes
from esaa.trail.wire import ENVELOPE_REQUIRED, raw_metadata


class EnvelopeAudit:
    """Reads the events of one stream in order. `findings` are errors; `faulty` events break their schema."""

    def __init__(self, stream: str, types: EventTypes, first: int = 1) -> None:
        self._issue_key = None if stream == GLOBAL else stream
        self._stream = stream
        self._types = types
        self._next = first
        self._ts = ""
        self._ids: set[str] = set()
        self.findings: list[LineFinding] = []
        self.schema_findings: list[LineFinding] = []
        self.events = 0
        self.faulty = 0
        self.types_seen: dict[str, int] = {}
        self.skewed = 0

    def feed(self, event: dict[str, Any], line: int) -> None:
        """A line that is a JSON object."""
        self.events += 1
        missing = [key for key in ENVELOPE_REQUIRED if key not in event]
        if missing:
            self._add(line, "EVENT_MISSING_FIELDS", f"the event has no `{'`, `'.join(missing)}`")
            self._next += 1
            return
        sequence = event["event_sequence"]
        if sequence != self._next:
            self._add(line, "EVENT_SEQ_INVALID", f"event_sequence is {sequence!r}; {self._next} was to come")
        self._next = sequence + 1 if isinstance(sequence, int) else self._next + 1
        event_id = event["event_id"]
        if not isinstance(event_id, str) or not is_uuid(event_id):
            self._add(line, "EVENT_ID_INVALID", f"event_id {event_id!r} is no UUID")
        elif event_id in self._ids:
            self._add(line, "EVENT_ID_DUPLICATE", f"event_id {event_id} stands twice")
        else:
            self._ids.add(event_id)
        if event["issue_key"] != self._issue_key:
            self._add(line, "STREAM_INVALID", f"the event is of {event['issue_key']!r}, the stream is {self._stream}")
        self._check_time(event, line)
        self._check_schema(event, line)

    def skip(self) -> None:
        """A line that is no JSON object; it is found elsewhere."""
        self.events += 1
        self._next += 1

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """Every line of a trail is read."""
        return False

    def _check_time(self, event: dict[str, Any], line: int) -> None:
        ts = event["timestamp"]
        moment = parse_time(ts) if isinstance(ts, str) else None
        if moment is None or trail_time(moment) != ts:
            self._add(line, "TIMESTAMP_INVALID", f"timestamp {ts!r} is not YYYY-MM-DDTHH:MM:SS.mmmZ")
            return
        if ts < self._ts:
            self._add(line, "TIMESTAMP_BACK", f"timestamp {ts} lies before that of the event before, {self._ts}")
        self._ts = max(self._ts, ts)
        self.skewed += "occurred_at" in event

    def _check_schema(self, event: dict[str, Any], line: int) -> None:
        name, metadata = event["event_type"], event["metadata"]
        if not isinstance(name, str) or not isinstance(metadata, dict):
            self._add(line, "SCHEMA_INVALID", "event_type must be a text, metadata an object")
            self.faulty += 1
            return
        self.types_seen[name] = self.types_seen.get(name, 0) + 1
        if not self._types.knows(name):
            self._fault(line, "EVENT_TYPE_UNKNOWN", f"{name!r:.80} is no event type")
        elif event["event_version"] == self._types.version_of(name):
            faults = self._types.faults(name, raw_metadata(metadata))
            if faults:
                self._fault(line, "SCHEMA_INVALID", f"{name}: {faults[0].path}: {faults[0].message}")

    def _fault(self, line: int, code: str, message: str) -> None:
        self.faulty += 1
        if len(self.schema_findings) < FINDINGS_MAX:
            self.schema_findings.append(LineFinding(line=line, code=code, message=message))

    def _add(self, line: int, code: str, message: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(LineFinding(line=line, code=code, message=message))
