"""Budgets in a run: set aside before each call, settled after it, a hard stop that is recorded; and equal answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Dispatch, Usage
from esaa.agents.scripted import obedient
from esaa.errors import AgentCrashed, AgentUnavailable
from esaa.protocol.scheduling import Order
from esaa.runtime.clock import ManualClock
from esaa.runtime.operations.gate import Estimate
from tests.operations import PaidAgent, gate_of, governed, told, work
from tests.workspaces import MORNING, assert_sound, new_task, reopen, result

PAGE = new_task("T-1", outputs=["src/page.html"])
OTHER = new_task("T-2", outputs=["src/other.html"])
SPENT = Usage(model="m-1", tokens_in=900, tokens_out=100)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def test_run_within_its_budget_settles_every_call(root: Path) -> None:
    policy = "budgets: {limits: [{scope: run, unit: tokens, limit: 1000000}, {scope: day, unit: calls, limit: 10}]}"
    agent = PaidAgent(SPENT)
    report = asyncio.run(work(governed(root, policy, [PAGE]), agent))
    assert report.outcome == "success"
    settled = told(root, "BudgetSettled")
    assert [one["amount"] for one in settled if one["unit"] == "tokens"] == [1000, 1000, 1000]
    assert [one["budget_id"] for one in settled if one["unit"] == "calls"] == ["day:2026-01-05:calls"] * 3
    reserved = told(root, "BudgetReserved")
    assert {one["reservation_id"] for one in reserved} == {one["reservation_id"] for one in settled}
    assert all(one["amount"] >= 8192 for one in reserved if one["unit"] == "tokens"), "the answer is set aside for too"
    assert told(root, "BudgetExceeded") == []
    assert_sound(root)


@pytest.mark.parametrize("unit", ["tokens", "micro_usd", "seconds", "calls"])
@pytest.mark.parametrize("scope", ["call", "task", "agent", "run", "day"])
def test_budget_of_zero_asks_nobody_and_says_so(root: Path, scope: str, unit: str) -> None:
    policy = f"budgets: {{limits: [{{scope: {scope}, unit: {unit}, limit: 0}}]}}"
    agent = PaidAgent(SPENT)
    report = asyncio.run(work(governed(root, policy, [PAGE]), agent))
    assert (report.outcome, report.results, agent.asked) == ("waiting", 0, [])
    assert "the budget" in report.message
    [exceeded] = told(root, "BudgetExceeded")
    assert (exceeded["scope"], exceeded["unit"], exceeded["limit"], exceeded["action_taken"]) == (
        scope,
        unit,
        0,
        "refused",
    )
    assert told(root, "BudgetReserved") == []
    assert_sound(root)


def test_money_that_the_agent_reports_wins_over_the_price(root: Path) -> None:
    policy = """
budgets:
  limits: [{scope: run, unit: micro_usd, limit: 1000000}]
  prices: [{model: "m-*", input: 1000000, output: 2000000, date: 2026-01-05, source: "https://example.org"}]
"""
    workspace = governed(root, policy, [PAGE])
    asyncio.run(work(workspace, PaidAgent(Usage(model="m-1", tokens_in=900, tokens_out=100, cost_micro_usd=7))))
    assert [one["amount"] for one in told(root, "BudgetSettled")] == [7, 7, 7]


@pytest.mark.parametrize(("model", "cost"), [("m-1", 900 + 200), ("unpriced", 0)])
def test_price_counts_where_the_agent_says_no_cost(root: Path, model: str, cost: int) -> None:
    policy = """
budgets:
  limits: [{scope: run, unit: micro_usd, limit: 1000000}]
  prices: [{model: "m-*", input: 1000000, output: 2000000, date: 2026-01-05, source: "https://example.org"}]
"""
    asyncio.run(work(governed(root, policy, [PAGE]), PaidAgent(Usage(model=model, tokens_in=900, tokens_out=100))))
    assert [one["amount"] for one in told(root, "BudgetSettled")] == [cost] * 3


def test_hard_stop_is_recorded_once_and_holds_across_restarts(root: Path) -> None:
    policy = "budgets: {limits: [{scope: run, unit: calls, limit: 2}]}"
    agent = PaidAgent(SPENT)
    report = asyncio.run(work(governed(root, policy, [PAGE]), agent))
    assert (report.outcome, len(agent.asked)) == ("waiting", 2)
    assert "has 0 calls of 2 calls left" in report.message
    again = asyncio.run(work(reopen(root), agent))
    assert (again.outcome, len(agent.asked)) == ("waiting", 2)
    assert [one["spent"] for one in told(root, "BudgetExceeded")] == [2, 2], "one for each process that was stopped"
    assert_sound(root)


def test_larger_limit_lets_the_run_go_on(root: Path) -> None:
    agent = PaidAgent(SPENT)
    asyncio.run(work(governed(root, "budgets: {limits: [{scope: run, unit: calls, limit: 2}]}", [PAGE]), agent))
    file = root / ".roadmap" / "RUNTIME_POLICY.yaml"
    file.write_text(file.read_text().replace("limit: 2}", "limit: 3}"))
    assert asyncio.run(work(reopen(root), agent)).outcome == "success"
    assert len(agent.asked) == 3


def test_budget_of_a_day_is_new_on_the_next_day(root: Path) -> None:
    policy = "budgets: {limits: [{scope: day, unit: calls, limit: 2}]}"
    agent, clock = PaidAgent(SPENT), ManualClock(MORNING)
    assert asyncio.run(work(governed(root, policy, [PAGE], clock), agent)).outcome == "waiting"
    clock.advance(timedelta(days=1).total_seconds())
    assert asyncio.run(work(reopen(root, clock=clock), agent)).outcome == "success"
    assert {one["budget_id"] for one in told(root, "BudgetSettled")} == {
        "day:2026-01-05:calls",
        "day:2026-01-06:calls",
    }


def test_limit_of_one_actor_holds_nobody_else(root: Path) -> None:
    policy = "budgets: {limits: [{scope: agent, unit: calls, limit: 0, agent: agent-qa}]}"
    agent = PaidAgent(SPENT)
    report = asyncio.run(work(governed(root, policy, [PAGE]), agent))
    assert agent.asked == [("T-1", "claim"), ("T-1", "complete")]
    assert "agent:agent-qa:calls" in report.message


def test_seconds_that_are_left_are_the_time_limit_of_the_call(root: Path) -> None:
    policy = "budgets: {limits: [{scope: run, unit: seconds, limit: 100}]}"
    clock = ManualClock(MORNING)
    agent = PaidAgent(clock=clock)
    agent.takes_s = 30
    report = asyncio.run(work(governed(root, policy, [PAGE], clock), agent))
    assert report.outcome == "success"
    assert agent.timeouts == [100, 70, 40]
    assert [one["amount"] for one in told(root, "BudgetSettled")] == [30, 30, 30]


def test_calls_at_once_never_share_what_is_left(root: Path) -> None:
    policy = "budgets: {limits: [{scope: run, unit: tokens, limit: 20000}]}"
    agent = PaidAgent(Usage(tokens_in=10, tokens_out=10))
    report = asyncio.run(work(governed(root, policy, [PAGE, OTHER]), agent, parallel=2))
    assert report.outcome == "success", "what one call was not in need of is there for the next one"
    assert told(root, "BudgetExceeded") == []
    assert_sound(root)


def test_agent_that_says_nothing_counts_as_it_was_set_aside(root: Path) -> None:
    policy = "budgets: {limits: [{scope: run, unit: tokens, limit: 1000000}]}"
    asyncio.run(work(governed(root, policy, [PAGE]), PaidAgent()))
    for reserved, settled in zip(told(root, "BudgetReserved"), told(root, "BudgetSettled"), strict=True):
        assert settled["amount"] == reserved["amount"] > 0


def test_call_that_took_more_than_one_may_is_named(root: Path) -> None:
    policy = "budgets: {limits: [{scope: call, unit: tokens, limit: 50000}]}"
    asyncio.run(work(governed(root, policy, [PAGE]), PaidAgent(Usage(tokens_in=60000, tokens_out=1))))
    assert [(one["action_taken"], one["spent"]) for one in told(root, "BudgetExceeded")] == [("warned", 60001)] * 3


@pytest.mark.parametrize(
    ("error", "amount"),
    [
        (AgentUnavailable("AGENT_UNAVAILABLE", "no key", ""), 0),
        (AgentCrashed("AGENT_CRASHED", "gone", ""), None),
    ],
)
def test_call_that_fails_is_settled_too(root: Path, error: Exception, amount: int | None) -> None:
    def fails(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any]:
        raise error

    policy = "budgets: {limits: [{scope: run, unit: tokens, limit: 1000000}]}"
    workspace = governed(root, policy, [PAGE])
    if amount is None:
        asyncio.run(work(workspace, PaidAgent(script=fails)))
    else:
        with pytest.raises(AgentUnavailable):
            asyncio.run(work(workspace, PaidAgent(script=fails)))
    reserved, settled = told(root, "BudgetReserved"), told(root, "BudgetSettled")
    assert len(settled) == len(reserved) >= 1
    for before, after in zip(reserved, settled, strict=True):
        assert after["amount"] == (before["amount"] if amount is None else amount)


def test_call_of_a_killed_process_is_settled_by_the_next_one(root: Path) -> None:
    policy = "budgets: {limits: [{scope: run, unit: calls, limit: 5}]}"
    agent = PaidAgent(SPENT)
    workspace = governed(root, policy, [PAGE])
    asyncio.run(work(workspace, agent))
    killed = gate_of(reopen(root))
    killed.begin()
    order = Order(task_id="T-9", action="claim", actor="agent-impl", attempt=1, template="impl.core")
    assert killed.before(order, Estimate(seconds=10)) is None
    gate_of(reopen(root)).begin()
    last = told(root, "BudgetSettled")[-1]
    assert (last["reservation_id"], last["amount"]) == ("RUN-0001/T-9/claim/1", 1)
    assert "process ended" in last["extra"]["reason"]
    gate_of(reopen(root)).begin()
    assert told(root, "BudgetSettled")[-1] == last, "and only once"


def test_budgets_are_told_in_the_stream_of_the_run_and_add_up_over_streams(root: Path) -> None:
    policy = "budgets: {limits: [{scope: day, unit: calls, limit: 3}]}"
    agent = PaidAgent(SPENT)
    workspace = governed(root, policy, [PAGE])
    asyncio.run(work(workspace, agent, issue_key="PROJ-7"))
    assert [one["type"] for one in told(root, "Budget", stream="PROJ-7")] == ["BudgetReserved", "BudgetSettled"] * 3
    workspace.commit(OTHER)
    report = asyncio.run(work(reopen(root), agent))
    assert report.outcome == "waiting"
    assert len(agent.asked) == 3


def test_equal_answers_are_a_loop(root: Path) -> None:
    def asks_for_changes(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any] | bytes:
        if dispatch.order.action == "review":
            return result("review", "T-1", decision="request_changes", tasks=["do better"])
        return obedient(dispatch, context)

    agent = PaidAgent(script=asks_for_changes)
    report = asyncio.run(work(governed(root, "budgets: {same_answers_max: 2}", [PAGE]), agent))
    assert report.outcome == "waiting"
    assert "the same answer to `complete` 2 times" in report.message
    assert agent.asked.count(("T-1", "complete")) == 2
    [loop] = told(root, "BudgetExceeded")
    assert (loop["budget_id"], loop["action_taken"]) == ("same-answers:T-1:complete", "stopped")
    assert_sound(root)


def test_policy_without_limits_records_nothing(root: Path) -> None:
    report = asyncio.run(work(governed(root, "budgets: {}", [PAGE]), PaidAgent(SPENT)))
    assert report.outcome == "success"
    assert told(root, "Budget", "Approval") == []
