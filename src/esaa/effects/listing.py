"""The files below some folders of the project, by name alone: no link is followed, and only so many are seen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_PASSED_OVER = frozenset((".git", ".roadmap", ".venv", "__pycache__", "node_modules"))
"""Folders that are other programs' business, large, or none of an agent's."""


def list_files(root: Path, folders: Iterable[str], entries_max: int) -> list[str]:
    """The project paths of plain files below the folders (`""` is the project), sorted within each folder.

    After `entries_max` directory entries it stops: a project is described by what is seen first, not by all there is. A
    folder that is missing, cannot be read or is a link holds nothing.
    """
    found: dict[str, None] = {}
    left = entries_max
    for folder in folders:
        for path in _below(root, folder):
            left -= 1
            if left < 0:
                return list(found)
            if path is not None:
                found[path] = None
    return list(found)


def _below(root: Path, folder: str) -> Iterator[str | None]:
    """Every entry below a folder: the path of a plain file, None for anything else."""
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            if current and any((root / part).is_symlink() for part in _parts(current)):
                continue
            entries = sorted(os.scandir(root / current), key=lambda entry: entry.name)
        except OSError:
            continue
        inner: list[str] = []
        for entry in entries:
            path = f"{current}/{entry.name}" if current else entry.name
            if entry.is_file(follow_symlinks=False):
                yield path
                continue
            yield None
            if entry.is_dir(follow_symlinks=False) and entry.name not in _PASSED_OVER:
                inner.append(path)
        waiting += reversed(inner)


def _parts(folder: str) -> Iterator[str]:
    parts = folder.split("/")
    return ("/".join(parts[: count + 1]) for count in range(len(parts)))
