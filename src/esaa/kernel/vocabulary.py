"""What a store needs to know of a vocabulary: how its events become lines, and lines events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from esaa.kernel.recorded import Recorded
from esaa.kernel.strict_json import NotStrict, loads_strict

F = TypeVar("F")

_NONE: Mapping[str, str] = {}


class MalformedLine(ValueError):
    """A line that is no event of the vocabulary. `code` is one of the closed error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def malformed_line(
    line: bytes, required: Iterable[str], otherwise: str, *, stand_ins: Mapping[str, str] = _NONE
) -> MalformedLine:
    """What is wrong with a line that could not be decoded: no strict JSON, no object, keys that are not there, or
    `otherwise` what the decoder said. `stand_ins` are keys that may be there in the place of others."""
    try:
        value = loads_strict(line)
    except NotStrict as strict:
        return MalformedLine("JSONL_INVALID", f"the line is not strict JSON: {strict}")
    if not isinstance(value, dict):
        return MalformedLine("JSONL_INVALID", "the line is not a JSON object")
    missing = [key for key in required if key not in value and stand_ins.get(key) not in value]
    if missing:
        return MalformedLine("EVENT_MISSING_FIELDS", f"the event has no `{'`, `'.join(missing)}`")
    return MalformedLine("SCHEMA_INVALID", otherwise)


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
