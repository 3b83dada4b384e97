"""The life of an agent: spawned, completed, failed, blocked."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Count, Moment, Percent, Priority, Seconds
from esaa.trail.facts.wording import counted, line, seconds, told


class QualityMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of what an agent made.

    - `complexity_score`: how involved the code is; lower is better.
    - `maintainability_score`: 0 to 100; the agent's quality score in the agent metrics.
    - `test_coverage`: the share of lines that tests run, in percent.
    """

    complexity_score: float | UnsetType = UNSET
    maintainability_score: float | UnsetType = UNSET
    test_coverage: Percent | UnsetType = UNSET


class AgentSpawned(TrailFact, frozen=True, kw_only=True):
    """An agent starts to work on a task. Recorded by the orchestrator.

    Starting the agent again is safe: its work becomes real only through later events, which have ids of their own.

    - `agent_type`: what kind of work it does, such as `code`, `test` or `docs`.
    - `agent_category`: the part of the project that it knows, such as `frontend`.
    - `agent_model`: the language model behind it.
    - `spawn_reason`: why this agent was chosen.
    - `assigned_task`: what it is to do.
    - `assigned_files`: the files that it is to work on.
    - `expected_outputs`: what it is to deliver.
    - `dependencies`: what had to be there first.
    - `priority`: how urgent the work is.
    - `timeout_seconds`: how long it may take.
    """

    is_repeatable: ClassVar[bool] = True

    agent_name: str
    agent_type: str | UnsetType = UNSET
    agent_category: str | UnsetType = UNSET
    agent_model: str | UnsetType = UNSET
    spawn_reason: str | UnsetType = UNSET
    assigned_task: str | UnsetType = UNSET
    assigned_files: tuple[str, ...] | UnsetType = UNSET
    expected_outputs: tuple[str, ...] | UnsetType = UNSET
    dependencies: tuple[str, ...] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    timeout_seconds: Seconds | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        model = told(" ({})", self.agent_model)
        return line(f"{self.agent_name}{model} starts" + told(": {}", self.assigned_task))


class AgentCompleted(TrailFact, frozen=True, kw_only=True):
    """An agent has done its work. Recorded by the orchestrator, or by the agent itself.

    - `task_status`: how the work ended.
    - `outputs_created`: what it delivered, mostly paths.
    - `tests_written`: how many tests it wrote.
    - `tests_passed`: how many of them passed.
    - `quality_metrics`: the measures of what it made.
    - `commit_sha`: the commit that holds its work.
    - `next_agents`: the agents that should follow.
    """

    agent_name: str
    duration_seconds: Seconds
    outputs_created: tuple[str, ...]
    task_status: (
        Literal["success", "success_with_warnings", "partial_success", "failed", "skipped", "cancelled", "blocked"]
        | UnsetType
    ) = UNSET
    tests_written: Count | UnsetType = UNSET
    tests_passed: Count | UnsetType = UNSET
    quality_metrics: QualityMetrics | UnsetType = UNSET
    commit_sha: str | UnsetType = UNSET
    next_agents: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        made = counted(len(self.outputs_created), "output")
        tests = told(", {}", self.tests_written, lambda written: counted(written, "test"))
        status = "" if self.task_status == "success" else told(", {}", self.task_status, _words)
        return line(f"{self.agent_name} is done after {seconds(self.duration_seconds)}: {made}{tests}{status}")


class AgentFailed(TrailFact, frozen=True, kw_only=True):
    """An agent could not do its work. Recorded by the orchestrator, or by the agent itself.

    - `failure_reason`: why, in one sentence.
    - `error_message`: the error behind the reason, as it was printed.
    - `error_details`: the values behind the reason, such as file and line.
    - `retry_scheduled`: true where it is tried again.
    - `retry_delay_seconds`: how long after this.
    - `fallback_agent`: the agent that takes over.
    - `human_intervention_required`: true where a person has to act.
    """

    agent_name: str
    failure_reason: str
    error_message: str | UnsetType = UNSET
    error_details: Data | UnsetType = UNSET
    retry_scheduled: bool | UnsetType = UNSET
    retry_delay_seconds: Seconds | UnsetType = UNSET
    fallback_agent: str | UnsetType | None = UNSET
    human_intervention_required: bool | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{self.agent_name} fails" + told(": {}", self.failure_reason))


class AgentBlocked(TrailFact, frozen=True, kw_only=True):
    """An agent cannot go on until something else happens. Recorded by the orchestrator, or by the agent itself.

    - `blocked_by`: what it waits for, in words.
    - `blocking_agent`: the agent that it waits for.
    - `blocking_issue_key`: the issue that it waits for.
    - `estimated_unblock_time`: when it is expected to go on.
    - `can_work_on_other_tasks`: true where it need not be idle.
    - `alternative_tasks`: what it can do instead.
    """

    agent_name: str
    blocked_by: str
    blocking_agent: str | UnsetType | None = UNSET
    blocking_issue_key: str | UnsetType | None = UNSET
    estimated_unblock_time: Moment | UnsetType | None = UNSET
    can_work_on_other_tasks: bool | UnsetType = UNSET
    alternative_tasks: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        until = told(" (waits for {})", self.blocking_agent)
        return line(f"{self.agent_name} is blocked" + told(": {}", self.blocked_by) + until)


def _words(name: str) -> str:
    return name.replace("_", " ")
