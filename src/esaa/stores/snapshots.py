"""The newest state snapshot of a log, authenticated. One that does not fit is ignored and replaced."""

from __future__ import annotations

import contextlib
from pathlib import Path

from esaa.kernel.ingest import FOLDED_STATE
from esaa.kernel.snapshot import SnapshotKey, seal, unseal
from esaa.stores.base import Head
from esaa.stores.disk import Disk
from esaa.stores.outside import read_own


class SnapshotStore:
    """One file. Without a key nothing is saved and nothing is loaded: the log is folded instead."""

    def __init__(self, path: Path, disk: Disk, secret: bytes | None, vocabulary: str, projection_version: int) -> None:
        self._path = path
        self._disk = disk
        self._secret = secret
        self._vocabulary = vocabulary
        self._projection_version = projection_version

    def load(self) -> tuple[Head, list[memoryview]] | None:
        """The place and the sections of the snapshot, or None. Whether the place fits the log, the caller asks."""
        if self._secret is None:
            return None
        data = read_own(self._path, FOLDED_STATE)
        opened = None if data is None else unseal(self._secret, data)
        if opened is None:
            return None
        key, sections = opened
        if key.vocabulary != self._vocabulary or key.projection_version != self._projection_version:
            return None
        place = Head(
            version=key.seq,
            leaf_hash=key.leaf_hash,
            offset=key.offset,
            line_bytes=key.line_bytes,
            is_chained=key.is_chained,
        )
        return place, sections

    def save(self, place: Head, sections: list[bytes]) -> None:
        """Replaces the snapshot. A failure is no error: the snapshot is only missed."""
        if self._secret is None or place.leaf_hash is None:
            return
        key = SnapshotKey(
            vocabulary=self._vocabulary,
            projection_version=self._projection_version,
            seq=place.version,
            leaf_hash=place.leaf_hash,
            offset=place.offset,
            line_bytes=place.line_bytes,
            is_chained=place.is_chained,
        )
        with contextlib.suppress(OSError):
            self._disk.mkdir(self._path.parent)
            self._disk.replace_file(self._path, seal(self._secret, key, sections), durable=False, mode=0o600)
