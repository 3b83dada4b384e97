"""The ledger of budgets: what a call draws on, what is set aside, what is spent, and when a call does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.contracts.budgets import BudgetPolicy, Limit, Price
from esaa.trail.budgets import (
    Account,
    Amounts,
    Call,
    Ledger,
    abandoned,
    accounts,
    exceeded,
    overrun,
    reserve,
    settle,
)
from esaa.trail.state_values import Budget

CALL = Call(
    name="RUN-1/T-1/complete/1", task_id="T-1", agent="agent-impl", run_id="RUN-1", day="2026-01-05", model="m-1"
)
RUN_TOKENS = Account(budget_id="run:RUN-1:tokens", scope="run", unit="tokens", limit=100)


def policy(*limits: Limit) -> BudgetPolicy:
    return BudgetPolicy(limits=limits)


def test_call_draws_on_every_limit_that_is_for_it() -> None:
    drawn = accounts(
        policy(
            Limit(scope="call", unit="tokens", limit=1),
            Limit(scope="task", unit="calls", limit=2),
            Limit(scope="agent", unit="seconds", limit=3),
            Limit(scope="run", unit="tokens", limit=4),
            Limit(scope="day", unit="micro_usd", limit=5),
            Limit(scope="day", unit="micro_usd", limit=6, agent="agent-impl"),
            Limit(scope="day", unit="micro_usd", limit=7, agent="agent-qa"),
        ),
        CALL,
    )
    assert [one.budget_id for one in drawn] == [
        "call:tokens",
        "task:T-1:calls",
        "agent:agent-impl:seconds",
        "run:RUN-1:tokens",
        "day:2026-01-05:micro_usd",
        "day:2026-01-05:agent-impl:micro_usd",
    ]


def test_what_is_set_aside_is_gone_until_it_is_settled() -> None:
    ledger = Ledger()
    for fact in reserve([RUN_TOKENS], CALL, Amounts(tokens=60)):
        ledger.take(fact)
    assert (ledger.spent(RUN_TOKENS.budget_id), ledger.reserved(RUN_TOKENS.budget_id)) == (0, 60)
    short = ledger.shortfall([RUN_TOKENS], Amounts(tokens=50))
    assert short is not None
    assert not short.is_final, "the call in flight may take less than was set aside"
    for settled in settle(ledger, [RUN_TOKENS], CALL, Amounts(tokens=10)):
        assert (settled.amount, settled.reserved) == (10, 60)
        ledger.take(settled)
    assert (ledger.spent(RUN_TOKENS.budget_id), ledger.reserved(RUN_TOKENS.budget_id)) == (10, 0)
    assert ledger.shortfall([RUN_TOKENS], Amounts(tokens=90)) is None
    final = ledger.shortfall([RUN_TOKENS], Amounts(tokens=91))
    assert final is not None
    assert final.is_final
    assert "90 tokens of 100 tokens left, and 91 tokens more" in final.text()
    fact_of_it = exceeded(final, CALL)
    assert (fact_of_it.spent, fact_of_it.amount, fact_of_it.action_taken) == (10, 91, "refused")


@pytest.mark.parametrize("unit", ["tokens", "micro_usd", "seconds", "calls"])
@pytest.mark.parametrize("scope", ["call", "task", "agent", "run", "day"])
def test_budget_of_zero_refuses_every_call(unit: str, scope: str) -> None:
    drawn = accounts(policy(Limit(scope=scope, unit=unit, limit=0)), CALL)  # type: ignore[arg-type]
    short = Ledger().shortfall(drawn, Amounts())
    assert short is not None
    assert short.is_final


def test_limit_of_a_single_call_needs_no_account_and_warns_afterwards() -> None:
    one = Account(budget_id="call:tokens", scope="call", unit="tokens", limit=100)
    assert reserve([one], CALL, Amounts(tokens=100)) == []
    assert Ledger().shortfall([one], Amounts(tokens=100)) is None
    assert Ledger().shortfall([one], Amounts(tokens=101)) is not None
    assert overrun([one], CALL, Amounts(tokens=100)) == []
    assert [fact.action_taken for fact in overrun([one], CALL, Amounts(tokens=101))] == ["warned"]


def test_seconds_left_are_the_least_of_all_limits() -> None:
    run = Account(budget_id="run:R:seconds", scope="run", unit="seconds", limit=100)
    call = Account(budget_id="call:seconds", scope="call", unit="seconds", limit=40)
    ledger = Ledger()
    assert ledger.seconds_left([RUN_TOKENS]) is None
    assert ledger.seconds_left([run, call]) == 40
    for fact in reserve([run], CALL, Amounts(seconds=75)):
        ledger.take(fact)
    assert ledger.seconds_left([run, call]) == 25


def test_only_what_was_set_aside_is_settled() -> None:
    """A limit that came into the policy while the call was under way has nothing of it."""
    later = Account(budget_id="day:2026-01-05:tokens", scope="day", unit="tokens", limit=100)
    ledger = Ledger()
    for fact in reserve([RUN_TOKENS], CALL, Amounts(tokens=60)):
        ledger.take(fact)
    found = settle(ledger, [later, RUN_TOKENS], CALL, Amounts(tokens=10))
    assert [(one.budget_id, one.amount) for one in found] == [(RUN_TOKENS.budget_id, 10)]


def test_streams_add_up() -> None:
    ledger = Ledger()
    known = Budget(scope="day", unit="tokens", spent=30, reserved=5, reservations={"a": 5}, limit=100)
    ledger.add({"day:2026-01-05:tokens": known})
    ledger.add({"day:2026-01-05:tokens": known})
    assert ledger.spent("day:2026-01-05:tokens") == 60
    assert ledger.reserved("day:2026-01-05:tokens") == 10


def test_call_of_a_killed_process_counts_as_it_was_set_aside() -> None:
    known = Budget(scope="run", unit="tokens", spent=1, reserved=9, reservations={"a": 4, "b": 5}, limit=20)
    facts = list(abandoned({"run:R:tokens": known}))
    assert [(one.reservation_id, one.amount, one.reserved) for one in facts] == [("a", 4, 4), ("b", 5, 5)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 90)), max_size=12), st.integers(0, 200))
def test_calls_that_take_no_more_than_was_set_aside_never_pass_the_limit(
    calls: list[tuple[int, int]], limit: int
) -> None:
    account = Account(budget_id="run:R:tokens", scope="run", unit="tokens", limit=limit)
    ledger, spent = Ledger(), 0
    for number, (wanted, used) in enumerate(calls):
        call = Call(name=str(number), task_id="T", agent="a", run_id="R", day="d")
        if ledger.shortfall([account], Amounts(tokens=wanted)) is not None:
            continue
        for reserved in reserve([account], call, Amounts(tokens=wanted)):
            ledger.take(reserved)
        for settled in settle(ledger, [account], call, Amounts(tokens=min(used, wanted))):
            ledger.take(settled)
        spent += min(used, wanted)
        assert ledger.spent("run:R:tokens") == spent <= limit
        assert ledger.reserved("run:R:tokens") == 0


def test_price_rounds_up_and_knows_cached_tokens() -> None:
    price = Price(model="m-*", input=3_000_000, output=15_000_000, cached=300_000, date="2026-01-05", source="a page")
    assert price.cost_micro_usd(1000, 100) == 3000 + 1500
    assert price.cost_micro_usd(1000, 0, tokens_cached=1000) == 300
    assert price.cost_micro_usd(1, 0, tokens_cached=1) == 1, "a part of a millionth costs a whole one"
    assert BudgetPolicy(prices=(price,)).price_of("m-2") == price
    assert BudgetPolicy(prices=(price,)).price_of("other") is None
    assert BudgetPolicy(prices=(price,)).price_of(None) is None
