"""Given, when, then: the way to state a rule of a decider as a test. For users of the library too.

spec = Spec(fold=fold_facts, decide=decide_now)
spec.given(TaskCreated(...)).when(Claim(...)).then(TaskClaimed(...))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from esaa.kernel.decider import Rejected

C = TypeVar("C")
F = TypeVar("F")
S = TypeVar("S")


class Spec(Generic[C, F, S]):
    """Builds a scenario. `fold` turns facts into a state; `decide` answers a command with facts or a refusal."""

    def __init__(self, fold: Callable[[tuple[F, ...]], S], decide: Callable[[C, S], tuple[F, ...] | Rejected]) -> None:
        self._fold = fold
        self._decide = decide

    def given(self, *facts: F) -> Given[C, F, S]:
        """What has happened so far."""
        return Given(self._decide, self._fold(facts))


class Given(Generic[C, F, S]):
    """A state that a command can be put to."""

    def __init__(self, decide: Callable[[C, S], tuple[F, ...] | Rejected], state: S) -> None:
        self._decide = decide
        self.state = state

    def when(self, command: C) -> Outcome[F]:
        """Asks for a decision."""
        return Outcome(self._decide(command, self.state))


class Outcome(Generic[F]):
    """What was decided; `then` and `then_rejected` say what was expected."""

    def __init__(self, decision: tuple[F, ...] | Rejected) -> None:
        self.decision = decision

    def then(self, *facts: F) -> None:
        """Exactly these facts, in this order."""
        assert self.decision == facts, f"expected {facts!r}, got {self.decision!r}"

    def then_rejected(self, error_code: str, reason: str | None = None, layer: str | None = None) -> Rejected:
        """A refusal with this code (and reason and layer, where given)."""
        assert isinstance(self.decision, Rejected), f"expected {error_code}, got {self.decision!r}"
        assert self.decision.error_code == error_code, f"expected {error_code}, got {self.decision!r}"
        assert reason is None or self.decision.reason == reason, self.decision
        assert layer is None or self.decision.layer == layer, self.decision
        return self.decision
