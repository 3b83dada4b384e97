"""The writer's lock: `flock` on a file, released by the end of the process and by nothing else (INV-005)."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from esaa.errors import StoreLocked
from esaa.stores.jsonl import storage_error

_POLL_S = 0.02
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def writer_lock(path: Path, *, timeout_s: float, what: str = "another esaa command") -> Generator[None, None, None]:
    """Holds the lock for the time of the block. Raises `StoreLocked` after `timeout_s` seconds of waiting."""
    try:
        try:
            fd = os.open(path, _FLAGS, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, _FLAGS, 0o644)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        _wait(fd, path, timeout_s, what)
        with suppress(OSError):
            # Who holds it is a courtesy to those who wait; a full disk is told where something is written.
            # Always as long, so that nothing needs to be cut off, which some file systems take their time for.
            os.pwrite(fd, f"{os.getpid():<15}\n".encode(), 0)
        yield
    finally:
        # Closing the descriptor releases the lock.
        os.close(fd)


def _wait(fd: int, path: Path, timeout_s: float, what: str) -> None:
    until = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise storage_error(path, error) from error
        if time.monotonic() >= until:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise StoreLocked(
                "LOCKED",
                f"The workspace is locked by {what} (process {holder}).",
                "Wait for it to end, or stop it; nothing was changed.",
                holder=holder,
            )
        time.sleep(_POLL_S)
