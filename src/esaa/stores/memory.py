"""An event store in memory: the fake beside the real ones. Nothing is durable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from esaa.errors import WrongExpectedVersion
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Draft, Recorded
from esaa.kernel.vocabulary import Vocabulary
from esaa.stores.base import START, Batch, Head, record

F = TypeVar("F")


class MemoryStore(Generic[F]):
    """Keeps the encoded lines, so that it chains and decodes exactly as a file does."""

    def __init__(self, vocabulary: Vocabulary[F]) -> None:
        self._vocabulary = vocabulary
        self._lines: list[bytes] = []
        self._head = START

    def head(self) -> Head:
        """The end of the stream."""
        return self._head

    def read(self, after: Head = START) -> Iterator[Recorded[F]]:
        """The events after a place."""
        for line in self._lines[after.version :]:
            yield self._vocabulary.decode(line)

    def append(self, drafts: Sequence[Draft[F]], expected_version: int, batch: Batch) -> tuple[Recorded[F], ...]:
        """Appends all drafts, or none."""
        if expected_version != self._head.version:
            raise WrongExpectedVersion(expected_version, self._head.version)
        vocabulary = self._vocabulary
        ids = [vocabulary.event_id(self._head.version + n) for n in range(1, len(drafts) + 1)]
        lines: list[bytes] = []
        written: list[Recorded[F]] = []
        head = self._head
        for recorded in record(drafts, head, batch, vocabulary.schema_version, ids):
            linked = msgspec.structs.replace(recorded, prev_hash=head.leaf_hash)
            line = vocabulary.encode(linked)
            lines.append(line)
            written.append(linked)
            head = Head(
                version=linked.version,
                leaf_hash=leaf_hash(line),
                offset=head.offset + len(line) + 1,
                line_bytes=len(line),
                is_chained=linked.prev_hash is not None,
            )
        self._lines += lines
        self._head = head
        return tuple(written)
