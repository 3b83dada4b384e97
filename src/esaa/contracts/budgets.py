"""`budgets` in RUNTIME_POLICY: what agents may spend, what a model costs, and when equal answers are a loop.

Amounts are whole numbers: tokens, calls, seconds, and money in millionths of a dollar.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal

from esaa.contracts.values import ContractFinding, ContractValue

Unit = Literal["tokens", "micro_usd", "seconds", "calls"]
Scope = Literal["call", "task", "agent", "run", "day"]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT_MAX = 2**53 - 1
_PER = 1_000_000


class Limit(ContractValue, frozen=True, kw_only=True):
    """One limit: each call, task, agent, run or day (UTC) has so much. With `agent` it is for that actor alone.

    A limit of 0 forbids every call that it is for.
    """

    scope: Scope
    unit: Unit
    limit: int
    agent: str | None = None


class Price(ContractValue, frozen=True, kw_only=True):
    """What a model costs, in millionths of a dollar for a million tokens, as `source` said on `date`.

    `model` may hold `*`. Cached input costs as other input where `cached` is not given.
    """

    model: str
    input: int
    output: int
    date: str
    source: str
    cached: int | None = None

    def cost_micro_usd(self, tokens_in: int, tokens_out: int, tokens_cached: int = 0) -> int:
        """What a call costs, rounded up. `tokens_cached` are those of `tokens_in` that the model had seen before."""
        cached = min(tokens_cached, tokens_in)
        rate = self.input if self.cached is None else self.cached
        total = (tokens_in - cached) * self.input + cached * rate + tokens_out * self.output
        return -(-total // _PER)


class BudgetPolicy(ContractValue, frozen=True, kw_only=True):
    """What may be spent. Without limits nothing is counted.

    - `limits`: all of them hold at once.
    - `prices`: for models whose agent does not say what a call cost; a model without a price counts tokens only.
    - `tokens_out_expected`: set aside for the answer of a call whose length nobody limits.
    - `same_answers_max`: after so many equal answers to the same question a task is not dispatched again; 0: never.
    """

    limits: tuple[Limit, ...] = ()
    prices: tuple[Price, ...] = ()
    tokens_out_expected: int = 8192
    same_answers_max: int = 3

    def price_of(self, model: str | None) -> Price | None:
        """The first price whose `model` fits, or None."""
        if model is None:
            return None
        return next((price for price in self.prices if fnmatchcase(model, price.model)), None)

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        seen: set[tuple[str, str, str | None]] = set()
        for number, limit in enumerate(self.limits):
            if not 0 <= limit.limit <= _AMOUNT_MAX:
                raise ContractFinding(f"budgets.limits[{number}].limit must be a whole number from 0")
            key = (limit.scope, limit.unit, limit.agent)
            if key in seen:
                raise ContractFinding(f"budgets.limits[{number}] limits {limit.scope} {limit.unit} a second time")
            seen.add(key)
        for number, price in enumerate(self.prices):
            if min(price.input, price.output, price.cached or 0) < 0:
                raise ContractFinding(f"budgets.prices[{number}]: a price must not be negative")
            if not _DATE.fullmatch(price.date) or not price.source.strip() or not price.model.strip():
                raise ContractFinding(
                    f"budgets.prices[{number}] needs a model, the date as YYYY-MM-DD, and where the price stands"
                )
        if not 0 <= self.tokens_out_expected <= _AMOUNT_MAX:
            raise ContractFinding("budgets.tokens_out_expected must be a whole number from 0")
        if not (self.same_answers_max == 0 or 2 <= self.same_answers_max <= 100):
            raise ContractFinding("budgets.same_answers_max must be 0, or between 2 and 100")
