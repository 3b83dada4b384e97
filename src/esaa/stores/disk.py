"""The one layer through which everything is written: what a crash test needs to interrupt, and nothing else.

Each method is one durability step. A test replaces the object and fails or kills at the n-th step.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


class Disk:
    """The real disk. All errors are `OSError`; who calls knows what they mean."""

    def open(self, path: str | Path, flags: int, mode: int = 0o644, *, dir_fd: int | None = None) -> int:
        """Opens a file for writing, and makes it where the flags say so. Who asked for the descriptor closes it."""
        return os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=dir_fd)

    def write(self, fd: int, data: bytes) -> None:
        """Writes all of `data`, looping on short writes."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def fdatasync(self, fd: int) -> None:
        """Makes the file's data durable."""
        # macOS has no fdatasync.
        (getattr(os, "fdatasync", None) or os.fsync)(fd)

    def fsync(self, fd: int) -> None:
        """Makes a file or directory durable."""
        os.fsync(fd)

    def rename(self, source: str, target: str, *, source_dir: int | None = None, target_dir: int | None = None) -> None:
        """Replaces `target` by `source` atomically."""
        os.replace(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir)

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name. Raises `FileExistsError` where the name is taken."""
        os.link(source, target)

    def truncate(self, fd: int, size: int) -> None:
        """Cuts a file to `size` bytes."""
        os.ftruncate(fd, size)

    def unlink(self, path: Path) -> None:
        """Removes a file; a missing one is no error."""
        path.unlink(missing_ok=True)

    def make_dir(self, name: str, directory: int) -> None:
        """Makes a directory in an open one, durably. Raises `FileExistsError` where the name is taken."""
        os.mkdir(name, 0o755, dir_fd=directory)
        self.fsync(directory)

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        """Makes a directory and its parents, durably; an existing one is no error."""
        if path.is_dir():
            return
        self.mkdir(path.parent, mode)
        path.mkdir(mode, exist_ok=True)
        self.sync_dir(path.parent)

    def remove_tree(self, path: Path) -> None:
        """Removes a directory with everything in it; what cannot be removed stays, and a missing one is no error."""
        for entry in sorted(path.rglob("*"), reverse=True):
            with suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    entry.rmdir()
                else:
                    self.unlink(entry)
        with suppress(OSError):
            path.rmdir()

    def sync_dir(self, path: Path) -> None:
        """Makes the entries of a directory durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.fsync(fd)
        finally:
            os.close(fd)

    def replace_file(self, path: Path, data: bytes, *, durable: bool, mode: int = 0o644) -> None:
        """Puts `data` at `path` atomically: temporary file, (fsync,) rename(, directory fsync)."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        fd = self.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            try:
                self.write(fd, data)
                if durable:
                    self.fsync(fd)
            finally:
                os.close(fd)
            self.rename(str(temporary), str(path))
        except OSError:
            # Not through the layer: tidying up after a failure is no durability step.
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            self.sync_dir(path.parent)
