"""Project paths on the disk: resolved component by component on descriptors, so that no link or race gets out.

What is a legal path as text, `protocol.paths` has decided before; here a symlink, a hardlink, a directory or a device
in the way is found, and found again on the very descriptor that is written through.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from esaa.kernel.canonical import sha256_hex
from esaa.protocol.commands import FileOnDisk
from esaa.stores.disk import Disk

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePath(OSError):
    """The path leads through something that is no plain directory, or ends in no plain file."""


@contextmanager
def parent_of(root: Path, path: str, *, create: Disk | None) -> Generator[tuple[int, str], None, None]:
    """The descriptor of the directory that holds `path`, and the name in it. Missing directories are made on the
    disk that is given for it.

    Raises `FileNotFoundError` where a directory is missing and none is made, `UnsafePath` for links and the like.
    """
    *directories, name = path.split("/")
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for directory in directories:
            fd = _step(fd, directory, create=create)
        yield fd, name
    finally:
        os.close(fd)


def _step(fd: int, name: str, *, create: Disk | None) -> int:
    try:
        below = _open_directory(fd, name)
    except FileNotFoundError:
        if create is None:
            raise
        with suppress(FileExistsError):
            create.make_dir(name, fd)
        below = _open_directory(fd, name)
    os.close(fd)
    return below


def _open_directory(fd: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UnsafePath(error.errno, f"leads through `{name}`, which is a link or no directory") from error
        raise


def inspect(root: Path, path: str, *, bytes_max: int, want_content: bool) -> FileOnDisk:
    """What lies at a path, as data for a decision. Never raises for what is on the disk; `fault` says it."""
    try:
        with parent_of(root, path, create=None) as (directory, name):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            fault = file_fault(status)
            if fault is not None:
                return FileOnDisk(fault=fault)
            if status.st_size > bytes_max:
                return FileOnDisk(fault=f"has {status.st_size} bytes now, more than the limit of {bytes_max}")
            content = _read(directory, name)
    except FileNotFoundError:
        return FileOnDisk()
    except UnsafePath as error:
        return FileOnDisk(fault=str(error.strerror))
    except OSError as error:
        return FileOnDisk(fault=f"cannot be read: {error.strerror}")
    return FileOnDisk(sha256=sha256_hex(content), content=content if want_content else None)


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


def _read(directory: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        if file_fault(os.fstat(fd)) is not None:
            raise UnsafePath(0, "changed while it was read")
        return file.read()
