"""The lines of the log after a place, as events with where they lie: runs of them at once, and damage told by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact
from esaa.protocol.wire import WRITABLE, ProtocolVocabulary, action_of, payload_decoders
from esaa.stores.base import Head
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore, TornTail

VOCABULARY = ProtocolVocabulary()

_CHUNK_BYTES = 1024 * 1024
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class StoredEvent(NamedTuple):
    """An event, where its line lies, the line's leaf hash, and its payload as it stands there."""

    start: int
    length: int
    leaf: str
    action: str
    payload: bytes
    recorded: Recorded[Fact]


class Changed(Exception):
    """The log was changed while it was read."""


class _Event(Recorded[Any], frozen=True, kw_only=True, gc=False):
    """An event as it stands on the wire. The fact is the payload's bytes until its action is known."""

    version: int = msgspec.field(name="event_seq")
    fact: msgspec.Raw = msgspec.field(name="payload")
    action: str


class _Payload(msgspec.Struct):
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    data: msgspec.Raw = msgspec.Raw(b"{}")


_EVENTS = msgspec.json.Decoder(_Event)
_PAYLOAD = msgspec.json.Decoder(_Payload)


def stored_events(path: Path, place: Head) -> Iterator[tuple[list[StoredEvent], Head]]:
    """The events after a place, many at once, each time with the place behind them.

    A torn last line, which was never acknowledged, is left out. Raises `CorruptLog` behind the last sound event.
    """
    at, wanted = place.offset, _CHUNK_BYTES
    while True:
        data = _bytes_at(path, at, wanted)
        end = data.rfind(b"\n") + 1
        is_end = len(data) < wanted
        if not end and not is_end:
            wanted *= 2
            continue
        for piece, is_ended in ((data[:end], True), (data[end:] if is_end else b"", False)):
            if not piece:
                continue
            events, behind, is_sound = _run_of(piece, at, place, is_ended=is_ended)
            if events:
                place = behind
                yield events, place
            if not is_sound:
                _explain(path, place)
                return
            at += len(piece)
            place = msgspec.structs.replace(place, offset=at)
        if is_end:
            return
        wanted = _CHUNK_BYTES


def _run_of(data: bytes, at: int, place: Head, *, is_ended: bool) -> tuple[list[StoredEvent], Head, bool]:
    """The events of some whole lines, the place behind them, and whether that was all."""
    lines = data.split(b"\n")
    if is_ended:
        lines.pop()
    decoded = _decoded(data, len(lines))
    version, leaf, is_chained = place.version, place.leaf_hash, place.is_chained
    events: list[StoredEvent] = []
    start, is_sound = at, True
    for number, line in enumerate(lines):
        length = len(line)
        found = decoded[number] if decoded is not None else _one(line)
        if found is None:
            if line.strip():
                is_sound = False
                break
            start += length + 1
            continue
        action, payload, recorded = found
        version += 1
        is_linked = not is_chained if recorded.prev_hash is None else recorded.prev_hash == leaf
        if recorded.version != version or not is_linked or (is_chained and not is_ended):
            version -= 1
            is_sound = False
            break
        leaf = leaf_hash(line)
        is_chained = is_chained or recorded.prev_hash is not None
        events.append(StoredEvent(start, length, leaf, action, payload, recorded))
        start += length + 1
    if not events:
        return [], place, is_sound
    last = events[-1]
    offset = min(last.start + last.length + 1, at + len(data))
    behind = Head(version=version, leaf_hash=leaf, offset=offset, line_bytes=last.length, is_chained=is_chained)
    return events, behind, is_sound


def _decoded(data: bytes, count: int) -> list[tuple[str, bytes, Recorded[Fact]]] | None:
    """The events of ordinary lines, one for each; None where some line is not one."""
    decoder_of, set_fact = payload_decoders().get, msgspec.structs.force_setattr
    try:
        read = _EVENTS.decode_lines(data)
        if len(read) != count:
            return None
        found: list[tuple[str, bytes, Recorded[Fact]]] = []
        for event in read:
            decoder = decoder_of(event.action)
            if decoder is None or event.schema_version not in WRITABLE:
                return None
            payload = bytes(event.fact)
            set_fact(event, "fact", decoder.decode(payload))
            found.append((event.action, payload, event))
    except _UNREADABLE:
        return None
    return found


def _one(line: bytes) -> tuple[str, bytes, Recorded[Fact]] | None:
    """The event of any line; None where it holds none."""
    try:
        recorded = VOCABULARY.decode(line)
        read = _PAYLOAD.decode(line)
    except (MalformedLine, *_UNREADABLE):
        return None
    payload = bytes(read.payload)
    return action_of(recorded.fact), payload if payload != b"{}" else bytes(read.data), recorded


def _explain(path: Path, place: Head) -> None:
    """Lets the store say what is wrong with the line after a place. Raises `CorruptLog`."""
    store: JsonlStore[Fact] = JsonlStore(path, VOCABULARY, Disk())
    try:
        next(store.read(place), None)
    except TornTail:
        return
    raise Changed


def _bytes_at(path: Path, start: int, length: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, length, start)
    finally:
        os.close(fd)
