"""What stays of events that retention deleted: their place in the stream, their Merkle nodes, and the state after them.

A proof counts only where the trail itself vouches for it: `SegmentDeleted` in `global` names its digests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from esaa.kernel.canonical import sha256_hex
from esaa.kernel.ingest import FOLDED_STATE
from esaa.kernel.merkle import Subtree
from esaa.stores.outside import read_own
from esaa.stores.trail_layout import partitions_of
from esaa.trail.event import TrailEvent
from esaa.trail.wire import metadata_of


class SegmentProof(msgspec.Struct, frozen=True, kw_only=True):
    """The proof of a deleted segment. `nodes` are the subtrees that stand for its leaves in the tree of the stream."""

    stream: str
    path: str
    first_sequence: int
    last_sequence: int
    first_timestamp: str
    last_timestamp: str
    merkle_root: str
    last_leaf_hash: str
    nodes: tuple[Subtree, ...]
    projection_version: int
    state_sha256: str
    state: msgspec.Raw
    record_id: str


def proof_name(first: int) -> str:
    """The file name of a proof."""
    return f"proof-{first}.json"


def proofs_of(base: Path, stream: str) -> list[SegmentProof]:
    """The proofs of a stream in order, those that cannot be read left out."""
    return sorted(_found(base, stream), key=lambda one: one.first_sequence)


def is_vouched_for(proof: SegmentProof, record: TrailEvent | None) -> bool:
    """True where the record of the deletion (the event `record_id` of `global`) names the digests of the proof."""
    if record is None:
        return False
    told = metadata_of(record)
    extra = told.get("extra")
    return (
        told.get("merkle_root") == proof.merkle_root
        and told.get("last_leaf_hash") == proof.last_leaf_hash
        and isinstance(extra, dict)
        and extra.get("state_sha256") == sha256_hex(bytes(proof.state))
    )


def _found(base: Path, stream: str) -> Iterator[SegmentProof]:
    for folder in partitions_of(base, stream):
        for path in folder.glob("proof-*.json"):
            with suppress(ValueError):  # no JSON, or no UTF-8
                yield msgspec.json.decode(read_own(path, FOLDED_STATE) or b"", type=SegmentProof)
