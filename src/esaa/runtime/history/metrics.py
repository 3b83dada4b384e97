"""How runs, agents and tasks did, up to a moment."""

from __future__ import annotations

from esaa.audit.run_metrics import RunMetrics, run_metrics
from esaa.history.past import Past
from esaa.history.task_times import TaskClock, TaskTimes
from esaa.runtime.history.commands import command
from esaa.runtime.history.lines import recorded
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import MetricsView


def metrics_view(past: Past, sources: Sources, seq: int, count: int) -> MetricsView:
    """The metrics of the governed log up to an event; a stream of the trail has none of its own.

    What `esaa run` measured counts up to the time of the event.
    """
    clock = TaskClock()
    runs = _runs(past, sources, seq, None, clock)
    times = clock.times()
    return MetricsView(
        past=past.name,
        at=seq,
        cli=command(past, "metrics", "--at", seq),
        runs=tuple(runs),
        total=len(times),
        tasks=tuple(sorted(times, key=_slowest_first)[:count]),
    )


def run_metrics_at(past: Past, sources: Sources, seq: int, agent: str | None) -> list[RunMetrics]:
    """The measures of every run up to an event, of one agent's outputs where it is named."""
    return _runs(past, sources, seq, agent, TaskClock())


def _runs(past: Past, sources: Sources, seq: int, agent: str | None, clock: TaskClock) -> list[RunMetrics]:
    if past.kind != "log":
        return []
    until = past.entry(seq).ts if 0 < seq < past.head() else None
    events = recorded(past, seq) if sources.recorded is None else sources.recorded(seq)
    return run_metrics(clock.following(events), sources.measured(until), agent=agent)


def _slowest_first(one: TaskTimes) -> tuple[float, str]:
    return -(one.waiting_seconds + one.working_seconds + one.review_seconds), one.task_id
