"""Retention: what is archived and deleted when, that nothing breaks by it, and that proofs stay and count."""

from __future__ import annotations

import errno
import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from esaa.errors import NotFound, StoreError, StoreLocked
from esaa.kernel.chain import leaf_hash
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.retention import Retired, retire
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trail.verification import verify_stream
from esaa.stores.lock import writer_lock
from esaa.stores.trail_proofs import proofs_of
from esaa.trail.settings import TrailSettings
from esaa.trail.state import encode_state
from tests.crash.disks import DeadlyDisk, FailingDisk, Killed
from tests.trails import ISSUE, MORNING, SESSION, a_recorder, a_trail, assert_whole, ids, phase, settings

FIVE_DAYS = 5


def over_days(root: Path, **sections: dict[str, object]) -> Trail:
    """Three events on each of five days."""
    clock = ManualClock(MORNING)
    recorder = a_recorder(root, settings(**sections), clock=clock)
    for _ in range(FIVE_DAYS):
        recorder.record_many([phase(), phase("CODE"), phase("TEST")])
        clock.advance(24 * 3600)
    recorder.close()
    return recorder.trail


def grow_old(
    root: Path, days: float, chosen: TrailSettings | None = None, *, dry_run: bool = False, prefix: int = 50
) -> list[Retired]:
    """Runs the retention so many days after the first event."""
    clock = ManualClock(MORNING + timedelta(days=days))
    trail = a_trail(root, chosen, clock=clock, new_id=ids(prefix))
    with TrailRecorder(trail, actor=RECORDER, session_id=SESSION) as recorder:
        return retire(recorder, dry_run=dry_run)


def test_segments_are_archived_after_their_time_and_read_as_before(tmp_path: Path) -> None:
    trail = over_days(tmp_path)
    before = [located.line for located in trail.store.stream(ISSUE).events()]
    assert grow_old(tmp_path, 89) == []
    done = grow_old(tmp_path, 92.5)
    assert [(one.act, one.first_sequence, one.last_sequence) for one in done] == [
        ("archive", 1, 3),
        ("archive", 4, 6),
        ("archive", 7, 9),
    ]
    assert not (tmp_path / "events/2026-03-02").exists()
    assert (tmp_path / "events/archive/2026-03-02/PROJ-123/events.jsonl").is_file()
    fresh = a_trail(tmp_path)
    assert [located.line for located in fresh.store.stream(ISSUE).events()] == before
    assert verify_stream(fresh, ISSUE).is_sound
    told = [event for event in assert_whole(fresh, "global") if event["event_type"] == "ArchiveCreated"]
    assert [event["metadata"]["first_sequence"] for event in told] == [1, 4, 7]
    assert grow_old(tmp_path, 92.5, prefix=60) == [], "running again does nothing"


@pytest.mark.parametrize(
    ("storage", "name"),
    [({"compression": True}, "events.jsonl.zst"), ({"format": "parquet"}, "events.parquet")],
)
def test_archive_has_the_format_that_is_configured(tmp_path: Path, storage: dict[str, object], name: str) -> None:
    if "format" in storage:
        pytest.importorskip("duckdb")
    trail = over_days(tmp_path, storage=storage)
    before = [located.line for located in trail.store.stream(ISSUE).events()]
    grow_old(tmp_path, 400, settings(storage=storage, cleanup={"delete_after_days": 36_000}))
    assert (tmp_path / f"events/archive/2026-03-02/PROJ-123/{name}").is_file()
    assert [located.line for located in a_trail(tmp_path).store.stream(ISSUE).events()] == before


def test_recording_goes_on_after_everything_was_archived(tmp_path: Path) -> None:
    over_days(tmp_path)
    grow_old(tmp_path, 200)
    clock = ManualClock(MORNING + timedelta(days=201))
    recorder = a_recorder(tmp_path, clock=clock, new_id=ids(80))
    recorder.record_many([phase("AGAIN")])
    assert len(assert_whole(recorder.trail)) == FIVE_DAYS * 3 + 1
    assert verify_stream(recorder.trail, ISSUE).is_sound


def test_deletion_leaves_proof_state_and_record(tmp_path: Path) -> None:
    trail = over_days(tmp_path)
    lines = [located.line for located in trail.store.stream(ISSUE).events()]
    whole = verify_stream(trail, ISSUE)
    full = TrailStates(trail).reconstruct(ISSUE, use_snapshots=False)
    grow_old(tmp_path, 366.5)
    fresh = a_trail(tmp_path)
    left = [located.line for located in fresh.store.stream(ISSUE).events(7)]
    assert left == lines[6:]
    assert (
        len(list((tmp_path / "events/archive").rglob("events.jsonl")))
        == 3 + (tmp_path / "events/archive/global/events.jsonl").exists()
    )
    verdict = verify_stream(fresh, ISSUE)
    assert verdict.is_sound, verdict.errors
    assert verdict.merkle_root == whole.merkle_root, "the root over all leaves is what it was"
    assert verdict.head_leaf_hash == leaf_hash(lines[-1])
    state = TrailStates(fresh).reconstruct(ISSUE, use_snapshots=False)
    assert encode_state(state.state) == encode_state(full.state), "the state goes on from what deleted events left"
    told = [event for event in assert_whole(fresh, "global") if event["event_type"] == "SegmentDeleted"]
    assert [(one["metadata"]["first_sequence"], one["metadata"]["events"]) for one in told] == [(1, 3), (4, 3)]
    with pytest.raises(NotFound, match="not there any more"):
        TrailStates(fresh).reconstruct(ISSUE, "2026-03-02T09:00:00.000Z", use_snapshots=False)


def test_everything_can_be_deleted_and_the_stream_goes_on(tmp_path: Path) -> None:
    over_days(tmp_path)
    grow_old(tmp_path, 900)
    clock = ManualClock(MORNING + timedelta(days=901))
    recorder = a_recorder(tmp_path, clock=clock, new_id=ids(80))
    recorder.record_many([phase("AGAIN")])
    (located,) = recorder.trail.store.stream(ISSUE).events(16)
    assert located.event.version == 16
    verdict = verify_stream(a_trail(tmp_path), ISSUE)
    assert verdict.is_sound, verdict.errors


def test_forged_proof_does_not_count(tmp_path: Path) -> None:
    over_days(tmp_path)
    grow_old(tmp_path, 366.5)
    trail = a_trail(tmp_path)
    proof = proofs_of(trail.store.base, ISSUE)[-1]
    path = next((tmp_path / "events/archive").rglob(f"proof-{proof.first_sequence}.json"))
    state = json.loads(bytes(proof.state))
    state["status"] = "completed"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(proof, state=msgspec.Raw(msgspec.json.encode(state)))))
    with pytest.raises(NotFound, match="trail check"):
        TrailStates(trail).reconstruct(ISSUE, use_snapshots=False)
    assert [one.code for one in verify_stream(trail, ISSUE).errors] == ["PROOF_UNKNOWN"]


def test_segment_that_was_taken_away_without_a_record_is_found(tmp_path: Path) -> None:
    trail = over_days(tmp_path)
    (tmp_path / "events/2026-03-02/PROJ-123/events.jsonl").unlink()
    verdict = verify_stream(trail, ISSUE)
    assert "EVENT_SEQ_INVALID" in {one.code for one in verdict.errors}


def test_dry_run_and_switch_do_nothing(tmp_path: Path) -> None:
    over_days(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob("*") if ".esaa" not in str(path))
    planned = grow_old(tmp_path, 366.5, dry_run=True)
    assert [one.act for one in planned] == ["archive", "delete", "archive", "delete", "archive", "archive", "archive"]
    assert grow_old(tmp_path, 900, settings(cleanup={"enabled": False})) == []
    assert sorted(str(path) for path in tmp_path.rglob("*") if ".esaa" not in str(path)) == before


@pytest.mark.parametrize("kind", ["fails", "dies"])
def test_retention_that_is_interrupted_anywhere_is_finished_by_the_next(tmp_path: Path, kind: str) -> None:
    for step in range(1, 400, 3):
        root = tmp_path / f"{kind}{step}"
        trail = over_days(root)
        lines = [located.line for located in trail.store.stream(ISSUE).events()]
        root_before = verify_stream(trail, ISSUE).merkle_root
        disk = FailingDisk(step, errno.EIO) if kind == "fails" else DeadlyDisk(step, "torn")
        clock = ManualClock(MORNING + timedelta(days=366.5))
        interrupted = False
        try:
            old = a_trail(root, clock=clock, disk=disk, new_id=ids(90))
            with TrailRecorder(old, actor=RECORDER, session_id=SESSION) as recorder:
                retire(recorder)
        except (StoreError, OSError, Killed):
            interrupted = True
        grow_old(root, 366.5, prefix=95)
        fresh = a_trail(root)
        verdict = verify_stream(fresh, ISSUE)
        assert verdict.is_sound, (step, verdict.errors)
        assert verdict.merkle_root == root_before
        assert [located.line for located in fresh.store.stream(ISSUE).events(7)] == lines[6:]
        told = [
            (event["event_type"], event["metadata"]["first_sequence"])
            for event in assert_whole(fresh, "global")
            if event["event_type"] != "LogRepaired"
        ]
        assert len(set(told)) == len(told) == 7, "each act is told once"
        if not interrupted:
            return
    raise AssertionError("it was interrupted every time")


def test_retention_waits_for_a_recorder(tmp_path: Path) -> None:
    trail = over_days(tmp_path)
    clock = ManualClock(MORNING + timedelta(days=200))
    old = a_trail(tmp_path, clock=clock, new_id=ids(70))
    old.store.lock_timeout_s = 0.05
    with (
        writer_lock(trail.store.disposable(f"locks/{ISSUE}.lock"), timeout_s=1),
        TrailRecorder(old, actor=RECORDER, session_id=SESSION) as recorder,
        pytest.raises(StoreLocked),
    ):
        retire(recorder)
    assert (tmp_path / "events/2026-03-02/PROJ-123/events.jsonl").is_file()
