"""Verification of trail streams: strict lines, chain, sequence, ids, times, schema, over all files of a stream."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from esaa.errors import CorruptLog, StoreError
from esaa.kernel.chain import leaf_hash
from esaa.kernel.line_audit import LineFinding, audit_lines
from esaa.kernel.merkle import Subtree, root_of, subtrees
from esaa.runtime.trail import Trail
from esaa.stores.jsonl import LINE_BYTES_MAX
from esaa.stores.trail_proofs import is_vouched_for, proofs_of
from esaa.stores.trail_segments import Segment, stored_lines
from esaa.trail.envelope_audit import EnvelopeAudit
from esaa.trail.event import GLOBAL


class StreamVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the verification of a stream found. `line` of a finding is the sequence at which it stands.

    `errors` mean that the stream is damaged; `warnings` are about single events (their schema, clocks that differ).
    `merkle_root` is the root over all leaves, those of deleted segments included.
    """

    stream: str
    events: int
    head_sequence: int
    head_leaf_hash: str | None
    merkle_root: str
    faulty: int
    skewed: int
    types_seen: dict[str, int]
    errors: tuple[LineFinding, ...]
    warnings: tuple[LineFinding, ...]

    @property
    def is_sound(self) -> bool:
        """True where nothing is damaged."""
        return not self.errors


def verify_stream(trail: Trail, stream: str) -> StreamVerdict:
    """Reads a whole stream once, in constant memory but for its ids. Raises nothing for damage: it is the answer."""
    errors: list[LineFinding] = []
    try:
        segments = trail.store.stream(stream).segments()
    except (CorruptLog, StoreError) as error:
        errors.append(LineFinding(line=1, code=error.code, message=error.message))
        segments = []
    first = segments[0].first if segments else 1
    nodes, before = _before(trail, stream, first, errors)
    audit = EnvelopeAudit(stream, trail.types, first)
    leaves = _Leaves(first - 1)
    found = audit_lines(_lines(segments, leaves, errors), LINE_BYTES_MAX, audit, before=before)
    offset = first - 1
    errors += [msgspec.structs.replace(one, line=one.line + offset) for one in (*found.findings, *audit.findings)]
    return StreamVerdict(
        stream=stream,
        events=found.events,
        head_sequence=offset + found.events,
        head_leaf_hash=found.leaf_hash,
        merkle_root=root_of([*nodes, *leaves.nodes()]) if not errors else "",
        faulty=audit.faulty,
        skewed=audit.skewed,
        types_seen=audit.types_seen,
        errors=tuple(sorted(errors, key=lambda one: one.line)),
        warnings=tuple(msgspec.structs.replace(one, line=one.line + offset) for one in audit.schema_findings),
    )


class _Leaves:
    """Folds leaf hashes into subtrees as they come."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._hashes: list[str] = []
        self._nodes: list[Subtree] = []

    def add(self, line: bytes) -> None:
        self._hashes.append(leaf_hash(line))
        if len(self._hashes) == 1024:
            self._fold()

    def nodes(self) -> list[Subtree]:
        self._fold()
        return self._nodes

    def _fold(self) -> None:
        self._nodes += subtrees(self._hashes, self._start)
        self._start += len(self._hashes)
        self._hashes = []


def _lines(segments: list[Segment], leaves: _Leaves, errors: list[LineFinding]) -> Iterator[bytes]:
    for segment in segments:
        try:
            for line in stored_lines(segment.path, segment.kind):
                leaves.add(line)
                yield line
        except (StoreError, OSError) as error:
            errors.append(LineFinding(line=segment.first, code="SEGMENT_DAMAGED", message=str(error)))


def _before(trail: Trail, stream: str, first: int, errors: list[LineFinding]) -> tuple[list[Subtree], str | None]:
    """What stands for the events before the first one that is there: the nodes and last leaf of their proofs."""
    nodes: list[Subtree] = []
    expected, before = 1, None
    for proof in proofs_of(trail.store.base, stream) if first > 1 else []:
        if proof.first_sequence != expected or proof.last_sequence >= first:
            continue
        if not is_vouched_for(proof, trail.store.stream(GLOBAL).event(proof.record_id)):
            text = f"nothing in {GLOBAL} vouches for the proof of events {expected} to {proof.last_sequence}"
            errors.append(LineFinding(line=expected, code="PROOF_UNKNOWN", message=text))
        nodes += proof.nodes
        expected, before = proof.last_sequence + 1, proof.last_leaf_hash
    if expected != first:
        text = f"the events from {expected} to {first - 1} are missing"
        errors.append(LineFinding(line=expected, code="EVENT_SEQ_INVALID", message=text))
    return nodes, before
