"""Decisions and the assumptions behind them."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Fraction
from esaa.trail.facts.wording import line, told


class DecisionMade(TrailFact, frozen=True, kw_only=True):
    """A choice between ways was made. Recorded by the agent or person that made it.

    Never repeated by a replay: it was made once, with what was known then.

    - `question`: what was to be decided.
    - `choice`: what was chosen.
    - `decision_id`: the decision's name, such as that of its record in the project.
    - `alternatives`: what was not chosen.
    - `rationale`: why.
    - `decided_by`: who decided.
    - `confidence`: how sure, from 0 to 1.
    - `reversible`: true where it can be taken back at little cost.
    - `supersedes`: the decision that it replaces.
    - `task_id`: the task that it is about.
    """

    agent_field: ClassVar[str | None] = "decided_by"

    question: str
    choice: str
    decision_id: str | UnsetType = UNSET
    alternatives: tuple[str, ...] | UnsetType = UNSET
    rationale: str | UnsetType = UNSET
    decided_by: str | UnsetType = UNSET
    confidence: Fraction | UnsetType = UNSET
    reversible: bool | UnsetType = UNSET
    supersedes: str | UnsetType | None = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"decision{told(' {}', self.decision_id)}{told(': {}', self.question)}{told(' - {}', self.choice)}")


class AssumptionRecorded(TrailFact, frozen=True, kw_only=True):
    """Something is taken for true without proof. Recorded by the agent or person that relies on it.

    - `assumption`: what is taken for true, in one sentence.
    - `assumption_id`: the assumption's name; a later event that settles it carries it too.
    - `basis`: what speaks for it.
    - `status`: whether it is still open, or turned out true or false.
    - `confidence`: how sure, from 0 to 1.
    - `risk_if_wrong`: what follows if it is false.
    - `decision_id`: the decision that rests on it.
    - `task_id`: the task that it is about.
    """

    assumption: str
    assumption_id: str | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    basis: str | UnsetType = UNSET
    status: Literal["open", "confirmed", "refuted"] | UnsetType = UNSET
    confidence: Fraction | UnsetType = UNSET
    risk_if_wrong: str | UnsetType = UNSET
    decision_id: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"assumption{told(' ({})', self.status)}" + told(": {}", self.assumption))
