"""Verification of trail streams: strict lines, chain, sequence, ids, times, schema, over all files of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from esaa.errors import CorruptLog, StoreError
from esaa.kernel.checkpoint import VerifierKey
from esaa.kernel.line_audit import LineFinding, audit_lines
from esaa.kernel.merkle import Frontier, Subtree
from esaa.kernel.roots import RootsAt
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trust.trail_checkpoints import former_origins, stream_checkpoints, stream_origin
from esaa.runtime.verification.checkpoint_audit import CheckpointAudit, Given, Judgement, Knowledge, Trust, trust_of
from esaa.stores.jsonl import LINE_BYTES_MAX
from esaa.stores.layout import ROADMAP
from esaa.stores.origin import read_origin
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
    trust: Trust

    @property
    def is_sound(self) -> bool:
        """True where nothing is damaged."""
        return not self.errors


def verify_stream(
    trail: Trail,
    stream: str,
    *,
    knowledge: Knowledge | None = None,
    keys: Sequence[VerifierKey] = (),
    given: Sequence[Given] = (),
) -> StreamVerdict:
    """Reads a whole stream once, in constant memory but for its ids. Raises nothing for damage: it is the answer.

    Checkpoints are believed as in the verification of the governed log.
    """
    errors: list[LineFinding] = []
    try:
        segments = trail.store.stream(stream).segments()
    except (CorruptLog, StoreError) as error:
        errors.append(LineFinding(line=1, code=error.code, message=error.message))
        segments = []
    first = segments[0].first if segments else 1
    nodes, before = _before(trail, stream, first, errors)
    audit = EnvelopeAudit(stream, trail.types, first)
    checkpoints = _checkpoint_audit(trail, stream, knowledge, keys, given)
    roots = RootsAt(checkpoints.sizes, _covered(nodes, first - 1))
    lines = _lines(segments, errors)
    found = audit_lines(lines, LINE_BYTES_MAX, audit, before=before, take_leaf=roots.add)
    offset = first - 1
    errors += [msgspec.structs.replace(one, line=one.line + offset) for one in (*found.findings, *audit.findings)]
    end = roots.end()
    head = offset + found.events
    judgement = checkpoints.judge({head: end} | roots.heads, head, first - 1)
    warnings = [msgspec.structs.replace(one, line=one.line + offset) for one in audit.schema_findings]
    _add_checkpoints(judgement, head, errors, warnings)
    if not errors:
        checkpoints.remember(end, head)
    return StreamVerdict(
        stream=stream,
        events=found.events,
        head_sequence=head,
        head_leaf_hash=found.leaf_hash,
        merkle_root=end.root if not errors else "",
        faulty=audit.faulty,
        skewed=audit.skewed,
        types_seen=audit.types_seen,
        errors=tuple(sorted(errors, key=lambda one: one.line)),
        warnings=tuple(warnings),
        trust=trust_of(head, min((one.line for one in errors), default=None), judgement),
    )


def _checkpoint_audit(
    trail: Trail,
    stream: str,
    knowledge: Knowledge | None,
    keys: Sequence[VerifierKey],
    given: Sequence[Given],
) -> CheckpointAudit:
    project = read_origin(trail.root / ROADMAP)
    if project is None:
        return CheckpointAudit(None, None)
    origin = stream_origin(trail.store, project, stream)
    # Anchors of all streams are given together.
    own = [one for one in given if one.data.startswith(origin.encode() + b"\n")]
    former = former_origins(trail.store, project, stream)
    return CheckpointAudit(stream_checkpoints(trail.store, stream), origin, knowledge, keys, own, former=former)


def _covered(nodes: list[Subtree], size: int) -> Frontier:
    """The tree over what was deleted; where it is not covered without a gap, that is an error found already."""
    try:
        frontier = Frontier.of(nodes)
    except ValueError:
        frontier = Frontier()
    return frontier if frontier.size == size else Frontier()


def _add_checkpoints(judgement: Judgement, head: int, errors: list[LineFinding], warnings: list[LineFinding]) -> None:
    is_placed = bool(errors)
    for one in judgement.findings:
        where = f"{one.where}: " if one.where else ""
        place = head if is_placed or one.first_bad is None else one.first_bad
        found = LineFinding(line=place, code=one.code, message=f"{where}{one.message}")
        (errors if one.severity == "error" else warnings).append(found)


def _lines(segments: list[Segment], errors: list[LineFinding]) -> Iterator[bytes]:
    for segment in segments:
        try:
            yield from stored_lines(segment.path, segment.kind)
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
