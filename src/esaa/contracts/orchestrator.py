"""ORCHESTRATOR_CONTRACT.yaml: what the orchestrator must do."""

from __future__ import annotations

from typing import Literal

from esaa.contracts.values import (
    INVARIANTS,
    REJECT_CONDITIONS,
    ContractFinding,
    ContractValue,
    ProtocolVersion,
)


class VerificationGate(ContractValue, frozen=True, kw_only=True):
    """How many `verification.checks` a `complete` needs, by task kind; `hotfix` replaces the kind's number."""

    spec: int
    impl: int
    qa: int
    hotfix: int


class ReviewRule(ContractValue, frozen=True, kw_only=True):
    """`self_review: false` refuses a review by the actor who did the work."""

    self_review: bool


class OrchestratorContract(ContractValue, frozen=True, kw_only=True):
    """The invariants and gates that this orchestrator holds. None of the six invariants can be switched off."""

    contract: Literal["orchestrator"]
    version: ProtocolVersion
    is_single_writer: Literal[True]
    invariants: tuple[str, ...]
    reject_conditions: tuple[str, ...]
    immutable_done: Literal[True]
    verification_gate: VerificationGate
    review: ReviewRule

    def check(self) -> None:
        """Raise `ContractFinding` where a value could not be enforced as written."""
        if set(self.invariants) != set(INVARIANTS):
            raise ContractFinding(f"invariants must name all of {INVARIANTS}: they cannot be switched off")
        if set(self.reject_conditions) != set(REJECT_CONDITIONS):
            raise ContractFinding(f"reject_conditions must be exactly {REJECT_CONDITIONS}")
        gate = self.verification_gate
        if gate.impl < 1 or gate.hotfix < 2 or gate.spec < 0 or gate.qa < 0:
            raise ContractFinding("verification_gate: impl needs at least 1 check, hotfix at least 2, none below 0")
