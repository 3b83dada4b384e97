"""`approvals` in RUNTIME_POLICY: what a person has to allow before it happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from esaa.contracts.values import ContractFinding, ContractValue, Severity, TaskKind

Action = Literal["claim", "complete", "review", "issue.report"]


class ApprovalRule(ContractValue, frozen=True, kw_only=True):
    """Which answers need an approval. What is given has to fit, all of it; what is left out fits everything.

    - `name`: the rule's name; the request carries it as its kind.
    - `actions`: the acts (default: `complete`).
    - `task_kinds`: the kinds of the task.
    - `hotfix`: true for hotfixes alone, false for all other tasks alone.
    - `paths`: patterns as in the boundaries; one of the files that the answer writes fits.
    - `cost_over_micro_usd`: the call cost more, in millionths of a dollar.
    - `risk`: how bad it can get; the approver is shown it.
    - `approvers`: who may answer (default: anyone but the author).
    - `expires`: how long the request stands.
    """

    name: str
    actions: tuple[Action, ...] = ("complete",)
    task_kinds: tuple[TaskKind, ...] = ()
    hotfix: bool | None = None
    paths: tuple[str, ...] = ()
    cost_over_micro_usd: int | None = None
    risk: Severity = "medium"
    approvers: tuple[str, ...] = ()
    expires: timedelta = timedelta(hours=24)


class ApprovalPolicy(ContractValue, frozen=True, kw_only=True):
    """The rules, in order; the first that fits counts. Without rules nothing waits for a person."""

    rules: tuple[ApprovalRule, ...] = ()

    def rule(self, name: str) -> ApprovalRule | None:
        """The rule of a name, or None."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        names: set[str] = set()
        for number, rule in enumerate(self.rules):
            where = f"approvals.rules[{number}]"
            if not rule.name.strip() or rule.name in names:
                raise ContractFinding(f"{where}.name must be a name of its own")
            names.add(rule.name)
            if not rule.actions:
                raise ContractFinding(f"{where}.actions must name at least one act")
            if rule.expires.total_seconds() < 1:
                raise ContractFinding(f"{where}.expires must be at least PT1S")
            if rule.cost_over_micro_usd is not None and rule.cost_over_micro_usd < 0:
                raise ContractFinding(f"{where}.cost_over_micro_usd must not be negative")
            if any(not one.strip() for one in (*rule.approvers, *rule.paths)):
                raise ContractFinding(f"{where}: an approver or path is empty")
