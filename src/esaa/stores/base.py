"""The port of event stores: one stream, append-only, gap-free versions, optimistic concurrency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from esaa.kernel.recorded import Draft, Recorded

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


def record(
    drafts: Sequence[Draft[F]], head: Head, batch: Batch, schema_version: str, event_ids: Sequence[str]
) -> list[Recorded[F]]:
    """Drafts with their places, still without links; what follows names the batch's first event as its cause."""
    first = ""
    recorded: list[Recorded[F]] = []
    for number, (draft, event_id) in enumerate(zip(drafts, event_ids, strict=True), start=1):
        recorded.append(
            Recorded(
                version=head.version + number,
                event_id=event_id,
                ts=batch.ts,
                actor=draft.actor,
                fact=draft.fact,
                schema_version=schema_version,
                command_id=batch.command_id,
                correlation_id=batch.correlation_id,
                causation_id=first if draft.follows and first else None,
            )
        )
        if not draft.follows:
            first = event_id
    return recorded
