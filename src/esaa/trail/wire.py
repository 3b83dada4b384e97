"""Lines of a trail stream to recorded events and back. Nothing else knows the envelope (the specification's BaseEvent).

Readers accept unknown envelope keys. The metadata stays raw until someone asks for its type.
"""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.kernel.canonical import compact
from esaa.kernel.erasable import Erasable
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import malformed_line
from esaa.redaction.note import Redaction
from esaa.trail.event import Actor, GateFinding, Origin, Source, TrailEvent, Witnessed

ENVELOPE_REQUIRED = (
    "event_id",
    "event_type",
    "event_version",
    "timestamp",
    "event_sequence",
    "issue_key",
    "session_id",
    "actor",
    "metadata",
)
"""The keys that every line has."""


class Envelope(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The keys of a line, in their order."""

    event_id: str
    event_type: str
    event_version: str
    timestamp: str
    event_sequence: int
    issue_key: str | None
    session_id: str
    correlation_id: str | None = None
    causation_id: str | None = None
    actor: Actor
    metadata: msgspec.Raw
    git_sha: str | None = None
    branch: str | None = None
    codebase_state: str | None = None
    vector_clock: dict[str, int] | None = None
    occurred_at: str | None = None
    redaction: tuple[Redaction, ...] | None = None
    erasable: tuple[Erasable, ...] | None = None
    findings: tuple[GateFinding, ...] | None = None
    source: Source | None = None
    origin: Origin | None = None
    prev_hash: str | None = None


_DECODER = msgspec.json.Decoder(Envelope)
_ENCODER = msgspec.json.Encoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class TrailVocabulary:
    """The trail's events as lines. Ids and type versions come with the drafts."""

    @property
    def schema_version(self) -> str:
        """The version of a draft that names none."""
        return "1.0.0"

    def event_id(self, version: int) -> str:
        """Trail events are named by UUIDs, which the recorder makes."""
        raise AssertionError(f"the draft of event {version} brings its own id")

    def encode(self, recorded: TrailEvent) -> bytes:
        """One compact line; keys in the order of the specification, `prev_hash` last."""
        seen = recorded.fact
        line: dict[str, object] = {
            "event_id": recorded.event_id,
            "event_type": seen.event_type,
            "event_version": recorded.schema_version,
            "timestamp": recorded.ts,
            "event_sequence": recorded.version,
            "issue_key": seen.issue_key,
            "session_id": seen.session_id,
        }
        if recorded.correlation_id is not None:
            line["correlation_id"] = recorded.correlation_id
        if recorded.causation_id is not None:
            line["causation_id"] = recorded.causation_id
        line["actor"] = seen.actor
        line["metadata"] = seen.metadata
        if seen.git_sha is not None:
            line["git_sha"] = seen.git_sha
        if seen.branch is not None:
            line["branch"] = seen.branch
        if seen.codebase_state is not None:
            line["codebase_state"] = seen.codebase_state
        if seen.vector_clock is not None:
            line["vector_clock"] = seen.vector_clock
        if seen.occurred_at is not None:
            line["occurred_at"] = seen.occurred_at
        if seen.redaction is not None:
            line["redaction"] = seen.redaction
        if seen.erasable is not None:
            line["erasable"] = seen.erasable
        if seen.findings is not None:
            line["findings"] = seen.findings
        if seen.source is not None:
            line["source"] = seen.source
        if seen.origin is not None:
            line["origin"] = seen.origin
        if recorded.prev_hash is not None:
            line["prev_hash"] = recorded.prev_hash
        return _ENCODER.encode(line)

    def decode(self, line: bytes) -> TrailEvent:
        """The event of a line. Raises `MalformedLine` with JSONL_INVALID, EVENT_MISSING_FIELDS or SCHEMA_INVALID."""
        try:
            envelope = _DECODER.decode(line)
            if not line.isascii():
                line.decode()  # the metadata was passed over, and may be no text
        except _UNREADABLE as error:
            raise malformed_line(line, ENVELOPE_REQUIRED, f"the envelope is malformed: {error}") from None
        return Recorded(
            version=envelope.event_sequence,
            event_id=envelope.event_id,
            ts=envelope.timestamp,
            actor=envelope.actor.id,
            schema_version=envelope.event_version,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.causation_id,
            prev_hash=envelope.prev_hash,
            fact=Witnessed(
                event_type=envelope.event_type,
                metadata=envelope.metadata,
                issue_key=envelope.issue_key,
                session_id=envelope.session_id,
                actor=envelope.actor,
                git_sha=envelope.git_sha,
                branch=envelope.branch,
                codebase_state=envelope.codebase_state,
                vector_clock=envelope.vector_clock,
                occurred_at=envelope.occurred_at,
                redaction=envelope.redaction,
                erasable=envelope.erasable,
                findings=envelope.findings,
                source=envelope.source,
                origin=envelope.origin,
            ),
        )


def metadata_of(event: TrailEvent) -> dict[str, Any]:
    """The metadata of an event as builtins."""
    value: dict[str, Any] = msgspec.json.decode(event.fact.metadata)
    return value


def event_view(event: TrailEvent) -> dict[str, Any]:
    """An event as builtins, with the keys of its line: what every `--json` of the trail shows."""
    view: dict[str, Any] = msgspec.json.decode(TrailVocabulary().encode(event))
    return view


def event_of_view(view: dict[str, Any]) -> TrailEvent:
    """The event of what `event_view` shows."""
    return TrailVocabulary().decode(msgspec.json.encode(view))


def raw_metadata(value: object) -> msgspec.Raw:
    """Metadata as the bytes that a line holds. Raises `ValueError` and `TypeError` for what is no JSON."""
    return msgspec.Raw(compact(value))
