"""How runs, agents and tasks did, up to a moment.

A past that keeps its measures is asked for them; of any other, the events are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from esaa.audit.run_metrics import RunMetrics, run_metrics, with_measures
from esaa.history.indexed import HasTaskTimes
from esaa.history.past import Past
from esaa.history.task_times import Measures, TaskClock
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact
from esaa.runtime.history.commands import command
from esaa.runtime.history.lines import recorded
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import MetricsView


@runtime_checkable
class HasMeasures(HasTaskTimes, Protocol):
    """A past that keeps what its runs come to as well."""

    def run_sums(self, at: int) -> list[RunMetrics]:
        """What the outputs of each run come to after an event, the oldest run first."""
        ...


def metrics_view(past: Past, sources: Sources, seq: int, count: int) -> MetricsView:
    """The metrics of the governed log up to an event; a stream of the trail has none of its own.

    What `esaa run` measured counts up to the time of the event.
    """
    runs: list[RunMetrics] = []
    times = Measures(total=0, tasks=())
    if isinstance(past, HasMeasures):
        runs, times = run_metrics_at(past, sources, seq, None), past.task_times(seq, count)
    elif past.kind == "log":
        clock = TaskClock()
        runs = run_metrics(clock.following(_events(past, sources, seq)), sources.measured(_until(past, seq)))
        times = clock.slowest(count)
    return MetricsView(
        past=past.name,
        at=seq,
        cli=command(past, "metrics", "--at", seq),
        runs=tuple(runs),
        total=times.total,
        tasks=times.tasks,
    )


def run_metrics_at(past: Past, sources: Sources, seq: int, agent: str | None) -> list[RunMetrics]:
    """The measures of every run up to an event, of one agent's outputs where it is named."""
    if past.kind != "log":
        return []
    measured = sources.measured(_until(past, seq))
    if isinstance(past, HasMeasures):
        return with_measures(past.run_sums(seq), measured, agent=agent)
    return run_metrics(_events(past, sources, seq), measured, agent=agent)


def _events(past: Past, sources: Sources, seq: int) -> Iterable[Recorded[Fact]]:
    return recorded(past, seq) if sources.recorded is None else sources.recorded(seq)


def _until(past: Past, seq: int) -> str | None:
    return past.entry(seq).ts if 0 < seq < past.head() else None
