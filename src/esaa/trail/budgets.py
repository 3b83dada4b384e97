"""The ledger: what is spent and set aside in each budget, and whether one more call fits. Pure, over facts.

A budget's id names what it is for: `run:RUN-0001:tokens`, `day:2026-01-05:micro_usd`, `task:T-1:calls`. An amount is
set aside before a call and settled after it, so the sums hold whatever happens in between. The facts leave `spent`
out: a sum over all streams is right, also where streams were joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import UNSET

from esaa.contracts.budgets import BudgetPolicy, Limit, Scope, Unit
from esaa.trail.facts.budgets import BudgetExceeded, BudgetReserved, BudgetSettled
from esaa.trail.facts.wording import quantity
from esaa.trail.state_values import Budget


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a call takes, in each unit."""

    calls: int = 1
    seconds: int = 0
    tokens: int = 0
    micro_usd: int = 0

    def of(self, unit: Unit) -> int:
        """The amount in one unit."""
        amount: int = getattr(self, unit)
        return amount


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """The call that spends: its name (the same for the same call, also in another process), and what it belongs to."""

    name: str
    task_id: str
    agent: str
    run_id: str
    day: str
    model: str | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One budget that a call draws on."""

    budget_id: str
    scope: Scope
    unit: Unit
    limit: int


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """A call does not fit into a budget. `is_final` is False where it may fit once the calls in flight are settled."""

    account: Account
    spent: int
    amount: int
    is_final: bool

    def text(self) -> str:
        """What is missing, in one sentence without its full stop."""
        one = self.account
        left, limit = quantity(max(one.limit - self.spent, 0), one.unit), quantity(one.limit, one.unit)
        asked = quantity(self.amount, one.unit)
        return f"the budget {one.budget_id} has {left} of {limit} left, and {asked} more would be needed"


def accounts(policy: BudgetPolicy, call: Call) -> tuple[Account, ...]:
    """The budgets that a call draws on, in the order of the policy."""
    return tuple(
        Account(budget_id=_budget_id(limit, call), scope=limit.scope, unit=limit.unit, limit=limit.limit)
        for limit in policy.limits
        if limit.agent is None or limit.agent == call.agent
    )


class Ledger:
    """The sums of all budgets. It changes by `take` alone, which is given facts that are recorded."""

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}
        self._reserved: dict[str, dict[str, int]] = {}

    def add(self, budgets: Mapping[str, Budget]) -> None:
        """Takes over what the folded state of one stream knows."""
        for budget_id, budget in budgets.items():
            self._spent[budget_id] = self.spent(budget_id) + budget.spent
            open_ones = self._reserved.setdefault(budget_id, {})
            for name, amount in budget.reservations.items():
                open_ones[name] = open_ones.get(name, 0) + amount

    def take(self, fact: BudgetReserved | BudgetSettled) -> None:
        """Enters what was set aside, or what was spent."""
        open_ones = self._reserved.setdefault(fact.budget_id, {})
        name = "" if fact.reservation_id is UNSET else fact.reservation_id
        if isinstance(fact, BudgetReserved):
            open_ones[name] = fact.amount
        else:
            open_ones.pop(name, None)
            self._spent[fact.budget_id] = self.spent(fact.budget_id) + fact.amount

    def spent(self, budget_id: str) -> int:
        """What is settled."""
        return self._spent.get(budget_id, 0)

    def reserved(self, budget_id: str) -> int:
        """What is set aside for calls that are not settled."""
        return sum(self._reserved.get(budget_id, {}).values())

    def reservation(self, budget_id: str, name: str) -> int | None:
        """What is set aside for one call, or None."""
        return self._reserved.get(budget_id, {}).get(name)

    def seconds_left(self, drawn: Iterable[Account]) -> int | None:
        """How long a call may take, or None where nothing limits it."""
        left = [one.limit - self._taken(one) for one in drawn if one.unit == "seconds"]
        return min(left) if left else None

    def shortfall(self, drawn: Iterable[Account], amounts: Amounts) -> Shortfall | None:
        """The first budget that the call does not fit into, or None. Budgets that are short for good come first."""
        found: Shortfall | None = None
        for one in drawn:
            amount = max(amounts.of(one.unit), 1)  # a call that takes nothing known still takes something
            if self._taken(one) + amount <= one.limit:
                continue
            spent = 0 if one.scope == "call" else self.spent(one.budget_id)
            short = Shortfall(account=one, spent=spent, amount=amount, is_final=spent + amount > one.limit)
            if short.is_final:
                return short
            found = found or short
        return found

    def _taken(self, one: Account) -> int:
        return 0 if one.scope == "call" else self.spent(one.budget_id) + self.reserved(one.budget_id)


def reserve(drawn: Iterable[Account], call: Call, amounts: Amounts) -> list[BudgetReserved]:
    """What is recorded before a call. A limit of a single call needs no account."""
    return [
        BudgetReserved(
            budget_id=one.budget_id,
            scope=one.scope,
            unit=one.unit,
            amount=amounts.of(one.unit),
            limit=one.limit,
            reservation_id=call.name,
            agent_name=call.agent,
            model=call.model or UNSET,
            task_id=call.task_id,
        )
        for one in drawn
        if one.scope != "call"
    ]


def settle(ledger: Ledger, drawn: Iterable[Account], call: Call, used: Amounts) -> list[BudgetSettled]:
    """What is recorded after a call, for every budget in which something was set aside for it."""
    facts: list[BudgetSettled] = []
    for one in drawn:
        reserved = ledger.reservation(one.budget_id, call.name)
        if one.scope == "call" or reserved is None:
            continue
        facts.append(
            BudgetSettled(
                budget_id=one.budget_id,
                scope=one.scope,
                unit=one.unit,
                amount=used.of(one.unit),
                reserved=reserved,
                limit=one.limit,
                reservation_id=call.name,
                agent_name=call.agent,
                model=call.model or UNSET,
                task_id=call.task_id,
            )
        )
    return facts


def overrun(drawn: Iterable[Account], call: Call, used: Amounts) -> list[BudgetExceeded]:
    """What is recorded where a single call took more than a single call may. It cannot be undone: a warning."""
    return [
        BudgetExceeded(
            budget_id=one.budget_id,
            scope=one.scope,
            unit=one.unit,
            limit=one.limit,
            spent=used.of(one.unit),
            action_taken="warned",
            agent_name=call.agent,
            model=call.model or UNSET,
            task_id=call.task_id,
        )
        for one in drawn
        if one.scope == "call" and used.of(one.unit) > one.limit
    ]


def exceeded(short: Shortfall, call: Call) -> BudgetExceeded:
    """What is recorded when a call is refused for good."""
    one = short.account
    return BudgetExceeded(
        budget_id=one.budget_id,
        scope=one.scope,
        unit=one.unit,
        limit=one.limit,
        spent=short.spent,
        amount=short.amount,
        action_taken="refused",
        agent_name=call.agent,
        model=call.model or UNSET,
        task_id=call.task_id,
    )


def abandoned(budgets: Mapping[str, Budget]) -> Iterator[BudgetSettled]:
    """What is recorded for calls that a killed process left open.

    Nobody knows what they cost, so what was set aside counts as spent: a hard stop must not be evaded by dying.
    """
    for budget_id, budget in budgets.items():
        for name, amount in budget.reservations.items():
            yield BudgetSettled(
                budget_id=budget_id,
                scope=budget.scope,  # type: ignore[arg-type]  # the state keeps the word of the fact
                unit=budget.unit,  # type: ignore[arg-type]
                amount=amount,
                reserved=amount,
                limit=budget.limit,
                reservation_id=name,
                extra={"reason": "the process ended before the call was settled"},
            )


def _budget_id(limit: Limit, call: Call) -> str:
    names = {"call": "", "task": call.task_id, "agent": call.agent, "run": call.run_id, "day": call.day}
    parts = (limit.scope, names[limit.scope], limit.agent if limit.scope != "agent" else None, limit.unit)
    return ":".join(part for part in parts if part)
