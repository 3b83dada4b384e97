"""The quality of the work over time: checks with their scores, test runs, coverage, and the rates of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import msgspec
from msgspec import UnsetType

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.orchestration import OrchestrationCompleted
from esaa.trail.facts.quality import QualityCheckCompleted, QualityCheckFailed, SeverityCounts
from esaa.trail.facts.testing import TestRunCompleted, TestRunFailed
from esaa.trail.folds.reading import given


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one quality check."""

    timestamp: str
    check_type: str
    is_passed: bool
    overall_score: float | None = None
    issues_found: int | None = None
    issues_by_severity: SeverityCounts | None = None
    failure_reason: str | None = None
    blocking: bool = False
    sequence: int
    event_id: str


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run of tests; an aborted one has no counts."""

    __test__: ClassVar[bool] = False  # pytest takes a class of this name for a group of tests

    timestamp: str
    test_suite: str
    status: Literal["passed", "failed", "aborted"]
    total_tests: int | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    duration_seconds: float | None = None
    failure_reason: str | None = None
    sequence: int
    event_id: str


class CoveragePoint(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the code the tests ran at a moment, in percent. `test_suite` is None for the whole at the end."""

    timestamp: str
    test_suite: str | None = None
    lines: float | None = None
    branches: float | None = None
    functions: float | None = None
    statements: float | None = None


class ScorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A score at a moment; `check_type` is None for the whole at the end."""

    timestamp: str
    check_type: str | None = None
    score: float


class Quality(msgspec.Struct, kw_only=True):
    """All results in the order of the events, and what they come to.

    - `check_pass_rate`: the share of the checks that passed, from 0 to 1; None without checks.
    - `latest_scores`: the last score of each type of check.
    - `tests_run`, `tests_passed`, `tests_failed`: of all counted runs together; `test_pass_rate` is their share,
      skipped tests left out.
    - `latest_coverage`: the share of lines at the last moment that tells of it.
    """

    checks: list[CheckResult] = []
    tests: list[TestResult] = []
    scores: list[ScorePoint] = []
    coverage: list[CoveragePoint] = []
    checks_passed: int = 0
    checks_failed: int = 0
    check_pass_rate: float | None = None
    latest_scores: dict[str, float] = {}
    tests_run: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    runs_aborted: int = 0
    test_pass_rate: float | None = None
    latest_coverage: float | None = None


def quality(pairs: Iterable[tuple[TrailEvent, TrailFact]]) -> Quality:
    """What the events say about quality."""
    result = Quality()
    for event, fact in pairs:
        match fact:
            case QualityCheckCompleted():
                _checked(result, event, fact)
            case QualityCheckFailed():
                _check_failed(result, event, fact)
            case TestRunCompleted():
                _tested(result, event, fact)
            case TestRunFailed():
                _test_aborted(result, event, fact)
            case OrchestrationCompleted():
                _concluded(result, event, fact)
            case _:
                pass
    result.check_pass_rate = _share(result.checks_passed, result.checks_failed)
    result.test_pass_rate = _share(result.tests_passed, result.tests_failed)
    return result


def _share(passed: int, failed: int) -> float | None:
    return passed / (passed + failed) if passed + failed else None


def _checked(result: Quality, event: TrailEvent, fact: QualityCheckCompleted) -> None:
    score = given(fact.overall_score)
    check = CheckResult(
        timestamp=event.ts,
        check_type=fact.check_type,
        is_passed=fact.passed_quality_gate,
        overall_score=score,
        issues_found=given(fact.issues_found),
        issues_by_severity=given(fact.issues_by_severity),
        sequence=event.version,
        event_id=event.event_id,
    )
    result.checks.append(check)
    if check.is_passed:
        result.checks_passed += 1
    else:
        result.checks_failed += 1
    if score is not None:
        result.scores.append(ScorePoint(timestamp=event.ts, check_type=fact.check_type, score=score))
        result.latest_scores[fact.check_type] = score


def _check_failed(result: Quality, event: TrailEvent, fact: QualityCheckFailed) -> None:
    critical = given(fact.critical_issues)
    check = CheckResult(
        timestamp=event.ts,
        check_type=fact.check_type,
        is_passed=False,
        issues_found=None if critical is None else len(critical),
        failure_reason=fact.failure_reason,
        blocking=fact.blocking is True,
        sequence=event.version,
        event_id=event.event_id,
    )
    result.checks.append(check)
    result.checks_failed += 1


def _tested(result: Quality, event: TrailEvent, fact: TestRunCompleted) -> None:
    test = TestResult(
        timestamp=event.ts,
        test_suite=fact.test_suite,
        status="failed" if fact.failed else "passed",
        total_tests=fact.total_tests,
        passed=fact.passed,
        failed=fact.failed,
        skipped=given(fact.skipped),
        duration_seconds=given(fact.duration_seconds),
        sequence=event.version,
        event_id=event.event_id,
    )
    result.tests.append(test)
    result.tests_run += fact.total_tests
    result.tests_passed += fact.passed
    result.tests_failed += fact.failed
    coverage = given(fact.coverage)
    if coverage is not None:
        point = CoveragePoint(
            timestamp=event.ts,
            test_suite=fact.test_suite,
            lines=given(coverage.lines),
            branches=given(coverage.branches),
            functions=given(coverage.functions),
            statements=given(coverage.statements),
        )
        _covered(result, point)


def _test_aborted(result: Quality, event: TrailEvent, fact: TestRunFailed) -> None:
    test = TestResult(
        timestamp=event.ts,
        test_suite=fact.test_suite,
        status="aborted",
        failure_reason=fact.failure_reason,
        sequence=event.version,
        event_id=event.event_id,
    )
    result.tests.append(test)
    result.runs_aborted += 1


def _concluded(result: Quality, event: TrailEvent, fact: OrchestrationCompleted) -> None:
    """The orchestration's own measures are the last points of both curves."""
    metrics = given(fact.metrics)
    if metrics is None:
        return
    if not isinstance(metrics.test_coverage, UnsetType):
        _covered(result, CoveragePoint(timestamp=event.ts, lines=metrics.test_coverage))
    if not isinstance(metrics.code_quality_score, UnsetType):
        result.scores.append(ScorePoint(timestamp=event.ts, score=metrics.code_quality_score))


def _covered(result: Quality, point: CoveragePoint) -> None:
    result.coverage.append(point)
    if point.lines is not None:
        result.latest_coverage = point.lines
