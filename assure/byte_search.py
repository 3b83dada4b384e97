"""Looks for texts in every byte of folders: raw, inside zstd and zlib, in SQLite's cells and words, and encoded."""

from __future__ import annotations

import base64
import io
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

_ZSTD = b"\x28\xb5\x2f\xfd"
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_HEX = re.compile(rb"[0-9a-fA-F]{16,}")
_OPENED_MAX = 64 * 1024 * 1024


def places(folders: Iterable[Path], pattern: re.Pattern[bytes]) -> dict[str, set[Path]]:
    """Every match of a pattern, in lower case, with the files that hold it. The pattern should ignore case."""
    found: dict[str, set[Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            # A file's name can tell as much as what is in it.
            for text in (str(path).encode(), *(_layers(path) if path.is_file() else ())):
                for match in pattern.finditer(text):
                    found.setdefault(match[0].decode("ascii", "replace").lower(), set()).add(path)
    return found


def _layers(path: Path) -> Iterator[bytes]:
    """What a file holds: its bytes, and what they unfold to."""
    data = path.read_bytes()
    yield data
    yield data.replace(b"\x00", b"")  # UTF-16
    yield from _decoded(data)
    if data.startswith(b"SQLite format 3"):
        yield from _rows(path)
    for inner in (*_zstd(data), *_zlib(data)):
        yield inner
        yield from _decoded(inner)


def _decoded(data: bytes) -> Iterator[bytes]:
    runs = [match[0] for match in _BASE64.finditer(data)]
    for skip in range(4):
        yield b"\n".join(_from_base64(run[skip:]) for run in runs)
    yield b"\n".join(bytes.fromhex(run[: len(run) // 2 * 2].decode()) for run in _HEX.findall(data))


def _from_base64(run: bytes) -> bytes:
    core = run.rstrip(b"=")
    return base64.b64decode(core[: len(core) // 4 * 4])


def _zstd(data: bytes) -> Iterator[bytes]:
    start = data.find(_ZSTD)
    while start >= 0:
        try:
            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data[start:])) as reader:
                yield reader.read(_OPENED_MAX)
        except zstandard.ZstdError:
            pass
        start = data.find(_ZSTD, start + 1)


def _zlib(data: bytes) -> Iterator[bytes]:
    for match in _ZLIB.finditer(data):
        try:
            yield zlib.decompressobj().decompress(data[match.start() :], _OPENED_MAX)
        except zlib.error:
            continue


def _rows(path: Path) -> Iterator[bytes]:
    """Every cell of every table, and the words of the full-text index."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        for name, sql in tables:
            if "fts5" in (sql or "").lower():
                connection.execute(f"CREATE VIRTUAL TABLE temp.words_of_{name} USING fts5vocab(main, {name}, 'row')")
                cells = connection.execute(f"SELECT term FROM temp.words_of_{name}")
                yield b"\n".join(str(term).encode() for (term,) in cells)
            try:
                for row in connection.execute(f"SELECT * FROM {name}"):
                    yield b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
            except sqlite3.DatabaseError:
                continue
    finally:
        connection.close()
