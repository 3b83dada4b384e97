"""The audit of stored lines that needs no vocabulary: strict JSON, and the chain over the stored bytes.

Streams in constant memory; half of a full verification, and the half that can run in a process of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from esaa.kernel.canonical import canonical
from esaa.kernel.strict_json import NotStrict, loads_strict

FINDINGS_MAX = 1000


class LineFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One line that is not what it should be."""

    line: int
    code: str
    message: str


class LineAudit(msgspec.Struct, kw_only=True):
    """The outcome: findings (at most `FINDINGS_MAX`), lines read, the last leaf hash, the first chained line."""

    findings: list[LineFinding] = []
    lines: int = 0
    leaf_hash: str | None = None
    chained_from: int | None = None


def audit_lines(lines: Iterable[bytes], line_bytes_max: int) -> LineAudit:
    """Audits stored lines, each without its line feed. Blank lines are no leaves; a CR belongs to its line."""
    audit = LineAudit()
    foreign = _ForeignChain()
    decode = msgspec.json.Decoder().decode
    encode = msgspec.json.Encoder().encode
    sha256 = hashlib.sha256
    number = 0
    leaf: str | None = None
    for line in lines:
        number += 1
        if not line.strip():
            continue
        try:
            value: Any = decode(line)
            if encode(value) != line:
                value = loads_strict(line.rstrip(b"\r"), bytes_max=line_bytes_max)
        except (msgspec.DecodeError, NotStrict, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
            value = _strictly(line, number, line_bytes_max, audit)
        if isinstance(value, dict):
            previous = value.get("prev_hash")
            if previous is not None:
                if audit.chained_from is None:
                    audit.chained_from = number
                if previous != leaf:
                    _add(audit, number, "CHAIN_BROKEN", "prev_hash is not the hash of the line before")
            elif "event_hash" in value or value.get("action") == "chain.anchor":
                foreign.check(value, number, audit)
            if previous is None and audit.chained_from is not None:
                _add(audit, number, "CHAIN_BROKEN", "prev_hash is missing after chained lines")
        elif value is not _BAD:
            _add(audit, number, "JSONL_INVALID", "the line is not a JSON object")
        if audit.chained_from is None:
            foreign.note(line)
        leaf = sha256(b"\x00" + line).hexdigest()
    audit.lines = number
    audit.leaf_hash = leaf
    return audit


_BAD = object()


def _strictly(line: bytes, number: int, line_bytes_max: int, audit: LineAudit) -> Any:
    try:
        return loads_strict(line.rstrip(b"\r"), bytes_max=line_bytes_max)
    except NotStrict as error:
        _add(audit, number, "JSONL_INVALID", f"the line is not strict JSON: {error}")
        return _BAD


def _add(audit: LineAudit, line: int, code: str, message: str) -> None:
    if len(audit.findings) < FINDINGS_MAX:
        audit.findings.append(LineFinding(line=line, code=code, message=message))


class _ForeignChain:
    """The chain fields of other writers: `chain.anchor`, `prev_event_hash`, `event_hash` (FORMATS).

    The anchor covers the first N non-blank raw lines, so the running digest of the lines before answers when
    the anchor names exactly those (as its writers do). Our own chained lines are outside of it.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._count = 0
        self._previous: str | None = None

    def note(self, line: bytes) -> None:
        """Takes a line into the running digest."""
        self._digest.update(line + b"\n")
        self._count += 1

    def check(self, value: dict[str, Any], number: int, audit: LineAudit) -> None:
        """Checks the chain fields of one event, where it has any."""
        if "event_hash" in value:
            body = {key: item for key, item in value.items() if key != "event_hash"}
            if hashlib.sha256(canonical(body)).hexdigest() != value["event_hash"]:
                _add(audit, number, "CHAIN_BROKEN", "event_hash is not the hash of the event")
            if self._previous is not None and value.get("prev_event_hash") != self._previous:
                _add(audit, number, "CHAIN_BROKEN", "prev_event_hash is not the hash of the event before")
            self._previous = str(value["event_hash"])
        if value.get("action") == "chain.anchor":
            payload = value.get("payload")
            anchor = payload if isinstance(payload, dict) else {}
            if anchor.get("anchored_through_seq") == self._count and (
                anchor.get("anchor_sha256") != self._digest.hexdigest()
            ):
                _add(audit, number, "CHAIN_BROKEN", "anchor_sha256 is not the hash of the lines before")
            if self._previous is None:
                self._previous = str(anchor.get("anchor_sha256"))
