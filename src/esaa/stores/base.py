"""The port of event stores: one stream, append-only, gap-free versions, optimistic concurrency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Draft, Recorded
from esaa.kernel.vocabulary import Vocabulary

F = TypeVar("F")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stream, or any earlier place in it.

    `version` is 0 in an empty stream. `offset` and `line_bytes` are the store's own way back to the place;
    `is_chained` is True once a line has carried `prev_hash`.
    """

    version: int = 0
    leaf_hash: str | None = None
    offset: int = 0
    line_bytes: int = 0
    is_chained: bool = False


START = Head()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the events of one append share: the log's time, and the ids of command and story where they have any."""

    ts: str
    command_id: str | None = None
    correlation_id: str | None = None


class EventStore(Protocol[F]):
    """Every store behaves alike; one conformance suite runs over all of them."""

    def head(self) -> Head:
        """The end of the stream as this store object knows it."""
        ...

    def read(self, after: Head = START) -> Iterator[Recorded[F]]:
        """The events after a place, in order; brings `head` up to date. Raises `CorruptLog`."""
        ...

    def append(self, drafts: Sequence[Draft[F]], expected_version: int, batch: Batch) -> tuple[Recorded[F], ...]:
        """Appends all drafts durably, or none. Raises `WrongExpectedVersion` and `StoreError`."""
        ...


def encode_batch(
    drafts: Sequence[Draft[F]], head: Head, batch: Batch, vocabulary: Vocabulary[F]
) -> tuple[list[Recorded[F]], list[bytes], Head]:
    """Drafts as recorded events, linked line by line, with their lines and the head that they lead to.

    What follows a draft names the first event of its batch as its cause.
    """
    first = ""
    version, leaf = head.version, head.leaf_hash
    written: list[Recorded[F]] = []
    lines: list[bytes] = []
    encode, next_id, default = vocabulary.encode, vocabulary.event_id, vocabulary.schema_version
    for draft in drafts:
        version += 1
        event_id = draft.event_id or next_id(version)
        if not draft.follows:
            first = event_id
        recorded = Recorded(
            version=version,
            event_id=event_id,
            ts=draft.ts or batch.ts,
            actor=draft.actor,
            fact=draft.fact,
            schema_version=draft.schema_version or default,
            command_id=batch.command_id,
            correlation_id=draft.correlation_id or batch.correlation_id,
            causation_id=draft.causation_id or (first if draft.follows and first else None),
            prev_hash=leaf,
        )
        line = encode(recorded)
        leaf = leaf_hash(line)
        written.append(recorded)
        lines.append(line)
    if lines:
        head = Head(
            version=version,
            leaf_hash=leaf,
            offset=head.offset + sum(map(len, lines)) + len(lines),
            line_bytes=len(lines[-1]),
            is_chained=written[-1].prev_hash is not None,
        )
    return written, lines, head
