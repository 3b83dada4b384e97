"""States at any moment: snapshots and tails, poisoned snapshots, time travel, and what retention leaves behind."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from esaa.errors import NotFound, UsageError
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.time_travel import time_travel_query
from esaa.runtime.trail.trail import Trail
from esaa.stores.trail_snapshots import snapshot_files
from esaa.trail.intake import Proposal, trail_time
from esaa.trail.state import encode_state
from tests.trail.metadata_examples import EXAMPLES
from tests.trails import ISSUE, MORNING, a_recorder, a_trail, ids, settings

LEFT_OUT = {"OrchestrationStarted", "SessionStarted"}
NAMES = sorted(set(EXAMPLES) - LEFT_OUT)


def a_story(root: Path, length: int = 60, frequency: int = 10, **more: Any) -> Trail:
    """One event a minute, of every type in turn, with snapshots in between."""
    clock = ManualClock(MORNING)
    recorder = a_recorder(root, settings(snapshots={"frequency": frequency, **more}), clock=clock)
    for number in range(length):
        name = NAMES[number % len(NAMES)]
        metadata = {key: value for key, value in EXAMPLES[name].items() if key != "issue_key"}
        if "issue_key" in EXAMPLES[name]:
            metadata["issue_key"] = ISSUE
        recorder.record(name, metadata)
        clock.advance(60)
    recorder.close()
    return recorder.trail


def minute(number: float) -> str:
    return trail_time(MORNING + timedelta(minutes=number))


def test_state_from_a_snapshot_is_that_of_a_full_fold_at_every_moment(tmp_path: Path) -> None:
    trail = a_story(tmp_path)
    states = TrailStates(trail)
    used: set[int] = set()
    for number in range(60):
        quick = states.reconstruct(ISSUE, minute(number + 0.5))
        full = states.reconstruct(ISSUE, sequence=number + 1, use_snapshots=False)
        assert quick.sequence == full.sequence == number + 1
        assert encode_state(quick.state) == encode_state(full.state)
        assert quick.snapshot_sequence == (number + 1) // 10 * 10
        used.add(quick.snapshot_sequence)
    assert used == {0, 10, 20, 30, 40, 50, 60}


def test_before_the_first_event_nothing_has_happened(tmp_path: Path) -> None:
    found = TrailStates(a_story(tmp_path, 3)).reconstruct(ISSUE, minute(-1))
    assert (found.sequence, found.state.status) == (0, "not_started")


@pytest.mark.parametrize("at", ["14:00", "2026-03-02T14:00:00", "yesterday", ""])
def test_time_that_is_none_is_named(tmp_path: Path, at: str) -> None:
    with pytest.raises(UsageError, match="ISO-8601"):
        TrailStates(a_story(tmp_path, 2)).reconstruct(ISSUE, at)


def test_issue_without_events_and_key_that_is_none(tmp_path: Path) -> None:
    states = TrailStates(a_trail(tmp_path))
    with pytest.raises(NotFound, match="ABC-1"):
        states.reconstruct("ABC-1")
    with pytest.raises(UsageError, match="no issue key"):
        states.reconstruct("../etc")


def _reseal(path: Path, change: dict[str, Any]) -> None:
    snapshot = json.loads(path.read_text())
    snapshot.update(change)
    path.write_text(json.dumps(snapshot))


def _poison_with_right_checksum(path: Path) -> None:
    from esaa.kernel.canonical import sha256_hex

    snapshot = json.loads(path.read_text())
    snapshot["state"]["status"] = "completed"
    state = msgspec.json.encode(snapshot["state"])
    snapshot["checksum"] = sha256_hex(state)
    path.write_bytes(msgspec.json.encode({**snapshot, "state": msgspec.Raw(state)}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: _reseal(path, {"checksum": "0" * 64}),
        lambda path: _reseal(path, {"projection_version": 0}),
        lambda path: _reseal(path, {"leaf_hash": "0" * 64}),
        lambda path: _reseal(path, {"event_sequence": 59}),
        lambda path: _reseal(path, {"issue_key": "ABC-1"}),
        _poison_with_right_checksum,
        lambda path: path.write_bytes((path.parent / "snapshot-50.json").read_bytes()),
    ],
)
def test_snapshot_that_does_not_hold_is_discarded_with_a_finding(tmp_path: Path, damage: Any) -> None:
    trail = a_story(tmp_path, compression=False)
    newest = snapshot_files(trail.store.base, ISSUE)[-1].path
    damage(newest)
    states = TrailStates(trail)
    found = states.reconstruct(ISSUE)
    assert "snapshot-60" in found.findings[0]
    assert found.snapshot_sequence == 50
    full = TrailStates(trail).reconstruct(ISSUE, use_snapshots=False)
    assert encode_state(found.state) == encode_state(full.state)


def test_snapshot_of_another_history_is_discarded(tmp_path: Path) -> None:
    trail = a_story(tmp_path / "a", 20)
    other = a_story(tmp_path / "b", 20)
    source = snapshot_files(other.store.base, ISSUE)[-1].path
    target = snapshot_files(trail.store.base, ISSUE)[-1].path
    before = TrailStates(trail).reconstruct(ISSUE)
    assert before.snapshot_sequence == 20
    # The same events, but recorded under other ids: the leaf hashes differ.
    changed = a_recorder(tmp_path / "c", settings(snapshots={"frequency": 10}), new_id=ids(77))
    for _ in range(20):
        changed.record("PhaseStarted", {"phase": "PLAN"})
    source = snapshot_files(changed.trail.store.base, ISSUE)[-1].path
    target.write_bytes(source.read_bytes())
    found = TrailStates(trail).reconstruct(ISSUE)
    assert found.snapshot_sequence == 10
    assert "not the one it was folded from" in found.findings[0]
    assert not target.exists(), "what is poisoned is removed"


def test_snapshot_of_another_machine_is_not_used_and_not_removed(tmp_path: Path) -> None:
    trail = a_story(tmp_path)
    stranger = msgspec.structs.replace(trail, secret=b"x" * 32)
    found = TrailStates(stranger).reconstruct(ISSUE)
    assert found.snapshot_sequence == 0
    assert "this machine's key" in found.findings[0]
    assert TrailStates(trail).reconstruct(ISSUE).snapshot_sequence == 60


def test_manual_snapshot_and_garbage_collection(tmp_path: Path) -> None:
    trail = a_story(tmp_path, 35, retention_days=0)
    states = TrailStates(trail)
    path, snapshot = states.snapshot(ISSUE, 17)
    assert path.name == "snapshot-17.json.zst"
    assert states.reconstruct(ISSUE, sequence=18).snapshot_sequence == 17
    assert snapshot.event_timestamp == minute(16)
    assert isinstance(trail.clock, ManualClock)
    trail.clock.advance(3600 * 24 * 3650)
    assert {one.name for one in states.collect_garbage(ISSUE, dry_run=True)} == {
        "snapshot-10.json.zst",
        "snapshot-17.json.zst",
        "snapshot-20.json.zst",
    }
    states.collect_garbage(ISSUE)
    assert [one.sequence for one in snapshot_files(trail.store.base, ISSUE)] == [30]


def test_partial_state_query(tmp_path: Path) -> None:
    states = TrailStates(a_story(tmp_path))
    assert states.query(ISSUE, "commits[0].sha") == EXAMPLES["CommitCreated"]["commit_sha"]
    assert states.query(ISSUE, "length(commits)", minute(-1)) == 0
    with pytest.raises(UsageError, match="JMESPath"):
        states.query(ISSUE, "commits[")


def test_validate_on_read_names_what_does_not_fit(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, settings(validation={"validate_on_write": False}))
    recorder.record("PhaseStarted", {"nothing": 1})
    trail = a_trail(tmp_path, settings(validation={"validate_on_read": True}))
    found = TrailStates(trail).reconstruct(ISSUE)
    assert "event 1 (PhaseStarted): metadata.phase: the field is required" in found.findings


def test_example_2_of_the_specification(tmp_path: Path) -> None:
    """What was the state of PROJ-123 at 14:00?"""
    clock = ManualClock(MORNING)
    recorder = TrailRecorder(a_trail(tmp_path, clock=clock), actor={"type": "system", "id": "orchestrator"})
    gap = {"gap_id": "gap-1", "gap_type": "missing_tests", "severity": "high", "description": "no tests"}
    story = [
        ("12:00:00", "OrchestrationStarted", {"issue_key": ISSUE, "initial_phase": "EXPLORE"}),
        ("12:30:00", "PhaseCompleted", {"phase": "EXPLORE", "next_phase": "PLAN"}),
        ("13:00:00", "CommitCreated", {"commit_sha": "aaa", "commit_message": "one"}),
        ("13:10:00", "CommitCreated", {"commit_sha": "bbb", "commit_message": "two"}),
        ("13:20:00", "GapIdentified", gap),
        ("13:58:00", "PhaseCompleted", {"phase": "PLAN", "next_phase": "CODE"}),
        ("13:59:00", "AgentSpawned", {"agent_name": "react-component-architect"}),
        ("13:59:30", "AgentSpawned", {"agent_name": "api-integration-specialist"}),
        ("14:00:15", "AgentSpawned", {"agent_name": "too-late"}),
        ("14:10:00", "AgentSpawned", {"agent_name": "far-too-late"}),
    ]
    recorder.record_many(
        [
            Proposal(
                event_type=name,
                metadata=metadata,
                actor=None,
                issue_key=ISSUE,
                timestamp=f"2026-03-02T{at}.000Z",
            )
            for at, name, metadata in story
        ]
    )
    found = time_travel_query(recorder.trail, issue_key=ISSUE, query_timestamp="2026-03-02T14:00:00Z")
    assert found.query_timestamp == "2026-03-02T14:00:00Z"
    assert found.state.current_phase == "CODE"
    assert list(found.state.active_agents) == ["react-component-architect", "api-integration-specialist"]
    assert list(found.state.completed_phases) == ["EXPLORE", "PLAN"]
    assert (len(found.state.commits), len(found.state.identified_gaps)) == (2, 1)
    assert [one["timestamp"][11:19] for one in found.surrounding_events] == [
        "13:58:00",
        "13:59:00",
        "13:59:30",
        "14:00:15",
    ]
    assert found.state_summary == {
        "current_phase": "CODE",
        "active_agents": ["react-component-architect", "api-integration-specialist"],
        "completed_phases": ["EXPLORE", "PLAN"],
        "pending_tasks": 0,
    }


@budget(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=40), st.integers(1, 12), st.integers(0, 45))
def test_snapshot_and_tail_is_the_full_fold_whatever_the_events(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], frequency: int, at: int
) -> None:
    root = tmp_path_factory.mktemp("fold")
    recorder = a_recorder(root, settings(snapshots={"frequency": frequency}))
    for name in names:
        metadata = {**EXAMPLES[name], **({"issue_key": ISSUE} if "issue_key" in EXAMPLES[name] else {})}
        recorder.record(name, metadata)
    states = TrailStates(recorder.trail)
    quick = states.reconstruct(ISSUE, sequence=at)
    full = states.reconstruct(ISSUE, sequence=at, use_snapshots=False)
    assert encode_state(quick.state) == encode_state(full.state)
    assert not [one for one in quick.findings if "snapshot" in one]


def test_very_large_state_is_snapshotted_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.runtime.trail.states._SNAPSHOT_BYTES_PER_EVENT", 100)
    recorder = a_recorder(tmp_path, settings(snapshots={"frequency": 5}))
    for number in range(100):
        check = {"check_type": f"check {number}", "passed_quality_gate": True}
        recorder.record("QualityCheckCompleted", check)
    kept = [one.sequence for one in snapshot_files(recorder.trail.store.base, ISSUE)]
    assert 2 <= len(kept) < 15, kept
    assert TrailStates(recorder.trail).reconstruct(ISSUE).state.last_sequence == 100
