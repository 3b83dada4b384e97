"""The folded state: what the specification's `project_orchestration_state` gives, and what every further event adds."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.trail.event import TrailEvent
from esaa.trail.evolve import FOLDS, UNCHANGING, evolve
from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.gaps import GapIdentified
from esaa.trail.registry import FAMILIES, TRAIL_TYPES
from esaa.trail.state import (
    SPECIFIED_FIELDS,
    OrchestrationState,
    copy_state,
    decode_state,
    encode_state,
)
from esaa.trail.state_audit import faults, warnings
from esaa.trail.wire import event_view
from tests.trail.metadata_examples import EXAMPLES, SUMMARIES
from tests.trail.scenes import Act, clock, event_id, fold, happened, scene, scenes
from tests.trail.write_expected_folds import PAGE, marks

SPECIFIED_ACTS = (
    "OrchestrationStarted",
    "PhaseCompleted",
    "AgentSpawned",
    "AgentCompleted",
    "AgentFailed",
    "GapIdentified",
    "GapResolved",
    "CommitCreated",
    "PRCreated",
    "OrchestrationCompleted",
    "OrchestrationFailed",
    "OrchestrationPaused",
    "OrchestrationResumed",
)
"""What the specification's projection reads."""


def project_orchestration_state(  # noqa: C901 (one function, as in the specification)
    events: list[dict[str, Any]], *, ours: bool
) -> dict[str, Any]:
    """The specification's text as a function. `ours` adds what is decided where the text is silent: the end is taken
    back when the work goes on, and whatever names the phase that the work is in sets it."""
    state: dict[str, Any] = {
        "issue_key": None,
        "session_id": None,
        "status": "not_started",
        "current_phase": None,
        "completed_phases": [],
        "active_agents": [],
        "completed_agents": [],
        "failed_agents": [],
        "identified_gaps": [],
        "resolved_gaps": [],
        "commits": [],
        "prs": [],
        "started_at": None,
        "completed_at": None,
        "duration_seconds": None,
    }
    for event in events:
        kind, metadata = event["event_type"], event["metadata"]
        if ours and kind in {"OrchestrationStarted", "OrchestrationPaused", "OrchestrationResumed"}:
            state["completed_at"] = state["duration_seconds"] = None
        if kind == "OrchestrationStarted":
            state["issue_key"] = metadata["issue_key"]
            state["session_id"] = event["session_id"]
            state["status"] = "in_progress"
            state["current_phase"] = metadata["initial_phase"]
            state["started_at"] = event["timestamp"]
        elif kind == "PhaseCompleted":
            state["completed_phases"].append(metadata["phase"])
            if metadata.get("next_phase"):
                state["current_phase"] = metadata["next_phase"]
        elif kind == "AgentSpawned":
            state["active_agents"].append(metadata["agent_name"])
        elif kind in {"AgentCompleted", "AgentFailed"}:
            name = metadata["agent_name"]
            if name in state["active_agents"]:
                state["active_agents"].remove(name)
            state["completed_agents" if kind == "AgentCompleted" else "failed_agents"].append(name)
        elif kind == "GapIdentified":
            state["identified_gaps"].append(metadata)
        elif kind == "GapResolved":
            state["resolved_gaps"].append(metadata["gap_id"])
            state["identified_gaps"] = [gap for gap in state["identified_gaps"] if gap["gap_id"] != metadata["gap_id"]]
        elif kind == "CommitCreated":
            state["commits"].append(
                {
                    "sha": metadata["commit_sha"],
                    "message": metadata["commit_message"],
                    "timestamp": event["timestamp"],
                }
            )
        elif kind == "PRCreated":
            state["prs"].append(metadata)
        elif kind == "OrchestrationCompleted":
            state["status"] = "completed"
            state["completed_at"] = event["timestamp"]
            state["duration_seconds"] = metadata["duration_seconds"]
        elif kind == "OrchestrationFailed":
            state["status"] = "failed"
            state["completed_at"] = event["timestamp"]
        elif kind == "OrchestrationPaused":
            state["status"] = "paused"
            if ours and "current_phase" in metadata:
                state["current_phase"] = metadata["current_phase"]
        elif kind == "OrchestrationResumed":
            state["status"] = "in_progress"
            if ours and "resume_phase" in metadata:
                state["current_phase"] = metadata["resume_phase"]
        elif kind == "PhaseStarted" and ours:
            state["current_phase"] = metadata["phase"]
    return state


def as_specified(state: OrchestrationState) -> dict[str, Any]:
    """The state with the keys of the specification's projection, and nothing that is ours in its lists."""
    view: dict[str, Any] = msgspec.json.decode(encode_state(state))
    view["commits"] = [{key: one[key] for key in ("sha", "message", "timestamp")} for one in view["commits"]]
    view["prs"] = [{key: value for key, value in one.items() if key != "status"} for one in view["prs"]]
    return {key: view[key] for key in project_orchestration_state([], ours=False)}


@given(scenes(*SPECIFIED_ACTS, "PhaseStarted"))
@settings(max_examples=200)
def test_fold_is_the_specified_projection(events: list[TrailEvent]) -> None:
    expected = project_orchestration_state([event_view(event) for event in events], ours=True)
    assert as_specified(fold(events)) == expected


@given(scenes(*SPECIFIED_ACTS[1:9]), st.sampled_from(["OrchestrationCompleted", "OrchestrationFailed"]))
@settings(max_examples=100)
def test_plain_story_folds_to_the_letter_of_the_specification(middle: list[TrailEvent], end: str) -> None:
    # From start to end without a pause: nothing that the specification leaves open.
    whole = [
        happened(1, "OrchestrationStarted", EXAMPLES["OrchestrationStarted"]),
        *(msgspec.structs.replace(event, version=event.version + 1) for event in middle),
        happened(len(middle) + 2, end, EXAMPLES[end]),
    ]
    expected = project_orchestration_state([event_view(event) for event in whole], ours=False)
    assert as_specified(fold(whole)) == expected


def test_every_specified_key_comes_first_in_its_order() -> None:
    view = msgspec.json.decode(encode_state(OrchestrationState()))
    assert tuple(view)[: len(SPECIFIED_FIELDS)] == SPECIFIED_FIELDS
    assert set(project_orchestration_state([], ours=False)) <= set(SPECIFIED_FIELDS)


STORY: list[Act] = [
    ("OrchestrationStarted", EXAMPLES["OrchestrationStarted"]),  # 1
    ("PhaseCompleted", {"phase": "EXPLORE", "duration_seconds": 1800, "next_phase": "PLAN"}),
    ("PhaseCompleted", {"phase": "PLAN", "duration_seconds": 600, "next_phase": "CODE"}),
    ("AgentSpawned", {"agent_name": "react-component-architect", "assigned_task": "Create LoginForm"}),
    ("AgentSpawned", {"agent_name": "api-integration-specialist", "assigned_task": "Login endpoint"}),
    ("CommitCreated", {"commit_sha": "abc123", "commit_message": "feat(auth): login form"}),  # 6
    ("CommitCreated", {"commit_sha": "def456", "commit_message": "feat(auth): login endpoint"}),
    ("GapIdentified", EXAMPLES["GapIdentified"]),  # 8
    ("AgentFailed", {"agent_name": "api-integration-specialist", "failure_reason": "Type mismatch"}),
    ("AgentSpawned", {"agent_name": "code-architect", "assigned_task": "Login endpoint"}),
    ("AgentCompleted", {"agent_name": "react-component-architect", "duration_seconds": 420, "outputs_created": []}),
    ("AgentCompleted", {"agent_name": "code-architect", "duration_seconds": 60, "outputs_created": []}),
    ("OrchestrationPaused", {"issue_key": "PROJ-123", "pause_reason": "manual_intervention_required"}),  # 13
    ("OrchestrationResumed", {"issue_key": "PROJ-123", "resume_phase": "TEST"}),
    ("GapResolved", {"gap_id": "gap-auth-123"}),
    ("PRCreated", EXAMPLES["PRCreated"]),  # 16
    ("PRMerged", EXAMPLES["PRMerged"]),
    ("OrchestrationCompleted", EXAMPLES["OrchestrationCompleted"]),  # 18
]


def test_story_of_an_issue_is_told_at_every_moment() -> None:
    events = scene(*STORY)

    at_work = fold(events[:8])
    assert at_work.issue_key == "PROJ-123"
    assert at_work.status == "in_progress"
    assert at_work.current_phase == "CODE"
    assert at_work.completed_phases == ["EXPLORE", "PLAN"]
    assert at_work.active_agents == ["react-component-architect", "api-integration-specialist"]
    assert [commit.sha for commit in at_work.commits] == ["abc123", "def456"]
    assert at_work.identified_gaps == [EXAMPLES["GapIdentified"]]
    assert [task.task_id for task in at_work.pending_tasks()] == ["Create LoginForm", "Login endpoint"]
    assert at_work.started_at == clock(1)

    failed = fold(events[:9])
    assert failed.failed_agents == ["api-integration-specialist"]
    assert failed.tasks["Login endpoint"].status == "todo"
    assert failed.tasks["Login endpoint"].owner is None

    paused = fold(events[:13])
    assert paused.status == "paused"
    assert paused.pause is not None
    assert (paused.pause.since, paused.pause.phase) == (clock(13), "CODE")
    assert paused.active_agents == []
    assert paused.completed_agents == ["react-component-architect", "code-architect"]
    assert paused.pending_tasks() == []

    done = fold(events)
    assert done.status == "completed"
    assert done.pause is None
    assert done.current_phase == "TEST"
    assert done.completed_at == clock(18)
    assert done.duration_seconds == 3600
    assert done.identified_gaps == []
    assert done.resolved_gaps == ["gap-auth-123"]
    assert (done.prs[0]["pr_number"], done.prs[0]["status"]) == (456, "merged")
    assert done.prs[0]["pr_title"] == EXAMPLES["PRCreated"]["pr_title"]
    assert done.result is not None
    assert done.result.final_state == "success"
    assert (done.last_sequence, done.last_event_at) == (18, clock(18))
    assert faults(done) == []
    assert warnings(done) == ["the orchestration came to 5 commits as it says, and 2 are recorded"]


@given(scenes(size_max=40), st.integers(0, 40))
@settings(max_examples=150)
def test_fold_of_a_split_history_is_the_fold_of_the_whole(events: list[TrailEvent], cut: int) -> None:
    whole = fold(events)
    first = fold(events[:cut])
    kept = encode_state(first)
    again = decode_state(kept)
    assert again == first
    assert encode_state(again) == kept
    fold(events[cut:], again)
    assert again == whole
    assert encode_state(again) == encode_state(whole)


@given(scenes(size_max=20), scenes(size_max=20))
def test_copy_is_not_touched_by_what_happens_to_the_original(before: list[TrailEvent], after: list[TrailEvent]) -> None:
    state = fold(before)
    kept, copied = encode_state(state), copy_state(state)
    fold(after, state)
    assert encode_state(copied) == kept


@given(scenes(size_max=40))
@settings(max_examples=300)
def test_no_history_leads_to_a_fault(events: list[TrailEvent]) -> None:
    state = OrchestrationState()
    for event in events:
        fold([event], state)
        assert faults(state) == []
        warnings(state)


def test_every_type_changes_the_state_or_is_listed_as_unchanging() -> None:
    assert set(FOLDS) | UNCHANGING == set(TRAIL_TYPES.values())
    assert not set(FOLDS) & UNCHANGING


def test_every_fold_takes_the_fact_that_it_is_registered_for() -> None:
    takes = {kind: get_type_hints(fold_one)["fact"] for kind, fold_one in FOLDS.items()}
    assert {kind.__name__ for kind, taken in takes.items() if taken not in {kind, TrailFact}} == set()


@pytest.mark.parametrize("name", sorted(TRAIL_TYPES))
def test_example_of_every_type_leaves_its_mark(name: str) -> None:
    before = OrchestrationState(last_sequence=1, last_event_at=clock(1))
    state = fold(scene((name, EXAMPLES[name])))
    assert faults(state) == []
    assert (state != before) == (TRAIL_TYPES[name] not in UNCHANGING)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_example_of_every_type_changes_what_is_kept_as_expected(name: str) -> None:
    # A difference that is meant is written by `python -m tests.trail.write_expected_folds`.
    assert marks([name]) == msgspec.json.decode(PAGE.read_bytes())["types"].get(name)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_examples_of_a_family_fold_together_as_expected(family: str) -> None:
    found = marks(kind.__name__ for kind in FAMILIES[family])
    assert found == msgspec.json.decode(PAGE.read_bytes())["families"].get(family)


def test_every_field_of_the_state_is_filled_by_some_event() -> None:
    filled: set[str] = set()
    empty = OrchestrationState()
    for name, metadata in EXAMPLES.items():
        state = fold(scene((name, metadata)))
        filled |= {field for field in state.__struct_fields__ if getattr(state, field) != getattr(empty, field)}
    assert set(empty.__struct_fields__) - filled == set()


def test_event_without_a_type_moves_only_the_place() -> None:
    state = fold([happened(1, "LicenceChecked", {"licence": "MIT"}), happened(2, "PhaseStarted", {"wrong": 1})])
    assert state == OrchestrationState(last_sequence=2, last_event_at=clock(2))


def test_gap_is_kept_with_all_keys_that_were_sent() -> None:
    sent = {"gap_id": "g", "severity": "low", "description": "d", "ours": [1, {"two": 2.5}]}
    assert fold(scene(("GapIdentified", sent))).identified_gaps == [sent]


def test_gap_with_an_unreadable_unknown_key_is_kept_by_its_known_ones() -> None:
    event = happened(1, "GapIdentified", {})
    metadata = msgspec.Raw(b'{"gap_id":"g","severity":"low","description":"d","ours":1e999}')
    event = msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, metadata=metadata))
    assert fold([event]).identified_gaps == [{"gap_id": "g", "severity": "low", "description": "d"}]


def test_gap_of_an_older_version_is_kept_as_it_is_written_today() -> None:
    event = happened(1, "GapIdentified", {"id": "g", "how_bad": "low"}, version="0.9.0")
    today = GapIdentified(gap_id="g", severity="low", description="d")
    state = OrchestrationState()
    evolve(state, event, today)
    assert state.identified_gaps == [{"gap_id": "g", "severity": "low", "description": "d"}]


def test_run_without_an_issue_has_the_issue_of_its_stream() -> None:
    told = {"issue_key": None, "initial_phase": "PLAN"}
    assert fold([happened(1, "OrchestrationStarted", told, issue_key="PROJ-7")]).issue_key == "PROJ-7"
    assert fold([happened(1, "OrchestrationStarted", told, issue_key=None)]).issue_key is None


def test_second_start_reopens_and_keeps_what_was_done() -> None:
    state = fold(scene(*STORY, ("OrchestrationStarted", {"issue_key": "PROJ-123", "initial_phase": "FIX"})))
    assert (state.status, state.current_phase, state.started_at) == ("in_progress", "FIX", clock(19))
    assert (state.completed_at, state.duration_seconds, state.result) == (None, None, None)
    assert len(state.commits) == 2


@pytest.mark.parametrize("onward", ["OrchestrationPaused", "OrchestrationResumed"])
def test_end_is_taken_back_when_the_work_goes_on(onward: str) -> None:
    state = fold(scene(("OrchestrationFailed", EXAMPLES["OrchestrationFailed"]), (onward, EXAMPLES[onward])))
    assert state.completed_at is None
    assert state.failure is None


def test_failure_tells_why_and_what_can_be_done() -> None:
    failure = fold(scene(("OrchestrationFailed", EXAMPLES["OrchestrationFailed"]))).failure
    assert failure is not None
    assert (failure.phase, failure.reason, failure.rollback_state) == ("TEST", "Integration tests failed", "clean")
    assert len(failure.next_actions) == 3


def test_failed_phase_is_remembered_after_it_succeeded() -> None:
    state = fold(
        scene(
            ("PhaseStarted", {"phase": "TEST"}),
            ("PhaseFailed", EXAMPLES["PhaseFailed"]),
            ("PhaseCompleted", {"phase": "TEST", "duration_seconds": 1}),
        )
    )
    assert state.current_phase == "TEST"
    assert state.completed_phases == ["TEST"]
    assert [(one.phase, one.retry_count) for one in state.failed_phases] == [("TEST", 2)]


def test_agents_of_one_name_are_counted_apart() -> None:
    twice: Act = ("AgentSpawned", {"agent_name": "ann"})
    state = fold(scene(twice, twice, ("AgentFailed", {"agent_name": "ann", "failure_reason": "x"})))
    assert (state.active_agents, state.failed_agents) == (["ann"], ["ann"])


def test_blocked_agent_is_free_once_it_ends_or_starts_anew() -> None:
    blocked: Act = ("AgentBlocked", {"agent_name": "ann", "blocked_by": "the API"})
    assert fold(scene(blocked)).blocked_agents["ann"].since == clock(1)
    for name in ("AgentSpawned", "AgentCompleted", "AgentFailed"):
        assert fold(scene(blocked, (name, EXAMPLES[name] | {"agent_name": "ann"}))).blocked_agents == {}


def test_end_of_an_agent_that_never_started_is_kept() -> None:
    state = fold(scene(("AgentCompleted", EXAMPLES["AgentCompleted"]), ("GapResolved", {"gap_id": "unknown"})))
    assert state.completed_agents == ["react-component-architect"]
    assert state.resolved_gaps == ["unknown"]


def test_pull_request_whose_opening_was_not_recorded_is_known_by_its_end() -> None:
    opened = scene(("PRCreated", {"pr_number": 1, "pr_title": "a"}), ("PRCreated", {"pr_number": 2, "pr_title": "b"}))
    ended = scene(("PRClosed", EXAMPLES["PRClosed"] | {"pr_number": 1}), ("PRMerged", {"pr_number": 7}), first=3)
    assert [(pr["pr_number"], pr["status"]) for pr in fold([*opened, *ended]).prs] == [
        (1, "closed"),
        (2, "open"),
        (7, "merged"),
    ]


def test_escalated_gap_says_when_it_was_closed() -> None:
    state = fold(scene(("GapEscalated", EXAMPLES["GapEscalated"]), ("GapResolved", {"gap_id": "gap-security-456"})))
    assert state.escalated_gaps["gap-security-456"].escalated_to == "security-team"
    assert state.escalated_gaps["gap-security-456"].resolved_at == clock(2)


def test_restored_checkpoint_brings_its_phase_back() -> None:
    made = {"checkpoint_id": "ck", "checkpoint_phase": "CODE", "git_sha": "abc"}
    state = fold(
        scene(
            ("CheckpointCreated", made),
            ("PhaseStarted", {"phase": "TEST"}),
            ("CheckpointRestored", {"checkpoint_id": "ck"}),
            ("CheckpointRestored", {"checkpoint_id": "never made"}),
            ("CheckpointCreated", made | {"git_sha": "def"}),
        )
    )
    assert state.current_phase == "CODE"
    first, unknown = state.checkpoints
    assert (first.git_sha, first.restores, first.restored_at) == ("def", 1, clock(3))
    assert (unknown.checkpoint_id, unknown.created_at, unknown.restores) == ("never made", None, 1)


def test_result_of_a_check_goes_to_the_newest_that_runs() -> None:
    begun: Act = ("QualityCheckStarted", {"check_type": "lint"})
    passed: Act = ("QualityCheckCompleted", {"check_type": "lint", "passed_quality_gate": True, "overall_score": 92})
    failed: Act = ("QualityCheckFailed", {"check_type": "scan", "failure_reason": "secrets", "critical_issues": []})
    state = fold(scene(begun, ("QualityCheckStarted", {"check_type": "scan"}), begun, passed, failed, passed))
    assert [(one.check_type, one.status, one.started_at) for one in state.quality_checks] == [
        ("lint", "passed", clock(1)),
        ("scan", "failed", clock(2)),
        ("lint", "passed", clock(3)),
    ]
    assert state.quality_checks[1].issues_found == 0
    assert state.running_checks == []
    state = fold(scene(passed, failed), state)
    assert [one.started_at for one in state.quality_checks[3:]] == [None, None]


def test_tests_end_passed_failed_or_aborted() -> None:
    counts = {"total_tests": 3, "passed": 3, "failed": 0}
    state = fold(
        scene(
            ("TestRunStarted", {"test_suite": "unit", "test_count": 4}),
            ("TestRunStarted", {"test_suite": "e2e"}),
            ("TestRunCompleted", {"test_suite": "unit", **counts, "coverage": {"lines": 80}}),
            ("TestRunFailed", {"test_suite": "e2e", "failure_reason": "no database"}),
            ("TestRunCompleted", {"test_suite": "unit", **counts, "failed": 1, "passed": 2}),
            ("TestRunFailed", {"test_suite": "load", "failure_reason": "no machine"}),
            ("TestRunStarted", {"test_suite": "unit"}),
        )
    )
    assert [(one.test_suite, one.status) for one in state.test_runs] == [
        ("unit", "passed"),
        ("e2e", "aborted"),
        ("unit", "failed"),
        ("load", "aborted"),
        ("unit", "running"),
    ]
    assert state.test_runs[0].coverage is not None
    assert state.test_runs[0].total_tests == 3
    assert state.running_tests == [4]


def test_recoveries_are_known_by_the_error_that_they_are_from() -> None:
    error = event_id(1)
    attempt: Act = ("RecoveryAttempted", {"recovery_from": error, "recovery_strategy": "retry"})
    told = [("ErrorOccurred", EXAMPLES["ErrorOccurred"]), attempt, attempt]
    state = fold(scene(*told))
    assert [one.event_id for one in state.errors] == [error]
    assert (state.recoveries[error].status, state.recoveries[error].attempts) == ("attempted", 2)
    won = fold(scene(*told, ("RecoverySucceeded", {"recovery_from": error}))).recoveries[error]
    assert (won.status, won.attempts, won.strategy) == ("succeeded", 2, "retry")
    lost = fold(scene(*told, ("RecoveryFailed", {"recovery_from": error, "final_error": "still down"}))).recoveries
    assert (lost[error].status, lost[error].final_error) == ("failed", "still down")
    for name in ("RecoverySucceeded", "RecoveryFailed"):
        assert fold(scene((name, {"recovery_from": "elsewhere"}))).recoveries["elsewhere"].attempts == 0


def test_task_of_the_governed_run_goes_its_way() -> None:
    way: list[tuple[Act, str]] = [
        (("TaskCreated", {"task_id": "T-1", "title": "Login"}), "todo"),
        (("TaskAmended", {"task_id": "T-1", "changes": {"title": "Sign in", "task_kind": "impl"}}), "todo"),
        (("AgentSpawned", {"agent_name": "ann", "assigned_task": "T-1"}), "todo"),
        (("TaskClaimed", {"task_id": "T-1", "agent_name": "ann", "title": "another"}), "in_progress"),
        (("OutputRejected", {"error_code": "SCHEMA_INVALID", "task_id": "T-1", "count": 3}), "in_progress"),
        (("TaskCompleted", {"task_id": "T-1", "agent_name": "ann"}), "review"),
        (("TaskReopened", {"task_id": "T-1"}), "in_progress"),
        (("AgentFailed", {"agent_name": "ann", "failure_reason": "crash"}), "in_progress"),
        (("TaskCompleted", {"task_id": "T-1", "agent_name": "bob"}), "review"),
        (("TaskDone", {"task_id": "T-1"}), "done"),
    ]
    state = OrchestrationState()
    for place, (act, status) in enumerate(way, start=1):
        fold(scene(act, first=place), state)
        assert state.tasks["T-1"].status == status, act
    task = state.tasks["T-1"]
    assert (task.title, task.task_kind, task.owner) == ("Sign in", "impl", "bob")
    assert (task.times_reopened, task.outputs_rejected, task.completed_at) == (1, 3, clock(10))
    assert state.rejected_outputs == {"SCHEMA_INVALID": 3}
    assert state.assigned_tasks == {}
    assert state.pending_tasks() == []


def test_task_known_only_from_its_later_events_is_there() -> None:
    state = fold(
        scene(
            ("TaskAmended", {"task_id": "T-1", "changes": {"title": 7, "depends_on": []}}),
            ("TaskDone", {"task_id": "T-2", "title": "Docs"}),
            ("TaskClaimed", {"task_id": "T-3", "agent_name": "ann", "task_kind": "qa", "title": "Check"}),
            ("OutputRejected", {"error_code": "X", "task_id": "T-9"}),
            ("OutputRejected", {"error_code": "X", "task_id": None}),
        )
    )
    assert [(one.task_id, one.title, one.status) for one in state.tasks.values()] == [
        ("T-1", None, "todo"),
        ("T-2", "Docs", "done"),
        ("T-3", "Check", "in_progress"),
    ]
    assert state.rejected_outputs == {"X": 2}


def test_task_that_an_agent_was_spawned_for_follows_its_agents() -> None:
    spawned: Act = ("AgentSpawned", {"agent_name": "ann", "assigned_task": "write it"})
    helper: Act = ("AgentSpawned", {"agent_name": "bob", "assigned_task": "write it"})
    second: Act = ("AgentSpawned", {"agent_name": "ann", "assigned_task": "test it"})
    ended = {"agent_name": "ann", "duration_seconds": 1, "outputs_created": []}

    state = fold(scene(spawned, second, ("AgentCompleted", ended)))
    assert {one.task_id: one.status for one in state.tasks.values()} == {"write it": "done", "test it": "in_progress"}
    assert state.assigned_tasks == {"ann": ("test it",)}

    cancelled = fold(scene(spawned, ("AgentCompleted", ended | {"task_status": "cancelled"})))
    assert cancelled.tasks["write it"].status == "todo"

    taken_over = fold(scene(spawned, helper, ("AgentFailed", {"agent_name": "ann", "failure_reason": "x"})))
    assert (taken_over.tasks["write it"].status, taken_over.tasks["write it"].owner) == ("in_progress", "bob")

    done_by_other = fold(
        scene(
            spawned,
            helper,
            ("AgentCompleted", ended | {"agent_name": "bob"}),
            ("AgentFailed", {"agent_name": "ann", "failure_reason": "x"}),
        )
    )
    assert done_by_other.tasks["write it"].status == "done"


def test_task_that_was_assigned_first_belongs_to_the_governed_run_once_it_is_created() -> None:
    state = fold(
        scene(
            ("AgentSpawned", {"agent_name": "ann", "assigned_task": "T-1"}),
            ("TaskCreated", {"task_id": "T-1", "title": "Login"}),
            ("AgentCompleted", {"agent_name": "ann", "duration_seconds": 1, "outputs_created": []}),
        )
    )
    assert (state.tasks["T-1"].status, state.tasks["T-1"].owner) == ("in_progress", "ann")


def test_files_are_known_by_their_last_content() -> None:
    written = EXAMPLES["FileWritten"]
    state = fold(
        scene(
            ("FileWritten", written | {"path": "a", "after_sha256": "1" * 64}),
            ("FileWritten", written | {"path": "b", "after_sha256": "2" * 64}),
            ("FileWritten", written | {"path": "a", "after_sha256": "3" * 64}),
            ("FileDeleted", {"path": "b"}),
        )
    )
    assert state.files == {"a": "3" * 64, "b": None}


def test_review_is_awaited_until_it_is_decided() -> None:
    asked: Act = ("ReviewRequested", {"review_id": "r", "subject": "the form", "task_id": "T-1", "pr_number": 4})
    decided: Act = ("ReviewCompleted", {"review_id": "r", "decision": "approve", "reviewer": "qa"})
    assert fold(scene(asked)).reviews["r"].decision is None
    review = fold(scene(asked, decided)).reviews["r"]
    assert (review.decision, review.reviewer, review.subject, review.pr_number) == ("approve", "qa", "the form", 4)
    assert fold(scene(decided)).reviews["r"].requested_at is None


def test_approval_is_open_until_it_is_decided() -> None:
    asked: Act = ("ApprovalRequested", {"approval_id": "a", "subject": "deploy", "agent_name": "ann"})
    state = fold(scene(asked))
    assert state.open_approvals() == ["a"]
    for name, by, status in (
        ("ApprovalGranted", {"granted_by": "eve"}, "granted"),
        ("ApprovalDenied", {"denied_by": "eve"}, "denied"),
        ("ApprovalExpired", {}, "expired"),
    ):
        answered = fold(scene(asked, (name, {"approval_id": "a", **by})))
        assert answered.approvals["a"].status == status
        assert answered.approvals["a"].decided_by == by.get("granted_by", by.get("denied_by"))
        assert answered.approvals["a"].requested_by == "ann"
        assert answered.open_approvals() == []
        assert fold(scene((name, {"approval_id": "b", "subject": "x", **by}))).approvals["b"].subject == "x"


def budget(**fields: Any) -> dict[str, Any]:
    return {"budget_id": "b", "scope": "run", "unit": "tokens", **fields}


def test_budget_holds_what_is_set_aside_and_what_is_spent() -> None:
    state = fold(
        scene(
            ("BudgetReserved", budget(amount=100, limit=1000, reservation_id="r1")),
            ("BudgetReserved", budget(amount=50)),
            ("BudgetReserved", budget(amount=70, reservation_id="r1")),
        )
    )
    assert (state.budgets["b"].reserved, state.budgets["b"].limit) == (120, 1000)
    assert state.budgets["b"].reservations == {"r1": 70}
    fold(scene(("BudgetSettled", budget(amount=60, reservation_id="r1")), first=4), state)
    assert (state.budgets["b"].reserved, state.budgets["b"].spent) == (50, 60)
    fold(scene(("BudgetSettled", budget(amount=10, reserved=80, limit=None)), first=5), state)
    assert (state.budgets["b"].reserved, state.budgets["b"].spent, state.budgets["b"].limit) == (0, 70, None)
    fold(scene(("BudgetSettled", budget(amount=10, spent=500, reservation_id="unknown")), first=6), state)
    assert (state.budgets["b"].reserved, state.budgets["b"].spent) == (0, 500)
    fold(scene(("BudgetReserved", budget(amount=1, spent=400)), first=7), state)
    assert state.budgets["b"].spent == 400
    fold(scene(("BudgetExceeded", budget(limit=300, spent=401)), first=8), state)
    assert (state.budgets["b"].spent, state.budgets["b"].times_exceeded, state.budgets["b"].limit) == (400, 1, 300)
    assert fold(scene(("BudgetExceeded", budget(limit=3, spent=4)))).budgets["b"].spent == 4


def test_ci_run_and_deployment_are_known_to_their_end() -> None:
    place = {"deployment_id": "d", "environment": "staging"}
    state = fold(
        scene(
            ("CiRunStarted", {"ci_run_id": "1", "workflow": "test", "commit_sha": "abc"}),
            ("CiRunCompleted", {"ci_run_id": "1", "status": "success", "workflow": "another"}),
            ("CiRunFailed", {"ci_run_id": "2", "failure_reason": "no runner", "branch": "main"}),
            ("DeploymentStarted", place | {"deployed_version": "2"}),
            ("DeploymentCompleted", place),
            ("DeploymentRolledBack", place | {"reason": "errors", "restored_version": "1"}),
            ("DeploymentFailed", {"deployment_id": "e", "environment": "production", "failure_reason": "no disk"}),
            ("DeploymentRolledBack", {"deployment_id": "f", "environment": "x", "reason": "y"}),
        )
    )
    assert (state.ci_runs["1"].status, state.ci_runs["1"].workflow, state.ci_runs["1"].started_at) == (
        "success",
        "test",
        clock(1),
    )
    assert (state.ci_runs["2"].status, state.ci_runs["2"].failure_reason) == ("failed", "no runner")
    gone = state.deployments["d"]
    assert (gone.status, gone.deployed_version, gone.restored_version) == ("rolled_back", "2", "1")
    assert (state.deployments["e"].status, state.deployments["e"].reason) == ("failed", "no disk")
    assert state.deployments["f"].started_at is None


def test_use_of_models_tools_and_other_systems_is_counted() -> None:
    answer = {"model": "sonnet", "tokens_in": 10, "tokens_out": 3, "tokens_cached": 2, "cost_micro_usd": 7}
    call = {"system": "jira", "operation": "get"}
    state = fold(
        scene(
            ("PromptSubmitted", {"prompt_sha256": "a" * 64, "model": "sonnet", "tokens": 10}),
            ("ResponseReceived", answer),
            ("ResponseReceived", {"model": "sonnet"}),
            ("ContextCompacted", {}),
            ("ToolRequested", {"tool_name": "Bash"}),
            ("ToolRequested", {"tool_name": "Bash"}),
            ("ToolDenied", {"tool_name": "Bash", "reason": "no"}),
            ("ToolCompleted", {"tool_name": "Bash"}),
            ("ToolFailed", {"tool_name": "Edit", "error_message": "no"}),
            ("ExternalCallStarted", call),
            ("ExternalCallStarted", call),
            ("ExternalCallCompleted", call),
            ("ExternalCallFailed", call | {"error_message": "no"}),
        )
    )
    used = state.model_use["sonnet"]
    assert (used.prompts, used.responses, used.tokens_in, used.tokens_out, used.tokens_cached) == (1, 2, 10, 3, 2)
    assert used.cost_micro_usd == 7
    assert state.model_use["unknown"].compactions == 1
    assert (state.tools["Bash"].requested, state.tools["Bash"].denied, state.tools["Bash"].completed) == (2, 1, 1)
    assert state.tools["Edit"].failed == 1
    assert msgspec.to_builtins(state.external_calls["jira"]) == {"started": 2, "completed": 1, "failed": 1}


def test_session_is_open_until_it_ends() -> None:
    begun = happened(1, "SessionStarted", {"agent_name": "ann", "model": "sonnet"}, session_id="s")
    ended = happened(2, "SessionEnded", {"outcome": "completed", "agent_name": "bob"}, session_id="s")
    assert fold([begun]).sessions["s"].ended_at is None
    session = fold([begun, ended]).sessions["s"]
    assert (session.agent_name, session.ended_at, session.outcome) == ("ann", clock(2), "completed")
    assert fold([ended]).sessions["s"].agent_name == "bob"


def test_assumption_stands_as_the_last_event_says() -> None:
    sure = {"assumption": "the API is stable", "assumption_id": "as-1"}
    state = fold(
        scene(
            ("AssumptionRecorded", sure),
            ("AssumptionRecorded", {"assumption": "no load"}),
            ("AssumptionRecorded", sure | {"status": "refuted"}),
        )
    )
    assert {key: one.status for key, one in state.assumptions.items()} == {"as-1": "refuted", "no load": "open"}


def test_replay_is_counted_and_its_own_counts_hold() -> None:
    one = {"replay_id": "r", "replayed_event_id": "e", "replayed_event_type": "AgentSpawned"}
    told: list[Act] = [
        ("EventReplayed", one | {"status": "success", "matches_recorded": False}),
        ("EventReplayed", one | {"status": "skipped"}),
        ("EventReplayed", one | {"status": "failed"}),
    ]
    state = fold(scene(("ReplayStarted", {"replay_id": "r", "dry_run": True}), *told))
    replay = state.replays["r"]
    assert (replay.is_dry, replay.replayed, replay.skipped, replay.failed, replay.mismatched) == (True, 1, 1, 1, 1)
    assert fold(scene(*told)).replays["r"].is_dry is None
    counts = {"replayed_count": 5, "skipped_count": 6, "failed_count": 7}
    end = scene(("ReplayCompleted", {"replay_id": "r", "dry_run": True, **counts}), first=5)
    replay = fold(end, state).replays["r"]
    assert (replay.replayed, replay.skipped, replay.failed, replay.mismatched) == (5, 6, 7, 1)
    other = scene(("ReplayCompleted", {"replay_id": "q", "dry_run": False, **counts, "mismatched_count": 2}))
    assert fold(other).replays["q"].mismatched == 2


def test_settings_views_and_acts_of_the_store_are_known() -> None:
    state = fold(
        scene(
            ("ConfigurationChanged", {"key": "snapshots.frequency", "old_value": 50, "new_value": 100}),
            ("ConfigurationChanged", {"key": "gone", "old_value": 1}),
            ("ReadModelUpdated", {"target": "roadmap", "sha256": "a" * 64}),
            ("LogRepaired", EXAMPLES["LogRepaired"]),
        )
    )
    assert state.configuration == {"snapshots.frequency": 100, "gone": None}
    assert state.views == {"roadmap": "a" * 64}
    assert [(act.event_type, act.sequence, act.what) for act in state.store_acts] == [
        ("LogRepaired", 4, SUMMARIES["LogRepaired"])
    ]


def test_long_texts_are_kept_by_their_beginning() -> None:
    state = fold(scene(("PhaseFailed", {"phase": "TEST", "failure_reason": "x" * 10_000})))
    assert state.failed_phases[0].reason == "x" * 499 + "…"


def test_bytes_that_are_no_state_are_refused() -> None:
    for data in (b"", b"[]", b'{"status":"lost"}', b'{"commits":[{"sha":"a"}]}', b'{"unknown":1}', b"\xff"):
        with pytest.raises(ValueError):  # noqa: PT011
            decode_state(data)
    deep = b'{"configuration":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_state(deep)
