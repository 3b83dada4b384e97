"""The lines of a stream after a place in it, piece by piece, so that many streams can be read side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from esaa.kernel.chain import leaf_hash
from esaa.stores.trail_segments import Kind, stored_lines

NOWHERE = -1
"""Instead of an offset: the file is not one of plain lines."""
_LINES_AT_ONCE = 100


class Source(NamedTuple):
    """A segment by its number in the index; `first` is the sequence of its first event."""

    number: int
    path: str
    kind: Kind
    first: int


class Place(NamedTuple):
    """The last line that was taken: its sequence, its leaf hash, its segment, and where in it it lies."""

    sequence: int
    leaf: str
    segment: int
    start: int
    length: int


class Piece(NamedTuple):
    """Stored lines that follow each other in a segment, each with its offset."""

    segment: int
    lines: list[tuple[int, bytes]]


class Misfit(Exception):
    """The line that was taken last is not where it was, or not what it was: the stream was written anew."""


def lines_after(base: Path, sources: list[Source], place: Place | None, piece_bytes: int) -> Iterator[Piece]:
    """The lines after a place, of all segments in their order; a last line that has not ended is left out.

    Raises `Misfit` where the place does not fit, and `OSError` and `StoreError` where a segment can't be read.
    """
    if place is not None and all(source.number != place.segment for source in sources):
        raise Misfit
    for source in sources:
        is_last = source is sources[-1]
        if place is None or source.first > place.sequence:
            yield from _lines(base, source, 0, is_last, piece_bytes)
        elif source.number == place.segment:
            yield from _rest(base, source, place, is_last, piece_bytes)


def line_of(base: Path, sources: list[Source], segment: int, sequence: int, where: tuple[int, int]) -> bytes:
    """A line again, by its segment and where (offset and length) it lies there. Raises as `lines_after`."""
    source = next(source for source in sources if source.number == segment)
    start, length = where
    if start == NOWHERE:
        return next(islice(stored_lines(base / source.path, source.kind), sequence - source.first, None))
    return _bytes_at(base / source.path, start, length)


def _rest(base: Path, source: Source, place: Place, is_last: bool, piece_bytes: int) -> Iterator[Piece]:
    if source.kind == "jsonl" and place.start != NOWHERE:
        if leaf_hash(_bytes_at(base / source.path, place.start, place.length)) != place.leaf:
            raise Misfit
        yield from _lines(base, source, place.start + place.length, is_last, piece_bytes)
        return
    taken = place.sequence - source.first + 1
    for piece in _lines(base, source, 0, is_last, piece_bytes):
        if taken > len(piece.lines):
            taken -= len(piece.lines)
            continue
        if taken > 0 and leaf_hash(piece.lines[taken - 1][1]) != place.leaf:
            raise Misfit
        yield Piece(piece.segment, piece.lines[taken:])
        taken = 0
    if taken > 0:
        raise Misfit


def _lines(base: Path, source: Source, at: int, is_last: bool, piece_bytes: int) -> Iterator[Piece]:
    if source.kind == "jsonl":
        yield from _plain_lines(base / source.path, source.number, at, is_last, piece_bytes)
        return
    lines = stored_lines(base / source.path, source.kind)
    while some := [(NOWHERE, line) for line in islice(lines, _LINES_AT_ONCE)]:
        yield Piece(source.number, some)


def _plain_lines(path: Path, number: int, at: int, is_last: bool, piece_bytes: int) -> Iterator[Piece]:
    """The lines from an offset on. The file is opened for each piece: many streams are read at once."""
    wanted = piece_bytes
    while True:
        data = _bytes_at(path, at, wanted)
        end = data.rfind(b"\n") + 1
        if len(data) < wanted:
            if not is_last and end < len(data):
                end = len(data)
        elif not end:
            wanted *= 2
            continue
        if end:
            yield Piece(number, _split(data[:end], at))
            at += end
        if len(data) < wanted:
            return
        wanted = piece_bytes


def _bytes_at(path: Path, start: int, length: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, length, start)
    finally:
        os.close(fd)


def _split(data: bytes, at: int) -> list[tuple[int, bytes]]:
    lines: list[tuple[int, bytes]] = []
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        if end < 0:
            end = len(data)
        line = data[start:end]
        if line and not line.isspace():
            lines.append((at + start, line))
        start = end + 1
    return lines
