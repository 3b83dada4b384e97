"""The audit of stored lines that needs no vocabulary: strict JSON, and the chain over the stored bytes.

Streams in constant memory; half of a full verification, and the half that can run in a process of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from esaa.kernel.canonical import canonical
from esaa.kernel.strict_json import NotStrict, loads_strict

FINDINGS_MAX = 1000
_RUN_MIN = 16
"""So few lines are not worth being known at once."""


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

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """True for a run of lines, as an encoder writes them, in which there is nothing to find: each is linked by
        its `prev_hash` to the leaf in `links`, and the rest is sound too. They are then not fed."""
        ...


class LineAuditor:
    """Audits stored lines in their order. Blank lines are no leaves; a CR belongs to its line.

    `before` is the leaf hash of the line before the first one, where earlier lines lie elsewhere, `chained_from`
    where those began to be chained, and `start` how many they are, where the numbers are to go on from them.
    `take_leaf` is given the leaf hash of every line.
    """

    def __init__(
        self,
        line_bytes_max: int,
        reader: LineReader,
        *,
        before: str | None = None,
        chained_from: int | None = None,
        start: int = 0,
        take_leaf: Callable[[str], None] | None = None,
    ) -> None:
        self._audit = LineAudit(chained_from=chained_from, leaf_hash=before, lines=start)
        self._line_bytes_max = line_bytes_max
        self._reader = reader
        self._take_leaf = take_leaf
        self._last_number = max(start, 1)
        self._foreign = _ForeignChain()

    def outcome(self) -> LineAudit:
        """What was found so far."""
        return self._audit

    def run(self, run: bytes) -> None:
        """Some lines, each with its line feed; the last one of a log may lack it."""
        lines = run.split(b"\n")
        cut = lines.pop()
        self._run(run[: len(run) - len(cut)], lines)
        if cut:
            self.line(cut)

    def _run(self, run: bytes, lines: list[bytes]) -> None:
        """What can be known at once is known at once; where that fails, in halves, and at last line by line."""
        audit = self._audit
        while lines and audit.relinked is not None:  # the next line tells who is to blame
            run = run[len(lines[0]) + 1 :]
            self.line(lines.pop(0))
        is_chained = audit.chained_from is not None and audit.leaf_hash is not None
        if not is_chained or len(lines) < _RUN_MIN:
            for line in lines:
                self.line(line)
        elif not self._is_known(run, lines):
            half = len(lines) // 2
            border = sum(map(len, lines[:half])) + half
            self._run(run[:border], lines[:half])
            self._run(run[border:], lines[half:])

    def _is_known(self, run: bytes, lines: list[bytes]) -> bool:
        audit, sha256 = self._audit, hashlib.sha256
        if len(run) > self._line_bytes_max and max(map(len, lines)) > self._line_bytes_max:
            return False
        # The prefix of a leaf is put before all lines at once.
        leaves = [sha256(line).hexdigest() for line in (b"\x00" + run[:-1].replace(b"\n", b"\n\x00")).split(b"\n")]
        if not self._reader.knows(run, [audit.leaf_hash or "", *leaves[:-1]]):
            return False
        audit.leaf_hash = leaves[-1]
        audit.lines = self._last_number = audit.lines + len(lines)
        audit.events += len(lines)
        if self._take_leaf is not None:
            for leaf in leaves:
                self._take_leaf(leaf)
        return True

    def line(self, line: bytes) -> None:
        """One line, without its line feed."""
        audit = self._audit
        audit.lines += 1
        if not line or line.isspace():
            return
        audit.events += 1
        value = _strictly(line, audit.lines, self._line_bytes_max, audit)
        doubt, audit.relinked = audit.relinked, None
        if isinstance(value, dict):
            self._check_chain(line, value, doubt)
            self._reader.feed(value, audit.lines)
        else:
            self._reader.skip()
            if value is not _BAD:
                _add(audit, audit.lines, "JSONL_INVALID", "the line is not a JSON object")
        if audit.chained_from is None:
            self._foreign.note(line)
        audit.leaf_hash = hashlib.sha256(b"\x00" + line).hexdigest()
        self._last_number = audit.lines
        if self._take_leaf is not None:
            self._take_leaf(audit.leaf_hash)

    def _check_chain(self, line: bytes, value: dict[str, Any], doubt: str | None) -> None:
        audit, number, previous = self._audit, self._audit.lines, value.get("prev_hash")
        if previous is not None:
            if audit.chained_from is None:
                audit.chained_from = number
            if doubt is not None and previous == doubt:
                audit.blame_link(self._last_number)
                audit.leaf_hash = previous  # the break behind it is the same one
            if previous != audit.leaf_hash:
                # The line before is the one that changed (or the lines between it and this one), unless the next
                # line tells that it was this link.
                text = f"this is not the line that line {number} was chained to"
                _add(audit, self._last_number, "CHAIN_BROKEN", text)
                audit.relinked = _relinked(line, previous, audit.leaf_hash)
        elif audit.chained_from is not None:
            _add(audit, number, "CHAIN_BROKEN", "prev_hash is missing after chained lines")
        elif self._foreign.has_begun or "event_hash" in value or value.get("action") == "chain.anchor":
            self._foreign.check(value, number, audit)


def audit_lines(
    lines: Iterable[bytes],
    line_bytes_max: int,
    reader: LineReader,
    *,
    before: str | None = None,
    take_leaf: Callable[[str], None] | None = None,
) -> LineAudit:
    """Audits stored lines, each without its line feed, one by one. The arguments are `LineAuditor`'s."""
    auditor = LineAuditor(line_bytes_max, reader, before=before, take_leaf=take_leaf)
    for line in lines:
        auditor.line(line)
    return auditor.outcome()


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


def _event_hash(value: dict[str, Any]) -> str:
    return hashlib.sha256(canonical({key: item for key, item in value.items() if key != "event_hash"})).hexdigest()
