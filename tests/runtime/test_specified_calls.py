"""The six workflows and four examples of the specification, called with its own names and arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.event_sourcing import EventSourcing
from esaa.runtime.trail.trail import Trail
from tests.trails import a_trail

KEY = "PROJ-123"
DEVELOPER = {"type": "user", "id": "developer@company.com"}
SYSTEM = {"type": "system", "id": "orchestrator"}
EXAMPLE_1 = {
    "issue_key": "PROJ-123",
    "issue_summary": "Add user authentication",
    "issue_type": "Story",
    "priority": "High",
    "labels": ["frontend", "backend", "auth"],
    "components": ["UI", "API"],
    "workflow_type": "standard",
    "estimated_complexity": "high",
    "initial_phase": "EXPLORE",
    "config": {"min_agents": 3, "max_agents": 13, "auto_transition": True},
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2025, 12, 22, 13, 0, tzinfo=UTC))


@pytest.fixture
def trail(tmp_path: Path, clock: ManualClock) -> Trail:
    return a_trail(tmp_path, clock=clock)


@pytest.fixture
def orchestrator(trail: Trail) -> Iterator[EventSourcing]:
    event_sourcing = EventSourcing(trail)
    yield event_sourcing
    event_sourcing.recorder.close()


def at(clock: ManualClock, time: str) -> None:
    clock.advance((datetime.fromisoformat(f"2025-12-22T{time}+00:00") - clock.now()).total_seconds())


def a_day(orchestrator: EventSourcing, clock: ManualClock) -> None:
    """The day of example 2."""
    metadata: dict[str, Any] = EXAMPLE_1
    orchestrator.log_event("OrchestrationStarted", metadata, DEVELOPER)
    for time, name, told in [
        ("13:20:00", "PhaseCompleted", {"phase": "EXPLORE", "next_phase": "PLAN"}),
        ("13:30:00", "CommitCreated", {"commit_sha": "abc123", "commit_message": "feat: one"}),
        ("13:40:00", "CommitCreated", {"commit_sha": "def456", "commit_message": "feat: two"}),
        (
            "13:50:00",
            "GapIdentified",
            {"gap_id": "gap-1", "gap_type": "missing_tests", "severity": "high", "description": "none"},
        ),
        ("13:58:00", "PhaseCompleted", {"phase": "PLAN", "next_phase": "CODE"}),
        ("13:59:30", "AgentSpawned", {"agent_name": "react-component-architect"}),
        ("13:59:40", "AgentSpawned", {"agent_name": "api-integration-specialist"}),
        ("14:00:15", "AgentSpawned", {"agent_name": "test-writer-fixer"}),
    ]:
        at(clock, time)
        orchestrator.log_event(name, {"issue_key": KEY, **told}, SYSTEM)


def test_example_1_logging_orchestration_start(orchestrator: EventSourcing, tmp_path: Path) -> None:
    event_id = orchestrator.log_event(event_type="OrchestrationStarted", metadata=EXAMPLE_1, actor=DEVELOPER)
    (line,) = (tmp_path / "events/2025-12-22/PROJ-123/events.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert (event["event_id"], event["metadata"], event["actor"]) == (event_id, EXAMPLE_1, DEVELOPER)
    assert re.fullmatch(r"2025-12-22T13:00:00\.000Z", event["timestamp"])
    assert json.loads((tmp_path / "events/2025-12-22/index.json").read_text())["issues"][KEY]["events"] == 1


def test_example_2_time_travel_debugging(orchestrator: EventSourcing, clock: ManualClock) -> None:
    a_day(orchestrator, clock)
    found = orchestrator.time_travel_query(issue_key="PROJ-123", query_timestamp="2025-12-22T14:00:00Z")
    state = found["state"]
    assert found["query_timestamp"] == "2025-12-22T14:00:00Z"
    assert state["current_phase"] == "CODE"
    assert state["active_agents"] == ["react-component-architect", "api-integration-specialist"]
    assert state["completed_phases"] == ["EXPLORE", "PLAN"]
    assert (len(state["commits"]), len(state["identified_gaps"])) == (2, 1)
    around = [(one["timestamp"], one["event_type"]) for one in found["surrounding_events"]]
    assert ("2025-12-22T13:58:00.000Z", "PhaseCompleted") in around
    assert ("2025-12-22T14:00:15.000Z", "AgentSpawned") in around


def test_example_3_generate_audit_report(orchestrator: EventSourcing, clock: ManualClock) -> None:
    a_day(orchestrator, clock)
    report_path = orchestrator.generate_audit_trail(from_date="2025-12-15", to_date="2025-12-22", format="html")
    page = Path(report_path).read_text()
    assert Path(report_path).parent.name == "reports"
    for told in ("PROJ-123", "EXPLORE", "react-component-architect", "abc123", "gap-1"):
        assert told in page


def test_example_4_event_replay_for_recovery(orchestrator: EventSourcing, clock: ManualClock) -> None:
    a_day(orchestrator, clock)
    for number in range(41):
        orchestrator.log_event("DecisionMade", {"issue_key": KEY, "question": f"{number}?", "choice": "yes"}, SYSTEM)
    for number in range(25):
        orchestrator.create_snapshot(KEY)
        metadata = {"issue_key": KEY, "snapshot_id": f"snap-{number}", "event_sequence": 5}
        orchestrator.log_event("SnapshotCreated", metadata, SYSTEM)
    for number in range(5):
        orchestrator.log_event("DecisionMade", {"issue_key": KEY, "question": f"{number}?", "choice": "no"}, SYSTEM)
    replay_result = orchestrator.replay_events(issue_key="PROJ-123", from_sequence=51, dry_run=False)
    counts = {key: replay_result[key] for key in ("replayed_count", "skipped_count", "failed_count")}
    assert counts == {"replayed_count": 25, "skipped_count": 5, "failed_count": 0}
    assert len(replay_result["results"]) == 30
    assert {one["reason"] for one in replay_result["results"] if one["status"] == "skipped"} == {
        "non_replayable_event_type"
    }


def test_workflow_2_and_6_reconstruct_from_a_snapshot(orchestrator: EventSourcing, clock: ManualClock) -> None:
    a_day(orchestrator, clock)
    assert orchestrator.create_snapshot(issue_key=KEY, at_sequence=6) == "snap-6"
    state = orchestrator.reconstruct_state(issue_key=KEY, at_timestamp="2025-12-22T13:35:00Z")
    assert [commit["sha"] for commit in state["commits"]] == ["abc123"]
    now = orchestrator.reconstruct_state(issue_key=KEY)
    assert len(now["active_agents"]) == 3
    assert now["status"] == "in_progress"


def test_workflow_4_filter_and_dry_run(orchestrator: EventSourcing, clock: ManualClock) -> None:
    a_day(orchestrator, clock)
    before = [one.line for one in orchestrator.trail.store.stream(KEY).events()]
    result = orchestrator.replay_events(KEY, event_filter=lambda event: event["event_type"] == "AgentSpawned")
    assert len(result["results"]) == 3
    assert [one.line for one in orchestrator.trail.store.stream(KEY).events()] == before


@pytest.mark.parametrize("form", ["json", "csv", "html", "md"])
def test_workflow_5_writes_every_format(orchestrator: EventSourcing, clock: ManualClock, form: str) -> None:
    a_day(orchestrator, clock)
    path = Path(orchestrator.generate_audit_trail(issue_key=KEY, format=form))
    assert path.suffix == f".{form}"
    assert "PROJ-123" in path.read_text()


def test_workflow_5_json_has_the_specified_summary(orchestrator: EventSourcing, clock: ManualClock) -> None:
    a_day(orchestrator, clock)
    text = Path(orchestrator.generate_audit_trail(issue_key=KEY, format="json")).read_text()
    for key in (
        "total_events",
        "orchestration_started",
        "orchestration_completed",
        "phases_completed",
        "agents_spawned",
        "commits_created",
        "prs_created",
        "errors_occurred",
        "timeline",
    ):
        assert f'"{key}"' in text
