"""The time machine: one object for one past, with a method for each question. Nothing in it can write to a log.

Moments come as texts (`HEAD~3`, `#12`, a time; see `history.refs`) and are resolved by the past itself. A text that
names none raises `UsageError`; a moment, task or value that is not there raises `NotFound`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from esaa.audit.run_metrics import RunMetrics
from esaa.errors import EsaaError, UsageError
from esaa.history.axes import AxisName
from esaa.history.bisect import Verdict
from esaa.history.divergence import Likeness
from esaa.history.entries import Entry, EntryFilter
from esaa.history.past import Past
from esaa.history.predicates import Predicate
from esaa.history.values import existing_value
from esaa.runtime.history.checkout import checkout
from esaa.runtime.history.commands import command
from esaa.runtime.history.comparing import blame_view, diff_view
from esaa.runtime.history.events import event_view, events_view, graph_view, why_view
from esaa.runtime.history.files import changed_files, files_view, patch_between
from esaa.runtime.history.metrics import metrics_view, run_metrics_at
from esaa.runtime.history.probe import TIMEOUT_S, Probe
from esaa.runtime.history.proof import proof_view
from esaa.runtime.history.rejections import RejectionsView, rejections_view
from esaa.runtime.history.rules_met import RulesMet
from esaa.runtime.history.searching import bisect_by, bisect_where, divergence_view, model_view
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.states import board_view, state_view, task_view
from esaa.runtime.history.summary import lanes_view, meta_view
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
    WhyView,
)
from esaa.runtime.history.what_if import WhatIfView, Wishes, what_if_view

HEAD = "HEAD"
COUNT_MAX = 10_000
"""No list of an answer is longer."""


class TimeMachine:
    """Answers questions about one past. `sources` is what lies around it: contents, contracts, checkpoints."""

    def __init__(self, past: Past, sources: Sources) -> None:
        self.past = past
        self.sources = sources
        self.look: Callable[[], None] = lambda: None
        self._rules = RulesMet(past, sources)

    def watched(self, look: Callable[[], None]) -> TimeMachine:
        """The same machine, whose searches call `look` at each of their steps; what it raises ends them."""
        watched = copy(self)
        watched.look = look
        return watched

    def close(self) -> None:
        """Lets go of what the past holds open."""
        close = getattr(self.past, "close", None)
        if close is not None:
            close()

    @property
    def damage(self) -> EsaaError | None:
        """What is wrong with the log behind the last event that can be asked for, where something is."""
        found = getattr(self.past, "damage", None)
        return found if isinstance(found, EsaaError) else None

    def seq(self, ref: str) -> int:
        """The seq of the last event at a moment; 0 is the moment before the first one."""
        return self.past.seq_of(ref)

    def meta(self) -> Meta:
        """What the past consists of."""
        return meta_view(self.past)

    def events(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EventsView:
        """Some of the events that fit a filter, oldest first."""
        return events_view(self.past, wanted, **_page(offset, count))

    def event(self, at: str = HEAD) -> EventView:
        """One event in full."""
        return event_view(self.past, self.seq(at), self._rules)

    def state(self, at: str = HEAD, *, pointer: str = "", after: str | None = None, count: int = 200) -> StateView:
        """A value of the state, or a page of its members, those after the name `after`."""
        return state_view(self.past, self.seq(at), pointer=pointer, after=after, count=_bounded(count))

    def select(self, expression: str, at: str = HEAD, *, pointer: str = "") -> Any:
        """What a JMESPath expression names of the state, or of the value at a pointer. Raises `UsageError`."""
        predicate, seq = Predicate(expression), self.seq(at)
        return (
            predicate.value(existing_value(self.past, seq, pointer)) if pointer else predicate.value_at(self.past, seq)
        )

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
        seq, since_seq = self.seq(at), None if since is None else self.seq(since)
        return board_view(self.past, seq, since=since_seq, status=status, after=after, count=_bounded(count))

    def task(self, task_id: str, at: str = HEAD) -> TaskView:
        """One task and all that changed it."""
        return task_view(self.past, self.seq(at), task_id)

    def diff(self, since: str, at: str = HEAD, *, pointer: str = "", offset: int = 0, count: int = 200) -> DiffView:
        """What changed from one moment to another, at a pointer and below it. `since` may be the later one."""
        return diff_view(self.past, self.seq(since), self.seq(at), pointer=pointer, **_page(offset, count))

    def blame(self, pointer: str, at: str = HEAD) -> BlameView:
        """Which events made a value what it is."""
        return blame_view(self.past, self.seq(at), pointer, self._rules)

    def why(self, at: str = HEAD) -> WhyView:
        """What led to an event, what followed, and the rules that it met."""
        return why_view(self.past, self.seq(at), self._rules)

    def graph(self, at: str = HEAD, *, depth: int = 3, count: int = 300) -> GraphView:
        """The causes and effects around an event, so many steps far, at most so many events."""
        return graph_view(self.past, self.seq(at), depth=max(depth, 0), count=_bounded(count))

    def lanes(self, *, first: str = "1", last: str = HEAD, width: int = 1000, axis: AxisName = "wall") -> LanesView:
        """Who acted when, in so many columns. Of a long stretch the newest events are shown."""
        return lanes_view(self.past, self.seq(first), self.seq(last), max(min(width, COUNT_MAX), 1), axis)

    def files(
        self, at: str = HEAD, *, since: str | None = None, path: str | None = None, offset: int = 0, count: int = 200
    ) -> FilesView:
        """The files as they were; with `path`, that one with its content, and its patch where there is a `since`."""
        since_seq = None if since is None else self.seq(since)
        return files_view(self.past, self.sources, self.seq(at), since=since_seq, path=path, **_page(offset, count))

    def patch(self, since: str, at: str = HEAD, *, path: str | None = None) -> str:
        """The unified diff of all files (or one) between two moments, as `git apply` takes it.

        What cannot be told, for a content is binary or is not there, stands in it as a remark.
        """
        first, last = self.seq(since), self.seq(at)
        paths = [one for one in changed_files(self.past, first, last) if path is None or one == path]
        return "".join(patch_between(self.past, self.sources, first, last, one) for one in paths)

    def metrics(self, at: str = HEAD, *, count: int = 100) -> MetricsView:
        """How runs, agents and tasks do, up to a moment; so many tasks, the slowest first."""
        return metrics_view(self.past, self.sources, self.seq(at), _bounded(count))

    def rejections(self, at: str = HEAD, *, first: str = "1", offset: int = 0, count: int = 100) -> RejectionsView:
        """What was refused: what was asked, which rule refused it, what came next."""
        last, page = self.seq(at), _page(offset, count)
        begin = 1 if first == "1" else max(self.seq(first), 1)
        return rejections_view(self.past, self.sources, last, first=begin, **page)

    def what_if(
        self,
        wishes: Wishes,
        at: str = HEAD,
        *,
        offset: int = 0,
        count: int = 200,
        progress: Callable[[int], None] | None = None,
    ) -> WhatIfView:
        """What would have happened up to a moment, had some of it been otherwise. Raises `ContractError` too."""
        page = _page(offset, count)

        def told(last: int) -> None:
            self.look()
            if progress is not None:
                progress(last)

        return what_if_view(self.past, self.sources, self.seq(at), wishes, **page, progress=told)

    def run_metrics(self, at: str = HEAD, *, agent: str | None = None) -> list[RunMetrics]:
        """The measures of every run up to a moment; with `agent`, of that agent's outputs alone."""
        return run_metrics_at(self.past, self.sources, self.seq(at), agent)

    def proof(self, at: str = HEAD, *, is_fresh: bool = False) -> ProofView:
        """How far the past is proved, and the hashes at a moment. It says when that was checked: that is not done
        again while its files are the same, unless the answer is to be `is_fresh`."""
        prove = self.sources.prove
        return proof_view(self.past, self.seq(at), None if prove is None else prove(is_fresh=is_fresh))

    def bisect(self, where: str, *, good: str = "0", bad: str = HEAD) -> BisectView:
        """The first event after which a predicate over the state (JMESPath) does not hold any more."""
        return bisect_where(self.past, where, self.seq(good), self.seq(bad), look=self.look)

    def bisect_run(
        self,
        arguments: Sequence[str],
        *,
        good: str = "0",
        bad: str = HEAD,
        timeout_s: float = TIMEOUT_S,
        told: Callable[[str], None] = lambda _: None,
    ) -> BisectView:
        """The first event after which a command fails on the files of the moment. Raises `UsageError`."""
        probe = Probe(self.past, self.sources, arguments, timeout_s=timeout_s, told=told)
        first, last = self.seq(good), self.seq(bad)
        said = command(self.past, "bisect", f"{first}..{last}", "--run", *arguments)
        return bisect_by(self.past, probe.verdict, first, last, said=said)

    def bisect_by(self, verdict: Callable[[int], Verdict], *, good: str = "0", bad: str = HEAD) -> BisectView:
        """The same with any verdict over a seq."""
        first, last = self.seq(good), self.seq(bad)
        return bisect_by(self.past, verdict, first, last, said=command(self.past, "bisect", f"{first}..{last}"))

    def divergence(self, other: Past, *, likeness: Likeness = "lines", where: str = "OTHER") -> DivergenceView:
        """How far another past is the same, and where the two part. `where` names it on the command line."""
        return divergence_view(self.past, other, likeness, where)

    def model_divergence(self, data: bytes, at: str = HEAD, *, where: str = "MODEL") -> DivergenceView:
        """How a read model differs from the state, and which state it shows instead. Raises `UsageError`."""
        return model_view(self.past, self.seq(at), data, where)

    def checkout(self, folder: Path, at: str = HEAD, *, dry_run: bool = False) -> CheckoutView:
        """Writes the tree as it was into an empty folder, or one that is not there yet. Raises `UsageError`."""
        return checkout(self.past, self.sources, self.seq(at), folder, dry_run=dry_run)

    def tail(self, after: int, *, count: int = 500) -> tuple[Entry, ...]:
        """The events after a seq, the oldest first, at most so many."""
        last = min(self.past.head(), after + _bounded(count))
        return tuple(self.past.entries(max(after, 0) + 1, last)) if last > after else ()


def _page(offset: int, count: int) -> dict[str, int]:
    if offset < 0:
        raise UsageError("OFFSET_INVALID", f"A list has no place {offset}.", "Places count from 0.")
    return {"offset": offset, "count": _bounded(count)}


def _bounded(count: int) -> int:
    return max(min(count, COUNT_MAX), 0)
