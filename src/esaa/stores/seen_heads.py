"""The last head of each log that this machine has seen, kept outside of every workspace: a log never goes back.

Whoever may write to a workspace can cut its log and drop its checkpoints; what lies here stays.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from esaa.stores.disk import Disk

_FOLDER = "seen"


class SeenHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head: how many events, their Merkle root, and the leaf hash of the last one."""

    size: int
    root: str
    leaf_hash: str


class SeenHeads:
    """One small file for each origin. Losing one is no harm but that a rollback is not noticed once."""

    def __init__(self, config_dir: Path, disk: Disk | None = None) -> None:
        self._folder = config_dir / _FOLDER
        self._disk = disk or Disk()

    def of(self, origin: str) -> SeenHead | None:
        """The last head seen, or None."""
        try:
            return msgspec.json.decode(self._path(origin).read_bytes(), type=SeenHead)
        except (OSError, msgspec.DecodeError):
            return None

    def note(self, origin: str, head: SeenHead) -> None:
        """Remembers a head, unless a later one is known. A failure is no error: it is only missed."""
        known = self.of(origin)
        if known is not None and known.size >= head.size:
            return
        with contextlib.suppress(OSError):
            self._disk.mkdir(self._folder, 0o700)
            self._disk.replace_file(self._path(origin), msgspec.json.encode(head), durable=False, mode=0o600)

    def forget(self, origin: str) -> None:
        """Forgets a log, of which another history was accepted on purpose."""
        with contextlib.suppress(OSError):
            self._disk.unlink(self._path(origin))

    def names(self) -> list[str]:
        """The origins that are remembered."""
        try:
            found = os.listdir(self._folder)
        except OSError:
            return []
        return sorted(name.removesuffix(".json").replace("+", "/") for name in found if name.endswith(".json"))

    def _path(self, origin: str) -> Path:
        return self._folder / f"{origin.replace('/', '+')}.json"
