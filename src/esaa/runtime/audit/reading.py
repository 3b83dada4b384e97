"""Reads a stream for an audit report: every line is checked against the chain on its way into the report."""

from __future__ import annotations

import os
from collections.abc import Iterator

from esaa.audit.evidence import ChainCheck
from esaa.audit.report import ReportFold
from esaa.audit.seen import seen_events
from esaa.errors import StoreError
from esaa.kernel.merkle import Subtree, root_of, subtrees
from esaa.runtime.trail.trail import Trail
from esaa.stores.trail_proofs import is_vouched_for, proofs_of
from esaa.stores.trail_segments import Segment
from esaa.trail.event import GLOBAL, TrailEvent

UNTO_THE_END = -1
_LEAVES_FOLDED = 1024


def read_stream(trail: Trail, stream: str, last: int, fold: ReportFold) -> None:
    """Reads a stream from its first event up to `last`, or as far as it goes (`UNTO_THE_END`), into the report.

    Damage is not raised: the report says it.
    """
    events = trail.store.stream(stream)
    fold.begin(stream)
    segments: list[Segment] = []
    damage: StoreError | None = None
    try:
        segments = events.segments()
    except StoreError as error:
        damage = error
    first = segments[0].first if segments else 1
    nodes, before, complaint = _before(trail, stream, first)
    check = ChainCheck(stream, first, before)
    if complaint:
        check.found("EVENT_SEQ_INVALID", first, complaint)
    leaves = _Leaves(nodes, first - 1)

    def followed() -> Iterator[tuple[bytes, TrailEvent]]:
        try:
            if damage is not None:
                raise damage
            for located in events.events(first, None if last == UNTO_THE_END else last):
                leaves.add(check.follow(located.line, located.event))
                yield located
        except StoreError as error:
            # Where the store lies on this machine is no part of what the report says.
            check.found(error.code, None, error.message.replace(f"{trail.store.base}{os.sep}", ""))

    for seen in seen_events(stream, followed(), fold.request, trail.types):
        fold.take(seen)
    fold.end(check, leaves.root())


def _before(trail: Trail, stream: str, first: int) -> tuple[list[Subtree], str | None, str]:
    """What stands for the events before the first one: the nodes and the last leaf of their proofs, or a complaint."""
    nodes: list[Subtree] = []
    expected, before = 1, None
    for proof in proofs_of(trail.store.base, stream) if first > 1 else []:
        if proof.first_sequence != expected or proof.last_sequence >= first:
            continue
        if is_vouched_for(proof, trail.store.stream(GLOBAL).event(proof.record_id)):
            nodes += proof.nodes
            expected, before = proof.last_sequence + 1, proof.last_leaf_hash
    complaint = f"the events from {expected} to {first - 1} are missing" if expected != first else ""
    return nodes, before, complaint


class _Leaves:
    """The Merkle nodes of a stream, folded as its leaves come."""

    def __init__(self, before: list[Subtree], start: int) -> None:
        self._nodes = before
        self._start = start
        self._hashes: list[str] = []

    def add(self, leaf: str) -> None:
        self._hashes.append(leaf)
        if len(self._hashes) == _LEAVES_FOLDED:
            self._fold()

    def root(self) -> str:
        self._fold()
        try:
            return root_of(self._nodes)
        except ValueError:  # events are missing before the first one; the chain check has said so
            return ""

    def _fold(self) -> None:
        self._nodes += subtrees(self._hashes, self._start)
        self._start += len(self._hashes)
        self._hashes = []
