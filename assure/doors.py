"""Every door through which bytes from outside come in, with what it may answer: a value, or one of its own refusals.

Used by `assure.hostile`, and by the fuzzer. A door is given bytes; where it takes text, they are decoded first, as
the command line does. What comes out goes one step further, so that a value which only looks good is found too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from esaa.audit.embedded import (
    HTML_CLOSING,
    HTML_OPENING,
    MARKDOWN_CLOSING,
    MARKDOWN_OPENING,
    Unreadable,
    read_report,
)
from esaa.audit.request import request_of
from esaa.cli.terminal import plain
from esaa.contracts.anchors import parse_anchors
from esaa.contracts.load import AGENT_FILE, RUNTIME_FILE, SWARM_FILE, parse_governance
from esaa.effects.files import write_refusal
from esaa.effects.from_facts import file_effects
from esaa.errors import ConfigError, ContractError, EventRefused, UsageError
from esaa.history.refs import parse_range
from esaa.kernel import checkpoint, head_proof, ingest, snapshot, tlog_proof, witnessing
from esaa.kernel.checkpoint import CheckpointInvalid
from esaa.kernel.ingest import Limit, NotIngested
from esaa.kernel.line_audit import audit_lines
from esaa.kernel.tlog_proof import ProofInvalid
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.boundaries import duplicate_path, pattern_fault
from esaa.protocol.evolve import evolve as evolve_log
from esaa.protocol.paths import covered_folded, fold, path_fault
from esaa.protocol.result import parse_result
from esaa.protocol.roadmap import roadmap_json
from esaa.protocol.state import State
from esaa.protocol.summary import summary
from esaa.protocol.wire import ProtocolVocabulary, payload_of
from esaa.query.filters import Query, examine
from esaa.query.pages import Position, cursor_of, parse_cursor
from esaa.stores.contracts import shipped_files
from esaa.stores.trail_types import shipped_history
from esaa.trail.evolve import evolve as evolve_trail
from esaa.trail.intake import Proposal, prepare
from esaa.trail.settings import read_settings
from esaa.trail.state import OrchestrationState, encode_state
from esaa.trail.types import EventTypes, parse_custom_type
from esaa.trail.versions.evolution import parse_history
from esaa.trail.wire import TrailVocabulary

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LIMIT = Limit(4 << 20, 64)

_CORPORA = Path(__file__).resolve().parents[1] / "tests" / "corpora"
_PIECE_BYTES = 64 * 1024
_UUID = "00000000-0000-4000-8000-000000000000"
_PATTERNS = (".roadmap/**", ".git/**", "src/**", "docs/qa/*.md", "**/*.py")

_SETTINGS = b"event_sourcing:\n  storage: {partition_by: issue, writer_id: a}\n  snapshots: {frequency: 5}\n"
_ANCHORS = b"""anchors:
  here: {kind: directory, path: /tmp/x}
  there: {kind: rfc3161, url: 'http://a/b', ca_file: ca.pem}
"""
_CUSTOM = b'{"title":"LicenceChecked","version":"1.0.0","type":"object","properties":{"name":{"type":"string"}}}'
_PROPOSAL = (
    b'{"event_type":"PhaseStarted","metadata":{"phase":"PLAN","expected_agents":2},"actor":{"type":"user","id":"a"},'
    b'"issue_key":"PROJ-1","timestamp":"2026-01-05T09:00:00.000Z"}'
)
_TEXTS = tuple(
    text.encode()
    for text in (
        "#12", "HEAD~3..", "EV-00000012..@{2h}", "2026-02-27T01:25:22Z", "src/a.py", "../../a", "docs/**/x?.md",
        "\x1b]0;a\x07", "\u202egnp", "error AND NOT phase",
    )
)  # fmt: skip


class Door(msgspec.Struct, frozen=True):
    """A door: its name, what takes the bytes, the refusals that it may raise, what good bytes look like, and its share
    of all inputs (a door that works for longer gets fewer)."""

    name: str
    take: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    share: int = 4


class _Nobody:
    """A reader of lines that knows nothing."""

    def feed(self, event: dict[str, Any], line: int) -> None:
        """Sees a line."""

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """Knows nothing."""
        return False

    def skip(self) -> None:
        """Sees none."""


def doors() -> tuple[Door, ...]:
    """All of them."""
    lines, trail = _log_lines(), _trail_lines()
    files = shipped_files("0.4.0")
    results = tuple(_result(action) for action in ("claim", "complete", "review", "issue.report"))
    note = _note()
    proof = b"c2sp.org/tlog-proof@v1\nindex 3\n" + b"".join(_hash(n) + b"\n" for n in range(3)) + b"\n" + note
    history = shipped_history()
    reports = _reports()
    json_like = (*results, *lines[:4], *trail[:4], _CUSTOM, b'[1.5e-3,"\\ud83d\\ude00",{"a":[null,true]}]')
    yaml_like = (
        *(files[name] for name in (AGENT_FILE, RUNTIME_FILE, SWARM_FILE)),
        _SETTINGS,
        _ANCHORS,
        b"a: [b, {c: |\n d}]",
    )
    return (
        Door("json", lambda data: ingest.json_of(data, LIMIT), (NotIngested,), json_like, 16),
        Door("yaml", lambda data: ingest.yaml_of(data, ingest.CONTRACT), (NotIngested,), yaml_like, 2),
        Door("agent result", _take_result, (), results, 10),
        Door("log line", _take_log_line, (MalformedLine,), lines, 8),
        Door("log", _take_log, (), tuple(b"\n".join(lines[n : n + 3]) for n in range(0, len(lines), 3)), 6),
        Door("trail line", _take_trail_line, (MalformedLine,), trail, 6),
        Door(
            "record", _take_proposal, (NotIngested, msgspec.ValidationError, EventRefused), (_PROPOSAL, *trail[:6]), 4
        ),
        Door(
            "contracts",
            _take_contract,
            (ContractError,),
            (files[AGENT_FILE], files[SWARM_FILE], files[RUNTIME_FILE]),
            1,
        ),
        Door(
            "trail settings",
            lambda data: read_settings(data, "x"),
            (ConfigError,),
            (_SETTINGS, b"event_sourcing:\n"),
            4,
        ),
        Door("anchors", lambda data: parse_anchors(data, "x"), (ContractError, ConfigError), (_ANCHORS,), 4),
        Door("event type", _take_type, (NotIngested, ConfigError), (_CUSTOM,), 2),
        Door(
            "type history", lambda data: parse_history(data, "x"), (ConfigError,), (history[:9000] + b"}}", history), 1
        ),
        Door("checkpoint", _take_checkpoint, (CheckpointInvalid,), (note,), 8),
        Door("verifier key", _take_vkey, (CheckpointInvalid,), (_vkey(),), 6),
        Door("receipt", tlog_proof.parse_proof, (ProofInvalid,), (proof,), 8),
        Door(
            "consistency proof",
            head_proof.parse_head_proof,
            (ProofInvalid,),
            (_head_proof(note),),
            6,
        ),
        Door("witness request", _take_request, (), (b"old 2\n" + _hash(1) + b"\n\n" + note,), 6),
        Door("report", read_report, (Unreadable,), reports, 6),
        Door("query", _take_query, (UsageError,), (*_TEXTS, b"(error OR phase) -fatal"), 6),
        Door("query's cursor", _take_cursor, (UsageError,), (_cursor(),), 4),
        Door("query's time", _take_since, (UsageError,), _TEXTS, 4),
        Door("moment", lambda data: parse_range(_text(data), NOW), (UsageError,), _TEXTS, 8),
        Door("path", _take_path, (), _TEXTS, 10),
        Door("text for a terminal", _take_text, (), _TEXTS, 8),
        Door("snapshot", lambda data: snapshot.unseal(b"k" * 32, data), (), (_sealed(),), 6),
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _take_result(data: bytes) -> object:
    return parse_result(data, _rules())


def _take_log_line(data: bytes) -> object:
    recorded = ProtocolVocabulary().decode(data)
    state = evolve_log(State(), recorded)
    write = [write_refusal(effect.path) for effect in file_effects([recorded])]
    return roadmap_json(state), summary(recorded.fact), payload_of(recorded.fact), write


def _take_log(data: bytes) -> object:
    # A log is read line by line, however long it is: a piece stands for it.
    return audit_lines(data[:_PIECE_BYTES].split(b"\n"), 1 << 20, _Nobody())


def _take_trail_line(data: bytes) -> object:
    event = TrailVocabulary().decode(data)
    fact = _types().fact_of(event)
    state = OrchestrationState()
    evolve_trail(state, event, fact)
    return encode_state(state), fact.summary()


def _take_proposal(data: bytes) -> object:
    proposal = msgspec.convert(ingest.json_of(data, ingest.BATCH_LINE), Proposal)
    prepared = prepare(proposal, _types(), NOW, _UUID)
    return msgspec.json.decode(prepared.draft.fact.metadata)


def _take_contract(data: bytes) -> object:
    marks = {b"contract: agents_swarm": SWARM_FILE, b"contract: agent": AGENT_FILE}
    name = next((name for mark, name in marks.items() if mark in data), RUNTIME_FILE)
    return parse_governance({**_files(), name: data})


def _take_type(data: bytes) -> object:
    return parse_custom_type(ingest.json_of(data, ingest.EVENT_TYPE), "x")


def _believes(_public: bytes, _message: bytes, _signature: bytes) -> bool:
    """Every signature is taken for a good one: the forms are what is tried here."""
    return True


def _take_checkpoint(data: bytes) -> object:
    note = checkpoint.parse_note(data)
    key = checkpoint.parse_vkey(_vkey().decode())
    return (
        checkpoint.checkpoint_of(note),
        checkpoint.signed_by(note, key, _believes),
        checkpoint.format_note(note),
    )


def _take_vkey(data: bytes) -> object:
    return checkpoint.format_vkey(checkpoint.parse_vkey(_text(data)))


def _take_request(data: bytes) -> object:
    request = witnessing.parse_request(data)
    return witnessing.origin_of(request) if isinstance(request, witnessing.AddCheckpoint) else request


def _take_query(data: bytes) -> object:
    text = _text(data)
    return examine(Query(text=text, issue_keys=(text[:20],) if text[:1] == "P" else ()), NOW)


def _take_cursor(data: bytes) -> object:
    return parse_cursor(_text(data), Query())


def _take_since(data: bytes) -> object:
    return examine(Query(since=_text(data)), NOW)


def _take_path(data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    if path_fault(text) is None:
        text.encode()  # a legal path can be written
        assert not {"..", ".", ""} & set(text.split("/"))
    return pattern_fault(text), fold(text), covered_folded(text, _PATTERNS), duplicate_path([text, text[:-1]])


def _take_text(data: bytes) -> object:
    shown = plain(data.decode("utf-8", "surrogateescape"))
    assert not any(one in shown for one in "\x1b\x07\x9b\r\n\u202e\u2066\u200b\x00")
    return shown.encode()


@cache
def _rules() -> Any:
    return parse_governance(shipped_files("0.4.0"))


@cache
def _files() -> dict[str, bytes]:
    return shipped_files("0.4.0")


@cache
def _types() -> EventTypes:
    return EventTypes({})


def _log_lines() -> tuple[bytes, ...]:
    from tests.scenarios import approved, claimed, completed, created, hotfix, log_lines, reported, run_start, story

    facts = (run_start(), created(), created("T-2"), claimed(), completed(), approved(), reported(), hotfix())
    return tuple(log_lines(story(*facts)))


def _trail_lines() -> tuple[bytes, ...]:
    return tuple((_CORPORA / "trail" / "events.jsonl").read_bytes().splitlines())


def _result(action: str) -> bytes:
    event: dict[str, Any] = {"action": action, "task_id": "T-1", "prior_status": "in_progress", "notes": "é\n"}
    if action == "complete":
        event["verification"] = {"checks": ["was read line by line"]}
        return json.dumps({"activity_event": event, "file_updates": [{"path": "src/a.py", "content": "x\n"}]}).encode()
    if action == "review":
        event |= {"decision": "approve", "tasks": ["T-1"]}
    if action == "issue.report":
        event |= {
            "issue_id": "ISS-1",
            "severity": "low",
            "title": "t",
            "evidence": {"symptom": "s", "repro_steps": ["r"]},
        }
    return json.dumps({"activity_event": event}).encode()


def _hash(number: int) -> bytes:
    import base64

    return base64.b64encode(hashlib.sha256(b"%d" % number).digest())


def _vkey() -> bytes:
    public = b"p" * 32
    key = checkpoint.VerifierKey(
        name="esaa.local/x", key_id=checkpoint.key_id("esaa.local/x", checkpoint.ED25519, public),
        algorithm=checkpoint.ED25519, public=public,
    )  # fmt: skip
    return checkpoint.format_vkey(key).encode()


def _note() -> bytes:
    key = checkpoint.parse_vkey(_vkey().decode())
    head = checkpoint.Checkpoint(origin="esaa.local/x", size=7, root=hashlib.sha256(b"r").hexdigest())
    signature = checkpoint.Signature(name=key.name, key_id=key.key_id, blob=b"s" * 64)
    return checkpoint.format_note(checkpoint.Note(text=checkpoint.body(head), signatures=(signature,)))


def _head_proof(note: bytes) -> bytes:
    hashes = tuple(hashlib.sha256(b"%d" % number).hexdigest() for number in range(3))
    return head_proof.format_head_proof(head_proof.HeadProof(hashes=hashes, earlier=note, later=note))


def _cursor() -> bytes:
    return cursor_of(Position("2026-01-05T09:00:00.000Z", "PROJ-1", 3), Query(), (None, None)).encode()


def _reports() -> tuple[bytes, ...]:
    """The same embedded part in every format but PDF."""
    embedded = msgspec.json.encode(
        {
            "evidence": {
                "findings": [],
                "generator": {"name": "esaa", "version": "1"},
                "heads": [],
                "report_sha256": "a",
            },
            "generated_at": "2026-01-05T09:00:00.000Z",
            "kind": "esaa-audit-report",
            "request": msgspec.to_builtins(request_of()),
        }
    )
    html = b"<!doctype html>\n" + HTML_OPENING + embedded + HTML_CLOSING
    csv = b"record,a\r\nreport" + b"," * 11 + b'"' + embedded.replace(b'"', b'""') + b'"\r\n'
    pdf = b"%%PDF-1.7\n1 0 obj << /Type /EmbeddedFile /Length %d >> stream\n%s\nendstream" % (len(embedded), embedded)
    return embedded, html, b"# A\n" + MARKDOWN_OPENING + embedded + MARKDOWN_CLOSING, csv, pdf


def _sealed() -> bytes:
    key = snapshot.SnapshotKey(
        vocabulary="x", projection_version=1, seq=1, leaf_hash="a", offset=1, line_bytes=1, is_chained=True
    )
    return snapshot.seal(b"k" * 32, key, [b"one", b"two"])


def named(name: str, among: Sequence[Door]) -> Door:
    """The door of that name."""
    return next(one for one in among if one.name == name)
