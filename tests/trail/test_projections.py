"""The projections of the trail: agents, timeline, phases, quality, gaps, failures."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.trail.event import Actor, TrailEvent
from esaa.trail.views.agent_metrics import AgentMetric, agent_metrics
from esaa.trail.views.durations import seconds_between
from esaa.trail.views.failure_kinds import failure_of, subjects_of_success
from esaa.trail.views.failures import FailureStory, failures
from esaa.trail.views.gaps import GapStory, gaps
from esaa.trail.views.phases import PhaseRun, phases
from esaa.trail.views.quality import Quality, quality
from esaa.trail.views.timeline import timeline
from esaa.trail.wire import event_view
from tests.trail.metadata_examples import EXAMPLES, SUMMARIES
from tests.trail.scenes import TYPES, Act, clock, event_id, happened, pairs, scene, scenes
from tests.trail.write_expected_folds import PAGE, expected_folds

SPECIFIED_METRICS = (
    "spawned_at",
    "completed_at",
    "duration_seconds",
    "status",
    "outputs_created",
    "quality_score",
    "failure_reason",
)


def project_agent_metrics(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The specification's text as a function."""
    metrics: dict[str, Any] = {}
    for event in events:
        metadata = event["metadata"]
        name = metadata.get("agent_name")
        if event["event_type"] == "AgentSpawned":
            metrics[name] = {
                "spawned_at": event["timestamp"],
                "completed_at": None,
                "duration_seconds": None,
                "status": "active",
                "outputs_created": [],
                "quality_score": None,
            }
        elif event["event_type"] == "AgentCompleted" and name in metrics:
            metrics[name]["completed_at"] = event["timestamp"]
            metrics[name]["duration_seconds"] = metadata["duration_seconds"]
            metrics[name]["status"] = "completed"
            metrics[name]["outputs_created"] = metadata["outputs_created"]
            metrics[name]["quality_score"] = metadata.get("quality_metrics", {}).get("maintainability_score")
        elif event["event_type"] == "AgentFailed" and name in metrics:
            metrics[name]["status"] = "failed"
            metrics[name]["failure_reason"] = metadata["failure_reason"]
    return metrics


def project_timeline(events: list[dict[str, Any]], summaries: list[str]) -> list[dict[str, Any]]:
    """The specification's text as a function."""
    told = [
        {
            "timestamp": event["timestamp"],
            "event_type": event["event_type"],
            "actor": event["actor"]["id"],
            "summary": summary,
        }
        for event, summary in zip(events, summaries, strict=True)
    ]
    return sorted(told, key=lambda entry: entry["timestamp"])


@given(scenes("AgentSpawned", "AgentCompleted", "AgentFailed", "TaskClaimed", "ToolCompleted"))
@settings(max_examples=200)
def test_metrics_of_spawned_agents_are_the_specified_projection(events: list[TrailEvent]) -> None:
    found = {
        name: {key: value for key, value in msgspec.to_builtins(metric).items() if key in SPECIFIED_METRICS}
        for name, metric in agent_metrics(pairs(events)).items()
        if metric.spawned_at is not None
    }
    assert found == project_agent_metrics([event_view(event) for event in events])


def test_metrics_of_an_agent_begin_with_the_specified_keys() -> None:
    keys = tuple(msgspec.to_builtins(AgentMetric(failure_reason="x")))
    assert keys[: len(SPECIFIED_METRICS)] == SPECIFIED_METRICS
    assert "failure_reason" not in msgspec.to_builtins(AgentMetric())


def test_metrics_of_all_runs_of_an_agent_are_added_up() -> None:
    ann = {"agent_name": "ann"}
    written = EXAMPLES["FileWritten"] | ann
    told: list[Act] = [
        ("AgentSpawned", ann | {"agent_model": "haiku"}),
        ("AgentBlocked", ann | {"blocked_by": "x"}),
        ("TaskClaimed", ann | {"task_id": "T-1"}),
        ("OutputRejected", ann | {"error_code": "X", "count": 2}),
        ("OutputRejected", ann | {"error_code": "X"}),
        ("FileWritten", written | {"path": "a"}),
        ("FileWritten", written | {"path": "a"}),
        ("FileDeleted", ann | {"path": "b"}),
        ("PromptSubmitted", ann | {"prompt_sha256": "a" * 64}),
        ("ResponseReceived", ann | {"tokens_in": 5, "tokens_out": 2, "cost_micro_usd": 9, "model": "sonnet"}),
        ("ToolCompleted", ann | {"tool_name": "Bash"}),
        ("ToolFailed", ann | {"tool_name": "Bash", "error_message": "x"}),
        ("ToolDenied", ann | {"tool_name": "Edit", "reason": "x"}),
        ("TaskCompleted", ann | {"task_id": "T-1"}),
        ("TaskDone", ann | {"task_id": "T-1"}),
        ("CommitCreated", {"commit_sha": "a", "commit_message": "b", "agent_author": "ann"}),
        ("GapIdentified", {"gap_id": "g", "severity": "low", "description": "d", "identified_by": "ann"}),
        ("GapResolved", {"gap_id": "g", "resolved_by": "ann"}),
        ("AgentCompleted", ann | {"duration_seconds": 30, "outputs_created": ["a"]}),
        ("AgentSpawned", ann),
        ("AgentFailed", ann | {"failure_reason": "crash"}),
        ("ErrorOccurred", EXAMPLES["ErrorOccurred"]),
    ]
    metrics = agent_metrics(pairs(scene(*told)))
    assert list(metrics) == ["ann"]
    metric = metrics["ann"]
    assert (metric.runs, metric.completions, metric.failures, metric.blocks) == (2, 1, 1, 1)
    assert (metric.tasks_claimed, metric.tasks_delivered, metric.tasks_done, metric.rejected_outputs) == (1, 1, 1, 3)
    assert (metric.files_written, metric.commits, metric.gaps_identified, metric.gaps_resolved) == (2, 1, 1, 1)
    assert (metric.prompts, metric.tokens_in, metric.tokens_out, metric.cost_micro_usd) == (1, 5, 2, 9)
    assert (metric.tools_used, metric.tools_denied, metric.model) == ({"Bash": 2}, 1, "sonnet")
    assert (metric.total_seconds, metric.duration_seconds, metric.spawned_at) == (30, None, clock(20))


def test_sums_of_a_session_count_where_its_responses_were_not_recorded() -> None:
    ended = {"agent_name": "ann", "tokens_in": 100, "tokens_out": 10, "cost_micro_usd": 1}
    events = [
        happened(1, "SessionStarted", {"agent_name": "ann", "model": "sonnet"}, session_id="told"),
        happened(2, "ResponseReceived", {"agent_name": "ann", "tokens_in": 7}, session_id="told"),
        happened(3, "SessionEnded", ended, session_id="told"),
        happened(4, "SessionEnded", ended, session_id="untold"),
    ]
    for told in (events, [*events[2:], *events[:2]]):
        metric = agent_metrics(pairs(told))["ann"]
        assert (metric.tokens_in, metric.tokens_out, metric.cost_micro_usd, metric.model) == (107, 10, 1, "sonnet")


def test_model_is_the_one_that_was_named_last() -> None:
    ann = {"agent_name": "ann"}
    names: list[Act] = [
        ("AgentSpawned", ann | {"agent_model": "one"}),
        ("SessionStarted", ann | {"model": "two"}),
        ("PromptSubmitted", ann | {"prompt_sha256": "a" * 64, "model": "three"}),
        ("ResponseReceived", ann | {"model": "four"}),
        ("ResponseReceived", ann),
    ]
    models = [agent_metrics(pairs(scene(*names[: count + 1])))["ann"].model for count in range(5)]
    assert models == ["one", "two", "three", "four", "four"]


def test_agent_that_acts_without_being_named_is_the_actor() -> None:
    used = EXAMPLES["ToolCompleted"] | {"tool_name": "Bash"}
    used.pop("agent_name")
    events = [
        happened(1, "ToolCompleted", used, actor=Actor(type="agent", id="bob")),
        happened(2, "ToolCompleted", used, actor=Actor(type="user", id="eve")),
    ]
    metrics = agent_metrics(pairs(events))
    assert list(metrics) == ["bob"]
    assert (metrics["bob"].status, metrics["bob"].tools_used) == ("unspawned", {"Bash": 1})


@given(scenes(), st.randoms(use_true_random=False))
def test_timeline_is_the_specified_projection_in_any_order(events: list[TrailEvent], shuffled: Any) -> None:
    mixed = list(events)
    shuffled.shuffle(mixed)
    summaries = [fact.summary() for _, fact in pairs(mixed)]
    entries = msgspec.to_builtins(timeline(pairs(mixed)))
    assert [{key: entry[key] for key in ("timestamp", "event_type", "actor", "summary")} for entry in entries] == (
        project_timeline([event_view(event) for event in mixed], summaries)
    )
    assert [entry["sequence"] for entry in entries] == [event.version for event in events]
    assert [entry["event_id"] for entry in entries] == [event.event_id for event in events]


def test_timeline_of_one_moment_is_in_the_order_of_the_sequence() -> None:
    at_once = [happened(number, "PhaseStarted", EXAMPLES["PhaseStarted"], ts=clock(1)) for number in (3, 1, 2)]
    assert [entry.sequence for entry in timeline(pairs(at_once))] == [1, 2, 3]
    assert timeline(pairs(at_once))[0].summary == SUMMARIES["PhaseStarted"]


def test_projections_of_all_examples_are_as_kept() -> None:
    kept = msgspec.json.decode(PAGE.read_bytes())
    found = expected_folds()
    for name in ("agent_metrics", "phases", "quality", "gaps", "failures"):
        assert found[name] == kept[name]


@given(scenes(size_max=40))
@settings(max_examples=150)
def test_every_projection_of_any_history_is_json(events: list[TrailEvent]) -> None:
    told = pairs(events)
    for result in (agent_metrics(told), timeline(told), phases(told), quality(told), gaps(told), failures(told)):
        msgspec.json.encode(result)


# Phases


def run_of(*acts: Act) -> list[PhaseRun]:
    return phases(pairs(scene(*acts)))


def brief(runs: list[PhaseRun]) -> list[tuple[str, str, str | None, str | None, float | None]]:
    return [(run.phase, run.status, run.started_at, run.completed_at, run.duration_seconds) for run in runs]


STARTED: Act = ("OrchestrationStarted", EXAMPLES["OrchestrationStarted"])


def phase(name: str, phase_name: str, **fields: Any) -> Act:
    told = {"PhaseFailed": {"failure_reason": "red"}, "PhaseCompleted": {}, "PhaseStarted": {}}[name]
    return name, {"phase": phase_name, **told, **fields}


def test_phases_follow_each_other_with_their_durations() -> None:
    runs = run_of(
        STARTED,
        phase("PhaseStarted", "EXPLORE"),
        ("AgentSpawned", {"agent_name": "ann"}),
        phase("PhaseCompleted", "EXPLORE", next_phase="PLAN", duration_seconds=77, agents_used=["ann", "bob"]),
        phase("PhaseCompleted", "PLAN", next_phase="CODE", quality_score=90, success_criteria_met=True),
        phase("PhaseStarted", "CODE"),
        ("TaskClaimed", {"agent_name": "cid", "task_id": "T-1"}),
    )
    assert brief(runs) == [
        ("EXPLORE", "completed", clock(2), clock(4), 77),
        ("PLAN", "completed", clock(4), clock(5), 60),
        ("CODE", "active", clock(6), None, None),
    ]
    assert [run.agents for run in runs] == [["ann", "bob"], [], ["cid"]]
    assert (runs[1].quality_score, runs[1].success_criteria_met) == (90, True)
    assert [(run.first_sequence, run.last_sequence) for run in runs] == [(2, 4), (4, 5), (6, None)]


def test_phase_that_is_tried_again_is_one_run_until_it_is_begun_anew() -> None:
    retried = run_of(
        phase("PhaseStarted", "TEST"),
        phase("PhaseFailed", "TEST"),
        phase("PhaseFailed", "TEST", retry_count=2),
        phase("PhaseCompleted", "TEST"),
    )
    assert brief(retried) == [("TEST", "completed", clock(1), clock(4), 180)]
    assert (retried[0].retries, retried[0].failure_reason) == (3, None)

    anew = run_of(phase("PhaseStarted", "TEST"), phase("PhaseFailed", "TEST"), phase("PhaseStarted", "TEST"))
    assert [(run.status, run.retries, run.failure_reason) for run in anew] == [
        ("failed", 0, "red"),
        ("active", 1, None),
    ]


def test_phase_that_is_begun_twice_was_interrupted() -> None:
    runs = run_of(phase("PhaseStarted", "CODE"), phase("PhaseStarted", "CODE"), phase("PhaseCompleted", "CODE"))
    assert brief(runs) == [
        ("CODE", "interrupted", clock(1), clock(2), 60),
        ("CODE", "completed", clock(2), clock(3), 60),
    ]


def test_phase_that_was_never_begun_has_an_end() -> None:
    assert brief(run_of(phase("PhaseCompleted", "CODE"), phase("PhaseCompleted", "CODE", duration_seconds=5))) == [
        ("CODE", "completed", None, clock(1), None),
        ("CODE", "completed", None, clock(2), 5),
    ]


def test_phase_that_is_announced_while_it_runs_is_the_same_run() -> None:
    runs = run_of(
        phase("PhaseStarted", "CODE"),
        phase("PhaseCompleted", "PLAN", next_phase="CODE"),
        phase("PhaseCompleted", "CODE"),
    )
    assert [(run.phase, run.started_at) for run in runs] == [("CODE", clock(1)), ("PLAN", None)]
    again = run_of(
        phase("PhaseCompleted", "PLAN", next_phase="CODE"),
        phase("PhaseCompleted", "CODE"),
        phase("PhaseStarted", "CODE"),
    )
    assert [(run.phase, run.status) for run in again] == [
        ("PLAN", "completed"),
        ("CODE", "completed"),
        ("CODE", "active"),
    ]


def test_end_of_the_work_ends_its_phases() -> None:
    begun = (phase("PhaseStarted", "CODE"), phase("PhaseStarted", "TEST"))
    completed = run_of(*begun, ("OrchestrationCompleted", EXAMPLES["OrchestrationCompleted"]))
    assert [(run.phase, run.status) for run in completed] == [("CODE", "interrupted"), ("TEST", "interrupted")]
    failed = run_of(*begun, ("OrchestrationFailed", EXAMPLES["OrchestrationFailed"]))
    assert [(run.phase, run.status, run.failure_reason) for run in failed] == [
        ("CODE", "interrupted", None),
        ("TEST", "failed", "Integration tests failed"),
    ]
    assert run_of(("AgentSpawned", {"agent_name": "ann"})) == []


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (clock(0), clock(1.5), 90.0),
        (clock(2), clock(1), 0.0),
        (None, clock(1), None),
        (clock(1), None, None),
        ("yesterday", clock(1), None),
        ("2025-12-22T10:00:00", clock(1), None),
    ],
)
def test_seconds_between_two_timestamps(start: str | None, end: str | None, seconds: float | None) -> None:
    assert seconds_between(start, end) == seconds


# Quality


def quality_of(*acts: Act) -> Quality:
    return quality(pairs(scene(*acts)))


def test_quality_is_told_with_scores_rates_and_coverage() -> None:
    found = quality_of(
        ("QualityCheckCompleted", EXAMPLES["QualityCheckCompleted"]),
        ("QualityCheckCompleted", {"check_type": "lint", "passed_quality_gate": False}),
        ("QualityCheckFailed", EXAMPLES["QualityCheckFailed"]),
        ("QualityCheckFailed", {"check_type": "lint", "failure_reason": "no linter"}),
        ("TestRunCompleted", EXAMPLES["TestRunCompleted"]),
        ("TestRunCompleted", {"test_suite": "e2e", "total_tests": 10, "passed": 2, "failed": 0, "skipped": 8}),
        ("TestRunFailed", EXAMPLES["TestRunFailed"]),
        ("TestRunCompleted", {"test_suite": "x", "total_tests": 0, "passed": 0, "failed": 0, "coverage": {}}),
        ("PhaseStarted", {"phase": "CODE"}),
    )
    assert [(check.check_type, check.is_passed) for check in found.checks] == [
        ("code_review", True),
        ("lint", False),
        ("security_scan", False),
        ("lint", False),
    ]
    assert (found.checks_passed, found.checks_failed, found.check_pass_rate) == (1, 3, 0.25)
    assert found.latest_scores == {"code_review": 92}
    assert [(point.timestamp, point.score) for point in found.scores] == [(clock(1), 92)]
    assert (found.checks[2].issues_found, found.checks[2].blocking, found.checks[3].issues_found) == (1, True, None)
    assert [(test.test_suite, test.status) for test in found.tests] == [
        ("unit", "failed"),
        ("e2e", "passed"),
        ("integration", "aborted"),
        ("x", "passed"),
    ]
    assert (found.tests_run, found.tests_passed, found.tests_failed, found.runs_aborted) == (160, 150, 2, 1)
    assert found.test_pass_rate == 150 / 152
    assert found.latest_coverage == 87.5
    assert [point.branches for point in found.coverage] == [82.3, None]


def test_measures_of_the_whole_are_the_last_points() -> None:
    metrics = {"issue_key": "PROJ-123", "duration_seconds": 1, "metrics": {"test_coverage": 90}}
    found = quality_of(
        ("OrchestrationCompleted", EXAMPLES["OrchestrationCompleted"]),
        ("OrchestrationCompleted", metrics),
        ("OrchestrationCompleted", metrics | {"metrics": {"code_quality_score": 50}}),
        ("OrchestrationCompleted", {"issue_key": "PROJ-123", "duration_seconds": 1}),
    )
    assert [(point.score, point.check_type) for point in found.scores] == [(92, None), (50, None)]
    assert [(point.lines, point.test_suite) for point in found.coverage] == [(87.5, None), (90, None)]
    assert found.latest_coverage == 90


def test_quality_of_nothing_has_no_rates() -> None:
    assert msgspec.to_builtins(quality_of()) == msgspec.to_builtins(Quality())
    assert (Quality().check_pass_rate, Quality().test_pass_rate) == (None, None)


# Gaps


def gaps_of(*acts: Act) -> list[GapStory]:
    return gaps(pairs(scene(*acts)))


def gap(gap_id: str, severity: str = "low", **fields: Any) -> Act:
    return "GapIdentified", {"gap_id": gap_id, "severity": severity, "description": "d", **fields}


def test_open_gaps_come_first_and_the_worst_of_them_before_all() -> None:
    told = gaps_of(
        gap("closed late", "critical"),
        gap("low"),
        gap("closed early"),
        gap("high", "high"),
        gap("high too", "high"),
        ("GapEscalated", {"gap_id": "never found", "escalation_reason": "x"}),
        ("GapResolved", {"gap_id": "closed early"}),
        ("GapResolved", {"gap_id": "closed late"}),
        ("PhaseStarted", {"phase": "CODE"}),
    )
    assert [one.gap_id for one in told] == ["high", "high too", "low", "never found", "closed early", "closed late"]
    assert [one.is_open for one in told] == [True, True, True, True, False, False]


def test_gaps_of_one_severity_are_in_the_order_in_which_they_were_identified() -> None:
    escalated: Act = ("GapEscalated", {"gap_id": "second", "escalation_reason": "x"})
    told = gaps_of(escalated, gap("first", "high"), gap("second", "high"))
    assert [one.gap_id for one in told] == ["first", "second"]


def test_gap_is_told_from_its_finding_to_its_end() -> None:
    (told,) = gaps_of(
        ("GapIdentified", EXAMPLES["GapIdentified"]),
        (
            "GapEscalated",
            {"gap_id": "gap-auth-123", "escalation_reason": "r", "escalated_to": "team", "blocking_deployment": True},
        ),
        ("GapResolved", {"gap_id": "gap-auth-123", "resolved_by": "ann", "resolution_strategy": "tests"}),
    )
    assert (told.status, told.severity, told.gap_type, told.phase) == ("resolved", "high", "missing_tests", "TEST")
    assert (told.identified_at, told.identified_by, told.blocking) == (clock(1), "test-strategist", True)
    assert (told.escalated_at, told.escalated_to, told.blocking_deployment) == (clock(2), "team", True)
    assert (told.resolved_at, told.resolved_by, told.time_to_resolve_seconds) == (clock(3), "ann", 120)
    assert told.affected_modules == ["auth/login", "auth/logout", "auth/refresh"]


def test_time_to_resolve_is_the_one_that_was_told() -> None:
    (told,) = gaps_of(gap("g"), ("GapResolved", {"gap_id": "g", "time_to_resolve_seconds": 5}))
    assert told.time_to_resolve_seconds == 5


def test_gap_that_comes_back_is_open_again() -> None:
    closed: Act = ("GapResolved", {"gap_id": "g"})
    (told,) = gaps_of(gap("g", phase="CODE"), closed, gap("g", "high"))
    assert (told.status, told.severity, told.phase, told.times_identified) == ("open", "high", "CODE", 2)
    assert (told.resolved_at, told.resolved_by, told.time_to_resolve_seconds) == (None, None, None)
    (told,) = gaps_of(gap("g"), closed, gap("g"), closed)
    assert (told.identified_at, told.time_to_resolve_seconds) == (clock(1), 60)


def test_gap_of_which_only_the_end_was_recorded_is_there() -> None:
    (told,) = gaps_of(
        ("GapResolved", {"gap_id": "g"}), ("GapEscalated", {"gap_id": "g", "escalation_reason": "x", "severity": "low"})
    )
    assert (told.status, told.identified_at, told.time_to_resolve_seconds, told.severity) == (
        "resolved",
        None,
        None,
        "low",
    )
    assert told.resolved_by == "orchestrator"


# Failures


def failures_of(*acts: Act) -> list[FailureStory]:
    return failures(pairs(scene(*acts)))


ERROR: Act = ("ErrorOccurred", EXAMPLES["ErrorOccurred"])


def test_error_is_told_with_its_recoveries_and_its_outcome() -> None:
    attempt: Act = ("RecoveryAttempted", {"recovery_from": event_id(1)})
    (told,) = failures_of(ERROR, attempt, attempt)
    assert (told.kind, told.about, told.code) == ("error", "integration_failure", "JIRA_API_TIMEOUT")
    assert (told.outcome, told.attempts, told.ended_at, told.is_open) == ("recovering", 2, None, True)
    assert [step.event_type for step in told.recoveries] == ["RecoveryAttempted", "RecoveryAttempted"]

    (told,) = failures_of(ERROR, attempt, ("RecoverySucceeded", {"recovery_from": event_id(1), "recovery_attempt": 3}))
    assert (told.outcome, told.attempts, told.ended_at, told.ended_by) == ("recovered", 3, clock(3), event_id(3))
    assert told.is_open is False

    (told,) = failures_of(ERROR, ("RecoveryFailed", {"recovery_from": event_id(1)}), attempt)
    assert (told.outcome, told.ended_at) == ("recovering", None)
    (told,) = failures_of(ERROR, ("RecoveryFailed", {"recovery_from": event_id(1)}))
    assert told.outcome == "unrecovered"


def test_recovery_is_found_by_its_cause_where_it_names_no_event() -> None:
    elsewhere = {"recovery_from": "event-error-12345"}
    events = [
        happened(1, *ERROR),
        happened(2, "RecoveryAttempted", elsewhere, causation_id=event_id(1)),
        happened(3, "RecoverySucceeded", elsewhere, causation_id=event_id(2)),
    ]
    (told,) = failures(pairs(events))
    assert (told.event_id, told.outcome, len(told.recoveries)) == (event_id(1), "recovered", 2)


def test_recoveries_from_something_unrecorded_are_a_failure_of_an_unknown_kind() -> None:
    names = ("RecoveryAttempted", "RecoverySucceeded")
    (told,) = failures_of(*((name, EXAMPLES[name]) for name in names))
    assert (told.event_id, told.kind, told.timestamp) == ("event-error-12345", "unknown", None)
    assert (told.outcome, len(told.recoveries)) == ("recovered", 2)


REDRESS: list[tuple[Act, Act]] = [
    (
        ("AgentFailed", {"agent_name": "ann", "failure_reason": "x"}),
        ("AgentCompleted", {"agent_name": "ann", "duration_seconds": 1, "outputs_created": []}),
    ),
    (
        (
            "AgentCompleted",
            {"agent_name": "ann", "duration_seconds": 1, "outputs_created": [], "task_status": "failed"},
        ),
        (
            "AgentCompleted",
            {"agent_name": "ann", "duration_seconds": 1, "outputs_created": [], "task_status": "success"},
        ),
    ),
    (phase("PhaseFailed", "TEST"), phase("PhaseCompleted", "TEST")),
    (
        ("QualityCheckFailed", {"check_type": "lint", "failure_reason": "x"}),
        ("QualityCheckCompleted", {"check_type": "lint", "passed_quality_gate": True}),
    ),
    (
        ("QualityCheckCompleted", {"check_type": "lint", "passed_quality_gate": False, "issues_found": 3}),
        ("QualityCheckCompleted", {"check_type": "lint", "passed_quality_gate": True}),
    ),
    (
        ("TestRunFailed", {"test_suite": "unit", "failure_reason": "x"}),
        ("TestRunCompleted", {"test_suite": "unit", "total_tests": 1, "passed": 1, "failed": 0}),
    ),
    (
        ("TestRunCompleted", {"test_suite": "unit", "total_tests": 2, "passed": 1, "failed": 1}),
        ("TestRunCompleted", {"test_suite": "unit", "total_tests": 1, "passed": 1, "failed": 0}),
    ),
    (
        ("CiRunFailed", {"ci_run_id": "1", "workflow": "test", "failure_reason": "x"}),
        ("CiRunCompleted", {"ci_run_id": "2", "workflow": "test", "status": "success"}),
    ),
    (
        ("CiRunCompleted", {"ci_run_id": "1", "status": "timed_out"}),
        ("CiRunCompleted", {"ci_run_id": "1", "status": "passed"}),
    ),
    (
        ("DeploymentFailed", {"deployment_id": "1", "environment": "prod", "failure_reason": "x"}),
        ("DeploymentCompleted", {"deployment_id": "2", "environment": "prod"}),
    ),
    (
        ("OutputRejected", {"error_code": "X", "task_id": "T-1"}),
        ("TaskCompleted", {"task_id": "T-1", "agent_name": "ann"}),
    ),
    (("OutputRejected", {"error_code": "X", "task_id": "T-1"}), ("TaskDone", {"task_id": "T-1"})),
    (
        ("ExternalCallFailed", {"system": "jira", "operation": "get", "error_message": "x", "target": "PROJ-1"}),
        ("ExternalCallCompleted", {"system": "jira", "operation": "get", "target": "PROJ-1"}),
    ),
    (
        ("OrchestrationFailed", {"issue_key": "PROJ-123", "failure_reason": "x"}),
        ("OrchestrationResumed", {"issue_key": "PROJ-123"}),
    ),
    (("OrchestrationFailed", {"issue_key": "PROJ-123", "failure_reason": "x"}), STARTED),
    (
        ("OrchestrationFailed", {"issue_key": "PROJ-123", "failure_reason": "x"}),
        ("OrchestrationCompleted", EXAMPLES["OrchestrationCompleted"]),
    ),
]


@pytest.mark.parametrize(("failed", "redress"), REDRESS, ids=[f"{one[0]}-{other[0]}" for one, other in REDRESS])
def test_failure_is_overcome_by_a_later_success_of_the_same(failed: Act, redress: Act) -> None:
    (open_still,) = failures_of(redress, failed)
    assert open_still.outcome == "open"
    (told,) = failures_of(failed, redress)
    assert (told.outcome, told.ended_at, told.ended_by) == ("overcome", clock(2), event_id(2))


def test_failure_is_not_overcome_by_a_success_of_something_else() -> None:
    told = failures_of(
        ("AgentFailed", {"agent_name": "ann", "failure_reason": "x"}),
        ("OutputRejected", {"error_code": "X", "agent_name": "ann", "reason": "schema_violation"}),
        ("ToolFailed", {"tool_name": "Bash", "error_message": "x", "error_type": "Timeout"}),
        ("CiRunCompleted", {"ci_run_id": "1", "status": "failure"}),
        ("AgentCompleted", {"agent_name": "bob", "duration_seconds": 1, "outputs_created": []}),
        (
            "AgentCompleted",
            {"agent_name": "ann", "duration_seconds": 1, "outputs_created": [], "task_status": "cancelled"},
        ),
        ("ToolCompleted", {"tool_name": "Bash"}),
        ("CiRunCompleted", {"ci_run_id": "1", "status": "cancelled"}),
    )
    assert [(one.kind, one.about, one.message, one.outcome) for one in told] == [
        ("agent", "ann", "x", "open"),
        ("output", "ann", "schema_violation", "open"),
        ("tool", "Bash", "x", "open"),
        ("ci", "1", "the run ends: failure", "open"),
    ]


def test_recovered_failure_stays_recovered_when_the_same_succeeds_later() -> None:
    (told,) = failures_of(
        ("AgentFailed", {"agent_name": "ann", "failure_reason": "x"}),
        ("RecoverySucceeded", {"recovery_from": event_id(1)}),
        ("AgentCompleted", {"agent_name": "ann", "duration_seconds": 1, "outputs_created": []}),
    )
    assert (told.outcome, told.ended_at) == ("recovered", clock(2))


def test_rollback_is_what_was_done_about_a_failed_deployment() -> None:
    failed: Act = ("DeploymentFailed", {"deployment_id": "1", "environment": "prod", "failure_reason": "x"})
    back: Act = ("DeploymentRolledBack", {"deployment_id": "1", "environment": "prod", "reason": "x"})
    (told,) = failures_of(back, failed, back)
    assert (told.outcome, told.ended_at, len(told.recoveries)) == ("rolled_back", clock(3), 1)
    (told,) = failures_of(failed, ("RecoveryFailed", {"recovery_from": event_id(1)}), back)
    assert (told.outcome, len(told.recoveries)) == ("unrecovered", 2)


def test_refused_outputs_are_one_failure_with_their_count() -> None:
    (told,) = failures_of(("OutputRejected", EXAMPLES["OutputRejected"] | {"count": 3}))
    assert (told.kind, told.code, told.count) == ("output", "BOUNDARY_VIOLATION", 3)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_fact_whose_name_tells_of_a_failure_is_one(name: str) -> None:
    fact = TYPES.fact_of(happened(1, name, EXAMPLES[name]))
    if name.endswith(("Failed", "Rejected", "ErrorOccurred")) and name != "RecoveryFailed":
        assert failure_of(fact) is not None
        assert subjects_of_success(fact) == ()
    elif name.endswith(("Started", "Requested", "Created")):
        assert failure_of(fact) is None
