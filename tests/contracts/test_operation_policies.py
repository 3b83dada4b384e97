"""Budgets and approvals in RUNTIME_POLICY: what is written is enforced, and what cannot be is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from esaa.contracts.load import parse_governance
from esaa.errors import ContractError
from tests.workspaces import contract_files

END = "unknown_actors:\n"


def policy(text: str) -> object:
    """The policy that the shipped file gives with a further key."""
    files = contract_files({"RUNTIME_POLICY.yaml": [(END, f"{text}\n{END}")]})
    return parse_governance(files).runtime


def test_policy_is_read_whole() -> None:
    text = """
budgets:
  limits:
    - {scope: run, unit: micro_usd, limit: 5000000}
    - {scope: day, unit: tokens, limit: 1000000, agent: agent-impl}
  prices:
    - {model: "m-*", input: 3000000, output: 15000000, date: 2026-01-05, source: "https://example.org/prices"}
  same_answers_max: 0
approvals:
  rules:
    - {name: migrations, paths: ["src/db/**"], risk: high, approvers: [ada], expires: PT8H}
"""
    runtime = parse_governance(contract_files({"RUNTIME_POLICY.yaml": [(END, f"{text}\n{END}")]})).runtime
    assert [(one.scope, one.unit, one.limit) for one in runtime.budgets.limits] == [
        ("run", "micro_usd", 5000000),
        ("day", "tokens", 1000000),
    ]
    price = runtime.budgets.price_of("m-1")
    assert price is not None
    assert price.date == "2026-01-05"
    rule = runtime.approvals.rule("migrations")
    assert rule is not None
    assert rule.expires == timedelta(hours=8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgets: {limits: [{scope: run, unit: tokens, limit: -1}]}", "limits[0].limit"),
        ("budgets: {limits: [{scope: week, unit: tokens, limit: 1}]}", "week"),
        ("budgets: {limits: [{scope: run, unit: euros, limit: 1}]}", "euros"),
        (
            "budgets: {limits: [{scope: run, unit: tokens, limit: 1}, {scope: run, unit: tokens, limit: 2}]}",
            "a second time",
        ),
        ("budgets: {prices: [{model: m, input: 1, output: 1, date: today, source: x}]}", "YYYY-MM-DD"),
        ("budgets: {prices: [{model: m, input: 1, output: -1, date: 2026-01-05, source: x}]}", "negative"),
        ("budgets: {prices: [{model: m, input: 1, output: 1, date: 2026-01-05}]}", "source"),
        ("budgets: {same_answers_max: 1}", "same_answers_max"),
        ("budgets: {tokens_out_expected: -1}", "tokens_out_expected"),
        ("approvals: {rules: [{name: ''}]}", "a name of its own"),
        ("approvals: {rules: [{name: a}, {name: a}]}", "a name of its own"),
        ("approvals: {rules: [{name: a, expires: PT0S}]}", "expires"),
        ("approvals: {rules: [{name: a, actions: []}]}", "actions"),
        ("approvals: {rules: [{name: a, actions: [approve]}]}", "approve"),
        ("approvals: {rules: [{name: a, cost_over_micro_usd: -1}]}", "cost_over_micro_usd"),
        ("approvals: {rules: [{name: a, approvers: ['']}]}", "empty"),
        ("approvals: {rule: []}", "rule"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        policy(text)
    assert said in refused.value.message
    assert "RUNTIME_POLICY.yaml" in refused.value.message
