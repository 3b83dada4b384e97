"""Folded states beside the events they were folded from: `snapshot-N.json` or `snapshot-N.json.zst`.

A snapshot names its event by sequence and leaf hash, carries a checksum of the state, and is authenticated with this
machine's key. One that does not hold is discarded, never trusted.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from esaa.kernel.canonical import sha256_hex
from esaa.kernel.ingest import FOLDED_STATE
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_placed
from esaa.stores.trail_layout import partitions_of

_NAME = re.compile(r"snapshot-([0-9]{1,12})\.json(\.zst)?")
_BYTES_MAX = 256 * 1024 * 1024


class TrailSnapshot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a snapshot file holds. `created_at` is the time of its event's machine; `mac` is over all the rest."""

    snapshot_id: str
    issue_key: str | None
    event_sequence: int
    event_timestamp: str
    created_at: str
    vocabulary: str
    projection_version: int
    leaf_hash: str
    state: msgspec.Raw
    checksum: str
    mac: str = ""


_SEALED = tuple(name for name in TrailSnapshot.__struct_fields__ if name not in ("mac", "state"))


class Discarded(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that was not used, and why. `is_foreign` is True where only this machine's key does not fit."""

    path: Path
    reason: str
    is_foreign: bool = False


class SnapshotFile(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot by its file name."""

    path: Path
    sequence: int


def snapshot_files(base: Path, stream: str) -> list[SnapshotFile]:
    """The snapshots of a stream, oldest event first. Nothing is read."""
    return sorted(_found(base, stream), key=lambda one: (one.sequence, one.path.name))


def load_snapshot(path: Path, secret: bytes | None, projection_version: int) -> TrailSnapshot | Discarded:
    """The snapshot of a file, checked as far as the file goes; whether its event is in the stream, the caller asks."""
    try:
        data = read_placed(path, FOLDED_STATE)
        if path.suffix == ".zst":
            import zstandard

            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=_BYTES_MAX)
        snapshot = msgspec.json.decode(data, type=TrailSnapshot)
    except FileNotFoundError:
        return Discarded(path=path, reason="it is gone", is_foreign=True)
    except Exception as error:  # zstandard's own errors, JSON, encoding: all mean that the file is no snapshot
        return Discarded(path=path, reason=f"it cannot be read: {error}")
    if snapshot.projection_version != projection_version or snapshot.vocabulary != "trail":
        return Discarded(path=path, reason=f"it was folded by projection {snapshot.projection_version}")
    if snapshot.checksum != sha256_hex(bytes(snapshot.state)):
        return Discarded(path=path, reason="its checksum is not that of its state")
    if secret is None or not hmac.compare_digest(snapshot.mac, _mac(secret, snapshot)):
        return Discarded(path=path, reason="it was not sealed with this machine's key", is_foreign=True)
    return snapshot


def save_snapshot(folder: Path, snapshot: TrailSnapshot, secret: bytes, disk: Disk, *, compression: bool) -> Path:
    """Seals a snapshot and puts it into a partition. Raises `StoreError`."""
    snapshot.checksum = sha256_hex(bytes(snapshot.state))
    snapshot.mac = _mac(secret, snapshot)
    data = msgspec.json.encode(snapshot)
    path = folder / f"snapshot-{snapshot.event_sequence}.json"
    if compression:
        data = _compressor().compress(data)
        path = path.with_name(path.name + ".zst")
    try:
        disk.replace_file(path, data, durable=False)
    except OSError as error:
        raise storage_error(path, error) from error
    return path


@cache  # making one costs more than using it
def _compressor() -> Any:
    import zstandard

    return zstandard.ZstdCompressor(level=-2)


def _mac(secret: bytes, snapshot: TrailSnapshot) -> str:
    # Everything but the state, which the checksum stands for, and the code itself.
    body = msgspec.json.encode([getattr(snapshot, name) for name in _SEALED])
    return hmac.digest(secret, body, "sha256").hex()


def _found(base: Path, stream: str) -> Iterator[SnapshotFile]:
    for folder in partitions_of(base, stream):
        for path in folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name:
                yield SnapshotFile(path=path, sequence=int(name.group(1)))
