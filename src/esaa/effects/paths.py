"""Project paths on the disk: resolved on descriptors beneath the project, so that no link and no race gets out.

What is a legal path as text, `protocol.paths` has decided before; here a symlink, a hardlink, a directory or a device
in the way is found, and found again on the very descriptor that is written through.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from esaa.effects.beneath import UnsafePath, check_components, open_beneath
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.ingest import TooLarge, read_capped
from esaa.protocol.commands import FileOnDisk
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error

__all__ = ["UnsafePath", "file_fault", "inspect", "parent_of"]

_CHUNK = 1024 * 1024

_OF_THE_PATH = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ENXIO,
        errno.EXDEV,
        errno.EILSEQ,
    }
)
"""Errors that say something of the path that was asked for; the others say something of the disk or the system."""

CONTENT_BYTES_MAX = 256 * 1024 * 1024
"""What of a file is held in memory at most."""

DIGEST_BYTES_MAX = 1024 * 1024 * 1024
"""How large a file may be to be digested: a hole in a file costs its maker nothing, and its reader everything."""


@contextmanager
def parent_of(root: Path, path: str, *, create: Disk | None) -> Generator[tuple[int, str], None, None]:
    """The descriptor of the directory that holds `path`, and the name in it. Missing directories are made on the
    disk that is given for it.

    Raises `FileNotFoundError` where a directory is missing and none is made, `UnsafePath` for links and the like.
    """
    *directories, name = path.split("/")
    check_components([name])
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_beneath(top, directories, create=create)
    finally:
        os.close(top)
    try:
        yield fd, name
    finally:
        os.close(fd)


def inspect(root: Path, path: str, *, bytes_max: int, want_content: bool) -> FileOnDisk:
    """What lies at a path, as data for a decision; `fault` says what is wrong with it.

    Raises `StoreError` where the disk fails or the system has nothing left to give: that is no answer about the path,
    and nobody may be refused for it.
    """
    limit = min(bytes_max, CONTENT_BYTES_MAX if want_content else DIGEST_BYTES_MAX)
    try:
        with parent_of(root, path, create=None) as (directory, name):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            fault = file_fault(status)
            if fault is not None:
                return FileOnDisk(fault=fault)
            if status.st_size > limit:
                return FileOnDisk(fault=f"has {status.st_size} bytes now, more than the limit of {limit}")
            with _opened(directory, name) as file:
                if not want_content:
                    return FileOnDisk(sha256=_digest(file, limit))
                content = read_capped(file, limit)
    except FileNotFoundError:
        return FileOnDisk()
    except UnsafePath as error:
        return FileOnDisk(fault=str(error.strerror))
    except TooLarge:
        return FileOnDisk(fault="grew while it was read")
    except OSError as error:
        if error.errno not in _OF_THE_PATH:
            raise storage_error(root / path, error, act="Reading") from error
        return FileOnDisk(fault=f"cannot be read: {error.strerror}")
    except ValueError:  # a surrogate that stands for no byte
        return FileOnDisk(fault="has a name that no file can have")
    return FileOnDisk(sha256=sha256_hex(content), content=content)


def file_fault(status: os.stat_result) -> str | None:
    """Why an existing entry may not be replaced, or None."""
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    if stat.S_ISDIR(status.st_mode):
        return "is a directory"
    if not stat.S_ISREG(status.st_mode):
        return "is no plain file"
    if status.st_nlink > 1:
        return "has a second hard link"
    return None


@contextmanager
def _opened(directory: int, name: str) -> Generator[BinaryIO, None, None]:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        if file_fault(os.fstat(fd)) is not None:
            raise UnsafePath(0, "changed while it was read")
        yield file


def _digest(file: BinaryIO, bytes_max: int) -> str:
    digest = hashlib.sha256()
    left = bytes_max
    while chunk := file.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise TooLarge(bytes_max)
        digest.update(chunk)
    return digest.hexdigest()
