"""Lines of `activity.jsonl` to recorded facts and back. Nothing else knows the envelope (FORMATS).

Reads 0.3.0 (legacy shim), 0.4.0 and 0.4.1; writes 0.4.0 or 0.4.1. Readers accept unknown envelope keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from esaa.kernel.canonical import compact
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine, malformed_line
from esaa.protocol.facts import FACT_TYPES, Fact, ForeignRecorded, TaskReviewed

P = TypeVar("P")

LEGACY = "0.3.0"
WRITABLE = ("0.4.0", "0.4.1")
_LEGACY_ACTIONS = {"run.init": "run.start"}
_REQUIRED = ("event_id", "event_seq", "ts", "actor", "action", "payload")
_STAND_INS = {"payload": "data"}
_NO_PAYLOAD = msgspec.Raw(b"{}")


class Envelope(msgspec.Struct, kw_only=True):
    """The keys around a payload, as read. The payload stays raw until its action is known."""

    event_id: str
    event_seq: int
    ts: str
    actor: str
    action: str
    schema_version: str = LEGACY
    payload: msgspec.Raw | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    reviewer_role: str | UnsetType | None = UNSET
    command_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    prev_hash: str | None = None


class Line(msgspec.Struct, Generic[P], kw_only=True, omit_defaults=True, gc=False):
    """A line as it is written: the keys, in the order of FORMATS, around the payload (a Fact, or its raw bytes)."""

    schema_version: str
    event_id: str
    event_seq: int
    ts: str
    actor: str
    action: str
    payload: P
    reviewer_role: str | UnsetType = UNSET
    command_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    prev_hash: str | None = None


class _ReviewPayload(TaskReviewed, frozen=True, kw_only=True):
    """Older 0.4.1 writers put the reviewer's role into the payload."""

    old_reviewer_role: str | UnsetType = msgspec.field(name="_reviewer_role", default=UNSET)


class _TypedLine(Recorded[P], Generic[P], frozen=True, kw_only=True):
    """A whole line, decoded in one step once its action is known: an event as it stands on the wire."""

    version: int = msgspec.field(name="event_seq")
    fact: P = msgspec.field(name="payload")
    action: str
    reviewer_role: str | UnsetType | None = UNSET


_PAYLOAD_TYPES: dict[str, Any] = {
    fact.action_name: _ReviewPayload if fact is TaskReviewed else fact for fact in FACT_TYPES
}
_ACTION_KEY = b'"action":"'
_TYPED: dict[bytes, msgspec.json.Decoder[_TypedLine[Any]]] = {
    name.encode(): msgspec.json.Decoder(_TypedLine[payload])  # type: ignore[valid-type]  # one type for each action
    for name, payload in _PAYLOAD_TYPES.items()
}
_ENCODER = msgspec.json.Encoder()
_ENVELOPE = msgspec.json.Decoder(Envelope)
_PAYLOADS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(payload) for name, payload in _PAYLOAD_TYPES.items()
}
_UNTYPED = msgspec.json.Decoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ProtocolVocabulary:
    """The protocol's events as lines. `schema_version` is what new lines carry."""

    def __init__(self, schema_version: str = "0.4.0") -> None:
        self._schema_version = schema_version

    @property
    def schema_version(self) -> str:
        """The version that new lines carry."""
        return self._schema_version

    def event_id(self, version: int) -> str:
        """`EV-%08d` of the seq (INV-004)."""
        return f"EV-{version:08d}"

    def encode(self, recorded: Recorded[Fact]) -> bytes:
        """One compact line; keys in the order of FORMATS, `prev_hash` last."""
        fact = recorded.fact
        role: str | UnsetType = UNSET
        payload: object = fact
        if isinstance(fact, TaskReviewed):
            role = fact.reviewer_role
            payload = msgspec.structs.replace(fact, reviewer_role=UNSET)
        elif isinstance(fact, ForeignRecorded):
            payload = {} if fact.payload is UNSET else fact.payload
        line = Line(
            schema_version=recorded.schema_version,
            event_id=recorded.event_id,
            event_seq=recorded.version,
            ts=recorded.ts,
            actor=recorded.actor,
            action=action_of(fact),
            payload=payload,
            reviewer_role=role,
            command_id=recorded.command_id,
            correlation_id=recorded.correlation_id,
            causation_id=recorded.causation_id,
            prev_hash=recorded.prev_hash,
        )
        try:
            return _ENCODER.encode(line)
        except (OverflowError, ValueError):
            return compact(line)  # an integer beyond 64 bits, sent by an agent

    def read(self, line: bytes) -> Recorded[Fact]:
        """As `decode`, and faster, for who folds and forgets: a review's `reviewer_role` may be left out."""
        return _read_typed(line) or self.decode(line)

    def decode(self, line: bytes) -> Recorded[Fact]:
        """The event of a line. Raises `MalformedLine` with JSONL_INVALID, EVENT_MISSING_FIELDS or SCHEMA_INVALID."""
        read = _read_typed(line)
        if read is not None:
            fact = read.fact
            if isinstance(fact, _ReviewPayload):
                fact = _review(fact, read.reviewer_role)
            return Recorded(
                version=read.version,
                event_id=read.event_id,
                ts=read.ts,
                actor=read.actor,
                fact=fact,
                schema_version=read.schema_version,
                command_id=read.command_id,
                correlation_id=read.correlation_id,
                causation_id=read.causation_id,
                prev_hash=read.prev_hash,
            )
        try:
            envelope = _ENVELOPE.decode(line)
        except _UNREADABLE as error:
            raise _malformed(line, f"the envelope is malformed: {error}") from None
        return Recorded(
            version=envelope.event_seq,
            event_id=envelope.event_id,
            ts=envelope.ts,
            actor=envelope.actor,
            fact=_fact(envelope, line),
            schema_version=envelope.schema_version,
            command_id=envelope.command_id,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.causation_id,
            prev_hash=envelope.prev_hash,
        )


def _read_typed(line: bytes) -> _TypedLine[Any] | None:
    """The event of an ordinary line in one step; None where the line has to be read piece by piece, and explained."""
    start = line.find(_ACTION_KEY) + len(_ACTION_KEY)
    action = line[start : line.find(b'"', start)]
    decoder = _TYPED.get(action)
    if decoder is None:
        return None
    try:
        read = decoder.decode(line)
    except _UNREADABLE:
        return None
    return None if read.action.encode() != action or read.schema_version == LEGACY else read


def payload_decoders() -> Mapping[str, msgspec.json.Decoder[Any]]:
    """What reads the payloads of each action that has a type."""
    return _PAYLOADS


def action_of(fact: Fact) -> str:
    """The wire name of a fact."""
    return fact.name if isinstance(fact, ForeignRecorded) else fact.action_name


def payload_of(fact: Fact) -> dict[str, Any]:
    """The payload of a fact as builtins, for display."""
    if isinstance(fact, ForeignRecorded):
        return dict(fact.payload) if isinstance(fact.payload, dict) else {}
    builtins: dict[str, Any] = msgspec.to_builtins(fact)
    if isinstance(fact, TaskReviewed):
        builtins.pop("reviewer_role", None)
    return builtins


def _fact(envelope: Envelope, line: bytes) -> Fact:
    payload = envelope.payload
    if payload is UNSET:
        if envelope.schema_version != LEGACY:
            raise MalformedLine("EVENT_MISSING_FIELDS", "the event has no `payload`")
        payload = _NO_PAYLOAD if envelope.data is UNSET else envelope.data
    action = envelope.action
    if envelope.schema_version == LEGACY:
        action = _LEGACY_ACTIONS.get(action, action)
    decoder = _PAYLOADS.get(action)
    try:
        if decoder is None:
            return ForeignRecorded(name=action, payload=_UNTYPED.decode(payload))
        fact: Fact = decoder.decode(payload)
    except _UNREADABLE as error:
        # The envelope's decoder skips a payload without looking into it, so the bytes may be anything.
        raise _malformed(line, f"the payload of `{action}` is malformed: {error}") from None
    if action == "review":
        return _review(cast("_ReviewPayload", fact), envelope.reviewer_role)
    return fact


def _review(fact: _ReviewPayload, role: str | UnsetType | None) -> TaskReviewed:
    if role is UNSET or role is None:
        role = fact.old_reviewer_role
    return TaskReviewed(
        task_id=fact.task_id,
        prior_status=fact.prior_status,
        notes=fact.notes,
        decision=fact.decision,
        tasks=fact.tasks,
        reviewer_role=role,
        signature=fact.signature,
        erasable=fact.erasable,
        provenance=fact.provenance,
    )


def _malformed(line: bytes, otherwise: str) -> MalformedLine:
    return malformed_line(line, _REQUIRED, otherwise, stand_ins=_STAND_INS)
