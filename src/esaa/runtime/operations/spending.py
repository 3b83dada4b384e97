"""What a run spends: set aside and settled in the trail, before and after each call."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from esaa.agents.base import Usage
from esaa.contracts.budgets import BudgetPolicy
from esaa.kernel.canonical import sha256_hex
from esaa.protocol.scheduling import Order
from esaa.runtime.operations.gate import Estimate, Held
from esaa.trail.budgets import Account, Amounts, Call, Ledger, abandoned, accounts, exceeded, overrun, reserve, settle
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.budgets import BudgetExceeded, BudgetReserved, BudgetSettled
from esaa.trail.state_values import Budget

Tell = Callable[[str, list[TrailFact]], None]
"""Records facts in a stream, durably and as one batch."""


class _Open(msgspec.Struct, frozen=True, kw_only=True):
    call: Call
    drawn: tuple[Account, ...]
    amounts: Amounts
    estimate: Estimate


class Spending:
    """The budgets of one run. `stream` is where its run is told, `budgets` what the streams of the trail know."""

    def __init__(
        self, policy: BudgetPolicy, tell: Tell, now: Callable[[], datetime], *, run_id: str, stream: str
    ) -> None:
        self._policy = policy
        self._tell = tell
        self._now = now
        self._run_id = run_id
        self._stream = stream
        self._ledger = Ledger()
        self._open: dict[str, _Open] = {}
        self._refused: set[str] = set()
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._held: dict[str, Held] = {}

    def begin(self, budgets: Mapping[str, Mapping[str, Budget]]) -> None:
        """Enters what was spent before, by stream, and settles what killed processes left open."""
        for stream, known in budgets.items():
            self._ledger.add(known)
            self._record(stream, list(abandoned(known)))

    def name_of(self, order: Order) -> str:
        """The name of the call that an order leads to: the same in every process."""
        return f"{self._run_id}/{order.task_id}/{order.action}/{order.attempt}"

    def hold(self, order: Order) -> Held | None:
        """What held the task before, and still does."""
        return self._held.get(order.task_id)

    def before(self, order: Order, estimate: Estimate) -> Held | None:
        """Sets aside what the call may take, or says which budget is too small for it."""
        if not self._policy.limits:
            return None
        call = self._call(order, estimate.model)
        drawn = accounts(self._policy, call)
        amounts = self._amounts(drawn, estimate)
        short = self._ledger.shortfall(drawn, amounts)
        if short is not None:
            budget_id = short.account.budget_id
            if short.is_final and f"{budget_id} {call.task_id}" not in self._refused:
                self._refused.add(f"{budget_id} {call.task_id}")
                self._tell(self._stream, [exceeded(short, call)])
            held = Held(task_id=order.task_id, reason=short.text(), is_passing=not short.is_final)
            self._held[order.task_id] = held
            return held
        self._record(self._stream, reserve(drawn, call, amounts))
        self._open[call.name] = _Open(call=call, drawn=drawn, amounts=amounts, estimate=estimate)
        return None

    def timeout_s(self, order: Order, timeout_s: float) -> float:
        """What was set aside in seconds, but no longer than `timeout_s`."""
        known = self._open.get(self.name_of(order))
        if known is None or not any(one.unit == "seconds" for one in known.drawn):
            return timeout_s
        return min(timeout_s, float(known.amounts.seconds))

    def after(self, order: Order, usage: Usage | None, seconds: float, result: bytes | None) -> None:
        """Settles the call. What nobody knows counts as set aside: silence must not evade a limit."""
        known = self._open.pop(self.name_of(order), None)
        self._held = {name: held for name, held in self._held.items() if not held.is_passing}
        if known is not None:
            used = self._used(known, usage or Usage(), seconds)
            call = known.call
            if usage is not None and usage.model is not None:
                call = msgspec.structs.replace(call, model=usage.model)
            self._record(self._stream, [*settle(self._ledger, known.drawn, call, used)])
            over = overrun(known.drawn, call, used)
            if over:
                self._tell(self._stream, [*over])
        if result is not None:
            self._count(order, result)

    def _count(self, order: Order, result: bytes) -> None:
        limit = self._policy.same_answers_max
        key = (order.task_id, order.action, sha256_hex(result))
        self._answers[key] += 1
        if limit == 0 or self._answers[key] < limit or order.task_id in self._held:
            return
        reason = f"{order.actor} gave the same answer to `{order.action}` {limit} times"
        self._held[order.task_id] = Held(task_id=order.task_id, reason=reason)
        self._tell(
            self._stream,
            [
                BudgetExceeded(
                    budget_id=f"same-answers:{order.task_id}:{order.action}",
                    scope="task",
                    unit="calls",
                    limit=limit,
                    spent=self._answers[key],
                    action_taken="stopped",
                    agent_name=order.actor,
                    task_id=order.task_id,
                    extra={"response_sha256": key[2]},
                )
            ],
        )

    def _call(self, order: Order, model: str | None) -> Call:
        return Call(
            name=self.name_of(order),
            task_id=order.task_id,
            agent=order.actor,
            run_id=self._run_id,
            day=f"{self._now():%Y-%m-%d}",
            model=model,
        )

    def _amounts(self, drawn: tuple[Account, ...], estimate: Estimate) -> Amounts:
        tokens_out = estimate.tokens_out
        if tokens_out is None:
            tokens_out = self._policy.tokens_out_expected if estimate.tokens_in else 0
        price = self._policy.price_of(estimate.model)
        wanted = max(math.ceil(estimate.seconds), 1)
        left = self._ledger.seconds_left(drawn)
        return Amounts(
            seconds=wanted if left is None else max(min(wanted, left), 1),
            tokens=estimate.tokens_in + tokens_out,
            micro_usd=0 if price is None else price.cost_micro_usd(estimate.tokens_in, tokens_out),
        )

    def _used(self, known: _Open, usage: Usage, seconds: float) -> Amounts:
        is_said = usage.tokens_in is not None or usage.tokens_out is not None
        tokens_in, tokens_out = usage.tokens_in or 0, usage.tokens_out or 0
        price = self._policy.price_of(usage.model or known.call.model)
        cost = usage.cost_micro_usd
        if cost is None and price is not None and is_said:
            cost = price.cost_micro_usd(tokens_in, tokens_out, usage.tokens_cached or 0)
        return Amounts(
            seconds=math.ceil(seconds if usage.duration_s is None else usage.duration_s),
            tokens=tokens_in + tokens_out if is_said else known.amounts.tokens,
            micro_usd=known.amounts.micro_usd if cost is None else cost,
        )

    def _record(self, stream: str, facts: list[BudgetReserved] | list[BudgetSettled]) -> None:
        if facts:
            self._tell(stream, [*facts])
            for fact in facts:
                self._ledger.take(fact)
