"""The quality gates: from what a witness sends to a draft that may be appended, with everything that is wrong with it.

The eight gates are the specification's: the type is valid, the schema fits, required fields are there, times are
well-formed, the issue key is valid, the session is set, the actor is identified, the metadata is complete. Secrets are
taken out here, before anything else sees the event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from esaa.errors import EventRefused
from esaa.kernel.recorded import Draft
from esaa.redaction.redact import redact, redact_text
from esaa.trail.event import GLOBAL, Actor, GateFinding, Source, Witnessed
from esaa.trail.facts.base import TrailFact
from esaa.trail.types import NAME, EventTypes

METADATA_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 32
SKEW_MAX = timedelta(hours=24)
"""How far ahead of this machine's clock a witness's time may lie."""

_ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,31}-[0-9]{1,10}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_TEXT_CHARS_MAX = 500
_NAME_CHARS_MAX = 200
_TYPE_CHARS_MAX = 80
_LOOKED_AT_CHARS = 4096
_ENCODER = msgspec.json.Encoder()
_UNKNOWN_ACTOR = Actor(type="system", id="unknown")


class Proposal(msgspec.Struct, kw_only=True):
    """What a witness sends, unchecked. `metadata` is any mapping; `actor` a mapping or an `Actor`.

    Without an issue key the metadata's own one counts; `stream` = `global` says that none does. `erasable` names
    fields that are kept erasable beyond those of the settings, `subject` whom they are about, by a pseudonym.
    """

    event_type: str
    metadata: Any
    actor: Any
    issue_key: str | None = None
    session_id: str | None = None
    event_id: str | None = None
    timestamp: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    git_sha: str | None = None
    branch: str | None = None
    codebase_state: str | None = None
    source: Source | None = None
    stream: str | None = None
    erasable: tuple[str, ...] = ()
    subject: str | None = None


class Prepared(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A draft, and what the gates found; in strict mode nothing with findings is ever appended.

    `fact` is the typed metadata, where the gates looked at it and it is of a built-in type.
    `contents` has by commitment what is kept beside the trail.
    """

    draft: Draft[Witnessed]
    findings: tuple[GateFinding, ...]
    is_id_given: bool = False
    fact: TrailFact | None = None
    contents: dict[str, bytes] | None = None


@lru_cache(maxsize=4096)
def is_issue_key(text: str) -> bool:
    """True for the key of a tracker issue, such as `PROJ-123`. Nothing else can be the name of a stream."""
    return _ISSUE_KEY.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def is_uuid(text: str) -> bool:
    """True for a UUID of any version, in its usual form."""
    return _UUID.fullmatch(text) is not None


@lru_cache(maxsize=16)  # the events of a batch share their time
def trail_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_time(text: str) -> datetime | None:
    """An ISO-8601 time with its zone, or None."""
    if not text[:4].isdigit() or len(text) > 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def prepare(proposal: Proposal, types: EventTypes, now: datetime, event_id: str, *, validate: bool = True) -> Prepared:
    """The draft of a proposal with all findings of the gates. `event_id` is used where the witness gives none.

    Raises `EventRefused` for what could not be recorded even by a lenient store: metadata that is no JSON object, is
    too large or nested too deeply, or an event id that is no UUID.
    """
    findings: list[GateFinding] = []
    raw, redaction = redact(_encoded(proposal.event_type, proposal.metadata))
    metadata = msgspec.Raw(raw)
    fact = _examine_type(proposal, metadata, types, findings) if validate else None
    issue_key = _examine_issue(proposal, findings)
    timestamp = trail_time(now) if proposal.timestamp is None else _examine_time(proposal.timestamp, now, findings)
    session_id = proposal.session_id or ""
    if not is_uuid(session_id):
        findings.append(_finding(6, "SESSION_INVALID", "session_id", f"{_shown(session_id)} is no UUID"))
    given = proposal.event_id
    if given is not None and not is_uuid(given):
        raise EventRefused("EVENT_ID_INVALID", f"event_id {_shown(given)} is no UUID.", "Leave it out, or give a UUID.")
    actor = _examine_actor(proposal.actor, findings)
    draft = Draft(
        actor=actor.id,
        event_id=given.lower() if given else event_id,
        ts=timestamp,
        schema_version=types.version_of(proposal.event_type),
        correlation_id=_examine_text(proposal.correlation_id, "correlation_id", findings),
        causation_id=_examine_text(proposal.causation_id, "causation_id", findings),
        fact=Witnessed(
            event_type=proposal.event_type,
            metadata=metadata,
            issue_key=issue_key,
            session_id=session_id,
            actor=actor,
            git_sha=_examine_text(proposal.git_sha, "git_sha", findings),
            branch=_examine_text(proposal.branch, "branch", findings),
            codebase_state=_examine_text(proposal.codebase_state, "codebase_state", findings),
            redaction=redaction or None,
            source=proposal.source,
        ),
    )
    return Prepared(
        draft=draft, findings=tuple(map(_without_secrets, findings)), is_id_given=given is not None, fact=fact
    )


def refused(event_type: str, findings: tuple[GateFinding, ...]) -> EventRefused:
    """The error of a strict store, which names every finding."""
    first = findings[0]
    text = "; ".join(f"{one.path}: {one.message}" for one in findings[:5])
    more = f" (and {len(findings) - 5} more)" if len(findings) > 5 else ""
    return EventRefused(
        first.code,
        f"{_shown(event_type)} was not recorded: {text}{more}.",
        first.hint or "`esaa record --describe TYPE` shows the fields of a type.",
        findings=[msgspec.to_builtins(one) for one in findings],
    )


def _encoded(event_type: object, metadata: object) -> bytes:
    if not isinstance(event_type, str) or not 0 < len(event_type) <= _TYPE_CHARS_MAX:
        raise EventRefused(
            "EVENT_TYPE_UNKNOWN", f"{_shown(event_type)} is no event type.", "`esaa record --list` names the types."
        )
    if type(metadata) is not dict and not isinstance(metadata, Mapping):
        raise EventRefused(
            "METADATA_INVALID", f"{_shown(event_type)}: metadata must be a JSON object.", "Give keys and values."
        )
    try:
        raw = _ENCODER.encode(metadata)
        nulls = raw.count(b"null")
        # What is no number is encoded as null too: each null must have been None.
        is_suspect = nulls and nulls != sum(value is None for value in metadata.values())
        if is_suspect or raw.count(b"{") + raw.count(b"[") > DEPTH_MAX:
            _refuse_unsayable(_shown(event_type), metadata)
    except EventRefused:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EventRefused(
            "METADATA_INVALID",
            f"{_shown(event_type)}: metadata is no JSON: {error}.",
            "Give texts, numbers, lists and objects.",
        ) from error
    if len(raw) > METADATA_BYTES_MAX:
        raise EventRefused(
            "METADATA_TOO_LARGE",
            f"{_shown(event_type)}: metadata has {len(raw)} bytes; the limit is {METADATA_BYTES_MAX}.",
            "Keep large contents in a file, and record its path and digest.",
        )
    return raw


def _refuse_unsayable(name: str, metadata: object) -> None:
    """Refuses what nests too deeply, and numbers that JSON cannot say (an encoder turns them into null)."""
    level = [metadata]
    for _ in range(DEPTH_MAX + 1):
        below: list[object] = []
        for item in level:
            below.extend(item.values() if isinstance(item, Mapping) else item if isinstance(item, list | tuple) else ())
        if any(isinstance(item, float) and not -1e308 <= item <= 1e308 for item in below):
            raise EventRefused("METADATA_INVALID", f"{name}: metadata holds a number that JSON has no word for.", "")
        level = [item for item in below if isinstance(item, Mapping | list | tuple)]
        if not level:
            return
    raise EventRefused(
        "METADATA_TOO_DEEP",
        f"{name}: metadata is nested more than {DEPTH_MAX} deep.",
        "Flatten it, or keep it in a file.",
    )


def _examine_type(
    proposal: Proposal, metadata: msgspec.Raw, types: EventTypes, findings: list[GateFinding]
) -> TrailFact | None:
    name = proposal.event_type
    if not types.knows(name):
        from difflib import get_close_matches

        if not _holds_no_secret(name):
            raise EventRefused("EVENT_TYPE_UNKNOWN", "The event type looks like a secret.", "Name a type.")
        near = get_close_matches(name, types.names(), n=1) if NAME.fullmatch(name) else []
        hint = f"Did you mean {near[0]}?" if near else "`esaa record --list` names the types."
        findings.append(_finding(1, "EVENT_TYPE_UNKNOWN", "event_type", f"{_shown(name)} is no event type", hint))
        return None
    fact, faults = types.examine(name, metadata, proposal.metadata)
    for fault in faults:
        gate, code = (3, "FIELD_MISSING") if fault.is_missing else (2, "SCHEMA_INVALID")
        findings.append(_finding(gate, code, fault.path, fault.message))
    value: Mapping[str, Any] = proposal.metadata
    if "" in value.values() and not findings:
        findings += [
            _finding(8, "METADATA_INCOMPLETE", f"metadata.{key}", "the required text is empty")
            for key in types.required_of(name)
            if value.get(key) == ""
        ]
    return fact


def _examine_issue(proposal: Proposal, findings: list[GateFinding]) -> str | None:
    if proposal.stream == GLOBAL:
        return None
    key = proposal.issue_key
    inner = proposal.metadata.get("issue_key")
    if inner is None and type(key) is str and is_issue_key(key):
        return key
    if key is None:
        if inner is None:
            return None
        key = inner
    if not isinstance(key, str) or not is_issue_key(key):
        text = f"{_shown(key)} is no issue key such as PROJ-123"
        findings.append(_finding(5, "ISSUE_KEY_INVALID", "issue_key", text))
        return None
    if inner is not None and inner != key:
        text = f"the metadata names {_shown(inner)}, the event {key}"
        findings.append(_finding(5, "ISSUE_KEY_INVALID", "metadata.issue_key", text))
    return key


def _examine_time(given: object, now: datetime, findings: list[GateFinding]) -> str:
    moment = parse_time(given) if isinstance(given, str) else None
    if moment is None:
        text = f"{_shown(given)} is no ISO-8601 time with its zone, such as 2026-02-27T01:25:22.000Z"
        findings.append(_finding(4, "TIMESTAMP_INVALID", "timestamp", text))
        return trail_time(now)
    if moment - now > SKEW_MAX:
        text = f"{given} lies more than 24 hours ahead of this machine's clock"
        findings.append(_finding(4, "TIMESTAMP_AHEAD", "timestamp", text, "Set the clocks of the writers right."))
        return trail_time(now)
    return trail_time(moment)


def _examine_actor(actor: object, findings: list[GateFinding]) -> Actor:
    if type(actor) is not Actor:
        if actor is None:
            findings.append(_finding(7, "ACTOR_INVALID", "actor", "nobody is named", "Give a type and an id."))
            return _UNKNOWN_ACTOR
        try:
            actor = msgspec.convert(actor, Actor)
        except msgspec.ValidationError as error:
            findings.append(_finding(7, "ACTOR_INVALID", "actor", f"{error}", "Types are user, system and agent."))
            return _UNKNOWN_ACTOR
    if not _is_name(actor.id):
        findings.append(_finding(7, "ACTOR_INVALID", "actor.id", "the id must be 1 to 200 printable characters"))
        return _UNKNOWN_ACTOR
    if not _holds_no_secret(actor.id) or not _holds_no_secret(actor.model or ""):
        findings.append(_finding(7, "ACTOR_INVALID", "actor", "the id or the model looks like a secret"))
        return _UNKNOWN_ACTOR
    return actor


@lru_cache(maxsize=1024)
def _holds_no_secret(text: str) -> bool:
    return not redact_text(text)[1]


@lru_cache(maxsize=1024)
def _is_name(text: str) -> bool:
    return 0 < len(text) <= _NAME_CHARS_MAX and text.isprintable()


def _examine_text(value: object, path: str, findings: list[GateFinding]) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _TEXT_CHARS_MAX or not value.isprintable():
        findings.append(_finding(2, "SCHEMA_INVALID", path, f"must be at most {_TEXT_CHARS_MAX} printable characters"))
        return None
    return redact_text(value)[0]


def _finding(gate: int, code: str, path: str, message: str, hint: str = "") -> GateFinding:
    return GateFinding(gate=gate, code=code, path=path, message=message, hint=hint)


def _without_secrets(finding: GateFinding) -> GateFinding:
    """A finding that may be recorded: what is wrong with a secret must not repeat it."""
    path, message = redact_text(finding.path)[0], redact_text(finding.message)[0]
    return (
        finding if (path, message) == (finding.path, finding.message) else replace(finding, path=path, message=message)
    )


def _shown(value: object) -> str:
    # Redacted before it is cut: half a secret is not recognised any more.
    if isinstance(value, str):
        return repr(redact_text(value[:_LOOKED_AT_CHARS])[0][:80])
    return redact_text(repr(value)[:_LOOKED_AT_CHARS])[0][:100]
