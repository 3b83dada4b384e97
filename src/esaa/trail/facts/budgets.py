"""Budgets: what may be spent is set aside first, and settled afterwards.

Amounts are whole numbers of the smallest unit; money is in millionths of a dollar. Sums of them are exact.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Moment
from esaa.trail.facts.wording import line, quantity, told

Unit = Literal["tokens", "micro_usd", "seconds", "calls"]
"""What is counted: tokens of a model, millionths of a dollar, seconds, or calls."""

Scope = Literal["call", "task", "agent", "phase", "session", "run", "issue", "day", "week", "month"]
"""What a limit is for: each of these has its own."""


class BudgetReserved(TrailFact, frozen=True, kw_only=True):
    """An amount is set aside before it is spent. Recorded by the orchestrator before it calls a model or a tool.

    - `budget_id`: the budget.
    - `scope`: what its limit is for.
    - `unit`: what is counted.
    - `amount`: how much is set aside.
    - `limit`: how much may be spent in all.
    - `spent`: how much was spent before.
    - `reservation_id`: this reservation; its settlement carries it too.
    - `model`: the model that it is for.
    - `task_id`: the task that it is for.
    - `expires_at`: when the reservation falls back without a settlement.
    """

    budget_id: str
    scope: Scope
    unit: Unit
    amount: Count
    limit: Count | UnsetType | None = UNSET
    spent: Count | UnsetType = UNSET
    reservation_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        of = told(" of {}", self.limit, lambda limit: quantity(limit, self.unit))
        amount = quantity(self.amount, self.unit)
        return line(f"{amount}{of} set aside in {self.scope} budget {self.budget_id}")


class BudgetSettled(TrailFact, frozen=True, kw_only=True):
    """What was set aside is replaced by what was really spent. Recorded by the orchestrator after the call.

    - `budget_id`: the budget.
    - `scope`: what its limit is for.
    - `unit`: what is counted.
    - `amount`: how much was really spent.
    - `reserved`: how much had been set aside.
    - `limit`: how much may be spent in all.
    - `spent`: how much is spent now, this amount included.
    - `reservation_id`: the reservation that is settled.
    - `model`: the model that it was spent on.
    - `task_id`: the task that it was spent on.
    """

    budget_id: str
    scope: Scope
    unit: Unit
    amount: Count
    reserved: Count | UnsetType = UNSET
    limit: Count | UnsetType | None = UNSET
    spent: Count | UnsetType = UNSET
    reservation_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        of = told(" of {}", self.limit, lambda limit: quantity(limit, self.unit))
        total = told(" ({}", self.spent, lambda spent: f"{quantity(spent, self.unit)}{of} in all)")
        amount = quantity(self.amount, self.unit)
        return line(f"{amount} spent in {self.scope} budget {self.budget_id}{total}")


class BudgetExceeded(TrailFact, frozen=True, kw_only=True):
    """A limit is reached: what was asked for is not in it any more. Recorded by the orchestrator.

    - `budget_id`: the budget.
    - `scope`: what its limit is for.
    - `unit`: what is counted.
    - `limit`: how much may be spent in all.
    - `spent`: how much is spent, or set aside.
    - `amount`: how much was asked for on top.
    - `action_taken`: what followed: only a warning, a refusal, a pause, or the end of the work.
    - `model`: the model that was to be called.
    - `task_id`: the task that needs more.
    """

    budget_id: str
    scope: Scope
    unit: Unit
    limit: Count
    spent: Count
    amount: Count | UnsetType = UNSET
    action_taken: Literal["warned", "refused", "paused", "stopped"] | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        spent, limit = quantity(self.spent, self.unit), quantity(self.limit, self.unit)
        more = told(" and {} more asked for", self.amount, lambda amount: quantity(amount, self.unit))
        then = told(": {}", self.action_taken)
        return line(f"{self.scope} budget {self.budget_id} is exceeded, {spent} of {limit} spent{more}{then}")
