"""Test runs: started, completed, failed."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Percent, Seconds
from esaa.trail.facts.wording import counted, line, seconds, told


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the code the tests run, in percent.

    - `lines`: of the lines.
    - `branches`: of the branches.
    - `functions`: of the functions.
    - `statements`: of the statements.
    """

    lines: Percent | UnsetType = UNSET
    branches: Percent | UnsetType = UNSET
    functions: Percent | UnsetType = UNSET
    statements: Percent | UnsetType = UNSET


class FailedTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test that failed.

    - `name`: the test's name.
    - `file`: the path of the file that holds it.
    - `error`: what it reported.
    """

    name: str
    file: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class TestRunStarted(TrailFact, frozen=True, kw_only=True):
    """Tests begin to run. Recorded by the tool that runs them, or by the orchestrator.

    Running them again is safe: tests leave nothing behind that others read.

    - `test_suite`: which tests, such as `unit` or `integration`.
    - `test_count`: how many there are.
    - `test_runner`: the tool that runs them, such as `jest` or `pytest`.
    - `triggered_by`: the agent that asked for the run.
    - `scope`: how much of the project they are about, such as `changed_files`.
    """

    __test__: ClassVar[bool] = False  # pytest takes a class of this name for a group of tests
    is_repeatable: ClassVar[bool] = True
    agent_field: ClassVar[str | None] = "triggered_by"

    test_suite: str
    test_count: Count | UnsetType = UNSET
    test_runner: str | UnsetType = UNSET
    triggered_by: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        tests = told(" with {}", self.test_count, lambda total: counted(total, "test"))
        return line(f"{self.test_suite} tests begin{tests}{told(' on {}', self.test_runner)}")


class TestRunCompleted(TrailFact, frozen=True, kw_only=True):
    """Tests have run; some may have failed. Recorded by the tool that ran them.

    - `test_suite`: which tests.
    - `total_tests`: how many there were.
    - `passed`: how many passed.
    - `failed`: how many failed.
    - `skipped`: how many did not run.
    - `coverage`: how much of the code they ran.
    - `failed_tests`: the tests that failed, or the first of them.
    """

    __test__: ClassVar[bool] = False

    test_suite: str
    total_tests: Count
    passed: Count
    failed: Count
    skipped: Count | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    coverage: Coverage | UnsetType = UNSET
    failed_tests: tuple[FailedTest, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        took = told(" after {}", self.duration_seconds, seconds)
        result = f"{self.passed} of {self.total_tests} passed" + (f", {self.failed} failed" if self.failed else "")
        return line(f"{self.test_suite} tests end{took}: {result}")


class TestRunFailed(TrailFact, frozen=True, kw_only=True):
    """Tests could not run, or not to their end. Recorded by the tool that should have run them.

    - `test_suite`: which tests.
    - `failure_reason`: why, in one sentence.
    - `error_message`: the error behind the reason, as it was printed.
    - `retry_scheduled`: true where it is tried again.
    """

    __test__: ClassVar[bool] = False

    test_suite: str
    failure_reason: str
    error_message: str | UnsetType = UNSET
    retry_scheduled: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.test_suite} tests do not run to their end" + told(": {}", self.failure_reason))
