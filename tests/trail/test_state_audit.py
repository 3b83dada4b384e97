"""What the audit of a folded state finds: faults of a state that no history leads to, warnings of a history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from esaa.trail.state import OrchestrationState
from esaa.trail.state_audit import faults, warnings
from esaa.trail.state_values import Assignment, Budget, Failure, Pause, QualityCheck, RestorePoint, SuiteRun, Task
from tests.trail.metadata_examples import EXAMPLES
from tests.trail.scenes import Act, clock, fold, scene

STARTED: Act = ("OrchestrationStarted", EXAMPLES["OrchestrationStarted"])


def changed(**fields: object) -> Callable[[OrchestrationState], None]:
    def change(state: OrchestrationState) -> None:
        for name, value in fields.items():
            setattr(state, name, value)

    return change


FAULTS: list[tuple[Callable[[OrchestrationState], None], str]] = [
    (changed(completed_at=clock(3)), "completed_at is 2025-12-22T10:03:00.000Z, and the status is in_progress"),
    (changed(status="paused"), "pause is missing, and the status is paused"),
    (changed(pause=Pause(since=clock(1), reason="x")), "pause is there, and the status is in_progress"),
    (changed(failure=Failure(at=clock(1), reason="x")), "failure is there, and the status is in_progress"),
    (changed(duration_seconds=3.0), "duration_seconds is 3, and the status is in_progress"),
    (changed(duration_seconds=-3.0), "duration_seconds is negative: -3"),
    (changed(status="not_started"), "started_at is set, and the status is not_started"),
    (changed(assignment=None), "started_at and assignment are not set together"),
    (
        changed(started_at=None, assignment=None),
        "session_id is set, and the orchestration was never started",
    ),
    (changed(last_sequence=0), "last_sequence is 0, and last_event_at is 2025-12-22T10:01:00.000Z"),
    (changed(last_sequence=-1), "last_sequence is -1, and last_event_at is 2025-12-22T10:01:00.000Z"),
    (changed(identified_gaps=[{"gap": 1}]), "identified_gaps[0] has no gap_id"),
    (changed(prs=[{"pr_number": 1}]), "prs[0] has no pr_number or no status"),
    (changed(prs=[{"status": "open"}]), "prs[0] has no pr_number or no status"),
    (
        changed(checkpoints=[RestorePoint(checkpoint_id="a"), RestorePoint(checkpoint_id="a")]),
        "checkpoints holds a restore point twice",
    ),
    (changed(rejected_outputs={"X": 0}), "rejected_outputs['X'] is 0"),
    (changed(tasks={"T-1": Task(task_id="T-2", status="todo")}), "tasks['T-1'] is of 'T-2'"),
    (
        changed(active_agents=["ann"], assigned_tasks={"ann": ("T-1",)}),
        "assigned_tasks['ann'] names no task, or one that is not in tasks",
    ),
    (
        changed(tasks={"T-1": Task(task_id="T-1", status="todo")}, assigned_tasks={"ann": ("T-1",)}),
        "assigned_tasks['ann'] has 1 tasks, more than the agent is active times",
    ),
    (changed(running_checks=[3]), "running_checks is [3], and those that run are []"),
    (
        changed(quality_checks=[QualityCheck(check_type="lint", status="running")]),
        "running_checks is [], and those that run are [0]",
    ),
    (
        changed(test_runs=[SuiteRun(test_suite="unit", status="running")]),
        "running_tests is [], and those that run are [0]",
    ),
    (
        changed(budgets={"b": Budget(scope="run", unit="tokens", reserved=1, reservations={"r": 2})}),
        "budgets['b'] has 0 spent and 1 reserved, 2 of it with a name",
    ),
]


@pytest.mark.parametrize(("change", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_state_that_no_history_leads_to_has_a_fault(change: Callable[[OrchestrationState], None], fault: str) -> None:
    state = fold(scene(STARTED))
    assert faults(state) == []
    change(state)
    assert fault in faults(state)


def gap(gap_id: str) -> Act:
    return "GapIdentified", {"gap_id": gap_id, "severity": "low", "description": "d"}


FINISHED: Act = ("OrchestrationCompleted", {"issue_key": "PROJ-123", "duration_seconds": 1})

WARNINGS: list[tuple[list[Act], str]] = [
    ([FINISHED], "the orchestration is completed, and was never started"),
    (
        [
            ("OrchestrationResumed", {"issue_key": "PROJ-123"}),
            ("PhaseCompleted", {"phase": "PLAN", "duration_seconds": 1}),
        ],
        "phases are complete, and the work is in none",
    ),
    (
        [STARTED, ("AgentSpawned", {"agent_name": "ann"}), FINISHED],
        "the orchestration is completed, and agents are active: ann",
    ),
    ([STARTED, gap("g"), FINISHED], "the orchestration is completed, and gaps are open: g"),
    (
        [STARTED, ("OrchestrationCompleted", EXAMPLES["OrchestrationCompleted"])],
        "the orchestration came to 5 commits as it says, and 0 are recorded",
    ),
    ([gap("g"), gap("g")], "gaps are identified more than once: g"),
    ([gap("g"), ("GapResolved", {"gap_id": "g"}), gap("g")], "gaps are identified, and were resolved before: g"),
    (
        [("GapEscalated", {"gap_id": f"g{number}", "escalation_reason": "x"}) for number in range(7)],
        "gaps are escalated, and were never identified: g0, g1, g2, g3, g4 and 2 more",
    ),
    (
        [("AgentBlocked", {"agent_name": "ann", "blocked_by": "x"})],
        "agents are blocked, and not active: ann",
    ),
    ([("TaskDone", {"task_id": "T-1"})], "tasks have moved, and were never created: T-1"),
    ([("PRMerged", {"pr_number": 7})], "pull requests have ended, and were never opened: 7"),
]


@pytest.mark.parametrize(("acts", "warning"), WARNINGS, ids=[warning for _, warning in WARNINGS])
def test_history_that_does_not_add_up_gets_a_warning(acts: list[Act], warning: str) -> None:
    state = fold(scene(*acts))
    assert warning in warnings(state)
    assert faults(state) == []


def test_times_that_go_back_get_a_warning() -> None:
    late, early = scene(STARTED, first=9), scene(FINISHED, first=2)
    assert warnings(fold([*late, *early])) == [
        "the orchestration ends at 2025-12-22T10:02:00.000Z, before it starts at 2025-12-22T10:09:00.000Z",
        "the last event is of 2025-12-22T10:02:00.000Z, before the start at 2025-12-22T10:09:00.000Z",
    ]


def test_story_that_adds_up_gets_no_warning_at_any_moment() -> None:
    story: list[Act] = [
        STARTED,
        ("PhaseCompleted", {"phase": "EXPLORE", "duration_seconds": 1, "next_phase": "PLAN"}),
        gap("g"),
        gap("h"),
        ("GapEscalated", {"gap_id": "g", "escalation_reason": "x"}),
        ("AgentSpawned", {"agent_name": "ann"}),
        ("AgentBlocked", {"agent_name": "ann", "blocked_by": "x"}),
        ("TaskCreated", {"task_id": "T-1", "title": "t"}),
        ("TaskClaimed", {"task_id": "T-1", "agent_name": "ann"}),
        ("PRCreated", {"pr_number": 7, "pr_title": "p"}),
        ("PRMerged", {"pr_number": 7}),
        ("CommitCreated", {"commit_sha": "a", "commit_message": "m"}),
        ("AgentCompleted", {"agent_name": "ann", "duration_seconds": 1, "outputs_created": []}),
        ("GapResolved", {"gap_id": "g"}),
        ("GapResolved", {"gap_id": "h"}),
        ("OrchestrationCompleted", {"issue_key": "PROJ-123", "duration_seconds": 1, "total_commits": 1}),
    ]
    for length in range(len(story) + 1):
        assert warnings(fold(scene(*story[:length]))) == [], story[length - 1]


def test_state_of_any_shape_is_audited_without_an_error() -> None:
    state = OrchestrationState(
        identified_gaps=[{}],
        prs=[{}],
        assignment=Assignment(),
        assigned_tasks={"ann": ()},
    )
    assert len(faults(state)) == 4
    warnings(state)
