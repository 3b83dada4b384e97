"""What a checkpoint is made of: a log read as leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import Frontier
from esaa.stores.base import START, Head
from esaa.stores.jsonl import JsonlStore


class Source(Protocol):
    """A log of either vocabulary, read as leaves. Who makes a checkpoint holds its writer's lock."""

    def head(self) -> Head:
        """The end."""
        ...

    def beginning(self) -> tuple[Head, Frontier]:
        """The first place that there still are leaves after, and the frontier that stands for those before it."""
        ...

    def leaves(self, after: Head) -> Iterator[str]:
        """The leaf hashes from a place to the end."""
        ...

    def is_at(self, place: Head) -> bool:
        """True where the log holds the place as it was."""
        ...


class LogSource:
    """The governed log. Its store knows the head already."""

    def __init__(self, store: JsonlStore[Any]) -> None:  # of any vocabulary: lines are all that is read
        self._store = store

    def head(self) -> Head:
        """The head as the store read or wrote it last."""
        return self._store.head()

    def beginning(self) -> tuple[Head, Frontier]:
        """The start of the file."""
        return START, Frontier()

    def leaves(self, after: Head) -> Iterator[str]:
        """The leaf hashes of stored lines; blank ones are none."""
        end = self._store.head().offset
        for line, offset, _ in self._store.lines(after.offset):
            if offset > end:
                return
            if line.strip():
                yield leaf_hash(line)

    def is_at(self, place: Head) -> bool:
        """By the line that ends there."""
        return self._store.is_at(place)
