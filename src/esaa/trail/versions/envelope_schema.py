"""The JSON Schema of the envelope: what every line of the trail has around its metadata."""

from __future__ import annotations

import msgspec

from esaa.kernel.erasable import Erasable
from esaa.redaction.note import Redaction
from esaa.trail.event import Actor, GateFinding, Origin, Source
from esaa.trail.facts.base import Data
from esaa.trail.wire import ENVELOPE_REQUIRED

_COUNT_MAX = 2**53 - 1
_TEXT: Data = {"type": "string", "minLength": 1, "maxLength": 500}
_SHA256: Data = {"type": "string", "pattern": "^[0-9a-f]{64}$", "maxLength": 64}
_SEMVER: Data = {"type": "string", "pattern": r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$"}
_SEQUENCE: Data = {"type": "integer", "minimum": 1, "maximum": _COUNT_MAX}
_TIME: Data = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
    "format": "date-time",
}


def _uuid(digits: str) -> Data:
    parts = "-".join(f"[{digits}]{{{length}}}" for length in (8, 4, 4, 4, 12))
    return {"type": "string", "pattern": f"^{parts}$", "format": "uuid"}


def _list_of(name: str) -> Data:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}


ENVELOPE: dict[str, tuple[Data, str]] = {
    "event_id": (_uuid("0-9a-f"), "The event's name, a UUID; recording it again changes nothing."),
    "event_type": ({"type": "string"}, "Which event it is."),
    "event_version": (_SEMVER, "The version of the type's schema that the metadata was written in."),
    "timestamp": (_TIME, "UTC, with milliseconds; never before the line before in the stream."),
    "event_sequence": (_SEQUENCE, "1, 2, 3, ... in each stream, without a gap, on across dates and sessions."),
    "issue_key": (
        {"anyOf": [{"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,31}-[0-9]{1,10}$"}, {"type": "null"}]},
        "The tracker issue, which names the stream; null only in the stream `global`.",
    ),
    "session_id": (_uuid("0-9a-fA-F"), "The session that the event belongs to, a UUID."),
    "correlation_id": (_TEXT, "The story that the event belongs to; all its events carry the same."),
    "causation_id": (_TEXT, "The event that this one follows from."),
    "actor": ({"$ref": "#/$defs/Actor"}, "Who acted."),
    "metadata": ({"type": "object"}, "What happened: the fields of the event's type."),
    "git_sha": (_TEXT, "The commit that was checked out."),
    "branch": (_TEXT, "The branch that was checked out."),
    "codebase_state": (_TEXT, "A digest of the part of the code that matters to the event."),
    "vector_clock": (
        {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": _COUNT_MAX}},
        "How many events of each writer stood in the stream; only where several machines write.",
    ),
    "occurred_at": (_TIME, "The witness's own time, where it lies before the line before."),
    "redaction": (_list_of("Redaction"), "The secrets that were taken out before the event was written."),
    "erasable": (
        _list_of("Erasable"),
        "The values that lie beside the trail, where they can be erased; in their places stands `[erasable]`.",
    ),
    "findings": (
        _list_of("GateFinding"),
        "What the gates of a lenient store found. Such a line need not fit its type.",
    ),
    "source": ({"$ref": "#/$defs/Source"}, "The event of the governed run that this one tells of."),
    "origin": ({"$ref": "#/$defs/Origin"}, "Where the line stood before a merge."),
    "prev_hash": (
        _SHA256,
        "The leaf hash of the line before in the stream, SHA-256(0x00 || line), in hex. Absent on the first line.",
    ),
}
"""Every key of a line in its order, with its schema and its meaning.

Keys that a line need not have are absent where they have nothing to say; they are never null.
"""

_PARTS: dict[type[msgspec.Struct], dict[str, tuple[Data, str]]] = {
    Actor: {
        "type": ({}, "What kind of actor it is."),
        "id": ({"minLength": 1, "maxLength": 200}, "The user, the part of the system, or the agent's name."),
        "model": ({"type": "string"}, "The language model behind an agent."),
    },
    Redaction: {
        "kind": ({}, "What kind of secret it was."),
        "path": ({}, "The field that held it."),
        "count": ({"minimum": 1, "maximum": _COUNT_MAX}, "How many there were."),
    },
    Erasable: {
        "path": ({"minLength": 1}, "The place of the value, a JSON pointer into the metadata."),
        "commitment": (_SHA256, "SHA-256(0x02 || salt || value), in hex; salt and value lie beside the trail."),
        "bytes": ({"minimum": 0, "maximum": _COUNT_MAX}, "The size of the value as compact JSON."),
        "subject": ({"type": "string", "maxLength": 64}, "Whom it is about, by a pseudonym."),
        "is_sealed": ({}, "True where the value is encrypted with a key of its own."),
    },
    GateFinding: {
        "gate": ({"minimum": 1, "maximum": 8}, "The gate that found it, 1 to 8."),
        "code": ({}, "The rule that is broken."),
        "path": ({}, "The field that breaks it."),
        "message": ({}, "What is wrong, in words."),
        "hint": ({}, "What to do about it."),
    },
    Source: {
        "event_id": ({"minLength": 1}, "The event's id in the log of the governed run."),
        "leaf_hash": (_SHA256, "The leaf hash of its line."),
    },
    Origin: {
        "event_sequence": (_SEQUENCE, "The sequence number that the line had."),
        "prev_hash": (_SHA256, "The link that the line had, where it had one."),
        "timestamp": (_TIME, "The timestamp that the line had, where the merge had to move it."),
    },
}


def envelope_definitions() -> dict[str, Data]:
    """The definitions that the schema of a line needs: `BaseEvent`, and what stands in it."""
    _, parts = msgspec.json.schema_components(list(_PARTS))
    return {"BaseEvent": _base_event()} | {
        kind.__name__: _overlaid(parts[kind.__name__], overlay) for kind, overlay in _PARTS.items()
    }


def _base_event() -> Data:
    properties = {name: {"description": meaning} | schema for name, (schema, meaning) in ENVELOPE.items()}
    return {
        "description": "The envelope that all events share.",
        "type": "object",
        "properties": properties,
        "required": list(ENVELOPE_REQUIRED),
    }


def _overlaid(schema: Data, overlay: dict[str, tuple[Data, str]]) -> Data:
    fields: Data = {}
    for name, (extra, meaning) in overlay.items():
        shape = {key: value for key, value in schema["properties"][name].items() if key != "default"}
        # What may be null in the Struct is absent on a line, never null.
        shape = extra if "anyOf" in shape else shape | extra
        fields[name] = {"description": meaning} | shape
    return {
        "description": schema["description"],
        "type": "object",
        "properties": fields,
        "required": schema["required"],
    }
