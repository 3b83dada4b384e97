"""Which streams were appended to: one line in a disposable file for each append, in the order they ended.

A subscriber that follows it need not look at every file. It is a courtesy and no truth: a crash may leave a line out,
and what others do to the files (git, a copy) is not in it; so who follows looks at everything now and then.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from esaa.stores.disk import Disk

SIZE_MAX = 1024 * 1024
"""A longer file is put away; its followers look at everything once."""


class ChangeMarks:
    """The writing side. A failure to mark never fails an append, which is durable by then."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def mark(self, stream: str) -> None:
        """Says that a stream has new events. What was appended before the call is seen by whoever reads the mark."""
        with suppress(OSError):
            while not self._written(f"{stream}\n".encode()):
                pass

    def _written(self, line: bytes) -> bool:
        """False where the file was put away between opening and writing."""
        fd = self._disk.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW)
        try:
            self._disk.write(fd, line)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        if found.st_size > SIZE_MAX:
            self._disk.unlink(self._path)
            return True
        return found.st_nlink > 0


class ChangeFollower:
    """The reading side: what was appended to since the last question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._at = 0
        self._rest = b""

    def changed(self) -> frozenset[str] | None:
        """The streams that were marked since the last call; None where any may have changed, as before the first call.

        After None, what lies in the files by then must be looked at; later calls tell of what comes after.
        """
        try:
            if self._fd < 0 or self._is_put_away():
                self._open()
                return None
            data = b""
            while chunk := os.pread(self._fd, 64 * 1024, self._at):
                data += chunk
                self._at += len(chunk)
        except OSError:
            self.close()
            return None
        *names, self._rest = (self._rest + data).split(b"\n")
        return frozenset(name.decode("ascii", "replace") for name in names)

    def close(self) -> None:
        """Lets go of the file; the next question begins anew."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_put_away(self) -> bool:
        return os.fstat(self._fd).st_nlink == 0

    def _open(self) -> None:
        self.close()
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        self._at, self._rest = os.fstat(self._fd).st_size, b""
