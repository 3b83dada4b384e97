"""The gate that a run passes before and after each call of an agent: budgets, approvals, and a person's wishes.

`OpenGate` lets everything through; `esaa.runtime.operations.run_gate` has the one that asks the policy and the trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from esaa.agents.base import Usage
from esaa.kernel.decider import Rejected
from esaa.protocol.intentions import AgentResult
from esaa.protocol.scheduling import Order
from esaa.stores.control import GO_ON, Control

POLL_S = 0.5
"""How often a run looks whether a person wishes something, while it waits for something else."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is not carried out now, and why. `is_passing` is True where calls in flight may free it."""

    task_id: str
    reason: str
    is_passing: bool = False


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a call may take. Tokens are 0 for agents that are no model; `tokens_out` None: nobody limits them."""

    seconds: float
    tokens_in: int = 0
    tokens_out: int | None = None
    model: str | None = None


class Gate(Protocol):
    """What the orchestrator asks. Everything is recorded before the method returns; all of them are synchronous."""

    def enter(self) -> None:
        """Before a run begins or goes on. Raises `Halted` where a person has paused or stopped the runs."""

    def begin(self) -> None:
        """The run is open: settles what a killed process left open."""

    def control(self) -> Control:
        """What a person wishes now. Cheap: it is asked in every round."""
        ...

    def hold(self, order: Order) -> Held | None:
        """Why the order is not carried out now, as far as that is known already. Cheap: asked in every round."""
        ...

    def before(self, order: Order, estimate: Estimate) -> Held | None:
        """Sets aside what the call may take, or says why it must not be made."""
        ...

    def timeout_s(self, order: Order, timeout_s: float) -> float:
        """How long the call may take: what was set aside for it, but no longer than `timeout_s`."""
        ...

    def after(self, order: Order, usage: Usage | None, seconds: float, result: bytes | None = None) -> None:
        """Settles a call, also one that failed or was ended; `usage` is None where nothing is known of it."""

    def judge(
        self, order: Order, usage: Usage, result: AgentResult, would_pass: Callable[[], bool]
    ) -> Held | Rejected | None:
        """Whether a person has to allow an answer that the rules would accept; None where it may be committed.

        `would_pass` says whether the rules would accept it: nobody is asked about what is refused anyway.
        A held answer stays where it is kept; the order is given again once a person has spoken.
        """
        ...

    def ended(self, orders: Iterable[Order], control: Control) -> None:
        """A person ended the run at once: records what was running."""


class OpenGate:
    """A gate without limits, rules and wishes."""

    def enter(self) -> None:
        """Nothing stops a run."""

    def begin(self) -> None:
        """Nothing is left open."""

    def control(self) -> Control:
        """Nobody wishes anything."""
        return GO_ON

    def hold(self, order: Order) -> Held | None:
        """Nothing is held."""
        return None

    def before(self, order: Order, estimate: Estimate) -> Held | None:
        """Every call may be made."""
        return None

    def timeout_s(self, order: Order, timeout_s: float) -> float:
        """The time that the call has anyway."""
        return timeout_s

    def after(self, order: Order, usage: Usage | None, seconds: float, result: bytes | None = None) -> None:
        """Nothing is counted."""

    def judge(
        self, order: Order, usage: Usage, result: AgentResult, would_pass: Callable[[], bool]
    ) -> Held | Rejected | None:
        """Nothing has to be allowed."""
        return None

    def ended(self, orders: Iterable[Order], control: Control) -> None:
        """Nobody ends a run."""
