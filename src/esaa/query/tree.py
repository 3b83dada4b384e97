"""The folders of a trail and what changed in them, found by asking for as few of them as can be.

A folder whose time of change is the one that is remembered holds the files that are remembered; a file of events only
ever grows at the end of its stream. So a look at everything costs one `stat` for each folder and each stream, and
where the store's own marks name the streams that were appended to, only those are looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from esaa.stores.trail_layout import ARCHIVE, is_date
from esaa.stores.trail_segments import Kind, kind_of
from esaa.trail.event import GLOBAL
from esaa.trail.intake import is_issue_key, is_uuid

UNTRUSTED = -1
"""Instead of a folder's time: look again. Two changes within one tick of the clock give a folder the same time."""
_TICK_NS = 2_000_000_000


class Stamp(NamedTuple):
    """What tells whether a file is still as it was."""

    size: int
    mtime_ns: int
    inode: int


NO_FILE = Stamp(0, 0, 0)
"""The end of a stream that has no file of events."""


class TreeFolder(NamedTuple):
    """A folder as it was seen: its stream (None for one that only holds folders), its time, its segment files."""

    stream: str | None
    mtime_ns: int
    files: tuple[str, ...]


class TrailTree:
    """What is known of the folders below `base`; paths are relative to it. Nothing here reads an event."""

    def __init__(self, base: Path) -> None:
        self._base = str(base)
        self.folders: dict[str, TreeFolder] = {"": TreeFolder(None, UNTRUSTED, ())}
        self.ends: dict[str, tuple[str, Stamp]] = {}
        self.dirty: set[str] = set()
        self._of_stream: dict[str, set[str]] = {}

    def remember(self, path: str, folder: TreeFolder) -> None:
        """Takes a folder as it was seen earlier."""
        self.folders[path] = folder
        if folder.stream is not None:
            self._of_stream.setdefault(folder.stream, set()).add(path)

    def remember_end(self, stream: str, path: str, stamp: Stamp) -> None:
        """Takes the file that a stream ended in, and how it was when it was read to its end."""
        self.ends[stream] = (path, stamp)

    def streams(self) -> list[str]:
        """Every stream that has a folder."""
        return list(self._of_stream)

    def files_of(self, stream: str) -> dict[str, Kind]:
        """The segment files of a stream."""
        found: dict[str, Kind] = {}
        for path in self._of_stream.get(stream, ()):
            for name in self.folders[path].files:
                kind = kind_of(Path(name))
                assert kind is not None, "only segments were taken"
                found[f"{path}/{name}"] = kind
        return found

    def has_only_grown(self, stream: str) -> bool:
        """True where the file that the stream ended in is still the same one, and not shorter."""
        if stream not in self.ends:
            return False
        path, known = self.ends[stream]
        now = self.stamp(path)
        return now is not None and now.inode == known.inode and now.size >= known.size

    def distrust(self, path: str) -> None:
        """Looks into the folder of a file again next time."""
        parent = path.rpartition("/")[0]
        self._put(parent, self.folders[parent]._replace(mtime_ns=UNTRUSTED))

    def changed(self, marked: Iterable[str] | None) -> set[str]:
        """The streams whose files are not as they were: among the marked ones and new ones, or (None) among all."""
        streams = None if marked is None else frozenset(marked)
        found: set[str] = set()
        for path, folder in list(self.folders.items()):
            if streams is None or folder.stream is None or folder.stream in streams:
                self._look(path, folder, found)
        for stream in list(self.ends) if streams is None else streams & self.ends.keys():
            path, stamp = self.ends[stream]
            if self.stamp(path) != stamp:
                found.add(stream)
        return found

    def stamp(self, path: str) -> Stamp | None:
        """How a file is now, or None where it is gone. What has no path is no file, and stays it."""
        if not path:
            return NO_FILE
        try:
            seen = os.stat(f"{self._base}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stamp(seen.st_size, seen.st_mtime_ns, seen.st_ino)

    def _look(self, path: str, folder: TreeFolder, changed: set[str]) -> None:
        try:
            mtime_ns = os.stat(f"{self._base}/{path}").st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            self._drop(path, folder, changed)
            return
        if mtime_ns != folder.mtime_ns:
            self._list(path, folder.stream, mtime_ns, changed)

    def _list(self, path: str, stream: str | None, mtime_ns: int, changed: set[str]) -> None:
        """Reads a folder, and those below it that are new."""
        files: list[str] = []
        try:
            with os.scandir(f"{self._base}/{path}") as entries:
                for entry in entries:
                    if stream is not None and kind_of(Path(entry.name)) is not None:
                        files.append(entry.name)
                        continue
                    role = _role(path, stream, entry.name)
                    below = f"{path}/{entry.name}" if path else entry.name
                    if role is not None and below not in self.folders and entry.is_dir():
                        self._list(below, role or None, os.stat(entry.path).st_mtime_ns, changed)
        except (FileNotFoundError, NotADirectoryError):
            self._drop(path, self.folders.get(path), changed)
            return
        is_settled = time.time_ns() - mtime_ns > _TICK_NS
        known = self.folders.get(path)
        folder = TreeFolder(stream, mtime_ns if is_settled else UNTRUSTED, tuple(sorted(files)))
        if stream is not None and (known is None or known.files != folder.files):
            changed.add(stream)
        if folder != known:
            self._put(path, folder)

    def _put(self, path: str, folder: TreeFolder) -> None:
        self.remember(path, folder)
        self.dirty.add(path)

    def _drop(self, path: str, folder: TreeFolder | None, changed: set[str]) -> None:
        if folder is None or path == "":
            return
        del self.folders[path]
        self.dirty.add(path)
        if folder.stream is not None:
            changed.add(folder.stream)
            self._of_stream[folder.stream].discard(path)


def _role(path: str, stream: str | None, name: str) -> str | None:
    """What a folder below another one is to the trail: a stream's (its name), one of folders (empty), or nothing."""
    parent = path.rpartition("/")[2]
    if stream is not None:
        # A session's folder lies in its issue's, where that lies in no date's.
        is_undated_issue = path.removeprefix(f"{ARCHIVE}/") == stream and stream != GLOBAL
        return stream if is_undated_issue and is_uuid(name) else None
    if is_date(parent):
        return name if is_issue_key(name) else None
    if is_date(name) or (name == ARCHIVE and not path):
        return ""
    return name if name == GLOBAL or is_issue_key(name) else None
