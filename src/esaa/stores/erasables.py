"""Erasable values on disk: `erasable/ab/abcd...`, one file of salt and value for each commitment.

What lies here is all that ever holds the values. Git is told to ignore the folder: what is in its history can't be
erased.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from esaa.errors import StoreError
from esaa.kernel.ingest import CONTENT, NotIngested
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_placed

ERASABLE = "erasable"
_IGNORED = b"# Values that may have to be erased. They must never get into a history.\n*\n"
_HEX = frozenset("0123456789abcdef")


class ErasableStore:
    """The folder of erasable values of one log."""

    def __init__(self, base: Path, disk: Disk) -> None:
        self.folder = base / ERASABLE
        self._disk = disk
        self._is_prepared = False

    def put(self, commitment: str, content: bytes) -> None:
        """Stores a content durably. Raises `StoreError`."""
        path = self._path(commitment)
        try:
            self._prepare()
            self._disk.mkdir(path.parent)
            self._disk.replace_file(path, content, durable=True, mode=0o600)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise storage_error(path, error) from error

    def get(self, commitment: str) -> bytes | None:
        """The content of a commitment as it lies there, or None."""
        path = self._path(commitment)
        try:
            return read_placed(path, CONTENT)
        except FileNotFoundError:
            return None
        except NotIngested as error:
            text = f"The erasable content {path} cannot be taken: {error}."
            raise StoreError("ERASABLE_INVALID", text, "Run `esaa trail check`.") from error

    def holds(self, commitment: str) -> bool:
        """True where something lies in the place of a commitment."""
        return self._path(commitment).exists()

    def destroy(self, commitment: str) -> bool:
        """Overwrites and removes a content. Doing it again changes nothing. Returns whether there was one."""
        return destroy_file(self._path(commitment), self._disk)

    def commitments(self) -> Iterator[str]:
        """Every commitment whose content lies there."""
        for path in self._files():
            if _is_commitment(path.name):
                yield path.name

    def changed_at(self, commitment: str) -> float:
        """When a content was stored, in seconds since 1970; 0 where there is none."""
        try:
            return self._path(commitment).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def destroy_remains(self, before: float) -> int:
        """Destroys what interrupted writes left behind, where it is older than a time. Returns how many there were."""
        count = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                if not _is_commitment(path.name) and path.stat().st_mtime < before:
                    count += destroy_file(path, self._disk)
        return count

    def _files(self) -> Iterator[Path]:
        if not self.folder.is_dir():
            return
        for part in sorted(self.folder.iterdir()):
            if len(part.name) == 2 and part.is_dir():
                yield from sorted(part.iterdir())

    def _prepare(self) -> None:
        if not self._is_prepared:
            self._disk.mkdir(self.folder)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                self._disk.replace_file(ignore, _IGNORED, durable=False)
            self._is_prepared = True

    def _path(self, commitment: str) -> Path:
        if not _is_commitment(commitment):
            raise StoreError("ERASABLE_INVALID", f"{commitment[:80]!r} is no commitment.", "Run `esaa trail check`.")
        return self.folder / commitment[:2] / commitment


def destroy_file(path: Path, disk: Disk) -> bool:
    """Overwrites and removes a file, durably. Returns whether there was one. Raises `StoreError`."""
    try:
        descriptor = disk.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        try:
            # A file system that writes in place keeps nothing then; one that copies on write may.
            disk.write(descriptor, bytes(os.fstat(descriptor).st_size))
            disk.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        disk.unlink(path)
        disk.sync_dir(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    return True


def _is_commitment(name: str) -> bool:
    return len(name) == 64 and _HEX.issuperset(name)
