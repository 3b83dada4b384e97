"""Which file lies at a path, and whether it was written to since one looked: without reading it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from esaa.stores.trail_layout import ARCHIVE, is_date
from esaa.trail.event import GLOBAL
from esaa.trail.intake import is_issue_key


class FileStamp(NamedTuple):
    """A file as it was. Where it is the same, so is what the file holds: nobody can set the time of its last change
    back."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def stamps_of(paths: Iterable[Path]) -> tuple[FileStamp, ...]:
    """What lies at some paths; what is not there is left out."""
    found: list[FileStamp] = []
    for path in paths:
        try:
            found.append(_stamp(str(path), path.stat()))
        except OSError:
            continue
    return tuple(found)


def stream_stamps(base: Path) -> dict[str, tuple[FileStamp, ...]]:
    """The event files of every stream of a trail, found in one walk."""
    found: dict[str, list[FileStamp]] = {}
    for top in (base, base / ARCHIVE):
        for entry in _folders(top):
            for folder in _folders(entry.path) if is_date(entry.name) else [entry]:
                if is_issue_key(folder.name) or folder.name == GLOBAL:
                    stamps = found.setdefault(folder.name, [])
                    stamps += _event_files(folder.path)
                    for part in [] if is_date(entry.name) else _folders(folder.path):
                        stamps += _event_files(part.path)
    return {name: tuple(sorted(stamps)) for name, stamps in found.items()}


def _event_files(folder: str) -> Iterator[FileStamp]:
    for entry in _entries(folder):
        if entry.name.startswith("events"):
            try:
                yield _stamp(entry.path, entry.stat())
            except OSError:
                continue


def _folders(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    return (entry for entry in _entries(folder) if entry.is_dir())


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _stamp(path: str, found: os.stat_result) -> FileStamp:
    return FileStamp(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
