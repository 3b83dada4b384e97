"""What was refused, as far as there is room for it: the newest outputs stay, the oldest are let go.

They lie apart from the contents of files, so that nothing that a project needs is ever let go with them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from esaa.stores.blobs import BlobStore
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error

_FOLDER = "refused"
_BLOCK_BYTES = 4096


def room_for(content: bytes) -> int:
    """The room that a content takes: whole blocks of 4 KiB, for so it lies on a disk."""
    return -(-len(content) // _BLOCK_BYTES) * _BLOCK_BYTES


class RefusedStore:
    """Refused outputs by their SHA-256, below the folder `blobs` of a workspace. It gives the contents of files too."""

    def __init__(self, blobs: Path, disk: Disk) -> None:
        self._directory = blobs / _FOLDER
        self._disk = disk
        self._contents = BlobStore(blobs, disk)
        self._kept = BlobStore(self._directory, disk)

    def put(self, content: bytes, bytes_max: int) -> str:
        """Stores an output durably and returns its digest; then lets the oldest ones go that are too many."""
        is_new = not self._directory.is_dir()
        digest = self._kept.put(content)
        if is_new:
            # The store syncs the folder above its own; here that may be new too.
            self._sync(self._directory.parent.parent)
        with suppress(OSError):
            os.utime(self._path(digest))  # refused again, it is the newest
        self._let_go(bytes_max, digest)
        return digest

    def get(self, digest: str) -> bytes | None:
        """The output, checked, or None where it is not kept. Raises `StoreError` where it is damaged."""
        # Earlier versions kept them among the contents of files.
        found = self._contents.get(digest)
        return self._kept.get(digest) if found is None else found

    def _let_go(self, bytes_max: int, newest: str) -> None:
        files = list(self._files())
        room = sum(size for _, _, size in files)
        for _, path, size in sorted(files):
            if room <= bytes_max:
                return
            if path != str(self._path(newest)):
                with suppress(OSError):  # it is let go by the next one, then
                    os.unlink(path)
                    room -= size

    def _files(self) -> Iterator[tuple[int, str, int]]:
        """When each was kept, where it lies, and the room that it takes."""
        for folder in _entries(self._directory):
            for entry in _entries(folder.path):
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    yield found.st_mtime_ns, entry.path, -(-found.st_size // _BLOCK_BYTES) * _BLOCK_BYTES

    def _sync(self, folder: Path) -> None:
        try:
            self._disk.sync_dir(folder)
        except OSError as error:
            raise storage_error(folder, error) from error

    def _path(self, digest: str) -> Path:
        return self._directory / digest[:2] / digest


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
