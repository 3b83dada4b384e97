"""Opening a directory beneath another one and nowhere else: by one call of the kernel where it can, else step by step.

`openat2` refuses links, magic links, other file systems and every way out while it resolves, so nothing can be swapped
in between. The walk holds a descriptor of each directory on the way; it is also what says which component was wrong.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from esaa.stores.disk import Disk

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NR_OPENAT2 = 437  # the same on every architecture of this century
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08  # NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH
_TRIES = 8

Opener = Callable[[int, str], int]
"""From the descriptor of a directory and a path to the descriptor of the directory there. Raises `OSError`."""


class UnsafePath(OSError):
    """The path leads through something that is no plain directory, or ends in no plain file."""


def check_components(parts: Sequence[str]) -> None:
    """Raises `UnsafePath` for a path that would not stay beneath, whatever lies on the disk."""
    for part in parts:
        if part in ("", ".", "..") or "\0" in part or "/" in part:
            raise UnsafePath(errno.EINVAL, "is no path within the project")


def open_beneath(fd: int, directories: Sequence[str], *, create: Disk | None = None) -> int:
    """A descriptor of the directory beneath an open one; missing directories are made on the disk given for it.

    Raises `UnsafePath` for a link, a file, another file system or a way out, `FileNotFoundError` where one is missing.
    """
    check_components(directories)
    opener = kernel_opener()
    if opener is None or not directories:
        return walk(fd, directories, create=create)
    try:
        return opener(fd, "/".join(directories))
    except FileNotFoundError:
        if create is None:
            raise
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EXDEV, errno.EAGAIN):
            raise
    return walk(fd, directories, create=create)


def walk(fd: int, directories: Sequence[str], *, create: Disk | None = None) -> int:
    """As `open_beneath`, component by component."""
    check_components(directories)
    device = os.fstat(fd).st_dev
    current = os.dup(fd)
    try:
        for name in directories:
            below = _step(current, name, create)
            os.close(current)
            current = below
            if os.fstat(current).st_dev != device:
                raise UnsafePath(errno.EXDEV, f"leads through `{name}`, which is on another file system")
    except BaseException:
        os.close(current)
        raise
    return current


@cache
def kernel_opener() -> Opener | None:
    """`openat2` as a function, or None where the kernel, or what confines this process, does not have it."""
    if sys.platform != "linux":
        return None
    import ctypes

    class OpenHow(ctypes.Structure):
        """What the kernel calls `struct open_how`."""

        _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]

    try:
        syscall: Any = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return None
    how = OpenHow(_DIRECTORY, 0, _RESOLVE)

    def openat2(fd: int, path: str) -> int:
        name, code = os.fsencode(path), 0
        for _ in range(_TRIES):
            opened: int = syscall(_NR_OPENAT2, fd, name, ctypes.byref(how), ctypes.sizeof(how))
            if opened >= 0:
                return opened
            code = ctypes.get_errno()
            if code not in (errno.EAGAIN, errno.EINTR):  # something was renamed meanwhile, or a signal came
                break
        raise OSError(code, os.strerror(code), path)

    return openat2 if _works(openat2) else None


def _works(opener: Opener) -> bool:
    """True where the call opens the folder that it is asked for; a sandbox may refuse it with any reason."""
    try:
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(opener(root, "."))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


def _step(fd: int, name: str, create: Disk | None) -> int:
    try:
        return _open(fd, name)
    except FileNotFoundError:
        if create is None:
            raise
    try:
        with suppress(FileExistsError):
            create.make_dir(name, fd)
        return _open(fd, name)
    except FileNotFoundError as error:
        raise UnsafePath(error.errno, f"leads through `{name}`, which was moved away meanwhile") from error


def _open(fd: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UnsafePath(error.errno, f"leads through `{name}`, which is a link or no directory") from error
        raise
