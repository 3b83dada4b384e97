"""Quarantine copies: damaged logs and torn tails, kept in `.roadmap/snapshots/`, the oldest dropped first."""

from __future__ import annotations

import os
from pathlib import Path

from esaa.kernel.canonical import sha256_hex
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error


class Quarantine:
    """The directory of copies; at most `copies_max` are kept."""

    def __init__(self, directory: Path, disk: Disk, copies_max: int) -> None:
        self._directory = directory
        self._disk = disk
        self._copies_max = copies_max

    def keep(self, name: str, content: bytes, ts: str) -> Path:
        """Stores a copy durably and returns its path. The same content under the same name is kept once."""
        stamp = "".join(c for c in ts if c.isalnum())
        digest = sha256_hex(content)[:12]
        known = sorted(self._directory.glob(f"*-{name}-{digest}.jsonl")) if self._directory.is_dir() else []
        if known:
            return known[0]
        path = self._directory / f"{stamp}-{name}-{digest}.jsonl"
        try:
            self._disk.mkdir(self._directory)
            self._disk.replace_file(path, content, durable=True)
            self._drop_oldest(path)
        except OSError as error:
            raise storage_error(path, error) from error
        return path

    def _drop_oldest(self, newest: Path) -> None:
        # The new copy stays, whatever a clock that went back says of its age.
        older = [path for path in self._directory.glob("*.jsonl") if path != newest]
        older.sort(key=lambda path: (os.lstat(path).st_mtime_ns, path.name))
        for path in older[: max(0, len(older) + 1 - self._copies_max)]:
            self._disk.unlink(path)
