"""The write sets of the tasks in flight, kept so that one more task finds at once whom it would meet.

The answer is that of `paths.overlap` asked of each of them in turn; plain paths are found by name instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from esaa.protocol.paths import fold, overlap
from esaa.protocol.task_table import Task


class WriteSets:
    """Grows by a task at a time."""

    def __init__(self) -> None:
        self._tasks: list[tuple[Task, tuple[str, ...]]] = []
        self._plain: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}
        self._wild: list[int] = []

    def add(self, task: Task, patterns: tuple[str, ...]) -> None:
        """One more task in flight."""
        place = len(self._tasks)
        self._tasks.append((task, patterns))
        if not all(map(_is_plain, patterns)):
            self._wild.append(place)
            return
        for path in map(fold, patterns):
            self._plain.setdefault(path, []).append(place)
            for folder in _folders(path):
                self._below.setdefault(folder, []).append(place)

    def met(self, patterns: tuple[str, ...]) -> Iterator[tuple[Task, str]]:
        """The tasks that may write what these patterns may, in the order in which they came, each with the first of
        `patterns` that meets it."""
        for place in self._candidates(patterns):
            task, theirs = self._tasks[place]
            meeting = overlap(patterns, theirs)
            if meeting is not None:
                yield task, meeting

    def _candidates(self, patterns: tuple[str, ...]) -> list[int] | range:
        if not all(map(_is_plain, patterns)):
            return range(len(self._tasks))
        places = set(self._wild)
        for path in map(fold, patterns):
            # The same file, a file below it, or a file that would have to be a directory for it.
            for same in (path, *_folders(path)):
                places.update(self._plain.get(same, ()))
            places.update(self._below.get(path, ()))
        return sorted(places)


def _is_plain(pattern: str) -> bool:
    return not pattern.endswith("/") and "*" not in pattern and "?" not in pattern


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
