"""Replays at work: example 4 of the specification, dry runs, interruption, repetition, and what must never happen."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from esaa.effects.paths import inspect
from esaa.errors import NotFound, StoreLocked, UsageError
from esaa.history.replay_plan import ReplayStep
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.clock import ManualClock
from esaa.runtime.replay.handlers import HANDLERS, HandlerRegistry, Outcome
from esaa.runtime.replay.replaying import replay_events, replay_success_rate
from esaa.runtime.replay.restore_points import contents_of, create_restore_point
from esaa.runtime.replay.result import EventResult, ReplayResult
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.stores.lock import writer_lock
from esaa.trail.event import GLOBAL
from tests.trail.metadata_examples import EXAMPLES
from tests.trails import ISSUE, ME, MORNING, a_recorder, a_trail, assert_whole, settings


class Killed(BaseException):
    """The process ends here."""


class Witness:
    """A handler that keeps what it was called with, and does what it is told to at some keys."""

    def __init__(self, at: dict[str, BaseException] | None = None, **data: Any) -> None:
        self.keys: list[str] = []
        self.at = at or {}
        self.data = data

    def __call__(self, step: ReplayStep, key: str, /) -> Outcome:
        self.keys.append(key)
        if key in self.at:
            raise self.at[key]
        return Outcome(summary="done", data=self.data)


def handled(witness: Witness, *types: str) -> HandlerRegistry:
    registry = HANDLERS.extended()
    registry.handles(*(types or ("TestRunStarted",)), name="witness")(witness)
    return registry


def started(root: Path, **options: Any) -> TrailRecorder:
    recorder = a_recorder(root, **options)
    recorder.record("OrchestrationStarted", {"issue_key": ISSUE, "initial_phase": "CODE"})
    return recorder


def write(recorder: TrailRecorder, path: str, content: bytes, before: bytes | None = None, **more: Any) -> str:
    """A file is written under governance: content kept, file in place, event recorded."""
    trail = recorder.trail
    digest = contents_of(trail).put(content)
    (trail.root / path).parent.mkdir(parents=True, exist_ok=True)
    (trail.root / path).write_bytes(content)
    metadata = {
        "path": path,
        "after_sha256": digest,
        "before_sha256": None if before is None else sha256_hex(before),
        "size_bytes": len(content),
    }
    return recorder.record("FileWritten", metadata | more)


def run_tests(recorder: TrailRecorder, passed: int = 3, suite: str = "unit") -> str:
    event_id = recorder.record("TestRunStarted", {"test_suite": suite})
    metadata = {"test_suite": suite, "total_tests": 3, "passed": passed, "failed": 3 - passed}
    recorder.record("TestRunCompleted", metadata, causation_id=event_id)
    return event_id


def statuses(result: ReplayResult) -> list[tuple[int, str]]:
    return [(one.sequence, one.status) for one in result.results]


def of(result: ReplayResult, sequence: int) -> EventResult:
    (one,) = [one for one in result.results if one.sequence == sequence]
    return one


def markers(trail: Trail, name: str = "EventReplayed", stream: str = ISSUE) -> list[dict[str, Any]]:
    """The events of a type as they are stored, whole stream checked."""
    return [event for event in assert_whole(trail, stream) if event["event_type"] == name]


def digest_of(root: Path) -> dict[str, tuple[int, str]]:
    """Everything below a folder, with its time of change."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(root.rglob("*"))
    }


def a_long_story(root: Path) -> Trail:
    """79 events; of the last 30, from 50 on, 25 are repeatable."""
    recorder = started(root)
    while recorder.trail.store.stream(ISSUE).tip().head.version < 49:
        recorder.record("CommitCreated", {"commit_sha": "abc123", "commit_message": "work"})
    for number in range(5):
        for part in range(4):
            write(recorder, f"src/{number}-{part}.py", f"{number} {part}\n".encode())
        run_tests(recorder)
    recorder.close()
    assert recorder.trail.store.stream(ISSUE).tip().head.version == 79
    return recorder.trail


def test_example_4_of_the_specification(tmp_path: Path) -> None:
    trail = a_long_story(tmp_path)
    lost = tmp_path / "src" / "3-1.py"
    lost.unlink()
    witness = Witness(passed=3, failed=0)
    result = replay_events(trail, issue_key=ISSUE, from_sequence=50, dry_run=False, handlers=handled(witness))
    answer = msgspec.to_builtins(result)
    assert (answer["replayed_count"], answer["skipped_count"], answer["failed_count"]) == (25, 5, 0)
    assert len(answer["results"]) == 30
    skipped = [one for one in answer["results"] if one["status"] == "skipped"]
    assert {one["reason"] for one in skipped} == {"non_replayable_event_type"}
    assert all(one["result"] for one in answer["results"] if one["status"] == "success")
    assert lost.read_bytes() == b"3 1\n"
    assert len(witness.keys) == 5
    assert (result.verified_count, result.mismatched_count) == (25, 0)
    assert result.is_good


def test_real_replay_leaves_a_marker_at_its_start_for_each_event_and_at_its_end(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    written = write(recorder, "src/a.py", b"a")
    tested = run_tests(recorder, passed=2)
    handlers = handled(Witness(passed=2, total_tests=3))
    result = replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handlers, actor=ME)
    events = assert_whole(recorder.trail)
    assert [event["event_type"] for event in events[4:]] == ["ReplayStarted", *["EventReplayed"] * 4, "ReplayCompleted"]
    assert {event["correlation_id"] for event in events[4:]} == {result.replay_id}
    assert {event["actor"]["id"] for event in events[4:]} == {"ada"}
    begin, first, second, third, fourth, end = (event["metadata"] for event in events[4:])
    assert begin == {
        "replay_id": result.replay_id,
        "dry_run": False,
        "from_sequence": 1,
        "to_sequence": 4,
        "planned_count": 2,
        "issue_key": ISSUE,
    }
    assert [event["causation_id"] for event in events[5:9]] == [event["event_id"] for event in events[:4]]
    assert (first["status"], first["reason"]) == ("skipped", "non_replayable_event_type")
    assert second | {"duration_seconds": 0} == {
        "replay_id": result.replay_id,
        "replayed_event_id": written,
        "replayed_event_type": "FileWritten",
        "replayed_sequence": 2,
        "status": "success",
        "dry_run": False,
        "handler": "restore-file",
        "outcome": {
            "summary": "src/a.py has its content already (1 byte)",
            "path": "src/a.py",
            "sha256": sha256_hex(b"a"),
        },
        "matches_recorded": True,
        "duration_seconds": 0,
    }
    assert (third["replayed_event_id"], third["handler"], third["matches_recorded"]) == (tested, "witness", True)
    assert fourth["status"] == "skipped"
    counts = {"replayed_count": 2, "skipped_count": 2, "failed_count": 0, "verified_count": 2, "mismatched_count": 0}
    assert {key: end[key] for key in counts} == counts
    assert events[-1]["causation_id"] == events[4]["event_id"]
    assert replay_of(recorder.trail, result).replayed == 2


def replay_of(trail: Trail, result: ReplayResult) -> Any:
    return TrailStates(trail).reconstruct(ISSUE).state.replays[str(result.replay_id)]


def test_dry_run_is_the_default_calls_no_handler_and_says_what_each_would_do(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    run_tests(recorder)
    (tmp_path / "src/a.py").unlink()
    witness = Witness()
    result = replay_events(recorder.trail, ISSUE, handlers=handled(witness))
    assert result.dry_run
    assert result.replay_id is None
    assert witness.keys == []
    assert not (tmp_path / "src/a.py").exists()
    assert of(result, 2).result == {
        "summary": "src/a.py would get back its content (1 byte)",
        "path": "src/a.py",
        "sha256": sha256_hex(b"a"),
    }
    assert of(result, 3).result == {"summary": "would call witness"}
    assert of(result, 3).matches_recorded is None, "nobody can tell"
    assert (result.replayed_count, result.skipped_count) == (2, 2)
    assert markers(recorder.trail) == []


@given(st.lists(st.sampled_from(sorted(set(EXAMPLES) - {"SessionStarted"})), min_size=1, max_size=8), st.booleans())
@budget(max_examples=25, deadline=None)
def test_dry_run_changes_nothing_on_disk(tmp_path_factory: pytest.TempPathFactory, names: list[str], bad: bool) -> None:
    root = tmp_path_factory.mktemp("dry")
    recorder = started(root, chosen=settings(snapshots={"frequency": 3}))
    write(recorder, "src/a.py", b"a")
    write(recorder, "src/a.py", b"b", b"a")
    for name in names:
        keyed = {"issue_key": ISSUE} if "issue_key" in EXAMPLES[name] else {}
        recorder.record(name, EXAMPLES[name] | keyed)
    _, event = create_restore_point(recorder.trail, ISSUE)
    assert event is not None
    recorder.close()
    (root / "src/a.py").write_bytes(b"b" if not bad else b"mine")
    for snapshot in (root / "events").rglob("snapshot-*"):
        if bad:
            snapshot.write_bytes(b"poison")
    before = digest_of(root)
    result = replay_events(recorder.trail, ISSUE)
    replay_events(recorder.trail, ISSUE, 4, force=True)
    replay_success_rate(recorder.trail, ISSUE)
    assert digest_of(root) == before
    assert result.replayed_count + result.skipped_count + result.failed_count == len(result.results)


def test_lost_files_get_back_what_each_of_their_events_gave_them(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"first")
    write(recorder, "src/a.py", b"second", b"first")
    write(recorder, "docs/deep/er.md", b"text")
    for path in ("src/a.py", "docs/deep/er.md"):
        (tmp_path / path).unlink()
    (tmp_path / "docs/deep").rmdir()
    result = replay_events(recorder.trail, ISSUE, dry_run=False)
    assert result.is_good
    assert (tmp_path / "src/a.py").read_bytes() == b"second"
    assert (tmp_path / "docs/deep/er.md").read_bytes() == b"text"


def test_dry_run_of_writes_in_a_row_foresees_each_of_them(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"new", b"old")
    write(recorder, "src/a.py", b"newer", b"from elsewhere")
    (tmp_path / "src/a.py").write_bytes(b"old")
    result = replay_events(recorder.trail, ISSUE)
    assert [of(result, place).status for place in (2, 3)] == ["success", "success"]


def test_file_that_is_gone_is_written_whatever_the_event_replaced(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"new", b"old")
    (tmp_path / "src/a.py").unlink()
    assert replay_events(recorder.trail, ISSUE, dry_run=False).is_good
    assert (tmp_path / "src/a.py").read_bytes() == b"new"


def test_file_that_someone_changed_since_is_overwritten_only_when_forced(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"recorded")
    mine = tmp_path / "src/a.py"
    mine.write_bytes(b"mine")
    for dry_run in (True, False):
        result = replay_events(recorder.trail, ISSUE, dry_run=dry_run)
        assert result.failed_count == 1
        assert "someone changed it since" in str(of(result, 2).error)
        assert mine.read_bytes() == b"mine"
    assert replay_events(recorder.trail, ISSUE, force=True).failed_count == 0
    assert mine.read_bytes() == b"mine"
    assert replay_events(recorder.trail, ISSUE, dry_run=False, force=True).is_good
    assert mine.read_bytes() == b"recorded"


def test_file_at_what_the_event_replaced_or_a_later_event_wrote_may_be_written(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"new", b"old")
    write(recorder, "src/b.py", b"one")
    write(recorder, "src/b.py", b"two", b"one")
    (tmp_path / "src/a.py").write_bytes(b"old")
    assert replay_events(recorder.trail, ISSUE, to_sequence=3, dry_run=False).is_good
    assert (tmp_path / "src/a.py").read_bytes() == b"new"
    assert (tmp_path / "src/b.py").read_bytes() == b"one", "as it was at the end of the range"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "src/../../outside.txt",
        "/etc/esaa-was-here",
        ".git/hooks/pre-commit",
        ".GIT/hooks/pre-commit",
        ".roadmap/activity.jsonl",
        ".claude/settings.json",
        "events/2026-03-02/PROJ-123/events.jsonl",
        "src/a\u202e.py",
        "link/outside.txt",
        "src",
    ],
)
def test_event_cannot_make_a_replay_write_where_nothing_may_be_written(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    recorder = started(root)
    digest = contents_of(recorder.trail).put(b"evil")
    (root / "src").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    recorder.record("FileWritten", {"path": path, "after_sha256": digest, "before_sha256": None})
    recorder.close()
    before = digest_of(tmp_path)
    for force in (False, True):
        dry = replay_events(recorder.trail, ISSUE, force=force)
        assert of(dry, 2).status == "failed"
        assert digest_of(tmp_path) == before
    result = replay_events(recorder.trail, ISSUE, dry_run=False, force=True)
    assert of(result, 2).status == "failed"
    assert "was left as it is" in str(of(result, 2).error)
    evil = [found for found in tmp_path.rglob("*") if found.is_file() and found.read_bytes() == b"evil"]
    assert evil == [root / ".roadmap/blobs" / digest[:2] / digest]
    assert not (tmp_path / "outside.txt").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert_whole(recorder.trail)


def test_content_that_is_missing_or_damaged_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"gone")
    write(recorder, "src/b.py", b"damaged")
    blobs = tmp_path / ".roadmap/blobs"
    (blobs / sha256_hex(b"gone")[:2] / sha256_hex(b"gone")).unlink()
    (blobs / sha256_hex(b"damaged")[:2] / sha256_hex(b"damaged")).write_bytes(b"Damaged")
    for path in ("src/a.py", "src/b.py"):
        (tmp_path / path).unlink()
    result = replay_events(recorder.trail, ISSUE, dry_run=False)
    assert "is missing from .roadmap/blobs" in str(of(result, 2).error)
    assert "is not what its name says" in str(of(result, 3).error)
    assert list((tmp_path / "src").iterdir()) == []
    assert replay_success_rate(recorder.trail, ISSUE) == (0, 2)


def test_crash_in_the_middle_is_gone_on_with_and_nothing_is_done_twice(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(5)]
    trail = recorder.trail
    names: list[str] = []
    witness = Witness({keys[2]: Killed()}, passed=3)
    with pytest.raises(Killed):
        replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), on_start=names.append)
    (replay_id,) = names
    assert witness.keys == keys[:3]
    assert [one["metadata"]["status"] for one in markers(trail)].count("success") == 2
    assert markers(trail, "ReplayCompleted") == []
    assert any("was interrupted" in one for one in replay_events(trail, ISSUE).warnings)

    witness = Witness(passed=3)
    result = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), replay_id=replay_id)
    assert witness.keys == keys[2:], "what was not acknowledged is done again, with the same key"
    assert result.replay_id == replay_id
    assert (result.replayed_count, result.failed_count) == (3, 0)
    assert of(result, 2).reason == "already_replayed"
    (completed,) = markers(trail, "ReplayCompleted")
    counts = completed["metadata"]
    assert (counts["replayed_count"], counts["verified_count"], counts["skipped_count"]) == (5, 5, 6)
    assert len(markers(trail, "ReplayStarted")) == 1
    assert sorted(one["metadata"]["replayed_event_id"] for one in markers(trail)) == sorted(
        event["event_id"] for event in assert_whole(trail)[:11]
    ), "one marker for each event, and none about markers"
    assert replay_of(trail, result).replayed == 5

    nothing = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), replay_id=replay_id)
    assert witness.keys == keys[2:]
    assert (nothing.replayed_count, nothing.skipped_count) == (0, 11)
    assert len(markers(trail, "ReplayCompleted")) == 1, "there was nothing to record"


def test_replay_that_was_cut_before_its_last_marker_is_ended_when_it_is_gone_on_with(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    trail = recorder.trail

    def cut(result: EventResult) -> None:
        if result.sequence == 3:
            raise Killed

    names: list[str] = []
    with pytest.raises(Killed):
        replay_events(trail, ISSUE, dry_run=False, handlers=handled(Witness()), on_result=cut, on_start=names.append)
    assert markers(trail, "ReplayCompleted") == []
    witness = Witness()
    replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), replay_id=names[0])
    assert witness.keys == []
    (completed,) = markers(trail, "ReplayCompleted")
    assert completed["metadata"]["replayed_count"] == 1


def test_replay_goes_on_as_it_began(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(3)]
    write(recorder, "src/a.py", b"a")
    trail = recorder.trail
    names: list[str] = []
    with pytest.raises(Killed):
        replay_events(
            trail,
            ISSUE,
            4,
            7,
            dry_run=False,
            types=("TestRunStarted",),
            handlers=handled(Witness({keys[1]: Killed()})),
            on_start=names.append,
        )
    run_tests(recorder)  # meanwhile the work goes on
    witness = Witness()
    with pytest.raises(UsageError, match="began with another from sequence"):
        replay_events(trail, ISSUE, 2, dry_run=False, handlers=handled(witness), replay_id=names[0])
    with pytest.raises(UsageError, match="began with another type"):
        replay_events(trail, ISSUE, types=("FileWritten",), dry_run=False, replay_id=names[0])
    result = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), replay_id=names[0])
    assert witness.keys == keys[1:]
    assert (result.from_sequence, result.to_sequence) == (4, 7)
    with pytest.raises(NotFound, match="replay-nobody"):
        replay_events(trail, ISSUE, replay_id="replay-nobody")


def test_replay_with_a_filter_of_its_caller_goes_on_only_with_one(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(3)]
    trail = recorder.trail

    def wanted(event: dict[str, Any]) -> bool:
        return bool(event["event_id"] != keys[1] and event["event_type"] == "TestRunStarted")

    names: list[str] = []
    with pytest.raises(Killed):
        replay_events(
            trail,
            ISSUE,
            event_filter=wanted,
            dry_run=False,
            handlers=handled(Witness({keys[2]: Killed()})),
            on_start=names.append,
        )
    with pytest.raises(UsageError, match="a filter of its caller"):
        replay_events(trail, ISSUE, dry_run=False, handlers=handled(Witness()), replay_id=names[0])
    witness = Witness()
    result = replay_events(
        trail, ISSUE, event_filter=wanted, dry_run=False, handlers=handled(witness), replay_id=names[0]
    )
    assert witness.keys == [keys[2]]
    assert result.filtered_count == 5


def test_second_replay_does_nothing_again_unless_asked(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(2)]
    trail = recorder.trail
    witness = Witness()
    first = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness))
    length = len(assert_whole(trail))
    second = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness))
    assert witness.keys == keys
    assert (second.replayed_count, second.replay_id) == (0, None)
    assert str(first.replay_id) in str(of(second, 2).detail)
    assert len(assert_whole(trail)) == length, "nothing was done, nothing is recorded"
    again = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), again=True)
    assert witness.keys == keys * 2
    assert again.replayed_count == 2
    assert [one.sequence for one in again.results] == [1, 2, 3, 4, 5], "markers are not replayed"
    other = HANDLERS.extended()
    another = Witness()
    other.register("TestRunStarted", another, name="another")
    replay_events(trail, ISSUE, dry_run=False, handlers=other)
    assert another.keys == keys, "what one handler did, another has not done"


def test_what_a_dry_run_elsewhere_told_of_counts_as_not_done(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    key = run_tests(recorder)
    told = {"replay_id": "r", "replayed_event_id": key, "replayed_event_type": "TestRunStarted", "handler": "witness"}
    recorder.record("EventReplayed", told | {"status": "success", "dry_run": True})
    recorder.record("EventReplayed", told | {"status": "failed"})
    witness = Witness()
    replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(witness))
    assert witness.keys == [key]


def test_interrupted_repetition_goes_on_repeating(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(3)]
    trail = recorder.trail
    replay_events(trail, ISSUE, dry_run=False, handlers=handled(Witness()))
    names: list[str] = []
    with pytest.raises(Killed):
        replay_events(
            trail,
            ISSUE,
            dry_run=False,
            again=True,
            handlers=handled(Witness({keys[1]: Killed()})),
            on_start=names.append,
        )
    witness = Witness()
    replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness), replay_id=names[0])
    assert witness.keys == keys[1:]


def test_handler_that_fails_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(3)]
    trail = recorder.trail
    witness = Witness({keys[1]: RuntimeError("no compiler here")})
    result = replay_events(trail, ISSUE, dry_run=False, handlers=handled(witness))
    assert witness.keys == keys
    assert (result.replayed_count, result.failed_count) == (2, 1)
    assert not result.is_good
    assert of(result, 4).error == "no compiler here"
    (failed,) = [one["metadata"] for one in markers(trail) if one["metadata"]["status"] == "failed"]
    assert (failed["reason"], failed["handler"]) == ("no compiler here", "witness")
    (completed,) = markers(trail, "ReplayCompleted")
    assert completed["metadata"]["failed_count"] == 1
    mended = Witness()
    result = replay_events(trail, ISSUE, dry_run=False, handlers=handled(mended), replay_id=result.replay_id)
    assert mended.keys == [keys[1]], "what failed is tried again, with the same key"
    counts = markers(trail, "ReplayCompleted")[-1]["metadata"]
    assert (counts["replayed_count"], counts["failed_count"]) == (3, 0)


def test_fail_fast_stops_at_the_first_failure_and_leaves_the_rest_for_later(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(3)]
    witness = Witness({keys[1]: RuntimeError("no")})
    result = replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(witness), fail_fast=True)
    assert witness.keys == keys[:2]
    assert statuses(result) == [
        (1, "skipped"),
        (2, "success"),
        (3, "skipped"),
        (4, "failed"),
        (5, "skipped"),
        (6, "skipped"),
        (7, "skipped"),
    ]
    assert of(result, 6).reason == "stopped"
    rest = Witness()
    replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(rest), replay_id=result.replay_id)
    assert rest.keys == keys[1:]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (None, "success", {}),
        ({"passed": 3}, "success", {"passed": 3}),
        (Outcome(summary="ran", data={"passed": 3}), "success", {"summary": "ran", "passed": 3}),
        ("fine", "failed", "not an Outcome"),
        ({"when": object()}, "failed", "object"),
    ],
)
def test_what_a_handler_may_give_back(tmp_path: Path, answer: Any, status: str, said: Any) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    registry = HandlerRegistry()

    @registry.handles("TestRunStarted")
    def careless(step: ReplayStep, key: str) -> Any:
        return answer

    assert registry.names() == {"TestRunStarted": careless.__qualname__}
    one = of(replay_events(recorder.trail, ISSUE, dry_run=False, handlers=registry), 2)
    assert one.status == status
    if status == "success":
        assert one.result == said
    else:
        assert said in str(one.error)
    assert markers(recorder.trail)[1]["metadata"]["status"] == status


@pytest.mark.parametrize("data", [{"log": "x" * 2_000_000}, {"deep": json.loads("[" * 60 + "]" * 60)}])
def test_outcome_that_no_event_can_hold_is_left_out_of_the_marker(tmp_path: Path, data: dict[str, Any]) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    result = replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(Witness(**data)))
    assert result.replayed_count == 1
    (marker,) = [one["metadata"] for one in markers(recorder.trail) if one["metadata"]["status"] == "success"]
    assert set(marker["outcome"]) == {"left_out"}


def test_secret_in_an_outcome_does_not_reach_the_disk(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(Witness(output=f"used {token}")))
    assert token not in json.dumps(assert_whole(recorder.trail))


def test_outcome_other_than_the_recorded_one_is_counted_and_recorded(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder, passed=3)
    run_tests(recorder, passed=1, suite="slow")
    result = replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(Witness(passed=3)))
    assert (result.verified_count, result.mismatched_count) == (1, 1)
    assert not result.is_good
    assert [one["metadata"].get("matches_recorded") for one in markers(recorder.trail)] == [
        None,
        True,
        None,
        False,
        None,
    ]


def test_snapshot_is_made_again_and_its_state_compared(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    path, saved = recorder.states.snapshot(ISSUE, 2)
    about = {"snapshot_id": saved.snapshot_id, "event_sequence": 2, "sha256": saved.checksum}
    recorder.record("SnapshotCreated", about)
    recorder.record("SnapshotCreated", about | {"sha256": "0" * 64})
    recorder.record("SnapshotCreated", {"snapshot_id": "snap-9", "event_sequence": 9})
    path.unlink()
    dry = replay_events(recorder.trail, ISSUE, types=("SnapshotCreated",))
    assert not path.exists()
    assert [one.matches_recorded for one in dry.results[:2]] == [True, False]
    result = replay_events(recorder.trail, ISSUE, types=("SnapshotCreated",), dry_run=False)
    assert path.exists()
    assert [(one.status, one.matches_recorded) for one in result.results[:2]] == [("success", True), ("success", False)]
    assert "cannot be older than that event" in str(result.results[2].error)


def test_state_of_a_restore_point_is_folded_again_and_its_file_mended(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    metadata, _ = create_restore_point(recorder.trail, ISSUE)
    path = recorder.trail.store.base / metadata["state_snapshot"]
    good = json.loads(path.read_bytes())
    path.write_text(path.read_text().replace('"in_progress"', '"completed"'))
    one = of(replay_events(recorder.trail, ISSUE, dry_run=False), 3)
    assert one.matches_recorded is True
    assert "made again" in str(one.result)
    assert json.loads(path.read_bytes())["state"] == good["state"]
    path.unlink()
    assert of(replay_events(recorder.trail, ISSUE, dry_run=False, again=True), 3).matches_recorded is True
    assert json.loads(path.read_bytes())["checksum"] == good["checksum"]


def test_restore_point_whose_event_names_another_state_is_a_mismatch(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    extra = {"state_sha256": "0" * 64, "event_sequence": 1}
    recorder.record("CheckpointCreated", {"checkpoint_id": "ckpt-1", "extra": extra})
    recorder.record("CheckpointCreated", {"checkpoint_id": "ckpt-2", "state_snapshot": "/sessions/ckpt-2.json"})
    result = replay_events(recorder.trail, ISSUE, dry_run=False)
    assert [of(result, place).matches_recorded for place in (2, 3)] == [False, None]
    assert list(tmp_path.rglob("ckpt-*")) == []


def test_stream_that_was_changed_is_not_replayed(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    run_tests(recorder, passed=1)
    write(recorder, "src/b.py", b"b")
    recorder.close()
    (log,) = (tmp_path / "events").rglob("events.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"passed":1', b'"passed":3').replace(b'"unit"', b'"UNIT"', 1))
    trail = a_trail(tmp_path)
    witness = Witness()
    for dry_run in (True, False):
        result = replay_events(trail, ISSUE, dry_run=dry_run, handlers=handled(witness))
        assert "#4 is not chained" in result.faults[0]
        assert str(of(result, 2).reason).startswith("precondition_failed: event #4 is not chained")
        assert not result.is_good
    assert witness.keys == []
    assert b"Replay" not in log.read_bytes()
    after = replay_events(trail, ISSUE, from_sequence=4, handlers=handled(witness))
    assert after.faults, "the link to the event before the range is looked at, too"


def test_damage_before_the_range_means_that_its_state_cannot_be_had(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    run_tests(recorder)
    recorder.close()
    (log,) = (tmp_path / "events").rglob("events.jsonl")
    lines = log.read_bytes().splitlines(keepends=True)
    lines[1] = b"{not json}\n"
    log.write_bytes(b"".join(lines))
    result = replay_events(a_trail(tmp_path), ISSUE, from_sequence=4, handlers=handled(Witness()))
    assert "cannot be reconstructed" in result.faults[0]


def test_from_a_restore_point_only_what_came_after_it_is_replayed(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    metadata, _ = create_restore_point(recorder.trail, ISSUE, reason="milestone")
    later = run_tests(recorder)
    name = metadata["checkpoint_id"]
    witness = Witness(passed=3)
    result = replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(witness), restore_point=name)
    assert witness.keys == [later]
    assert result.from_sequence == 4
    assert any("nobody went back" in one for one in result.warnings)
    (begin,) = markers(recorder.trail, "ReplayStarted")
    assert begin["metadata"]["checkpoint_id"] == name
    with pytest.raises(UsageError, match="came before the restore point"):
        replay_events(recorder.trail, ISSUE, 2, restore_point=name)
    with pytest.raises(NotFound, match="There is no restore point"):
        replay_events(recorder.trail, ISSUE, restore_point="ckpt-nobody")


def test_two_replays_of_a_stream_are_never_at_work_at_once(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    trail = recorder.trail
    trail.store.lock_timeout_s = 0.0
    registry = HANDLERS.extended()
    refused: list[Exception] = []

    @registry.handles("TestRunStarted")
    def nested(step: ReplayStep, key: str) -> Outcome:
        with pytest.raises(StoreLocked, match="another replay") as found:
            replay_events(trail, ISSUE, dry_run=False, handlers=registry)
        refused.append(found.value)
        recorder.record("CommitCreated", {"commit_sha": "abc", "commit_message": "a handler may record"})
        return Outcome()

    result = replay_events(trail, ISSUE, dry_run=False, handlers=registry)
    assert result.replayed_count == 1
    assert len(refused) == 1
    assert_whole(trail)


def test_two_replays_at_once_hand_each_event_over_once(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    keys = [run_tests(recorder) for _ in range(4)]
    witness = Witness()
    handlers = handled(witness)
    threads = [
        threading.Thread(target=replay_events, args=(a_trail(tmp_path, new_id=fresh(place)), ISSUE), kwargs=how)
        for place in range(3)
        for how in [{"dry_run": False, "handlers": handlers}]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert witness.keys == keys
    assert_whole(recorder.trail)


def fresh(place: int) -> Callable[[], str]:
    numbers = iter(range(1, 1000))
    return lambda: f"{place + 1:08x}-0000-4000-9000-{next(numbers):012x}"


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"from_sequence": 9}, NotFound, "there is no #9"),
        ({"from_sequence": -1}, UsageError, "no events"),
        ({"from_sequence": 3, "to_sequence": 2}, UsageError, "no events from #3 to #2"),
        ({"types": ("TestRunStrted",)}, UsageError, "Did you mean TestRunStarted"),
        ({"types": ("What",)}, UsageError, "esaa record --list"),
    ],
)
def test_range_or_type_that_is_none_is_refused(tmp_path: Path, asked: Any, error: type[Exception], said: str) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    with pytest.raises(error, match=said):
        replay_events(recorder.trail, ISSUE, **asked)


def test_stream_that_is_not_there_is_not_found_and_not_made(tmp_path: Path) -> None:
    trail = started(tmp_path).trail
    before = digest_of(tmp_path)
    with pytest.raises(NotFound, match="Did you mean PROJ-123"):
        replay_events(trail, "PROJ-124", dry_run=False)
    with pytest.raises(UsageError, match="no issue key"):
        replay_events(trail, "../PROJ-123", dry_run=False)
    assert digest_of(tmp_path) == before


def test_global_stream_is_replayed_like_any_other(tmp_path: Path) -> None:
    recorder = TrailRecorder(a_trail(tmp_path), actor=ME)
    write(recorder, "src/a.py", b"a")
    (tmp_path / "src/a.py").unlink()
    result = replay_events(recorder.trail, GLOBAL, dry_run=False)
    assert result.replayed_count == 1
    assert (tmp_path / "src/a.py").read_bytes() == b"a"
    assert markers(recorder.trail, "ReplayCompleted", GLOBAL)[0]["issue_key"] is None


def test_range_that_ends_beyond_the_stream_ends_with_it(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)
    result = replay_events(recorder.trail, ISSUE, to_sequence=99)
    assert result.to_sequence == 3


def test_success_rate_counts_what_a_replay_would_need(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    run_tests(recorder)  # repeatable, without a handler: everything that one needs is there
    write(recorder, "src/a.py", b"a")
    write(recorder, "src/b.py", b"b")
    recorder.record("FileWritten", {"path": "src/c.py", "after_sha256": "0" * 64})
    (tmp_path / "src/b.py").write_bytes(b"what files hold now says nothing about the trail")
    assert replay_success_rate(recorder.trail, ISSUE) == (3, 4)
    replay_events(recorder.trail, ISSUE, dry_run=False)
    assert replay_success_rate(recorder.trail, ISSUE) == (3, 4), "what was replayed counts all the same"


def test_replay_works_across_days_and_partitions(tmp_path: Path) -> None:
    clock = ManualClock(MORNING)
    recorder = started(tmp_path, chosen=settings(storage={"partition_by": "date", "format": "json"}), clock=clock)
    run_tests(recorder)
    clock.advance(timedelta(days=2).total_seconds())
    second = run_tests(recorder)
    witness = Witness()
    result = replay_events(recorder.trail, ISSUE, from_sequence=3, dry_run=False, handlers=handled(witness))
    assert witness.keys == [second]
    assert result.skipped_count == 2
    clock.advance(-5)
    assert replay_events(recorder.trail, ISSUE, dry_run=False, again=True, handlers=handled(witness)).is_good
    assert_whole(recorder.trail)


def test_lock_is_free_again_after_a_crash(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    key = run_tests(recorder)
    with pytest.raises(Killed):
        replay_events(recorder.trail, ISSUE, dry_run=False, handlers=handled(Witness({key: Killed()})))
    with writer_lock(recorder.trail.store.disposable(f"locks/replay-{ISSUE}.lock"), timeout_s=0):
        pass


def test_file_that_cannot_be_written_is_a_failure_of_its_event_only(tmp_path: Path) -> None:
    recorder = started(tmp_path)
    write(recorder, "src/a.py", b"a")
    write(recorder, "docs/b.md", b"b")
    for path in ("src/a.py", "docs/b.md"):
        (tmp_path / path).unlink()
    os.link(tmp_path / ".roadmap/blobs" / sha256_hex(b"a")[:2] / sha256_hex(b"a"), tmp_path / "src/a.py")
    assert inspect(tmp_path, "src/a.py", bytes_max=10, want_content=False).fault is not None
    result = replay_events(recorder.trail, ISSUE, dry_run=False)
    assert "second hard link" in str(of(result, 2).error)
    assert (tmp_path / "docs/b.md").read_bytes() == b"b"
