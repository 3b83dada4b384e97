"""The audit of stored lines that needs no vocabulary: strict JSON, and the chain over the stored bytes.

Streams in constant memory; half of a full verification, and the half that can run in a process of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

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
    """The outcome: findings (at most `FINDINGS_MAX`), lines read, those that are not blank, the last leaf hash, and
    the first line that carries `prev_hash`.

    `relinked` is the leaf hash that the last line would have if it named the line before it, which it does not: who
    knows the last leaf from elsewhere can tell by it that only this link was changed.
    """

    findings: list[LineFinding] = []
    lines: int = 0
    events: int = 0
    leaf_hash: str | None = None
    chained_from: int | None = None
    relinked: str | None = None

    def blame_link(self, line: int) -> None:
        """The line before `line` is sound after all: it is the link in `line` that was changed."""
        text = f"this is not the line that line {line} was chained to"
        for place, one in enumerate(self.findings):
            if one.code == "CHAIN_BROKEN" and one.message == text:
                changed = "the prev_hash of this line was changed: with that of the line before it, all others fit"
                self.findings[place] = LineFinding(line=line, code=one.code, message=changed)


class LineReader(Protocol):
    """Sees every parsed line while it is at hand: the audit of a vocabulary's envelope."""

    def feed(self, event: dict[str, Any], line: int) -> None:
        """A line that is a JSON object."""

    def skip(self) -> None:
        """A line that is none."""

    def foresees(self, line: bytes, leaf: str) -> bool:
        """True for a line that could be told in advance, byte for byte; it is then not parsed, nor fed."""
        ...

    def knows(self, line: bytes) -> bool:
        """True for a line, as an encoder writes it, whose envelope holds nothing new; it is then not fed."""
        ...


def audit_lines(  # noqa: PLR0915 (one loop, for calls cost more than what they do)
    lines: Iterable[bytes],
    line_bytes_max: int,
    reader: LineReader,
    *,
    before: str | None = None,
    chained_from: int | None = None,
    start: int = 0,
    take_leaf: Callable[[str], None] | None = None,
) -> LineAudit:
    """Audits stored lines, each without its line feed. Blank lines are no leaves; a CR belongs to its line.

    `before` is the leaf hash of the line before the first one, where earlier lines lie elsewhere, `chained_from`
    where those began to be chained, and `start` how many they are, where the numbers are to go on from them.
    `take_leaf` is given the leaf hash of every line.
    """
    audit = LineAudit(chained_from=chained_from)
    foreign = _ForeignChain()
    decode = msgspec.json.Decoder().decode
    encode = msgspec.json.Encoder().encode
    sha256 = hashlib.sha256
    number = start
    last_number = max(start, 1)
    leaf: str | None = before
    relinked: str | None = None
    for line in lines:
        number += 1
        if not line or line.isspace():
            continue
        audit.events += 1
        doubt, relinked = relinked, None
        if audit.chained_from is not None and leaf is not None and reader.foresees(line, leaf):
            leaf = sha256(b"\x00" + line).hexdigest()
            last_number = number
            if take_leaf is not None:
                take_leaf(leaf)
            continue
        is_plain = False
        try:
            value: Any = decode(line)
            is_plain = encode(value) == line and len(line) <= line_bytes_max
            if not is_plain:
                value = loads_strict(line.rstrip(b"\r"), bytes_max=line_bytes_max)
        except (msgspec.DecodeError, NotStrict, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
            value = _strictly(line, number, line_bytes_max, audit)
        if isinstance(value, dict):
            previous = value.get("prev_hash")
            if previous is not None:
                if audit.chained_from is None:
                    audit.chained_from = number
                if doubt is not None and previous == doubt:
                    audit.blame_link(last_number)
                    leaf = previous  # the break behind it is the same one
                if previous != leaf:
                    # The line before is the one that changed (or the lines between it and this one), unless the next
                    # line tells that it was this link.
                    text = f"this is not the line that line {number} was chained to"
                    _add(audit, last_number, "CHAIN_BROKEN", text)
                    relinked = _relinked(line, previous, leaf)
            elif audit.chained_from is not None:
                _add(audit, number, "CHAIN_BROKEN", "prev_hash is missing after chained lines")
            elif foreign.has_begun or "event_hash" in value or value.get("action") == "chain.anchor":
                foreign.check(value, number, audit)
            if not is_plain or not reader.knows(line):
                reader.feed(value, number)
        else:
            reader.skip()
            if value is not _BAD:
                _add(audit, number, "JSONL_INVALID", "the line is not a JSON object")
        if audit.chained_from is None:
            foreign.note(line)
        leaf = sha256(b"\x00" + line).hexdigest()
        last_number = number
        if take_leaf is not None:
            take_leaf(leaf)
    audit.lines = number
    audit.leaf_hash = leaf
    audit.relinked = relinked
    return audit


_BAD = object()


def _relinked(line: bytes, link: object, leaf: str | None) -> str | None:
    if not isinstance(link, str) or leaf is None:
        return None
    written = canonical(link)
    if line.count(written) != 1:
        return None
    return hashlib.sha256(b"\x00" + line.replace(written, canonical(leaf))).hexdigest()


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
    the anchor names exactly those (as its writers do). From the anchor, or the first `event_hash`, on every event
    carries its hash, until our own chained lines begin.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._count = 0
        self._previous: str | None = None

    def note(self, line: bytes) -> None:
        """Takes a line into the running digest."""
        self._digest.update(line + b"\n")
        self._count += 1

    @property
    def has_begun(self) -> bool:
        """True from the anchor, or the first hashed event, on."""
        return self._previous is not None

    def check(self, value: dict[str, Any], number: int, audit: LineAudit) -> None:
        """Checks the chain fields of one event."""
        if "event_hash" in value:
            if _event_hash(value) != value["event_hash"]:
                _add(audit, number, "CHAIN_BROKEN", "event_hash is not the hash of the event")
            if self._previous is not None and value.get("prev_event_hash") != self._previous:
                _add(audit, number, "CHAIN_BROKEN", "prev_event_hash is not the hash of the event before")
            self._previous = str(value["event_hash"])
        elif self._previous is not None:
            _add(audit, number, "CHAIN_BROKEN", "event_hash is missing after hashed events")
        if value.get("action") == "chain.anchor":
            self._check_anchor(value.get("payload"), number, audit)

    def _check_anchor(self, payload: object, number: int, audit: LineAudit) -> None:
        anchor = payload if isinstance(payload, dict) else {}
        through, digest = anchor.get("anchored_through_seq"), anchor.get("anchor_sha256")
        if not isinstance(through, int) or through > self._count:
            _add(audit, number, "CHAIN_BROKEN", "anchored_through_seq names lines that do not stand before it")
        elif through == self._count and digest != self._digest.hexdigest():
            _add(audit, number, "CHAIN_BROKEN", "anchor_sha256 is not the hash of the lines before")
        if self._previous is None:
            self._previous = str(digest)


def _event_hash(value: dict[str, Any]) -> str | None:
    try:
        return hashlib.sha256(canonical({key: item for key, item in value.items() if key != "event_hash"})).hexdigest()
    except RecursionError:
        return None
