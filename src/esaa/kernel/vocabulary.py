"""What a store needs to know of a vocabulary: how its events become lines, and lines events."""

from __future__ import annotations

from typing import Protocol, TypeVar

from esaa.kernel.recorded import Recorded

F = TypeVar("F")


class MalformedLine(ValueError):
    """A line that is no event of the vocabulary. `code` is one of the closed error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Vocabulary(Protocol[F]):
    """Maps recorded facts to lines and back. Nothing else knows the envelope."""

    @property
    def schema_version(self) -> str:
        """The version that new lines carry."""
        ...

    def event_id(self, version: int) -> str:
        """The id of the event at a version of the stream."""
        ...

    def encode(self, recorded: Recorded[F]) -> bytes:
        """One line without its line feed."""
        ...

    def decode(self, line: bytes) -> Recorded[F]:
        """The event of a line. Raises `MalformedLine`."""
        ...
