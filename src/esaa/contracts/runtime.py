"""RUNTIME_POLICY.yaml: times, attempts, escalation, verification and rollback. Durations are ISO-8601 (PT30M)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from esaa.contracts.approvals import ApprovalPolicy
from esaa.contracts.budgets import BudgetPolicy
from esaa.contracts.sandbox import SandboxPolicy
from esaa.contracts.values import ContractFinding, ContractValue, ProtocolVersion, Severity

Escalation = Literal["log_only", "log_and_flag", "block_task", "halt_pipeline"]


class Attempts(ContractValue, frozen=True, kw_only=True):
    """How long an attempt may take, how many a task has, and the pause after a rejected one."""

    ttl: timedelta
    max: int
    cooldown: timedelta


class EscalationMap(ContractValue, frozen=True, kw_only=True):
    """What an open issue does, by severity."""

    low: Escalation
    medium: Escalation
    high: Escalation
    critical: Escalation

    def of(self, severity: Severity) -> Escalation:
        """The escalation of a severity."""
        by_severity: dict[Severity, Escalation] = {
            "low": self.low,
            "medium": self.medium,
            "high": self.high,
            "critical": self.critical,
        }
        return by_severity[severity]


class VerifyPolicy(ContractValue, frozen=True, kw_only=True):
    """When a run verifies itself, and what follows a bad answer (DESIGN 12.8).

    `every_result` after each accepted result; `run_end` only at the end; `adaptive` after each result while the
    state is small, then so that hashing stays a bounded share of the work; always at the end of a run.
    """

    cadence: Literal["every_result", "run_end", "adaptive"]
    on_mismatch: Literal["reproject_or_halt"]
    on_corrupted: Literal["halt_and_snapshot"]


class QuarantineCopies(ContractValue, frozen=True, kw_only=True):
    """How many integrity copies of damaged logs are kept in `.roadmap/snapshots/`, and which go first."""

    max: int
    cleanup: Literal["oldest_first"]


class Dispatch(ContractValue, frozen=True, kw_only=True):
    """How many agents work at once, what happens to overlapping write sets, and the cap on an agent's output.

    `conflicts`: under `serialise` tasks whose write sets may meet are not in flight together. Under `reject` they are,
    and who comes second is refused and asked again; under `merge` both changes are merged where git can.
    """

    parallel_max: int
    conflicts: Literal["serialise", "reject", "merge"]
    output_bytes_max: int


class ContextBudget(ContractValue, frozen=True, kw_only=True):
    """How many tokens an agent's prompt may have, by the estimate of docs/reference/context.md. What does not fit is
    left out, and listed."""

    tokens_max: int = 100_000


class UnknownActors(ContractValue, frozen=True, kw_only=True):
    """Rejections of unregistered actors are coalesced: one event per `window`, at most `details_max` details kept."""

    window: timedelta
    details_max: int


class Checkpoints(ContractValue, frozen=True, kw_only=True):
    """A signed checkpoint is made at each `verify.ok` and `run.end`, and after so many events without one."""

    every_events: int = 1000


class RuntimePolicy(ContractValue, frozen=True, kw_only=True):
    """The times and limits of a governed run.

    Without `sandbox` the strongest that the machine has confines agents that edit files, and checks; programs of the
    `command` adapter are left to the user's rights. With it, they are confined as well.
    """

    contract: Literal["runtime_policy"]
    version: ProtocolVersion
    attempts: Attempts
    escalation: EscalationMap
    verify_policy: VerifyPolicy
    snapshots: QuarantineCopies
    dispatch: Dispatch
    unknown_actors: UnknownActors
    checkpoints: Checkpoints = Checkpoints()
    context: ContextBudget = ContextBudget()
    budgets: BudgetPolicy = BudgetPolicy()
    approvals: ApprovalPolicy = ApprovalPolicy()
    sandbox: SandboxPolicy | None = None

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        if not 1 <= self.attempts.max <= 3:
            raise ContractFinding("attempts.max must be 1, 2 or 3 (the specification allows at most three)")
        if self.attempts.ttl.total_seconds() < 1:
            raise ContractFinding("attempts.ttl must be at least PT1S")
        if self.attempts.cooldown.total_seconds() < 0:
            raise ContractFinding("attempts.cooldown must not be negative")
        if not 1 <= self.snapshots.max <= 20:
            raise ContractFinding("snapshots.max must be between 1 and 20")
        if not 1 <= self.dispatch.parallel_max <= 64:
            raise ContractFinding("dispatch.parallel_max must be between 1 and 64")
        if self.dispatch.output_bytes_max < 1:
            raise ContractFinding("dispatch.output_bytes_max must be at least 1")
        if self.unknown_actors.window.total_seconds() < 1 or self.unknown_actors.details_max < 1:
            raise ContractFinding("unknown_actors: window must be at least PT1S and details_max at least 1")
        if not 1_000 <= self.context.tokens_max <= 10_000_000:
            raise ContractFinding("context.tokens_max must be between 1000 and 10000000")
        if not 1 <= self.checkpoints.every_events <= 1_000_000:
            raise ContractFinding("checkpoints.every_events must be between 1 and 1000000")
        self.budgets.check()
        self.approvals.check()
        if self.sandbox is not None:
            self.sandbox.check()
