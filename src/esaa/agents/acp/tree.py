"""The folder that a session works in, read and written on descriptors: the agent can plant a link in it, but not us
behind it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator
from pathlib import Path

from esaa.kernel.ingest import TooLarge, read_capped

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SessionTree:
    """Files beneath one folder, named by project paths that `protocol.paths` has found legal."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(os.path.realpath(directory))

    def project_path(self, path: str) -> str | None:
        """The project path of an absolute one, or None where it lies outside of the folder (or is the folder)."""
        clean = os.path.normpath(path)
        if not os.path.isabs(path) or "\0" in path:
            return None
        top = f"{self.directory}{os.sep}"
        return clean.removeprefix(top) if clean.startswith(top) else None

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """The bytes of a plain file, or None where there is none. Raises `OSError` for a link or anything else in the
        way, and `TooLarge`."""
        try:
            with self._parent(path, create=False) as (parent, name):
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
                with os.fdopen(fd, "rb") as file:
                    status = os.fstat(fd)
                    if not stat.S_ISREG(status.st_mode):
                        raise OSError(0, "is no plain file")
                    if status.st_size > bytes_max:
                        raise TooLarge(bytes_max)
                    return read_capped(file, bytes_max)
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """Replaces the file, so that the agent's own tools see what it wrote. Raises `OSError`."""
        with self._parent(path, create=True) as (parent, name):
            with contextlib.suppress(FileNotFoundError):
                # A file that stands there may be a link, or share its bytes with another one.
                os.unlink(name, dir_fd=parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, 0o644, dir_fd=parent), "wb") as file:
                file.write(content)

    @contextlib.contextmanager
    def _parent(self, path: str, *, create: bool) -> Generator[tuple[int, str], None, None]:
        *directories, name = path.split("/")
        current = os.open(self.directory, _DIRECTORY)
        try:
            for directory in directories:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(directory, 0o755, dir_fd=current)
                below = os.open(directory, _DIRECTORY, dir_fd=current)
                os.close(current)
                current = below
            yield current, name
        finally:
            os.close(current)
