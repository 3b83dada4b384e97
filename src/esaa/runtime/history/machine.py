"""The time machine: one object for one past, with a method for each question. Nothing in it can write to a log.

Moments come as texts (`HEAD~3`, `#12`, a time; see `history.refs`) and are resolved by the past itself. A text that
names none raises `UsageError`; a moment, task or value that is not there raises `NotFound`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from esaa.history.entries import Entry, EntryFilter
from esaa.history.past import Past
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import (
    BisectView,
    BlameView,
    BoardView,
    CheckoutView,
    DiffView,
    DivergenceView,
    EventsView,
    EventView,
    FilesView,
    GraphView,
    LanesView,
    Meta,
    MetricsView,
    ProofView,
    StateView,
    TaskView,
    Verdict,
    WhyView,
)

if TYPE_CHECKING:
    import msgspec

HEAD = "HEAD"
Axis = Literal["wall", "order", "busy"]


class TimeMachine:
    """Answers questions about one past. `sources` is what lies around it: contents, contracts, checkpoints."""

    def __init__(self, past: Past, sources: Sources) -> None:
        self.past = past
        self.sources = sources

    def seq(self, ref: str) -> int:
        """The seq of the last event at a moment."""
        return self.past.seq_of(ref)

    def meta(self) -> Meta:
        """What the past consists of."""
        raise NotImplementedError

    def events(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EventsView:
        """Some of the events that fit a filter, oldest first."""
        raise NotImplementedError

    def event(self, at: str = HEAD) -> EventView:
        """One event in full."""
        raise NotImplementedError

    def state(self, at: str = HEAD, *, pointer: str = "", after: str | None = None, count: int = 200) -> StateView:
        """A value of the state, or a page of its members, those after the name `after`."""
        raise NotImplementedError

    def board(
        self,
        at: str = HEAD,
        *,
        since: str | None = None,
        status: str | None = None,
        after: str | None = None,
        count: int = 50,
    ) -> BoardView:
        """The tasks by status; one column, where `status` names it, after the card `after`."""
        raise NotImplementedError

    def task(self, task_id: str, at: str = HEAD) -> TaskView:
        """One task and all that changed it."""
        raise NotImplementedError

    def diff(self, since: str, at: str = HEAD, *, pointer: str = "", offset: int = 0, count: int = 200) -> DiffView:
        """What changed from one moment to another, at a pointer and below it."""
        raise NotImplementedError

    def blame(self, pointer: str, at: str = HEAD) -> BlameView:
        """Which events made a value what it is."""
        raise NotImplementedError

    def why(self, at: str = HEAD) -> WhyView:
        """What led to an event, what followed, and the rules that it met."""
        raise NotImplementedError

    def graph(self, at: str = HEAD, *, depth: int = 3, count: int = 300) -> GraphView:
        """The causes and effects around an event, so many steps far, at most so many events."""
        raise NotImplementedError

    def lanes(self, *, first: str = "1", last: str = HEAD, width: int = 1000, axis: Axis = "wall") -> LanesView:
        """Who acted when, in so many columns."""
        raise NotImplementedError

    def files(
        self, at: str = HEAD, *, since: str | None = None, path: str | None = None, offset: int = 0, count: int = 200
    ) -> FilesView:
        """The files as they were; with `path`, that one with its content, and its patch where there is a `since`."""
        raise NotImplementedError

    def patch(self, since: str, at: str = HEAD) -> str:
        """The unified diff of all files between two moments, as `git apply` takes it."""
        raise NotImplementedError

    def metrics(self, at: str = HEAD, *, count: int = 100) -> MetricsView:
        """How runs, agents and tasks do, up to a moment."""
        raise NotImplementedError

    def rejections(self, at: str = HEAD, *, offset: int = 0, count: int = 100) -> msgspec.Struct:
        """What was refused: what was asked, which rule refused it, what came next."""
        raise NotImplementedError

    def proof(self, at: str = HEAD) -> ProofView:
        """How far the past is proved, and the hashes at a moment."""
        raise NotImplementedError

    def bisect(self, where: str, *, good: str = "0", bad: str = HEAD) -> BisectView:
        """The first event after which a predicate over the state (JMESPath) does not hold any more."""
        raise NotImplementedError

    def bisect_by(self, verdict: Callable[[int], Verdict], *, good: str = "0", bad: str = HEAD) -> BisectView:
        """The same with any verdict over a seq."""
        raise NotImplementedError

    def divergence(self, other: Past) -> DivergenceView:
        """How far another past is the same, and where the two part."""
        raise NotImplementedError

    def checkout(self, folder: Path, at: str = HEAD) -> CheckoutView:
        """Writes the tree as it was into an empty folder, or one that is not there yet. Raises `UsageError`."""
        raise NotImplementedError

    def tail(self, after: int, *, count: int = 500) -> tuple[Entry, ...]:
        """The events after a seq, the oldest first, at most so many."""
        raise NotImplementedError
