"""The stored lines of the governed log as facts, for the answers that need more than an entry says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from esaa.history.past import Past
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.locate import events_from

_VOCABULARY = ProtocolVocabulary()


def fact_of(past: Past, seq: int) -> Fact | None:
    """The fact of an event of the log; None for a line that is none, and for a stream of the trail."""
    if past.kind != "log":
        return None
    try:
        return _VOCABULARY.decode(past.line(seq)).fact
    except MalformedLine:
        return None


def recorded(past: Past, last: int) -> Iterator[Recorded[Fact]]:
    """The readable events of the log up to one, asked one by one."""
    for seq in range(1, last + 1):
        try:
            yield _VOCABULARY.decode(past.line(seq))
        except MalformedLine:
            continue


def recorded_in(log: Path, last: int) -> Iterator[Recorded[Fact]]:
    """The readable events of the log up to one, as they stand in its file."""
    for _, event in events_from(log, 1, _VOCABULARY):
        if event.version > last:
            return
        yield event


def payload_of(past: Past, seq: int) -> Any:
    """What an event says, as plain JSON; None for a line that is none."""
    try:
        stored = msgspec.json.decode(past.line(seq))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(stored, dict):
        return None
    return stored.get("metadata" if past.kind == "trail" else "payload", stored.get("data"))
