"""Events of a log by moments: resolves refs without reading what lies before them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from esaa.history.refs import AtHead, AtSeq, AtTime, Ref, parse_range
from esaa.kernel.recorded import Recorded
from esaa.kernel.times import moment_of
from esaa.protocol.facts import Fact
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.locate import events_backwards, events_from

Located = tuple[bytes, Recorded[Fact]]

_FIRST = datetime.min.replace(tzinfo=UTC)
"""When an event happened whose time is none."""


def events_in(path: Path, moments: str | None, now: datetime) -> Iterator[Located]:
    """The events that `REF` or `A..B` names (None: all), oldest first. Raises `UsageError` for a text that is no ref.

    A moment between two events means the one before it.
    """
    vocabulary = ProtocolVocabulary()
    if moments is None:
        yield from events_from(path, 1, vocabulary)
        return
    first, last = parse_range(moments, now)
    start = 1 if first is None else _seq_of(path, first)
    end = None if last is None else _seq_of(path, last)
    for located in events_from(path, start, vocabulary):
        if end is not None and located[1].version > end:
            return
        yield located


def _seq_of(path: Path, ref: Ref) -> int:
    match ref:
        case AtSeq(seq=seq):
            return seq
        case AtHead(back=back):
            return max(_head(path) - back, 0)
        case AtTime(ts=ts):
            moment = moment_of(ts) or _FIRST
            events = events_backwards(path, ProtocolVocabulary())
            return next((one.version for one in events if (moment_of(one.ts) or _FIRST) <= moment), 0)


def _head(path: Path) -> int:
    return next((one.version for one in events_backwards(path, ProtocolVocabulary())), 0)
