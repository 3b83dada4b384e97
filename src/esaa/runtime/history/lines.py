"""The stored lines of the governed log as facts, for the answers that need more than an entry says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import msgspec

from esaa.history.past import Past
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact
from esaa.protocol.wire import ProtocolVocabulary

_VOCABULARY = ProtocolVocabulary()


@runtime_checkable
class HasLines(Protocol):
    """A past that gives many lines in one go."""

    def lines(self, first: int, last: int) -> Iterator[bytes]:
        """The stored lines of the events from `first` to `last`, both included."""
        ...


def fact_of(past: Past, seq: int) -> Fact | None:
    """The fact of an event of the log; None for a line that is none, and for a stream of the trail."""
    if past.kind != "log":
        return None
    try:
        return _VOCABULARY.decode(past.line(seq)).fact
    except MalformedLine:
        return None


def recorded(past: Past, last: int) -> Iterator[Recorded[Fact]]:
    """The readable events of the log up to one."""
    lines = past.lines(1, last) if isinstance(past, HasLines) else (past.line(seq) for seq in range(1, last + 1))
    for line in lines:
        try:
            yield _VOCABULARY.read(line)
        except MalformedLine:
            continue


def payload_of(past: Past, seq: int) -> Any:
    """What an event says, as plain JSON; None for a line that is none."""
    try:
        stored = msgspec.json.decode(past.line(seq))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(stored, dict):
        return None
    return stored.get("metadata" if past.kind == "trail" else "payload", stored.get("data"))
