"""The files that a trail stream consists of. Each holds an unbroken run of its events, one stored line per event.

The active segment is appended to; a sealed one (compressed, or in the archive) is never changed again. Whatever the
format, the bytes of a line are those that were written first, so that every hash stays what it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from esaa.errors import StoreError, UsageError

Kind = Literal["jsonl", "jsonl.zst", "json", "parquet"]
KINDS: tuple[Kind, ...] = ("jsonl", "jsonl.zst", "json", "parquet")
LINE_BYTES_MAX = 64 * 1024 * 1024
SMALL_BYTES = 4 * 1024 * 1024
"""A segment up to this size is read whole; a larger one line by line."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a stream. `first` is the sequence of its first event."""

    path: Path
    kind: Kind
    first: int

    def size(self) -> int:
        """The file's size in bytes; 0 where it is gone."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


def kind_of(path: Path) -> Kind | None:
    """The kind of a segment file by its name, or None for any other file."""
    name = path.name
    if not name.startswith("events") or name.startswith("."):
        return None
    return next((kind for kind in ("jsonl.zst", "jsonl", "json", "parquet") if name.endswith(f".{kind}")), None)


def stored_lines(path: Path, kind: Kind) -> Iterator[bytes]:
    """The lines of a segment without their line feeds, blank ones left out. Raises `StoreError` for a broken file."""
    match kind:
        case "jsonl":
            with path.open("rb") as file:
                yield from (line for line in map(_chomped, file) if line.strip())
        case "jsonl.zst":
            yield from _decompressed(path)
        case "json":
            yield from split_array(path.read_bytes(), path)
        case "parquet":
            yield from _from_parquet(path)


def first_line(path: Path, kind: Kind) -> bytes | None:
    """The first line of a segment, or None where it is empty."""
    return next(iter(stored_lines(path, kind)), None)


def split_array(data: bytes, path: Path) -> list[bytes]:
    """The elements of a JSON array as this writer lays it out: one element per line."""
    text = data.strip()
    if not text:
        return []
    if not (text.startswith(b"[") and text.endswith(b"]")):
        raise StoreError("SEGMENT_DAMAGED", f"{path} is no JSON array of events.", "Restore it from a backup.")
    return [line.removesuffix(b",") for line in text[1:-1].split(b"\n") if line.strip()]


def joined_array(lines: list[bytes]) -> bytes:
    """A JSON array with one element per line."""
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def compressed(lines: Iterator[bytes]) -> bytes:
    """Lines as a zstd frame."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    parts = [compressor.compress(line + b"\n") for line in lines]
    return b"".join([*parts, compressor.flush()])


def to_parquet(lines: Iterator[bytes], path: Path) -> None:
    """Writes lines as a Parquet file: the stored line, and the columns that analyses ask for."""
    duckdb = _duckdb()
    columns = ("event_sequence", "event_id", "event_type", "timestamp", "issue_key", "session_id")
    connection = duckdb.connect()
    try:
        connection.execute(
            "CREATE TABLE events (line VARCHAR, event_sequence BIGINT, event_id VARCHAR, event_type VARCHAR,"
            " timestamp VARCHAR, issue_key VARCHAR, session_id VARCHAR, actor_id VARCHAR)"
        )
        rows: list[list[object]] = []
        for line in lines:
            event = json.loads(line)
            rows.append([line.decode(), *(event.get(name) for name in columns), event["actor"]["id"]])
            if len(rows) == 1000:
                connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                rows = []
        if rows:
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.table("events").order("event_sequence").write_parquet(str(path), compression="zstd")
    finally:
        connection.close()


def _chomped(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\n") else line


def _decompressed(path: Path) -> Iterator[bytes]:
    import zstandard

    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            rest = b""
            while chunk := reader.read(1024 * 1024):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:  # a few kilobytes can unpack to any size
                    raise _damaged(path, f"a line of more than {LINE_BYTES_MAX} bytes")
                yield from (line for line in lines if line.strip())
            if rest.strip():
                yield rest
    except zstandard.ZstdError as error:
        raise StoreError("SEGMENT_DAMAGED", f"{path} does not decompress: {error}.", "Restore it.") from error


def _damaged(path: Path, what: str) -> StoreError:
    return StoreError("SEGMENT_DAMAGED", f"{path} holds {what}.", "Restore it.")


def _from_parquet(path: Path) -> Iterator[bytes]:
    duckdb = _duckdb()
    connection = duckdb.connect()
    try:
        found = connection.execute("SELECT line FROM read_parquet(?) ORDER BY event_sequence", [str(path)])
        while rows := found.fetchmany(1000):
            yield from (row[0].encode() for row in rows)
    except duckdb.Error as error:
        raise StoreError("SEGMENT_DAMAGED", f"{path} is no Parquet file of events: {error}.", "Restore it.") from error
    finally:
        connection.close()


def _duckdb() -> Any:  # an extra, imported where it is used; its stubs are not always there
    try:
        import duckdb
    except ImportError as error:
        raise UsageError(
            "EXTRA_MISSING",
            "Parquet archives need the `analytics` extra.",
            "Install it: pip install 'esaa[analytics]'.",
        ) from error
    return duckdb
