"""Recording from Python: what an event gets by itself, strict and lenient stores, blocks, asynchronous writes."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from esaa.errors import EventRefused, StoreError
from esaa.runtime.clock import ManualClock
from esaa.runtime.git_state import git_state
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.write_behind import WriteBehind
from tests.crash.disks import FailingDisk
from tests.trails import ISSUE, ME, MORNING, SESSION, a_recorder, a_trail, assert_whole, ids, phase, settings


def test_example_1_of_the_specification(tmp_path: Path) -> None:
    recorder = TrailRecorder(a_trail(tmp_path))
    recorder.log_event(
        event_type="OrchestrationStarted",
        metadata={
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
        },
        actor={"type": "user", "id": "developer@company.com"},
    )
    lines = (tmp_path / "events/2026-03-02/PROJ-123/events.jsonl").read_text().splitlines()
    event = json.loads(lines[0])
    assert list(event) == [
        "event_id",
        "event_type",
        "event_version",
        "timestamp",
        "event_sequence",
        "issue_key",
        "session_id",
        "actor",
        "metadata",
    ]
    assert event["actor"] == {"type": "user", "id": "developer@company.com"}
    assert event["metadata"]["config"] == {"min_agents": 3, "max_agents": 13, "auto_transition": True}


def test_links_in_the_metadata_belong_to_the_envelope(tmp_path: Path) -> None:
    recorder = TrailRecorder(a_trail(tmp_path), actor=ME)
    metadata = {"phase": "PLAN", "issue_key": ISSUE, "correlation_id": "story-1", "causation_id": "cause-1"}
    recorder.log_event("PhaseStarted", metadata, ME)
    (event,) = assert_whole(recorder.trail)
    assert (event["correlation_id"], event["causation_id"]) == ("story-1", "cause-1")
    assert event["metadata"] == {"phase": "PLAN"}


def test_commit_and_branch_come_from_the_repository(tmp_path: Path) -> None:
    git = tmp_path / ".git"
    (git / "refs/heads/feature").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/feature/login\n")
    (git / "refs/heads/feature/login").write_text("a" * 40 + "\n")
    recorder = a_recorder(tmp_path)
    recorder.record("PhaseStarted", {"phase": "PLAN"})
    (event,) = assert_whole(recorder.trail)
    assert (event["git_sha"], event["branch"]) == ("a" * 40, "feature/login")
    (git / "refs/heads/feature/login").unlink()
    (git / "packed-refs").write_text(f"# pack-refs\n{'b' * 40} refs/heads/feature/login\n")
    assert git_state(tmp_path).sha == "b" * 40
    (git / "HEAD").write_text("c" * 40)
    assert (git_state(tmp_path).sha, git_state(tmp_path).branch) == ("c" * 40, None)
    (git / "HEAD").write_bytes(b"\xff")
    assert git_state(tmp_path).sha is None


def test_strict_store_refuses_and_writes_nothing(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    with pytest.raises(EventRefused) as refused:
        recorder.record_many([phase(), phase(), phase(timestamp="noon")])
    assert refused.value.code == "TIMESTAMP_INVALID"
    assert "timestamp" in refused.value.message
    assert recorder.trail.store.names() == [], "a batch is examined as a whole before anything is written"


def test_lenient_store_records_with_findings(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, settings(validation={"strict_mode": False}))
    receipt = recorder.record_many([phase(timestamp="noon", session_id="x")])
    (event,) = assert_whole(recorder.trail)
    assert {one["code"] for one in event["findings"]} == {"TIMESTAMP_INVALID", "SESSION_INVALID"}
    assert event["timestamp"] == "2026-03-02T09:00:00.000Z"
    assert len(receipt.notices) == 2
    recorder.record("NoSuchThing", {"a": 1}, issue_key="no key")
    (other,) = assert_whole(recorder.trail, "global")
    assert {one["code"] for one in other["findings"]} == {"EVENT_TYPE_UNKNOWN", "ISSUE_KEY_INVALID"}
    assert other["metadata"] == {"a": 1}


def test_validate_on_write_off_leaves_the_schema_unasked(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, settings(validation={"validate_on_write": False}))
    recorder.record("PhaseStarted", {"nothing": "fits"})
    assert len(assert_whole(recorder.trail)) == 1


def test_unknown_session_is_refused_and_a_begun_one_is_known(tmp_path: Path) -> None:
    other = "5e551000-0000-4000-8000-000000000002"
    recorder = a_recorder(tmp_path)
    recorder.record("PhaseStarted", {"phase": "PLAN"})
    with pytest.raises(EventRefused, match="no session"):
        recorder.record("PhaseStarted", {"phase": "PLAN"}, session_id=other)
    recorder.record("SessionStarted", {}, session_id=other)
    recorder.record("PhaseStarted", {"phase": "CODE"}, session_id=other)
    fresh = TrailRecorder(a_trail(tmp_path, new_id=ids(4)), actor=ME, issue_key=ISSUE)
    fresh.record("PhaseStarted", {"phase": "TEST"}, session_id=SESSION)
    fresh.record("PhaseStarted", {"phase": "TEST"})
    assert [event["session_id"] for event in assert_whole(recorder.trail)] == [SESSION, other, other, SESSION, SESSION]


def test_blocks_record_what_starts_and_ends_and_link_what_is_inside(tmp_path: Path) -> None:
    clock = ManualClock(MORNING)
    recorder = TrailRecorder(a_trail(tmp_path, clock=clock), actor=ME)
    with recorder.orchestration(ISSUE, "Add login", initial_phase="CODE"), recorder.phase("CODE"):
        with recorder.agent("coder", "Write the form", model="sonnet") as agent:
            clock.advance(90)
            recorder.record("CommitCreated", {"commit_sha": "abc123", "commit_message": "feat: form"})
            agent.output("src/form.py")
        recorder.record("DecisionMade", {"question": "merge?", "choice": "yes"})
    events = assert_whole(recorder.trail)
    assert [event["event_type"] for event in events] == [
        "OrchestrationStarted",
        "PhaseStarted",
        "AgentSpawned",
        "CommitCreated",
        "AgentCompleted",
        "DecisionMade",
        "PhaseCompleted",
        "OrchestrationCompleted",
    ]
    by_type = {event["event_type"]: event for event in events}
    spawned = by_type["AgentSpawned"]["event_id"]
    assert by_type["PhaseStarted"]["causation_id"] == events[0]["event_id"]
    assert by_type["CommitCreated"]["causation_id"] == by_type["AgentCompleted"]["causation_id"] == spawned
    assert by_type["DecisionMade"]["causation_id"] == by_type["PhaseStarted"]["event_id"]
    assert {event["session_id"] for event in events} == {events[0]["session_id"]}
    assert {event.get("correlation_id") for event in events[1:]} == {events[0]["session_id"]}
    assert by_type["CommitCreated"]["actor"] == {"type": "agent", "id": "coder", "model": "sonnet"}
    assert by_type["DecisionMade"]["actor"] == ME
    completed = by_type["AgentCompleted"]["metadata"]
    assert (completed["duration_seconds"], completed["outputs_created"]) == (90.0, ["src/form.py"])


def test_blocks_that_raise_are_recorded_as_failed(tmp_path: Path) -> None:
    recorder = TrailRecorder(a_trail(tmp_path), actor=ME)
    with (
        pytest.raises(ValueError, match="boom"),
        recorder.orchestration(ISSUE),
        recorder.phase("CODE"),
        recorder.agent("coder"),
    ):
        raise ValueError("boom")
    events = assert_whole(recorder.trail)
    assert [event["event_type"] for event in events[3:]] == ["AgentFailed", "PhaseFailed", "OrchestrationFailed"]
    assert events[3]["metadata"]["error_message"] == "boom"
    with recorder.session(ISSUE) as session:
        session.fail("gave up")
    ended = assert_whole(recorder.trail)[-1]
    assert (ended["event_type"], ended["metadata"]["outcome"]) == ("SessionEnded", "failed")


def test_threads_and_tasks_have_blocks_of_their_own(tmp_path: Path) -> None:
    recorder = TrailRecorder(a_trail(tmp_path), actor=ME, issue_key=ISSUE)

    def work(name: str) -> None:
        with recorder.agent(name):
            recorder.record("DecisionMade", {"question": name, "choice": "go"})

    threads = [threading.Thread(target=work, args=(f"thread-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def both() -> None:
        async def one(name: str) -> None:
            with recorder.agent(name):
                await asyncio.sleep(0)
                recorder.record("DecisionMade", {"question": name, "choice": "go"})

        await asyncio.gather(one("task-1"), one("task-2"))

    asyncio.run(both())
    events = assert_whole(recorder.trail)
    spawned = {
        event["event_id"]: event["metadata"]["agent_name"] for event in events if "Spawned" in event["event_type"]
    }
    decided = [event for event in events if event["event_type"] == "DecisionMade"]
    assert len(decided) == 6
    for event in decided:
        assert spawned[event["causation_id"]] == event["metadata"]["question"] == event["actor"]["id"]


def test_asynchronous_writes_are_durable_after_flush(tmp_path: Path) -> None:
    chosen = settings(performance={"async_writes": True, "async_window_ms": 20})
    with a_recorder(tmp_path, chosen) as recorder:
        given = [recorder.record("PhaseStarted", {"phase": f"P{number}"}) for number in range(600)]
        recorder.flush()
        assert [event["event_id"] for event in assert_whole(recorder.trail)] == given
        recorder.record("PhaseStarted", {"phase": "LAST"})
    assert len(assert_whole(recorder.trail)) == 601, "leaving the block flushes"


def test_asynchronous_refusal_is_immediate_and_a_failed_write_is_told(tmp_path: Path) -> None:
    chosen = settings(performance={"async_writes": True, "async_window_ms": 10})
    recorder = a_recorder(tmp_path, chosen, disk=FailingDisk(8, 5))
    with pytest.raises(EventRefused):
        recorder.record("PhaseStarted", {})
    recorder.record("PhaseStarted", {"phase": "PLAN"})
    with pytest.raises((StoreError, OSError)):
        recorder.flush()
    recorder._behind.close() if recorder._behind else None


def test_write_behind_keeps_order_and_batches() -> None:
    written: list[list[int]] = []
    behind: WriteBehind[int] = WriteBehind(lambda batch: written.append(list(batch)), 0.01)
    for number in range(1000):
        behind.put(number)
    behind.flush()
    behind.close()
    assert [one for batch in written for one in batch] == list(range(1000))
    assert max(map(len, written)) <= 1000


def test_snapshot_appears_after_every_so_many_events(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, settings(snapshots={"frequency": 10, "compression": False}))
    for _ in range(25):
        recorder.record("PhaseStarted", {"phase": "PLAN"})
    names = sorted(path.name for path in (tmp_path / "events/2026-03-02/PROJ-123").glob("snapshot-*"))
    assert names == ["snapshot-10.json", "snapshot-20.json"]
    snapshot: dict[str, Any] = json.loads((tmp_path / "events/2026-03-02/PROJ-123/snapshot-20.json").read_text())
    assert (snapshot["snapshot_id"], snapshot["issue_key"], snapshot["event_sequence"]) == ("snap-20", ISSUE, 20)
