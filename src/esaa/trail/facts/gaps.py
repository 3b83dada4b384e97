"""Gaps: what is missing or wrong in the work, found, closed, or handed to someone who must decide."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Seconds, Severity
from esaa.trail.facts.wording import line, seconds, told


class GapVerification(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked before a gap was called resolved.

    - `all_tests_passed`: true where all tests passed.
    - `coverage_threshold_met`: true where enough of the code is tested.
    - `quality_gates_passed`: true where every quality gate passed.
    """

    all_tests_passed: bool | UnsetType = UNSET
    coverage_threshold_met: bool | UnsetType = UNSET
    quality_gates_passed: bool | UnsetType = UNSET


class VulnerabilityDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a vulnerability.

    - `type`: its kind, such as `SQL injection`.
    - `affected_endpoint`: where it can be used.
    - `cve_references`: the names under which it is known.
    - `discovered_by`: who found it.
    """

    type: str | UnsetType = UNSET
    affected_endpoint: str | UnsetType = UNSET
    cve_references: tuple[str, ...] | UnsetType = UNSET
    discovered_by: str | UnsetType = UNSET


class GapIdentified(TrailFact, frozen=True, kw_only=True):
    """Something is missing or wrong. Recorded by the agent, check or person that found it.

    - `gap_id`: the gap's name; later events refer to it.
    - `gap_type`: its kind, such as `missing_tests`.
    - `severity`: how bad it is.
    - `description`: what is missing, in one sentence.
    - `affected_modules`: the parts of the project that it is about.
    - `impact`: what follows from it.
    - `identified_by`: who found it.
    - `recommended_actions`: what can be done about it.
    - `estimated_effort`: how much work that is, in words.
    - `blocking`: true where the work cannot go on with it.
    """

    agent_field: ClassVar[str | None] = "identified_by"

    gap_id: str
    severity: Severity
    description: str
    gap_type: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    affected_modules: tuple[str, ...] | UnsetType = UNSET
    impact: str | UnsetType = UNSET
    identified_by: str | UnsetType = UNSET
    recommended_actions: tuple[str, ...] | UnsetType = UNSET
    estimated_effort: str | UnsetType = UNSET
    blocking: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        blocking = ", blocking" if self.blocking is True else ""
        return line(f"gap {self.gap_id} ({self.severity}{blocking})" + told(": {}", self.description))


class GapResolved(TrailFact, frozen=True, kw_only=True):
    """A gap is closed. Recorded by the agent or person that closed it.

    - `gap_id`: the gap.
    - `resolution_strategy`: how it was closed, such as `additional_tests_written`.
    - `resolved_by`: who closed it.
    - `resolution_details`: the values behind it, such as coverage before and after.
    - `verification`: what was checked before it was called resolved.
    - `time_to_resolve_seconds`: how long the gap was open.
    """

    agent_field: ClassVar[str | None] = "resolved_by"

    gap_id: str
    resolution_strategy: str | UnsetType = UNSET
    resolved_by: str | UnsetType = UNSET
    resolution_details: Data | UnsetType = UNSET
    verification: GapVerification | UnsetType = UNSET
    time_to_resolve_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        how = told(": {}", self.resolution_strategy, lambda name: name.replace("_", " "))
        return line(f"gap {self.gap_id} is closed" + told(" after {}", self.time_to_resolve_seconds, seconds) + how)


class GapEscalated(TrailFact, frozen=True, kw_only=True):
    """A gap is handed to someone who must decide. Recorded by the orchestrator.

    - `gap_id`: the gap.
    - `gap_type`: its kind, such as `security_vulnerability`.
    - `severity`: how bad it is.
    - `escalation_reason`: why it cannot be closed here.
    - `escalated_to`: the person or team that it goes to.
    - `escalation_channel`: how they are told.
    - `vulnerability_details`: for a vulnerability, what is known about it.
    - `work_paused`: true where the work waits for the decision.
    - `blocking_deployment`: true where nothing is deployed until then.
    """

    gap_id: str
    escalation_reason: str
    gap_type: str | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    escalated_to: str | UnsetType = UNSET
    escalation_channel: str | UnsetType = UNSET
    vulnerability_details: VulnerabilityDetails | UnsetType = UNSET
    work_paused: bool | UnsetType = UNSET
    blocking_deployment: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        to = told(" to {}", self.escalated_to)
        severity = told(" ({})", self.severity)
        return line(f"gap {self.gap_id}{severity} is escalated{to}" + told(": {}", self.escalation_reason))
