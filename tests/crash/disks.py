"""Disks that fail or die at the n-th durability step. Nothing is really synced: a test's files need not survive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from esaa.stores.disk import Disk

Death = Literal["before", "after", "torn"]


class Killed(BaseException):
    """The process died here. No handler of the code under test may catch it."""


class CountingDisk(Disk):
    """Names every durability step in order, and performs it."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.files: list[str] = []
        """Of each step the file that it is about, by the name that it is to have; "" where that is not known."""
        self._opened: dict[int, str] = {}

    def open(self, path: str | Path, flags: int, mode: int = 0o644, *, dir_fd: int | None = None) -> int:
        """One opening that may make a file or empty it; any other is no step."""
        if not flags & (os.O_CREAT | os.O_TRUNC):
            fd = super().open(path, flags, mode, dir_fd=dir_fd)
            self._opened[fd] = _meant(Path(path).name)
            return fd
        opened: list[int] = []
        really = super().open
        name = _meant(Path(path).name)
        self._step("open", lambda: opened.append(really(path, flags, mode, dir_fd=dir_fd)), name)
        self._opened[opened[0]] = name
        return opened[0]

    def write(self, fd: int, data: bytes) -> None:
        """One write."""
        write = super().write
        self._step("write", lambda: write(fd, data), self._opened.get(fd, ""), torn=lambda: _half(fd, data))

    def fdatasync(self, fd: int) -> None:
        """One sync of a file's data."""
        self._step("fdatasync", lambda: None)

    def fsync(self, fd: int) -> None:
        """One sync of a file or directory."""
        self._step("fsync", lambda: None)

    def rename(self, source: str, target: str, *, source_dir: int | None = None, target_dir: int | None = None) -> None:
        """One rename."""
        name = f"rename {Path(target).name}"
        rename = super().rename
        self._step(
            name, lambda: rename(source, target, source_dir=source_dir, target_dir=target_dir), Path(target).name
        )

    def link(self, source: Path, target: Path) -> None:
        """One more name."""
        link = super().link
        self._step(f"link {target.name}", lambda: link(source, target))

    def make_dir(self, name: str, directory: int) -> None:
        """One directory."""
        make_dir = super().make_dir
        self._step("mkdir", lambda: make_dir(name, directory))

    def truncate(self, fd: int, size: int) -> None:
        """One cut."""
        truncate = super().truncate
        self._step("truncate", lambda: truncate(fd, size))

    def unlink(self, path: Path) -> None:
        """One removal."""
        unlink = super().unlink
        self._step("unlink", lambda: unlink(path))

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        """One directory, where it is not there yet."""
        if path.is_dir():
            return
        mkdir = super().mkdir
        self._step("mkdir", lambda: mkdir(path, mode))

    def sync_dir(self, path: Path) -> None:
        """One sync of a directory."""
        self._step(f"sync {path.name}", lambda: None)

    def _step(
        self, name: str, perform: Callable[[], None], file: str = "", torn: Callable[[], None] | None = None
    ) -> None:
        self.steps.append(name)
        self.files.append(file)
        self._perform(len(self.steps), perform, torn or perform)

    def _perform(self, number: int, perform: Callable[[], None], torn: Callable[[], None]) -> None:
        perform()


class FailingDisk(CountingDisk):
    """Answers the n-th step with an error; a write puts half of its bytes down first. It works before and after."""

    def __init__(self, at: int, errno: int) -> None:
        super().__init__()
        self._at = at
        self._errno = errno

    def _perform(self, number: int, perform: Callable[[], None], torn: Callable[[], None]) -> None:
        if number == self._at:
            if self.steps[-1] == "write":
                torn()
            raise OSError(self._errno, os.strerror(self._errno))
        perform()


class DeadlyDisk(CountingDisk):
    """Dies at the n-th step: before it, after it, or (a write) in the middle of it. From then on nothing works."""

    def __init__(self, at: int, death: Death) -> None:
        super().__init__()
        self._at = at
        self._death = death

    def _perform(self, number: int, perform: Callable[[], None], torn: Callable[[], None]) -> None:
        if number < self._at:
            perform()
            return
        if number == self._at and self._death == "after":
            perform()
        if number == self._at and self._death == "torn":
            torn()
        raise Killed


def _meant(name: str) -> str:
    """The file that a temporary one (`.NAME.PID.THREAD.tmp`) becomes."""
    return name[1:].rsplit(".", 3)[0] if name.endswith(".tmp") else name


def _half(fd: int, data: bytes) -> None:
    os.write(fd, data[: len(data) // 2])
