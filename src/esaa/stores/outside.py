"""Opening what comes from outside: nothing is read beyond its limit, and what has its place is a plain file or nothing.

`read_named` is for files that a person names, who may name a link or a pipe. `read_placed` is for files that lie at a
known place of a workspace, where a link, a pipe or a device is an attempt to have something else read.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from esaa.kernel.ingest import Limit, NotIngested, read_capped, read_sample

STDIN = "-"

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class NotReadable(NotIngested):
    """The file cannot be opened or read."""


def read_named(name: str | Path, limit: Limit, *, keeps_excess: bool = False) -> bytes:
    """The bytes of a file that a person named, or of standard input for `-`.

    With `keeps_excess` a file beyond the limit is cut one byte after it, for who records that there was too much.
    Raises `NotReadable`, and `TooLarge` otherwise.
    """
    with open_named(name) as file:
        try:
            return (read_sample if keeps_excess else read_capped)(file, limit.bytes_max)
        except OSError as error:
            raise _failure(error) from None


@contextmanager
def open_named(name: str | Path) -> Generator[BinaryIO, None, None]:
    """A file that a person named, opened for reading, or standard input for `-`. Raises `NotReadable`."""
    if str(name) == STDIN:
        if sys.stdin is None:  # the shell closed it: `<&-`
            raise NotReadable("standard input is closed")
        yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")  # noqa: SIM115  # closed below, but what happens there is no failure to open
    except OSError as error:
        raise _failure(error) from None
    except ValueError:
        raise NotReadable("its name holds a NUL") from None
    with file:
        yield file


def read_placed(path: Path, limit: Limit, *, keeps_excess: bool = False) -> bytes:
    """The bytes of the plain file at a known place.

    Raises `FileNotFoundError` where there is none, `NotReadable` for a link and for all that is no plain file, and
    `TooLarge` unless `keeps_excess` has it cut one byte after the limit.
    """
    try:
        fd = os.open(path, _FLAGS)  # does not wait: a pipe put there must not stop the reader
    except FileNotFoundError:
        raise
    except OSError as error:
        raise (NotReadable("it is a symbolic link") if os.path.islink(path) else _failure(error)) from None
    except ValueError:
        raise NotReadable("its name holds a NUL") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotReadable("it is not a regular file")
        with open(fd, "rb", closefd=False) as file:
            return (read_sample if keeps_excess else read_capped)(file, limit.bytes_max)
    except OSError as error:
        raise _failure(error) from None
    finally:
        os.close(fd)


def read_own(path: Path, limit: Limit) -> bytes | None:
    """The bytes of a plain file that this program can make again, or None where something else or too much lies."""
    try:
        return read_placed(path, limit)
    except (OSError, NotIngested):
        return None


def _failure(error: OSError) -> NotReadable:
    return NotReadable(error.strerror or str(error))
