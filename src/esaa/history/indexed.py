"""What a past with an index answers at once beyond the port. A past without it is asked one event at a time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from esaa.history.board import Board
from esaa.history.task_times import Measures


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """What the events of a past are about: the names and actors that occur, and how many subjects."""

    names: tuple[str, ...]
    actors: tuple[str, ...]
    subjects_count: int


@runtime_checkable
class HasBoard(Protocol):
    """A past that pages the task board of any moment by itself."""

    def board(self, at: int, since: int | None, status: str | None, after: str | None, count: int) -> Board:
        """The board after an event, as `history.board.board_of` gives it; `changed` is against `since`."""
        ...


@runtime_checkable
class HasFacets(Protocol):
    """A past that knows which names, actors and subjects occur in it."""

    def facets(self) -> Facets:
        """The names and actors in the order of the alphabet, and the number of subjects."""
        ...


@runtime_checkable
class HasTaskTimes(Protocol):
    """A past that keeps how long its tasks took."""

    def task_times(self, at: int, count: int) -> Measures:
        """The times of the slowest tasks after an event, as `TaskClock.slowest` gives them."""
        ...
