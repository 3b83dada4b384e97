"""The Merkle frontier at a place of a log, so that a checkpoint costs the tail after it and not the whole log.

Disposable, and authenticated as the state snapshots are: a forged one would have this machine sign another history.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from esaa.kernel.merkle import Frontier, Subtree
from esaa.stores.base import Head
from esaa.stores.disk import Disk
from esaa.stores.snapshots import SnapshotStore

_VERSION = 1


class FrontierCache:
    """One file for one origin. Without a key nothing is saved and nothing is loaded."""

    def __init__(self, path: Path, disk: Disk, secret: bytes | None, origin: str) -> None:
        self._file = SnapshotStore(path, disk, secret, f"frontier of {origin}", _VERSION)

    def load(self) -> tuple[Head, Frontier] | None:
        """The place and the frontier there, or None. Whether the place is still in the log, the caller asks."""
        loaded = self._file.load()
        if loaded is None:
            return None
        place, (parts,) = loaded
        frontier = Frontier.of(msgspec.json.decode(parts, type=list[Subtree]))
        return (place, frontier) if frontier.size == place.version else None

    def save(self, place: Head, frontier: Frontier) -> None:
        """Replaces the cached one. A failure is no error: it is only missed."""
        self._file.save(place, [msgspec.json.encode(frontier.parts())])
