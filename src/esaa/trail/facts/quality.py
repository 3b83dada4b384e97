"""Quality checks: reviews of code, scans, linters, the verification of a read model."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Seconds, Severity
from esaa.trail.facts.wording import counted, line, told


class SeverityCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many issues there are of each severity.

    - `critical`: issues that must not stay.
    - `high`: issues that should be mended before a merge.
    - `medium`: issues that should be mended.
    - `low`: issues that may be mended.
    - `info`: remarks.
    """

    critical: Count | UnsetType = UNSET
    high: Count | UnsetType = UNSET
    medium: Count | UnsetType = UNSET
    low: Count | UnsetType = UNSET
    info: Count | UnsetType = UNSET


class QualityIssue(msgspec.Struct, frozen=True, kw_only=True):
    """One issue that a check found.

    - `message`: what is wrong.
    - `severity`: how bad it is.
    - `type`: its kind, such as `hardcoded_secret`.
    - `file`: the path of the file.
    - `line`: the line in it.
    - `suggestion`: what would be better.
    """

    message: str
    severity: Severity | UnsetType = UNSET
    type: str | UnsetType = UNSET
    file: str | UnsetType | None = UNSET
    line: Count | UnsetType | None = UNSET
    suggestion: str | UnsetType | None = UNSET


class QualityCheckStarted(TrailFact, frozen=True, kw_only=True):
    """A quality check begins. Recorded by the check, or by the orchestrator.

    Checking again is safe: a check only reads.

    - `check_type`: what is checked, such as `code_review`, `security_scan` or `lint`.
    - `check_scope`: how much of the project, such as `all_changed_files`.
    - `checker_agent`: the agent or tool that checks.
    - `files_to_check`: how many files there are to check.
    - `estimated_duration_seconds`: how long it is expected to take.
    """

    is_repeatable: ClassVar[bool] = True
    agent_field: ClassVar[str | None] = "checker_agent"

    check_type: str
    check_scope: str | UnsetType = UNSET
    checker_agent: str | UnsetType = UNSET
    files_to_check: Count | UnsetType = UNSET
    estimated_duration_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        files = told(" of {}", self.files_to_check, lambda total: counted(total, "file"))
        return line(f"{_check(self.check_type)}{files} begins")


class QualityCheckCompleted(TrailFact, frozen=True, kw_only=True):
    """A quality check has its result. Recorded by the check, or by the orchestrator.

    - `check_type`: what was checked.
    - `overall_score`: 0 to 100.
    - `issues_found`: how many issues it found.
    - `issues_by_severity`: how many of each severity.
    - `issues`: the issues, or the first of them.
    - `passed_quality_gate`: true where the result is good enough to go on.
    - `recommendations`: what would be better, in words.
    """

    check_type: str
    passed_quality_gate: bool
    overall_score: float | UnsetType = UNSET
    issues_found: Count | UnsetType = UNSET
    issues_by_severity: SeverityCounts | UnsetType = UNSET
    issues: tuple[QualityIssue, ...] | UnsetType = UNSET
    recommendations: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        verdict = "passes" if self.passed_quality_gate else "does not pass"
        score = told(" with {}", self.overall_score, lambda value: f"{value:g}")
        issues = told(", {}", self.issues_found, lambda total: counted(total, "issue"))
        return line(f"{_check(self.check_type)} {verdict}{score}{issues}")


class QualityCheckFailed(TrailFact, frozen=True, kw_only=True):
    """A quality check failed: it found what must not stay, or it could not be done. Recorded by the check.

    - `check_type`: what was checked.
    - `failure_reason`: why, in one sentence.
    - `critical_issues`: what must not stay.
    - `blocking`: true where the work cannot go on with it.
    - `remediation_required`: true where something has to be mended.
    """

    check_type: str
    failure_reason: str
    critical_issues: tuple[QualityIssue, ...] | UnsetType = UNSET
    blocking: bool | UnsetType = UNSET
    remediation_required: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        issues = told(" ({})", self.critical_issues, lambda found: counted(len(found), "critical issue"))
        return line(f"{_check(self.check_type)} fails" + told(": {}", self.failure_reason) + issues)


def _check(check_type: str) -> str:
    return check_type.replace("_", " ")
