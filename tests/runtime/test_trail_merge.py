"""Joining trails: two stores, forks that git made inside one, files in a driver; and merges that are interrupted."""

from __future__ import annotations

import errno
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from esaa.errors import CorruptLog, MergeConflict, NotFound, StoreError
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.merge import StreamMerge, merge_files, merge_stores, rejoin, write_file
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.retention import retire
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trail.verification import verify_stream
from esaa.stores.disk import Disk
from esaa.stores.trail_segments import stored_lines
from tests.crash.disks import DeadlyDisk, FailingDisk, Killed
from tests.trails import ISSUE, ME, MORNING, SESSION, a_recorder, a_trail, assert_whole, ids, phase, settings


def events_of(trail: Trail, stream: str = ISSUE) -> list[bytes]:
    return [located.line for located in trail.store.stream(stream).events()]


def grow(root: Path, name: str, day: float, count: int = 2, writer: str = "") -> Trail:
    """Records events of one writer on a day."""
    clock = ManualClock(MORNING + timedelta(days=day))
    chosen = settings(storage={"writer_id": writer}) if writer else None
    number = sum(name.encode()) * 1000 + int(day * 10)
    recorder = a_recorder(root, chosen, clock=clock, new_id=ids(number))
    recorder.record_many([phase(f"{name}-{index}") for index in range(count)])
    recorder.close()
    return recorder.trail


def diverged(tmp_path: Path, days: tuple[float, float] = (1, 2)) -> tuple[Trail, Trail]:
    """Two copies of a trail that went different ways."""
    grow(tmp_path / "a", "start", 0)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    grow(tmp_path / "a", "left", days[0])
    grow(tmp_path / "b", "right", days[1], 3)
    return a_trail(tmp_path / "a"), a_trail(tmp_path / "b")


def phases_of(trail: Trail) -> list[str]:
    return [event["metadata"].get("phase", event["event_type"]) for event in assert_whole(trail)]


@pytest.mark.parametrize("days", [(1, 2), (2, 1), (1, 1), (0, 0)])
def test_two_stores_become_one_that_both_agree_on(tmp_path: Path, days: tuple[float, float]) -> None:
    left, right = diverged(tmp_path, days)
    shutil.copytree(tmp_path / "b", tmp_path / "b2")
    (done,) = merge_stores(left, right.store)
    assert (done.before, done.events, done.common, done.is_changed) == (4, 8, 2, True)
    assert done.concurrent_pairs == 6
    assert sorted(phases_of(left)) == sorted(
        ["start-0", "start-1", "left-0", "left-1", "right-0", "right-1", "right-2", "TrailMerged"]
    )
    assert verify_stream(left, ISSUE).is_sound
    other = a_trail(tmp_path / "b2")
    merge_stores(other, a_trail(tmp_path / "a").store)
    assert events_of(other) == events_of(a_trail(tmp_path / "a")), "the order of the sides does not matter"
    again = merge_stores(a_trail(tmp_path / "a"), right.store)
    assert [one.is_changed for one in again] == [False], "merging again changes nothing"


def test_recording_goes_on_after_a_merge_and_merges_again(tmp_path: Path) -> None:
    left, right = diverged(tmp_path)
    merge_stores(left, right.store)
    grow(tmp_path / "a", "more", 5)
    grow(tmp_path / "b", "other", 4)
    merge_stores(a_trail(tmp_path / "a"), a_trail(tmp_path / "b").store)
    merged = a_trail(tmp_path / "a")
    assert len(phases_of(merged)) == 13
    assert verify_stream(merged, ISSUE).is_sound


def test_vector_clocks_name_what_is_concurrent(tmp_path: Path) -> None:
    grow(tmp_path / "a", "start", 0, 1, "laptop")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    grow(tmp_path / "a", "left", 1, 1, "laptop")
    grow(tmp_path / "b", "right", 2, 1, "server")
    (done,) = merge_stores(a_trail(tmp_path / "a"), a_trail(tmp_path / "b").store)
    assert done.concurrent_pairs == 1
    assert len(done.concurrent) == 1


def test_new_streams_are_taken_over(tmp_path: Path) -> None:
    grow(tmp_path / "b", "right", 0)
    (tmp_path / "a").mkdir()
    left = a_trail(tmp_path / "a")
    merge_stores(left, a_trail(tmp_path / "b").store)
    assert events_of(left) == events_of(a_trail(tmp_path / "b"))


def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    left, right = diverged(tmp_path)
    before = events_of(left)
    assert [one.is_changed for one in merge_stores(left, right.store, dry_run=True)] == [True]
    assert events_of(a_trail(tmp_path / "a")) == before


def test_there_is_no_other_trail(tmp_path: Path) -> None:
    left, _ = diverged(tmp_path)
    with pytest.raises(NotFound):
        merge_stores(left, a_trail(tmp_path / "nowhere").store)


def test_same_id_with_another_content_is_a_conflict_and_changes_nothing(tmp_path: Path) -> None:
    left, _ = diverged(tmp_path)
    chosen = "aaaaaaaa-0000-4000-8000-000000000001"
    TrailRecorder(left, actor=ME, session_id=SESSION).record_many([phase("x", event_id=chosen, issue_key=ISSUE)])
    late = a_trail(tmp_path / "b", clock=ManualClock(MORNING + timedelta(days=3)), new_id=ids(4))
    TrailRecorder(late, actor=ME, session_id=SESSION).record_many([phase("y", event_id=chosen, issue_key=ISSUE)])
    before = events_of(left)
    with pytest.raises(MergeConflict):
        merge_stores(a_trail(tmp_path / "a"), a_trail(tmp_path / "b").store)
    assert events_of(a_trail(tmp_path / "a")) == before


def test_fork_inside_a_store_is_told_and_joined(tmp_path: Path) -> None:
    """Two branches of a repository recorded on different days; git puts both files side by side."""
    left, right = diverged(tmp_path)
    for path in right.store.base.rglob("events*.jsonl"):
        target = left.store.base / path.relative_to(right.store.base)
        if not target.exists():
            target.parent.mkdir(parents=True)
            shutil.copy(path, target)
    with pytest.raises(CorruptLog, match="esaa trail merge"):
        events_of(a_trail(tmp_path / "a"))
    (done,) = rejoin(a_trail(tmp_path / "a"))
    assert done.is_changed
    assert len(phases_of(a_trail(tmp_path / "a"))) == 8
    assert [one.is_changed for one in rejoin(a_trail(tmp_path / "a"))] == [False]


def test_driver_joins_two_versions_of_a_file(tmp_path: Path) -> None:
    left, right = diverged(tmp_path, (0, 0))
    ours = next(left.store.base.rglob("events.jsonl"))
    theirs = next(right.store.base.rglob("events.jsonl"))
    merged = merge_files(ours, theirs)
    write_file(ours, merged, Disk())
    assert len(phases_of(a_trail(tmp_path / "a"))) == 8


def test_archived_events_stay_where_they_are(tmp_path: Path) -> None:
    grow(tmp_path / "a", "start", 0)
    grow(tmp_path / "a", "second", 1)
    old = a_trail(tmp_path / "a", clock=ManualClock(MORNING + timedelta(days=90.5)), new_id=ids(60))
    with TrailRecorder(old, actor=RECORDER, session_id=SESSION) as recorder:
        assert len(retire(recorder)) == 1
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    grow(tmp_path / "a", "left", 95)
    grow(tmp_path / "b", "right", 96)
    merge_stores(a_trail(tmp_path / "a"), a_trail(tmp_path / "b").store)
    merged = a_trail(tmp_path / "a")
    assert len(phases_of(merged)) == 9
    assert (merged.store.base / "archive/2026-03-02/PROJ-123/events.jsonl").is_file()
    assert verify_stream(merged, ISSUE).is_sound


@pytest.mark.parametrize("kind", ["fails", "dies"])
def test_interrupted_merge_is_finished_by_the_next(tmp_path: Path, kind: str) -> None:
    left, right = diverged(tmp_path / "origin")
    merge_stores(left, right.store)
    expected = events_of(a_trail(tmp_path / "origin" / "a"))
    for step in range(1, 200):
        root = tmp_path / f"{step}"
        _, other = diverged(root)
        disk = FailingDisk(step, errno.EIO) if kind == "fails" else DeadlyDisk(step, "torn")
        interrupted = False
        try:
            merge_stores(a_trail(root / "a", disk=disk), other.store)
        except (StoreError, OSError, Killed):
            interrupted = True
        merge_stores(a_trail(root / "a"), other.store)
        assert events_of(a_trail(root / "a")) == expected, step
        if not interrupted:
            return
    raise AssertionError("it was interrupted every time")


def test_result_names_what_happened(tmp_path: Path) -> None:
    left, right = diverged(tmp_path)
    (done,) = merge_stores(left, right.store)
    assert isinstance(done, StreamMerge)
    assert (done.stream, len(done.concurrent)) == (ISSUE, 6)


@pytest.mark.parametrize(
    "plan",
    [
        {"../../victim.txt": None},
        {"/tmp/victim.txt": None},
        {"2026-01-05/PROJ-123/../../../victim.txt": "0"},
        {"2026-01-05/PROJ-123/events.jsonl": "../../../../victim.txt"},
        {"events.jsonl/../x": None},
        {"victim.txt": None},
        {"a\0/events.jsonl": None},
        {"": None},
        ["no plan"],
        "\xff",
    ],
    ids=str,
)
def test_plan_that_somebody_else_has_left_moves_and_removes_nothing(tmp_path: Path, plan: object) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_bytes(b"keep me")
    with a_recorder(tmp_path / "project") as recorder:
        recorder.record_many([phase()])
    trail = a_trail(tmp_path / "project")
    aside = trail.store.disposable(f"merge/{ISSUE}")
    aside.mkdir(parents=True)
    (aside / "plan.json").write_bytes(json.dumps(plan).encode() if plan != "\xff" else b'{"\xff": null}')
    before = {path: path.read_bytes() for path in (tmp_path / "project").rglob("events*") if path.is_file()}

    with pytest.raises(StoreError, match="is no plan of a merge"):
        rejoin(trail)

    assert victim.read_bytes() == b"keep me"
    assert {path: path.read_bytes() for path in (tmp_path / "project").rglob("events*") if path.is_file()} == before


def test_line_that_unpacks_without_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(bytes(200 * 1024 * 1024)))
    assert path.stat().st_size < 100_000
    with pytest.raises(StoreError, match="a line of more than"):
        list(stored_lines(path, "jsonl.zst"))
