"""The store of the trail: layout, sequences, chains, formats, partitions, torn tails, repeated ids, many processes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from esaa.errors import CommandConflict, CorruptLog, StoreError, WrongExpectedVersion
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.stores.trail_segments import compressed, stored_lines, to_parquet
from esaa.trail.intake import Proposal
from tests.crash.disks import FailingDisk
from tests.trails import ISSUE, ME, MORNING, SESSION, a_recorder, a_trail, assert_whole, ids, phase, settings

DAYS = [MORNING + timedelta(days=number) for number in range(3)]


def names_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("events*") if path.is_file()}


def record_over_days(root: Path, partition_by: str = "date", **storage: Any) -> TrailRecorder:
    """Two events on each of three days."""
    clock = ManualClock(MORNING)
    recorder = a_recorder(root, settings(storage={"partition_by": partition_by, **storage}), clock=clock)
    for day in DAYS:
        clock.advance((day - clock.now()).total_seconds())
        recorder.record_many([phase(), phase("CODE")])
    return recorder


def test_layout_is_the_specification_s(tmp_path: Path) -> None:
    recorder = record_over_days(tmp_path)
    recorder.record("SessionStarted", {}, issue_key=None)
    TrailRecorder(recorder.trail, actor=ME).record("SessionStarted")
    recorder.close()
    assert names_below(tmp_path / "events") == {
        "2026-03-02/PROJ-123/events.jsonl",
        "2026-03-03/PROJ-123/events.jsonl",
        "2026-03-04/PROJ-123/events.jsonl",
        "global/events.jsonl",
    }
    metadata = json.loads((tmp_path / "events/2026-03-03/PROJ-123/metadata.json").read_text())
    assert (metadata["issue_key"], metadata["events"], metadata["first_sequence"], metadata["last_sequence"]) == (
        ISSUE,
        2,
        3,
        4,
    )
    assert metadata["sessions"] == [SESSION]
    index = json.loads((tmp_path / "events/2026-03-02/index.json").read_text())
    assert index["issues"][ISSUE]["events"] == 2


@pytest.mark.parametrize(
    ("partition_by", "expected"),
    [
        ("issue", {"PROJ-123/events.jsonl"}),
        ("session", {f"PROJ-123/{SESSION}/events.jsonl"}),
    ],
)
def test_other_partitions(tmp_path: Path, partition_by: str, expected: set[str]) -> None:
    recorder = record_over_days(tmp_path, partition_by)
    assert names_below(tmp_path / "events") == expected
    assert len(assert_whole(recorder.trail)) == 6


def test_sequence_and_chain_run_on_across_dates_sessions_and_partitions(tmp_path: Path) -> None:
    record_over_days(tmp_path, "date")
    other = "5e551000-0000-4000-8000-000000000002"
    for number, partition_by in enumerate(("session", "issue", "date", "session"), 1):
        recorder = a_recorder(tmp_path, settings(storage={"partition_by": partition_by}), new_id=ids(number))
        for session in (SESSION, other, SESSION):
            recorder.record("SessionStarted", {}, session_id=session)
    assert len(assert_whole(recorder.trail)) == 18
    assert len(assert_whole(a_trail(tmp_path))) == 18, "a reader finds every partition, whatever is configured now"


def test_json_format_is_one_array_per_partition(tmp_path: Path) -> None:
    recorder = record_over_days(tmp_path, format="json")
    path = tmp_path / "events/2026-03-03/PROJ-123/events.json"
    assert [event["event_sequence"] for event in json.loads(path.read_text())] == [3, 4]
    assert len(assert_whole(recorder.trail)) == 6


def test_formats_can_change_in_the_middle(tmp_path: Path) -> None:
    for number, kind in enumerate(("jsonl", "json", "jsonl", "json")):
        recorder = a_recorder(tmp_path, settings(storage={"format": kind}), new_id=ids(number))
        recorder.record_many([phase(), phase()])
    assert len(assert_whole(recorder.trail)) == 8


@pytest.mark.parametrize("kind", ["jsonl.zst", "parquet"])
def test_sealed_segments_keep_the_bytes_of_every_line(tmp_path: Path, kind: str) -> None:
    recorder = record_over_days(tmp_path)
    before = [located.line for located in recorder.trail.store.stream(ISSUE).events()]
    plain = tmp_path / "events/2026-03-02/PROJ-123/events.jsonl"
    sealed = plain.with_name(f"events.{kind}")
    if kind == "parquet":
        pytest.importorskip("duckdb")
        to_parquet(stored_lines(plain, "jsonl"), sealed)
    else:
        sealed.write_bytes(compressed(stored_lines(plain, "jsonl")))
    plain.unlink()
    fresh = a_trail(tmp_path)
    assert [located.line for located in fresh.store.stream(ISSUE).events()] == before
    assert fresh.store.stream(ISSUE).line_at(2) == before[1]
    recorder = a_recorder(tmp_path, new_id=ids(9), clock=ManualClock(DAYS[2]))
    recorder.record_many([phase()])
    assert len(assert_whole(recorder.trail)) == 7


def test_only_sealed_segment_goes_on_in_a_new_file(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    recorder.record_many([phase(), phase()])
    plain = tmp_path / "events/2026-03-02/PROJ-123/events.jsonl"
    plain.with_name("events.jsonl.zst").write_bytes(compressed(stored_lines(plain, "jsonl")))
    plain.unlink()
    again = a_recorder(tmp_path, new_id=ids(7))
    again.record_many([phase()])
    assert names_below(tmp_path / "events") == {
        "2026-03-02/PROJ-123/events.jsonl.zst",
        "2026-03-02/PROJ-123/events-3.jsonl",
    }
    assert len(assert_whole(again.trail)) == 3


@pytest.mark.parametrize(
    ("after", "expected"), [("2026-03-01", 0), ("2026-03-02", 2), ("2026-03-03", 4), ("2027-01-01", 6)]
)
def test_moment_finds_the_last_event_before_it(tmp_path: Path, after: str, expected: int) -> None:
    trail = record_over_days(tmp_path).trail
    assert trail.store.stream(ISSUE).sequence_at(f"{after}T23:59:59.999Z") == expected
    assert trail.store.stream(ISSUE).sequence_at("2026-03-02T08:59:59.999Z") == 0
    assert trail.store.stream(ISSUE).sequence_at("2026-03-02T09:00:00.000Z") == 2


def test_reading_a_part_gives_exactly_that_part(tmp_path: Path) -> None:
    stream = record_over_days(tmp_path).trail.store.stream(ISSUE)
    for first in range(1, 8):
        for last in range(first, 8):
            found = [located.event.version for located in stream.events(first, last)]
            assert found == list(range(first, min(last, 6) + 1))


def test_large_segment_is_read_by_bisection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.stores.trail_files.SMALL_BYTES", 10)
    clock = ManualClock(MORNING)
    recorder = a_recorder(tmp_path, clock=clock)
    for _ in range(40):
        recorder.record_many([phase()])
        clock.advance(1)
    stream = a_trail(tmp_path).store.stream(ISSUE)
    for sequence in (1, 2, 20, 39, 40):
        assert [one.event.version for one in stream.events(sequence, sequence)] == [sequence]
        ts = (MORNING + timedelta(seconds=sequence - 1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert stream.sequence_at(ts) == sequence


def test_clock_that_goes_back_is_clamped_and_told(tmp_path: Path) -> None:
    clock = ManualClock(MORNING)
    recorder = a_recorder(tmp_path, clock=clock)
    recorder.record("PhaseStarted", {"phase": "PLAN"})
    clock.advance(-3600 * 24)
    recorder.record("PhaseStarted", {"phase": "CODE"})
    first, second = assert_whole(recorder.trail)
    assert second["timestamp"] == first["timestamp"] == "2026-03-02T09:00:00.000Z"
    assert second["occurred_at"] == "2026-03-01T09:00:00.000Z"
    assert names_below(tmp_path / "events") == {"2026-03-02/PROJ-123/events.jsonl"}


def test_vector_clock_ticks_for_this_writer(tmp_path: Path) -> None:
    laptop = a_recorder(tmp_path, settings(storage={"writer_id": "laptop"}), new_id=ids(1))
    laptop.record_many([phase()])
    server = a_recorder(tmp_path, settings(storage={"writer_id": "server"}), new_id=ids(2))
    server.record_many([phase(), phase()])
    clocks = [event["vector_clock"] for event in assert_whole(server.trail)]
    assert clocks == [{"laptop": 1}, {"laptop": 1, "server": 1}, {"laptop": 1, "server": 2}]


def test_same_id_with_the_same_content_is_recorded_once(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    chosen = "aaaaaaaa-0000-4000-8000-000000000001"
    first = recorder.record_many([phase(event_id=chosen), phase("CODE")])
    again = a_recorder(tmp_path, new_id=ids(3)).record_many([phase(event_id=chosen), phase("TEST")])
    assert again.repeated == {chosen}
    assert again.events[0] == first.events[0]
    assert len(assert_whole(recorder.trail)) == 3
    twice = a_recorder(tmp_path, new_id=ids(4)).record_many([phase(event_id=SESSION), phase(event_id=SESSION)])
    assert len({event.version for event in twice.events}) == 1
    assert len(assert_whole(recorder.trail)) == 4


def test_same_id_with_another_content_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    chosen = "aaaaaaaa-0000-4000-8000-000000000001"
    recorder.record_many([phase(event_id=chosen)])
    with pytest.raises(CommandConflict, match="another content"):
        recorder.record_many([phase("CODE"), phase("CODE", event_id=chosen)])
    assert len(assert_whole(recorder.trail)) == 1


def test_expected_version_is_held(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    recorder.record_many([phase()])
    draft = recorder.examine(phase()).draft
    with pytest.raises(WrongExpectedVersion):
        recorder.trail.store.stream(ISSUE).append([draft], expected_version=0)
    assert len(assert_whole(recorder.trail)) == 1


def test_torn_tail_goes_to_quarantine_and_the_repair_is_an_event(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    recorder.record_many([phase(), phase("CODE")])
    path = tmp_path / "events/2026-03-02/PROJ-123/events.jsonl"
    whole = path.read_bytes()
    torn = b'{"event_id":"half'
    path.write_bytes(whole + torn)
    reader = a_trail(tmp_path)
    assert [one.event.version for one in reader.store.stream(ISSUE).events()] == [1, 2]
    assert path.read_bytes() == whole + torn, "a reader mends nothing"
    again = a_recorder(tmp_path, new_id=ids(5))
    receipt = again.record_many([phase("TEST")])
    assert "torn line" in receipt.notices[0]
    events = assert_whole(again.trail)
    assert [event["event_type"] for event in events] == ["PhaseStarted"] * 3 + ["LogRepaired"]
    copies = list((tmp_path / "events/archive/torn").iterdir())
    assert [copy.read_bytes() for copy in copies] == [torn]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_stream_whose_very_first_line_is_torn_begins_anew(tmp_path: Path, cut: int) -> None:
    recorder = a_recorder(tmp_path)
    recorder.record_many([phase()])
    path = tmp_path / "events/2026-03-02/PROJ-123/events.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = a_recorder(tmp_path, new_id=ids(5))
    again.record_many([phase("TEST")])
    assert [event["event_type"] for event in assert_whole(again.trail)] == ["PhaseStarted", "LogRepaired"]


@pytest.mark.parametrize("line", [0, 1, 2])
def test_hole_of_zeros_that_an_append_left_goes_to_quarantine_with_what_follows(tmp_path: Path, line: int) -> None:
    # The pages of one append reach the disk in any order; what did not reach it reads as zeros.
    recorder = a_recorder(tmp_path)
    recorder.record_many([phase(), phase("CODE"), phase("TEST")])
    path = tmp_path / "events/2026-03-02/PROJ-123/events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    holed = [*lines[:line], bytes(80) + lines[line][80:], *lines[line + 1 :]]
    path.write_bytes(b"".join(holed))
    again = a_recorder(tmp_path, new_id=ids(5))
    receipt = again.record_many([phase("PLANNING")])
    assert "moved to" in receipt.notices[0]
    events = assert_whole(again.trail)
    assert [event["event_type"] for event in events] == ["PhaseStarted"] * (line + 1) + ["LogRepaired"]
    copies = list((tmp_path / "events/archive/torn").iterdir())
    assert [copy.read_bytes() for copy in copies] == [b"".join(holed[line:])]


def test_damage_in_the_middle_is_reported_and_never_cut(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    recorder.record_many([phase(), phase("CODE"), phase("TEST")])
    path = tmp_path / "events/2026-03-02/PROJ-123/events.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], b"{broken", lines[2], b""]))
    damaged = path.read_bytes()
    with pytest.raises(CorruptLog, match="esaa trail check"):
        list(a_trail(tmp_path).store.stream(ISSUE).events())
    path.write_bytes(b"\n".join([lines[0], lines[2], b""]))
    with pytest.raises(CorruptLog, match="event_sequence 3 follows 1"):
        list(a_trail(tmp_path).store.stream(ISSUE).events())
    path.write_bytes(damaged)
    assert path.read_bytes() == damaged


def test_missing_partition_is_told(tmp_path: Path) -> None:
    record_over_days(tmp_path)
    (tmp_path / "events/2026-03-03/PROJ-123/events.jsonl").unlink()
    with pytest.raises(CorruptLog, match="event 3 is missing"):
        list(a_trail(tmp_path).store.stream(ISSUE).events())


def _record(root: str, number: int, count: int) -> None:
    recorder = a_recorder(Path(root), new_id=ids(number))
    for index in range(count):
        recorder.record_many([phase(f"P{number}"), phase(f"P{number}.{index}")])
        TrailRecorder(recorder.trail, actor=ME).record("SessionStarted", {"client": f"{number}"})


@pytest.mark.slow
def test_many_processes_record_at_once_without_losing_or_doubling(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record, args=(str(tmp_path), number + 1, 15)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    trail = a_trail(tmp_path)
    events = assert_whole(trail)
    assert len(events) == 8 * 15 * 2
    assert len(assert_whole(trail, "global")) == 8 * 15
    for number in range(1, 9):
        own = [e["metadata"]["phase"] for e in events if e["metadata"]["phase"].startswith(f"P{number}.")]
        assert own == [f"P{number}.{index}" for index in range(15)], "each writer's own order is kept"


def test_every_failing_step_leaves_the_stream_whole(tmp_path: Path) -> None:
    """Whatever step of recording fails: what was acknowledged is there, and recording goes on."""
    for step in range(1, 60):
        root = tmp_path / str(step)
        acknowledged = 0
        disk = FailingDisk(step, errno.EIO)
        recorder = a_recorder(root, clock=ManualClock(MORNING), disk=disk)
        failed = False
        for day in range(3):
            try:
                recorder.record_many([phase(), phase("CODE")])
                acknowledged += 2
            except (StoreError, OSError):
                failed = True
            assert isinstance(recorder.trail.clock, ManualClock)
            recorder.trail.clock.advance(3600 * 24 * (day + 1))
        again = a_recorder(root, new_id=ids(99), clock=ManualClock(datetime(2026, 4, 1, tzinfo=MORNING.tzinfo)))
        again.record_many([phase("TEST")])
        events = assert_whole(again.trail)
        kept = [event for event in events if event["event_type"] == "PhaseStarted"]
        assert len(kept) >= acknowledged + 1
        if not failed:
            break
    else:
        raise AssertionError("every step failed")


def test_ids_are_found_wherever_they_lie(tmp_path: Path) -> None:
    recorder = record_over_days(tmp_path)
    wanted = [str(one.event.event_id) for one in recorder.trail.store.stream(ISSUE).events()]
    found = recorder.trail.store.stream(ISSUE).find(wanted)
    assert {key: one.event.version for key, one in found.items()} == {key: n + 1 for n, key in enumerate(wanted)}
    assert recorder.trail.store.stream(ISSUE).find(["ffffffff-0000-4000-8000-000000000000"]) == {}


def test_proposal_of_another_issue_goes_to_its_stream(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    other = Proposal(
        event_type="OrchestrationStarted", metadata={"issue_key": "ABC-9", "initial_phase": "PLAN"}, actor=ME
    )
    other.issue_key = "ABC-9"
    recorder.record_many([phase(), other, phase()])
    assert recorder.trail.store.names() == ["ABC-9", "PROJ-123"]
    assert len(assert_whole(recorder.trail)) == 2
    assert len(assert_whole(recorder.trail, "ABC-9")) == 1


class FolderTimes:
    """Gives every folder whose entries changed a time of its own, long past: a file system with a very fine clock."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._entries: dict[str, list[str]] = {}
        self._times: dict[str, int] = {}

    def settle(self) -> None:
        for folder, folders, files in os.walk(self._root):
            entries = sorted(folders + files)
            if self._entries.get(folder) != entries:
                self._entries[folder] = entries
                self._times[folder] = self._times.get(folder, 1_700_000_000_000_000_001) + 1_000_003
            os.utime(folder, ns=(self._times[folder], self._times[folder]))


STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["PROJ-1", "PROJ-2"]), st.sampled_from([0, 0, 0, 1])),
    min_size=3,
    max_size=25,
)
PARTITIONS = st.sampled_from(["date", "issue", "session"])


@given(STEPS, st.tuples(PARTITIONS, PARTITIONS))
@budget(max_examples=80, deadline=None)
def test_two_writers_agree_on_where_a_stream_ends(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int]], partitions: tuple[str, str]
) -> None:
    """Each of two processes remembers what it saw of the folders; what the other did in between must show."""
    root = tmp_path_factory.mktemp("two")
    clock = ManualClock(MORNING)
    writers = [
        a_recorder(root, settings(storage={"partition_by": by}), clock=clock, new_id=ids(number + 1))
        for number, by in enumerate(partitions)
    ]
    times = FolderTimes(root)
    for who, stream, days in steps:
        clock.advance(days * 24 * 3600)
        writers[who].record_many([phase(issue_key=stream)])
        times.settle()
    trail = a_trail(root)
    assert sum(len(assert_whole(trail, name)) for name in trail.store.names()) == len(steps)
