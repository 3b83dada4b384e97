"""Which facts tell of a failure, of what, and which later facts tell that the same thing succeeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from esaa.trail.facts.agents import AgentCompleted, AgentFailed
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.ci import CiRunCompleted, CiRunFailed
from esaa.trail.facts.deployments import DeploymentCompleted, DeploymentFailed
from esaa.trail.facts.external import ExternalCallCompleted, ExternalCallFailed
from esaa.trail.facts.orchestration import (
    OrchestrationCompleted,
    OrchestrationFailed,
    OrchestrationResumed,
    OrchestrationStarted,
)
from esaa.trail.facts.phases import PhaseCompleted, PhaseFailed
from esaa.trail.facts.quality import QualityCheckCompleted, QualityCheckFailed
from esaa.trail.facts.recovery import ErrorOccurred
from esaa.trail.facts.tasks import OutputRejected, TaskCompleted, TaskDone
from esaa.trail.facts.testing import TestRunCompleted, TestRunFailed
from esaa.trail.facts.tools import ToolFailed
from esaa.trail.folds.reading import given

Kind = Literal[
    "orchestration",
    "phase",
    "agent",
    "error",
    "quality_check",
    "test",
    "ci",
    "deployment",
    "output",
    "tool",
    "external_call",
    "unknown",
]

_CI_GOOD = frozenset({"success", "passed", "neutral", "skipped"})
_CI_BAD = frozenset({"failure", "failed", "error", "timed_out"})
_THE_WORK = "the work"


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """What a fact of failure says. `subject` is what a later success must be of to overcome it."""

    kind: Kind
    about: str | None
    message: str
    code: str | None = None
    count: int = 1
    subject: tuple[Kind, str] | None = None


def failure_of(fact: TrailFact) -> Failed | None:
    """The failure that a fact tells of, or None."""
    tell = _FAILURES.get(type(fact))
    return None if tell is None else tell(fact)


def subjects_of_success(fact: TrailFact) -> tuple[tuple[Kind, str], ...]:
    """What succeeded with this fact, so that earlier failures of the same are overcome."""
    tell = _SUCCESSES.get(type(fact))
    return () if tell is None else tell(fact)


def _failed(kind: Kind, about: str, message: str, code: str | None = None) -> Failed:
    return Failed(kind=kind, about=about, message=message, code=code, subject=(kind, about))


def _orchestration(fact: OrchestrationFailed) -> Failed:
    return Failed(
        kind="orchestration",
        about=given(fact.failure_phase),
        message=fact.failure_reason,
        subject=("orchestration", _THE_WORK),
    )


def _agent_end(fact: AgentCompleted) -> Failed | None:
    if fact.task_status != "failed":
        return None
    return _failed("agent", fact.agent_name, "the agent ended, and its task failed")


def _error(fact: ErrorOccurred) -> Failed:
    return Failed(kind="error", about=fact.error_type, message=fact.error_message, code=given(fact.error_code))


def _check(fact: QualityCheckCompleted) -> Failed | None:
    if fact.passed_quality_gate:
        return None
    found = given(fact.issues_found)
    return _failed(
        "quality_check", fact.check_type, "the quality gate is not passed" + (f", {found} issues" if found else "")
    )


def _tests(fact: TestRunCompleted) -> Failed | None:
    if not fact.failed:
        return None
    return _failed("test", fact.test_suite, f"{fact.failed} of {fact.total_tests} tests fail")


def _ci(fact: CiRunCompleted) -> Failed | None:
    if fact.status not in _CI_BAD:
        return None
    return _failed("ci", _ci_name(fact), f"the run ends: {fact.status.replace('_', ' ')}")


def _ci_name(fact: CiRunCompleted | CiRunFailed) -> str:
    """Runs of one workflow check the same; a run without a workflow stands for itself."""
    return given(fact.workflow) or fact.ci_run_id


def _output(fact: OutputRejected) -> Failed:
    task_id = given(fact.task_id)
    return Failed(
        kind="output",
        about=task_id or given(fact.agent_name),
        message=given(fact.message) or given(fact.reason) or fact.error_code,
        code=fact.error_code,
        count=given(fact.count) or 1,
        subject=("output", task_id) if task_id else None,
    )


def _tool(fact: ToolFailed) -> Failed:
    # The next use of a tool does something else: it overcomes nothing.
    return Failed(kind="tool", about=fact.tool_name, message=fact.error_message, code=given(fact.error_type))


def _call(fact: ExternalCallFailed) -> Failed:
    about = f"{fact.system} {fact.operation}"
    return Failed(
        kind="external_call",
        about=about,
        message=fact.error_message,
        code=given(fact.error_code),
        subject=("external_call", _call_name(fact)),
    )


def _call_name(fact: ExternalCallCompleted | ExternalCallFailed) -> str:
    """A call that is tried again keeps its key, its name, or at least what it is about."""
    which = given(fact.idempotency_key) or given(fact.call_id) or given(fact.target) or ""
    return f"{fact.system} {fact.operation} {which}"


def _agent_success(fact: AgentCompleted) -> tuple[tuple[Kind, str], ...]:
    # An agent may end in order without having done its task.
    status = given(fact.task_status)
    return (("agent", fact.agent_name),) if status is None or status.startswith("success") else ()


# The fact's type is that of its key in both tables.
_FAILURES: dict[type[TrailFact], Callable[[Any], Failed | None]] = {
    OrchestrationFailed: _orchestration,
    PhaseFailed: lambda fact: _failed("phase", fact.phase, fact.failure_reason),
    AgentFailed: lambda fact: _failed("agent", fact.agent_name, fact.failure_reason),
    AgentCompleted: _agent_end,
    ErrorOccurred: _error,
    QualityCheckFailed: lambda fact: _failed("quality_check", fact.check_type, fact.failure_reason),
    QualityCheckCompleted: _check,
    TestRunFailed: lambda fact: _failed("test", fact.test_suite, fact.failure_reason),
    TestRunCompleted: _tests,
    CiRunFailed: lambda fact: _failed("ci", _ci_name(fact), fact.failure_reason),
    CiRunCompleted: _ci,
    DeploymentFailed: lambda fact: _failed("deployment", fact.environment, fact.failure_reason),
    OutputRejected: _output,
    ToolFailed: _tool,
    ExternalCallFailed: _call,
}

_SUCCESSES: dict[type[TrailFact], Callable[[Any], tuple[tuple[Kind, str], ...]]] = {
    OrchestrationStarted: lambda _: (("orchestration", _THE_WORK),),
    OrchestrationResumed: lambda _: (("orchestration", _THE_WORK),),
    OrchestrationCompleted: lambda _: (("orchestration", _THE_WORK),),
    PhaseCompleted: lambda fact: (("phase", fact.phase),),
    AgentCompleted: _agent_success,
    QualityCheckCompleted: lambda fact: (("quality_check", fact.check_type),) if fact.passed_quality_gate else (),
    TestRunCompleted: lambda fact: () if fact.failed else (("test", fact.test_suite),),
    CiRunCompleted: lambda fact: (("ci", _ci_name(fact)),) if fact.status in _CI_GOOD else (),
    DeploymentCompleted: lambda fact: (("deployment", fact.environment),),
    TaskCompleted: lambda fact: (("output", fact.task_id),),
    TaskDone: lambda fact: (("output", fact.task_id),),
    ExternalCallCompleted: lambda fact: (("external_call", _call_name(fact)),),
}
