"""How runs and agents do: attempts, acceptance, rejections, tokens, cost, and where the time went.

Counted over the governed log; times and calls come from `RunMeasured` in the trail. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import (
    Fact,
    IssueReported,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskReviewed,
)
from esaa.trail.facts.orchestration import RunMeasured

_ACTS = (TaskClaimed, TaskCompleted, TaskReviewed, IssueReported)
_UNKNOWN = "unknown"

COUNTED = (*_ACTS, OutputRejected, RunStarted, RunEnded)
"""The facts that are counted."""


class Metrics(msgspec.Struct, kw_only=True):
    """The measures of a run, of an agent, or of both.

    - `attempts`: outputs that were judged; `accepted` of them became history, `rejected` did not.
    - `acceptance`: `accepted` as a share of `attempts`, from 0 to 1; None without attempts.
    - `rejections`: how many, by error code.
    - `tokens_in`, `tokens_out`, `tokens_cached`, `cost_micro_usd`: as the agents said; `unpriced` counts the outputs of
      models of which no cost was said.
    - `models`: the outputs by model.
    - `calls`, `working_seconds`: how often an agent was asked, and how long the agents worked, all calls together.
    """

    attempts: int = 0
    accepted: int = 0
    rejected: int = 0
    acceptance: float | None = None
    rejections: dict[str, int] = {}
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micro_usd: int = 0
    unpriced: int = 0
    models: dict[str, int] = {}
    calls: int = 0
    working_seconds: float = 0.0


class RunMetrics(Metrics, kw_only=True):
    """The measures of a run, and of each agent in it.

    - `status`: how it ended; None while it is open.
    - `elapsed_seconds`: how long processes of the run were at work.
    - `waiting_seconds`: the part of it in which no agent worked: cooldowns, pauses, and the orchestrator itself.
    - `overhead_cpu_seconds`: the processor time of the orchestrator alone.
    - `overhead_share`: that time as a share of `working_seconds`; None where no agent's work was measured.
    """

    run_id: str
    status: str | None = None
    elapsed_seconds: float = 0.0
    waiting_seconds: float = 0.0
    overhead_cpu_seconds: float = 0.0
    overhead_share: float | None = None
    agents: dict[str, Metrics] = {}


class RunCounter:
    """Follows the events of a log, and counts for the run that is going on. `known` is asked for a run that comes
    back, or that is not held."""

    def __init__(self, known: Callable[[str], RunMetrics | None] = lambda _: None, current: str | None = None) -> None:
        self.known = known
        self.runs: dict[str, RunMetrics] = {}
        self.current = None if current is None else self._of(current)

    def take(self, event: Recorded[Fact], agent: str | None = None) -> bool:
        """Takes an event, of an agent alone where one is named; tells whether it changed a run."""
        fact, run = event.fact, self.current
        if isinstance(fact, RunStarted):
            self.current = self._of(fact.run_id or _UNKNOWN)
            return True
        if run is None:
            return False
        if isinstance(fact, RunEnded):
            run.status = fact.status
            return True
        return _count(run, event, agent)

    def _of(self, name: str) -> RunMetrics:
        found = self.runs.get(name) or self.known(name) or RunMetrics(run_id=name)
        self.runs[name] = found
        return found


def run_metrics(
    events: Iterable[Recorded[Fact]], measured: Iterable[RunMeasured] = (), *, agent: str | None = None
) -> list[RunMetrics]:
    """The metrics of every run of a log, the oldest first. With `agent`, of that agent's outputs alone."""
    counter = RunCounter()
    for event in events:
        counter.take(event, agent)
    return with_measures(counter.runs.values(), measured, agent=agent)


def with_measures(
    counted: Iterable[RunMetrics], measured: Iterable[RunMeasured] = (), *, agent: str | None = None
) -> list[RunMetrics]:
    """Runs as they were counted, with what was measured of them. Of what `RunCounter` counted of all agents, `agent`
    takes that agent's part."""
    runs = {one.run_id: one if agent is None else _part_of(one, agent) for one in counted}
    for one in measured:
        name = one.run_id if isinstance(one.run_id, str) else _UNKNOWN
        _measure(runs.setdefault(name, RunMetrics(run_id=name)), one, agent)
    for each in runs.values():
        _close(each)
    return list(runs.values())


def _part_of(run: RunMetrics, agent: str) -> RunMetrics:
    part = run.agents.get(agent)
    if part is None:
        return RunMetrics(run_id=run.run_id, status=run.status)
    own = msgspec.structs.asdict(part)
    own |= {"rejections": dict(part.rejections), "models": dict(part.models)}
    return RunMetrics(run_id=run.run_id, status=run.status, agents={agent: part}, **own)


def _count(run: RunMetrics, event: Recorded[Fact], agent: str | None) -> bool:
    fact = event.fact
    if isinstance(fact, OutputRejected):
        name = fact.rejected_actor if isinstance(fact.rejected_actor, str) else _UNKNOWN
    elif isinstance(fact, _ACTS):
        name = event.actor
    else:
        return False
    if agent is not None and name != agent:
        return False
    for one in (run, run.agents.setdefault(name, Metrics())):
        one.attempts += 1
        if isinstance(fact, OutputRejected):
            one.rejected += 1
            one.rejections[fact.error_code] = one.rejections.get(fact.error_code, 0) + 1
        else:
            one.accepted += 1
        _use(one, fact.provenance)
    return True


def _use(one: Metrics, provenance: Any) -> None:
    """Adds what the output cost. Provenance comes from a log, so its values are looked at."""
    if not isinstance(provenance, Mapping):
        return
    one.tokens_in += _whole(provenance, "tokens_in")
    one.tokens_out += _whole(provenance, "tokens_out")
    one.tokens_cached += _whole(provenance, "tokens_cached")
    one.cost_micro_usd += _whole(provenance, "cost_micro_usd")
    model = provenance.get("model")
    if isinstance(model, str):
        one.models[model] = one.models.get(model, 0) + 1
        one.unpriced += "cost_micro_usd" not in provenance


def _measure(run: RunMetrics, fact: RunMeasured, agent: str | None) -> None:
    run.elapsed_seconds += fact.duration_seconds
    run.overhead_cpu_seconds += _seconds(fact.cpu_seconds)
    run.waiting_seconds += max(fact.duration_seconds - _seconds(fact.busy_seconds), 0.0)
    for one in fact.agents if isinstance(fact.agents, tuple) else ():
        if agent is not None and one.agent_name != agent:
            continue
        for metrics in (run, run.agents.setdefault(one.agent_name, Metrics())):
            metrics.calls += one.calls
            metrics.working_seconds += one.seconds


def _close(run: RunMetrics) -> None:
    for one in (run, *run.agents.values()):
        one.acceptance = round(one.accepted / one.attempts, 4) if one.attempts else None
        one.working_seconds = round(one.working_seconds, 3)
    for name in ("elapsed_seconds", "waiting_seconds", "overhead_cpu_seconds"):
        setattr(run, name, round(getattr(run, name), 3))
    if run.working_seconds > 0:
        run.overhead_share = round(run.overhead_cpu_seconds / run.working_seconds, 4)


def _whole(provenance: Mapping[str, Any], key: str) -> int:
    value = provenance.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
