"""Finding lines in a long log without reading it: backwards from the end, and by bisection over the gap-free seq."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine, Vocabulary

F = TypeVar("F")

_CHUNK = 64 * 1024
_HOLE_WITHIN = 1024 * 1024
"""An append is smaller: a hole that lies farther from the end is damage, and no crash's."""


def lines_backwards(path: Path) -> Iterator[tuple[bytes, int]]:
    """The lines from the last to the first, each without its line feed and with the offset where it begins."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at = file.seek(0, 2)
        rest = b""
        while at > 0:
            size = min(_CHUNK, at)
            at -= size
            file.seek(at)
            chunk = file.read(size) + rest
            pieces = chunk.split(b"\n")
            rest = pieces[0]
            end = at + len(chunk)
            for piece in reversed(pieces[1:]):
                start = end - len(piece)
                if piece:
                    yield piece, start
                end = start - 1
        if rest:
            yield rest, 0


def torn_from(path: Path) -> int | None:
    """Where the part of a file begins that a crash tore, or None where its end is whole.

    That is a last line without its line feed; or one of the last lines with a hole in it, for the pages of one append
    reach the disk in any order, and those that did not are zeros. No line that was written whole has a zero byte.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        begin = max(size - _HOLE_WITHIN, 0)
        file.seek(begin)
        data = file.read()
    hole = data.find(b"\0")
    if hole < 0 and (not data or data.endswith(b"\n")):
        return None
    torn = begin + (hole if hole >= 0 else len(data))
    return next(start for _, start in lines_backwards(path) if start <= torn)


def events_backwards(path: Path, vocabulary: Vocabulary[F], *, mention: bytes = b"") -> Iterator[Recorded[F]]:
    """The readable events from the last to the first; with `mention` only those whose line holds these bytes."""
    for line, _ in lines_backwards(path):
        if mention in line:
            with contextlib.suppress(MalformedLine):
                yield vocabulary.decode(line)


def holds(path: Path, version: int, leaf: str | None, vocabulary: Vocabulary[F]) -> bool:
    """True when the log still has the event of this version on a line with this leaf hash, wherever it lies."""
    if version == 0:
        return True
    for line, _ in lines_backwards(path):
        seq = _seq(line, vocabulary)
        if seq is not None and seq <= version:
            return seq == version and leaf_hash(line) == leaf
    return False


def offset_of(path: Path, seq: int, vocabulary: Vocabulary[F]) -> int | None:
    """Where the line with this event_seq begins, by bisection; None where it cannot be found that way.

    The answer is checked: a log whose seq has gaps gives None, and the caller reads it from the start.
    """
    with path.open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            start = _line_start(path, middle)
            file.seek(start)
            line = file.readline()
            found = _seq(line, vocabulary)
            if found is None:
                return None
            if found == seq:
                return start
            if found < seq:
                low = start + len(line)
            else:
                high = start
    return None


def lines_where(path: Path, holds_from_here: Callable[[bytes], bool]) -> Iterator[bytes]:
    """The lines from the first one on for which a predicate holds, by bisection: once true it must stay true."""
    with path.open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while low < high:
            start = _line_start(path, (low + high) // 2)
            file.seek(start)
            line = file.readline()
            if holds_from_here(line.rstrip(b"\n")):
                high = start
            else:
                low = start + len(line)
        file.seek(low)
        for line in file:
            yield line.rstrip(b"\n")


def _line_start(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        at = offset
        while at > 0:
            size = min(4096, at)
            file.seek(at - size)
            found = file.read(size).rfind(b"\n")
            if found >= 0:
                return at - size + found + 1
            at -= size
    return 0


def _seq(line: bytes, vocabulary: Vocabulary[F]) -> int | None:
    try:
        return vocabulary.decode(line.rstrip(b"\r\n")).version
    except MalformedLine:
        return None


def events_from(path: Path, first: int, vocabulary: Vocabulary[F]) -> Iterator[tuple[bytes, Recorded[F]]]:
    """The readable events from a seq on with their stored lines, in file order. Other lines are passed over."""
    try:
        start = offset_of(path, first, vocabulary) if first > 1 else 0
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start or 0)
        for stored in file:
            line = stored.rstrip(b"\n")
            if not line.strip():
                continue
            try:
                recorded = vocabulary.decode(line)
            except MalformedLine:
                continue
            if recorded.version >= first:
                yield line, recorded
