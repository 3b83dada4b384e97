"""Contents of written files, addressed by their SHA-256, durable before the event that names them is appended."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from esaa.errors import StoreError
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.ingest import CONTENT, NotIngested
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_placed

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """A directory of contents: `blobs/ab/abcd...`."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._disk = disk
        self._durable: set[str] = set()

    def put(self, content: bytes) -> str:
        """Stores a content durably and returns its digest. Storing it again costs this object nothing."""
        digest = sha256_hex(content)
        path = self._path(digest)
        is_there = self._holds(path, len(content))
        if is_there and digest in self._durable:
            return digest
        try:
            if is_there:
                # Whoever put it there may have been killed before the names were durable; the content was by then.
                self._disk.sync_dir(path.parent)
            else:
                self._disk.mkdir(path.parent)
                self._disk.replace_file(path, content, durable=True)
            self._disk.sync_dir(self._directory)
            if not self._durable:
                self._disk.sync_dir(self._directory.parent)
            self._durable.add(digest)
        except OSError as error:
            # What may not be durable must not be found there by the next `put`.
            if not is_there:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise storage_error(path, error) from error
        return digest

    def get(self, digest: str) -> bytes | None:
        """The content of a digest, checked, or None where it is missing. Raises `StoreError` where it is damaged."""
        if _DIGEST.fullmatch(digest) is None:  # what a log names need not be a digest, and a path it must not be
            return None
        path = self._path(digest)
        try:
            content = read_placed(path, CONTENT)
        except FileNotFoundError:
            return None
        except NotIngested as error:
            raise _damaged(f"The stored content {path} cannot be taken: {error}.") from error
        if sha256_hex(content) != digest:
            raise _damaged(f"The stored content {path} is not what its name says.")
        return content

    def _path(self, digest: str) -> Path:
        return self._directory / digest[:2] / digest

    def _holds(self, path: Path, size: int) -> bool:
        try:
            return os.lstat(path).st_size == size
        except FileNotFoundError:
            return False


def _damaged(message: str) -> StoreError:
    return StoreError("BLOB_DAMAGED", message, "Restore it from a backup.")
