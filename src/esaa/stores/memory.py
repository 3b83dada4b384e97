"""An event store in memory: the fake beside the real ones. Nothing is durable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from esaa.errors import WrongExpectedVersion
from esaa.kernel.recorded import Draft, Recorded
from esaa.kernel.vocabulary import Vocabulary
from esaa.stores.base import START, Batch, Head, encode_batch

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
        written, lines, self._head = encode_batch(drafts, self._head, batch, self._vocabulary)
        self._lines += lines
        return tuple(written)
