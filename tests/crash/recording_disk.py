"""A disk that works, and writes down everything that is done to the files below one folder, in order."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Hashable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from esaa.stores.disk import Disk
from tests.crash.disks import Killed


class Create(NamedTuple):
    """A file appeared, empty."""

    path: str
    node: int


class Write(NamedTuple):
    """Bytes were written at a place of a file."""

    node: int
    at: int
    data: bytes


class Cut(NamedTuple):
    """A file was cut to a size."""

    node: int
    size: int


class Sync(NamedTuple):
    """What was written to a file is durable."""

    node: int


class MakeDir(NamedTuple):
    """A directory appeared."""

    path: str


class Rename(NamedTuple):
    """A file took another name, and whatever had that name is gone."""

    source: str
    target: str


class Link(NamedTuple):
    """A file has one more name."""

    source: str
    target: str


class Unlink(NamedTuple):
    """A name is gone."""

    path: str


class SyncDir(NamedTuple):
    """The names in a directory are durable."""

    path: str


class Acknowledge(NamedTuple):
    """Somebody was told that something is done: the name of the promise, and what was promised."""

    name: str
    promise: Hashable


Step = Create | Write | Cut | Sync | MakeDir | Rename | Link | Unlink | SyncDir | Acknowledge


class RecordingDisk(Disk):
    """Keeps `steps`. Files are known by the number of their inode, so that renaming one does not make another of it.

    After the step `dies_after` the process that uses it is killed, once; another one may go on with the same disk.
    """

    def __init__(self, root: Path, dies_after: int | None = None) -> None:
        self.root = root.resolve()
        self.dies_after = dies_after
        self.steps: list[Step] = []
        self._nodes: dict[int, int] = {}
        self._numbers = count()
        self.start: dict[str, tuple[int, bytes]] = {}
        self.start_dirs: set[str] = {""}
        for path in sorted(self.root.rglob("*")):
            if path.is_dir():
                self.start_dirs.add(self._shown(path))
            elif path.is_file():
                self.start[self._shown(path)] = (self._new_node(path.stat().st_ino), path.read_bytes())

    def acknowledge(self, name: str, promise: Hashable) -> None:
        """Notes that somebody was told."""
        self._take(Acknowledge(name, promise))

    def open(self, path: str | Path, flags: int, mode: int = 0o644, *, dir_fd: int | None = None) -> int:
        """Opens, and notes what that made or emptied."""
        full = self._full(path, dir_fd)
        existed = os.path.lexists(full)
        fd = super().open(path, flags, mode, dir_fd=dir_fd)
        if not self._is_inside(full):
            return fd
        if not existed:
            self._take(Create(self._shown(full), self._new_node(os.fstat(fd).st_ino)))
        elif flags & os.O_TRUNC:
            self._take(Cut(self._node(fd), 0))
        return fd

    def write(self, fd: int, data: bytes) -> None:
        """Writes, and notes what and where."""
        is_inside = self._is_inside(self._path_of(fd))
        # A file that is opened for appending is written to at its end, wherever the descriptor stands.
        is_appending = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND
        at = os.fstat(fd).st_size if is_appending else os.lseek(fd, 0, os.SEEK_CUR) if is_inside else 0
        super().write(fd, data)
        if is_inside:
            self._take(Write(self._node(fd), at, bytes(data)))

    def fdatasync(self, fd: int) -> None:
        """Notes it. The folder is thrown away, so nothing is really synced."""
        self._synced(fd)

    def fsync(self, fd: int) -> None:
        """Notes it. The folder is thrown away, so nothing is really synced."""
        self._synced(fd)

    def rename(self, source: str, target: str, *, source_dir: int | None = None, target_dir: int | None = None) -> None:
        """Renames, and notes it."""
        step = Rename(self._shown(self._full(source, source_dir)), self._shown(self._full(target, target_dir)))
        super().rename(source, target, source_dir=source_dir, target_dir=target_dir)
        self._take(step)

    def link(self, source: Path, target: Path) -> None:
        """Links, and notes it."""
        super().link(source, target)
        self._take(Link(self._shown(source), self._shown(target)))

    def truncate(self, fd: int, size: int) -> None:
        """Cuts, and notes it."""
        super().truncate(fd, size)
        self._take(Cut(self._node(fd), size))

    def unlink(self, path: Path) -> None:
        """Removes, and notes it."""
        existed = os.path.lexists(path)
        super().unlink(path)
        if existed and self._is_inside(path):
            self._take(Unlink(self._shown(path)))

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        """Makes what is missing, and notes each."""
        if path.is_dir():
            return
        self.mkdir(path.parent, mode)
        path.mkdir(mode, exist_ok=True)
        self._take(MakeDir(self._shown(path)))
        self.sync_dir(path.parent)

    def make_dir(self, name: str, directory: int) -> None:
        """Makes, and notes it."""
        os.mkdir(name, 0o755, dir_fd=directory)
        self._take(MakeDir(self._shown(self._full(name, directory))))
        self.fsync(directory)

    def _synced(self, fd: int) -> None:
        path = self._path_of(fd)
        if self._is_inside(path):
            self._take(SyncDir(self._shown(path)) if path.is_dir() else Sync(self._node(fd)))

    def _take(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) == self.dies_after:
            raise Killed

    def _node(self, fd: int) -> int:
        return self._nodes[os.fstat(fd).st_ino]

    def _new_node(self, inode: int) -> int:
        # The number of an inode is given again, this one never.
        self._nodes[inode] = next(self._numbers)
        return self._nodes[inode]

    def _full(self, path: str | Path, directory: int | None) -> Path:
        return Path(path) if directory is None else self._path_of(directory) / path

    def _path_of(self, fd: int) -> Path:
        # A file that was removed meanwhile is shown with a remark, and is nowhere.
        return Path(os.readlink(f"/proc/self/fd/{fd}"))

    def _is_inside(self, path: Path) -> bool:
        return path == self.root or self.root in path.parents

    def _shown(self, path: Path) -> str:
        relative = str(path.relative_to(self.root))
        return "" if relative == "." else relative
