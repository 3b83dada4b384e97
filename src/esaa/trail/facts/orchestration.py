"""The life of an orchestration: started, completed, failed, paused, resumed."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Moment, Percent, RollbackState, Seconds
from esaa.trail.facts.wording import counted, line, seconds, told


class OrchestrationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What was configured for one orchestration.

    - `min_agents`: how many agents work at least.
    - `max_agents`: how many agents work at most.
    - `auto_transition`: true where the issue follows in the tracker by itself.
    - `checkpoint_enabled`: true where restore points are made.
    """

    min_agents: Count | UnsetType = UNSET
    max_agents: Count | UnsetType = UNSET
    auto_transition: bool | UnsetType = UNSET
    checkpoint_enabled: bool | UnsetType = UNSET


class OrchestrationOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an orchestration brought about.

    - `code_changed`: true where files of the project changed.
    - `tests_passed`: true where the last test runs passed.
    - `documentation_created`: true where documentation was written.
    - `pr_merged`: true where the change was merged.
    - `jira_transitioned`: true where the issue moved on in the tracker.
    """

    code_changed: bool | UnsetType = UNSET
    tests_passed: bool | UnsetType = UNSET
    documentation_created: bool | UnsetType = UNSET
    pr_merged: bool | UnsetType = UNSET
    jira_transitioned: bool | UnsetType = UNSET


class OrchestrationMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of an orchestration's result.

    - `lines_added`: lines that were added in all commits.
    - `lines_removed`: lines that were removed in all commits.
    - `files_changed`: files that differ from before.
    - `test_coverage`: the share of lines that tests run, in percent.
    - `code_quality_score`: 0 to 100, by the quality check in use.
    """

    lines_added: Count | UnsetType = UNSET
    lines_removed: Count | UnsetType = UNSET
    files_changed: Count | UnsetType = UNSET
    test_coverage: Percent | UnsetType = UNSET
    code_quality_score: float | UnsetType = UNSET


class OrchestrationStarted(TrailFact, frozen=True, kw_only=True):
    """The work on an issue begins. Recorded by whoever starts it: the command, or the governed run.

    The `issue_key` is null where the run works without an issue.

    - `issue_summary`: the issue's title.
    - `issue_type`: the tracker's type, such as `Story` or `Bug`.
    - `priority`: the tracker's priority, such as `High`.
    - `labels`: the issue's labels.
    - `components`: the parts of the project that the issue is about.
    - `workflow_type`: which way of working is followed, such as `standard`.
    - `estimated_complexity`: how hard it is expected to be.
    - `initial_phase`: the phase that the orchestration starts in.
    - `config`: what was configured for it.
    """

    phase_field: ClassVar[str | None] = "initial_phase"

    issue_key: str | None
    initial_phase: str
    issue_summary: str | UnsetType = UNSET
    issue_type: str | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    labels: tuple[str, ...] | UnsetType = UNSET
    components: tuple[str, ...] | UnsetType = UNSET
    workflow_type: str | UnsetType = UNSET
    estimated_complexity: (
        Literal["trivial", "very_low", "low", "medium", "high", "very_high", "unknown"] | UnsetType
    ) = UNSET
    config: OrchestrationConfig | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        return line(f"{_work(self.issue_key)} starts in {self.initial_phase}" + told(": {}", self.issue_summary))


class OrchestrationCompleted(TrailFact, frozen=True, kw_only=True):
    """The work on an issue is finished. Recorded by the orchestrator.

    The `issue_key` is null where the run works without an issue.

    - `phases_completed`: the phases in the order in which they were completed.
    - `total_agents_spawned`: how many agents were started.
    - `total_commits`: how many commits were made.
    - `total_prs`: how many pull requests were opened.
    - `final_state`: how it ended.
    - `outcome`: what it brought about.
    - `metrics`: the measures of the result.
    """

    phase_field: ClassVar[str | None] = None

    issue_key: str | None
    duration_seconds: Seconds
    phases_completed: tuple[str, ...] | UnsetType = UNSET
    total_agents_spawned: Count | UnsetType = UNSET
    total_commits: Count | UnsetType = UNSET
    total_prs: Count | UnsetType = UNSET
    final_state: Literal["success", "success_with_warnings", "partial_success", "failed", "cancelled"] | UnsetType = (
        UNSET
    )
    outcome: OrchestrationOutcome | UnsetType = UNSET
    metrics: OrchestrationMetrics | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        phases = told(", {}", self.phases_completed, lambda done: counted(len(done), "phase"))
        commits = told(", {}", self.total_commits, lambda total: counted(total, "commit"))
        state = told(": {}", self.final_state, lambda word: word.replace("_", " "))
        took = seconds(self.duration_seconds)
        return line(f"{_work(self.issue_key)} is finished after {took}{phases}{commits}{state}")


class OrchestrationFailed(TrailFact, frozen=True, kw_only=True):
    """The work on an issue ends without its result. Recorded by the orchestrator.

    The `issue_key` is null where the run works without an issue.

    - `failure_phase`: the phase that it failed in.
    - `failure_reason`: why, in one sentence.
    - `error_message`: the error behind the reason, as it was printed.
    - `error_stack`: where in the program the error arose.
    - `recovery_attempted`: true where something was tried to recover.
    - `recovery_successful`: true where that helped.
    - `rollback_state`: what the failure left behind.
    - `next_actions`: what a person can do now.
    """

    phase_field: ClassVar[str | None] = "failure_phase"

    issue_key: str | None
    failure_reason: str
    failure_phase: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET
    error_stack: str | UnsetType = UNSET
    recovery_attempted: bool | UnsetType = UNSET
    recovery_successful: bool | UnsetType = UNSET
    rollback_state: RollbackState | UnsetType = UNSET
    next_actions: tuple[str, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        where = told(" in {}", self.failure_phase)
        return line(f"{_work(self.issue_key)} fails{where}" + told(": {}", self.failure_reason))


class OrchestrationPaused(TrailFact, frozen=True, kw_only=True):
    """The work on an issue waits, for a person or a condition. Recorded by the orchestrator.

    The `issue_key` is null where the run works without an issue.

    - `pause_reason`: why it waits, such as `manual_intervention_required`.
    - `current_phase`: the phase that it waits in.
    - `blocking_issue`: what it waits for, in words.
    - `can_resume`: true where it can go on from here.
    - `resume_conditions`: what has to hold before it goes on.
    - `snapshot_created`: true where the state was kept.
    - `snapshot_id`: the snapshot that holds it.
    """

    phase_field: ClassVar[str | None] = "current_phase"

    issue_key: str | None
    pause_reason: str
    current_phase: str | UnsetType = UNSET
    blocking_issue: str | UnsetType = UNSET
    can_resume: bool | UnsetType = UNSET
    resume_conditions: tuple[str, ...] | UnsetType = UNSET
    snapshot_created: bool | UnsetType = UNSET
    snapshot_id: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        where = told(" in {}", self.current_phase)
        reason = told(" ({})", self.pause_reason.replace("_", " "))
        return line(f"{_work(self.issue_key)} pauses{where}{reason}" + told(": {}", self.blocking_issue))


class OrchestrationResumed(TrailFact, frozen=True, kw_only=True):
    """The work on an issue goes on after a pause. Recorded by whoever lets it go on.

    The `issue_key` is null where the run works without an issue.

    - `paused_at`: when it paused.
    - `resumed_at`: when it went on.
    - `pause_duration_seconds`: how long it waited.
    - `snapshot_restored`: true where the state was taken from the snapshot of the pause.
    - `state_validated`: true where the state was checked before going on.
    - `resume_phase`: the phase that it goes on in.
    """

    phase_field: ClassVar[str | None] = "resume_phase"

    issue_key: str | None
    paused_at: Moment | UnsetType = UNSET
    resumed_at: Moment | UnsetType = UNSET
    pause_duration_seconds: Seconds | UnsetType = UNSET
    snapshot_restored: bool | UnsetType = UNSET
    state_validated: bool | UnsetType = UNSET
    resume_phase: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        where = told(" in {}", self.resume_phase)
        waited = told(" after a pause of {}", self.pause_duration_seconds, seconds)
        return line(f"{_work(self.issue_key)} goes on{where}{waited}")


class AgentMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent took of a process of the run.

    - `agent_name`: the agent.
    - `calls`: how often it was asked.
    - `seconds`: how long it worked, all calls together.
    """

    agent_name: str
    calls: Count
    seconds: Seconds


class RunMeasured(TrailFact, frozen=True, kw_only=True):
    """A process of the governed run is over, and this is where its time went. Recorded by the orchestrator.

    It changes no state: no decision rests on it.

    - `run_id`: the run; several processes may have worked on it.
    - `cpu_seconds`: the processor time of the orchestrator alone, without its agents' programs.
    - `calls`: how often an agent was asked.
    - `agent_seconds`: how long the agents worked, all calls together.
    - `busy_seconds`: how long at least one agent worked.
    - `agents`: the same by agent.
    """

    phase_field: ClassVar[str | None] = None
    agent_field: ClassVar[str | None] = None

    duration_seconds: Seconds
    run_id: str | UnsetType = UNSET
    cpu_seconds: Seconds | UnsetType = UNSET
    calls: Count | UnsetType = UNSET
    agent_seconds: Seconds | UnsetType = UNSET
    busy_seconds: Seconds | UnsetType = UNSET
    agents: tuple[AgentMeasured, ...] | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        run = told("{} ", self.run_id)
        calls = told(", {}", self.calls, lambda total: counted(total, "call"))
        busy = told(", agents worked {}", self.busy_seconds, seconds)
        return line(f"{run}was at work for {seconds(self.duration_seconds)}{calls}{busy}")


def _work(issue_key: str | None) -> str:
    return issue_key or "the run"
