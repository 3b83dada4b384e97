"""The metrics of runs and agents: what is counted, by whom, and what the trail says of the time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from esaa.agents.base import Dispatch, Usage
from esaa.agents.scripted import obedient
from esaa.audit.run_metrics import run_metrics
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, RunEnded, RunStarted, TaskClaimed
from esaa.runtime.clock import ManualClock
from esaa.trail.facts.orchestration import AgentMeasured, RunMeasured
from tests.operations import PaidAgent, governed, told, trail_of, work
from tests.workspaces import MORNING, new_task, reopen, result

PAGE = new_task("T-1", outputs=["src/page.html"])


def test_run_is_counted_by_agent_with_rejections_tokens_cost_and_time(tmp_path: Path) -> None:
    root, clock = tmp_path / "project", ManualClock(MORNING)
    given: list[str] = []

    def learns(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        given.append(dispatch.order.action)
        if given == ["claim", "complete"]:
            return result("complete", "T-1", files={".roadmap/x": "x"})
        return obedient(dispatch, context)

    agent = PaidAgent(Usage(model="m-1", tokens_in=100, tokens_out=10, cost_micro_usd=5), learns, clock=clock)
    agent.takes_s = 30
    workspace = governed(root, "budgets: {}", [PAGE], clock)
    assert asyncio.run(work(workspace, agent)).outcome == "success"
    trail = trail_of(workspace)
    facts = [trail.types.fact_of(one.event) for one in trail.store.stream("global").events()]
    measured = [one for one in facts if isinstance(one, RunMeasured)]
    [run] = run_metrics(reopen(root).events(), measured)
    assert (run.run_id, run.status, run.attempts, run.accepted, run.rejected) == ("RUN-0001", "success", 4, 3, 1)
    assert run.acceptance == 0.75
    assert run.rejections == {"BOUNDARY_VIOLATION": 1}
    assert (run.tokens_in, run.tokens_out, run.cost_micro_usd, run.unpriced) == (400, 40, 20, 0)
    assert run.models == {"m-1": 4}
    assert (run.calls, run.working_seconds, run.elapsed_seconds, run.waiting_seconds) == (4, 120.0, 120.0, 0.0)
    assert run.overhead_share is not None
    assert run.overhead_share == round(run.overhead_cpu_seconds / 120, 4)
    assert {name: (one.attempts, one.calls, one.working_seconds) for name, one in run.agents.items()} == {
        "agent-impl": (3, 3, 90.0),
        "agent-qa": (1, 1, 30.0),
    }
    [alone] = run_metrics(reopen(root).events(), measured, agent="agent-qa")
    assert (alone.attempts, alone.calls, list(alone.agents)) == (1, 1, ["agent-qa"])
    assert len(told(root, "RunMeasured")) == 1


def test_processes_of_a_run_add_up_and_waiting_is_what_is_left() -> None:
    one = RunMeasured(
        run_id="RUN-1",
        duration_seconds=100,
        cpu_seconds=1.5,
        busy_seconds=60,
        agents=(AgentMeasured(agent_name="a", calls=2, seconds=50), AgentMeasured(agent_name="b", calls=1, seconds=40)),
    )
    [run] = run_metrics([], [one, one, RunMeasured(run_id="RUN-1", duration_seconds=5)])
    assert (run.calls, run.working_seconds, run.elapsed_seconds, run.waiting_seconds) == (6, 180.0, 205.0, 85.0)
    assert (run.overhead_cpu_seconds, run.overhead_share) == (3.0, round(3 / 180, 4))
    assert (run.acceptance, run.status) == (None, None)


def test_provenance_that_is_none_is_counted_as_nothing(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = governed(root, "budgets: {}", [PAGE])
    asyncio.run(work(workspace, PaidAgent(Usage(model="m-1", tokens_in=3))))
    [run] = run_metrics(reopen(root).events())
    assert (run.tokens_in, run.tokens_out, run.cost_micro_usd, run.unpriced) == (9, 0, 0, 3)
    assert run.overhead_share is None


def at(version: int, fact: Fact) -> Recorded[Fact]:
    return Recorded(
        version=version,
        event_id=f"EV-{version}",
        ts="2026-03-01T12:00:00Z",
        actor="a",
        fact=fact,
        schema_version="0.4.0",
    )


def test_what_comes_before_any_run_belongs_to_none_and_the_rest_to_the_last_one_that_began() -> None:
    claim = TaskClaimed(task_id="T-1", prior_status="todo")
    start = RunStarted(run_id="RUN-1", baseline_id="B", master_correlation_id="C")
    events = [at(1, claim), at(2, RunEnded(status="success")), at(3, start), at(4, claim)]
    [run] = run_metrics(events)
    assert (run.run_id, run.attempts, run.status) == ("RUN-1", 1, None)


def test_provenance_of_any_shape_is_no_error_and_a_call_without_a_model_has_no_price_to_lack() -> None:
    start = RunStarted(run_id="RUN-1", baseline_id="B", master_correlation_id="C")
    provenances: list[Any] = ["gpt", 3, {"tokens_in": "many", "tokens_out": -1}, {"tokens_in": 2}, {"model": "m"}]
    claims = [
        at(number, TaskClaimed(task_id="T-1", prior_status="todo", provenance=one))
        for number, one in enumerate(provenances, start=2)
    ]
    [run] = run_metrics([at(1, start), *claims])
    assert (run.attempts, run.tokens_in, run.tokens_out) == (5, 2, 0)
    assert (run.models, run.unpriced) == ({"m": 1}, 1)
