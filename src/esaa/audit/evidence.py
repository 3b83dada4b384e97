"""What a report rests on: the heads of the streams that it was made from, and whether their chains hold.

The heads name the last line of each stream by its hash, and through the chain every line before it. Whoever has the
trail can make the same report again, and whoever has only the report knows which trail to ask for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from esaa.kernel.canonical import canonical, sha256_hex
from esaa.kernel.chain import leaf_hash
from esaa.trail.event import GLOBAL, TrailEvent

REPORT_VERSION = "1.0.0"
"""The version of the report's own schema."""

FINDINGS_MAX = 100

ChainStatus = Literal["intact", "broken"]


class StreamHead(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stream as the report saw it.

    `first_sequence` is above 1 where retention has removed what came before. `merkle_root` is the root of RFC 6962 over
    all lines up to the head; empty where the stream is damaged. `selected` counts the events that the report is about;
    a stream without any is there too, for the report says that nothing happened in it.
    """

    chain: ChainStatus
    first_sequence: int
    leaf_hash: str
    merkle_root: str
    selected: int
    sequence: int
    stream: str
    timestamp: str


class ChainFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream is not what its chain says."""

    code: str
    message: str
    sequence: int
    stream: str


class Conformance(msgspec.Struct, kw_only=True):
    """How the selected events meet the schema, and what the recorder noted with them.

    `unknown_type` and `not_fitting` break it. `with_findings` were recorded by a lenient store nevertheless;
    `redacted` had secrets taken out; `told_late` carry the witness's own, earlier time.
    """

    not_fitting: int = 0
    redacted: int = 0
    told_late: int = 0
    unknown_type: int = 0
    with_findings: int = 0


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which events the report is about: how many, and a digest over their names and leaf hashes, in order."""

    events: int
    sha256: str


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """What made the report."""

    name: str
    version: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `schema_version` is that of the trail's envelope, `report_version` that of the report's own data.

    `report_sha256` covers everything that the report says but `generated_at`: reports that say the same have the same.
    """

    chain: ChainStatus
    conformance: Conformance
    findings: tuple[ChainFinding, ...]
    findings_count: int
    generator: Generator
    heads: tuple[StreamHead, ...]
    heads_sha256: str
    report_version: str
    schema_version: str
    selection: Selection
    report_sha256: str = ""


class ChainCheck:
    """Follows one stream line by line: does each line name the one before it?

    `before` is the leaf hash of the line before the first one that is there, where a proof tells it.
    """

    def __init__(self, stream: str, first: int = 1, before: str | None = None) -> None:
        self.stream = stream
        self.findings: list[ChainFinding] = []
        self.findings_count = 0
        self._first = first
        self._last = first - 1
        self._leaf = before
        self._ts = ""

    @property
    def is_intact(self) -> bool:
        """True while nothing was found."""
        return self.findings_count == 0

    def follow(self, line: bytes, event: TrailEvent) -> str:
        """Takes the next line, and gives its leaf hash."""
        if event.prev_hash != self._leaf:
            said = "names no line before it" if event.prev_hash is None else "names another line before it"
            self.found("CHAIN_BROKEN", event.version, f"event {event.version} {said}")
        if event.ts < self._ts:
            self.found("TIMESTAMP_BACK", event.version, f"event {event.version} is earlier than the one before it")
        if (event.fact.issue_key or GLOBAL) != self.stream:
            self.found("STREAM_INVALID", event.version, f"event {event.version} belongs to another stream")
        self._last, self._ts = event.version, event.ts
        self._leaf = leaf_hash(line)
        return self._leaf

    def found(self, code: str, sequence: int | None, message: str) -> None:
        """Takes note of something wrong, at an event or after the last one."""
        self.findings_count += 1
        if len(self.findings) < FINDINGS_MAX:
            where = self._last + 1 if sequence is None else sequence
            self.findings.append(ChainFinding(code=code, message=message, sequence=where, stream=self.stream))

    def head(self, selected: int, merkle_root: str) -> StreamHead | None:
        """Where the stream stands; None where not even one line could be read."""
        if self._last < self._first or self._leaf is None:
            return None
        return StreamHead(
            chain="intact" if self.is_intact else "broken",
            first_sequence=self._first,
            leaf_hash=self._leaf,
            merkle_root=merkle_root if self.is_intact else "",
            selected=selected,
            sequence=self._last,
            stream=self.stream,
            timestamp=self._ts,
        )


class SelectionDigest:
    """The digest over the selected events, taken one by one: SHA-256 over lines `STREAM SEQUENCE LEAF_HASH`."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._events = 0

    def add(self, stream: str, sequence: int, leaf: str) -> None:
        """Takes the next event."""
        self._hash.update(f"{stream} {sequence} {leaf}\n".encode())
        self._events += 1

    def selection(self) -> Selection:
        """What was taken."""
        return Selection(events=self._events, sha256=self._hash.hexdigest())


def heads_digest(heads: Sequence[StreamHead]) -> str:
    """One digest over all heads: SHA-256 over lines `STREAM SEQUENCE LEAF_HASH TIMESTAMP`, in the order of the heads.

    The lines are simple enough to be made by hand.
    """
    text = "".join(f"{one.stream} {one.sequence} {one.leaf_hash} {one.timestamp}\n" for one in heads)
    return sha256_hex(text.encode())


def content_digest(value: object) -> str:
    """SHA-256 over the canonical JSON of a value."""
    return sha256_hex(canonical(value))
