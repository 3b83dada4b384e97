"""A stream of the trail as a past: what it says of any moment is what folding every event says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from esaa.errors import NotFound, UsageError
from esaa.history.entries import EntryFilter
from esaa.history.pointers import parse_pointer, value_at
from esaa.kernel.recorded import Draft
from esaa.runtime.history.stream_past import StreamPast
from esaa.runtime.history.stream_scan import CURSORS
from esaa.runtime.trail.trail import Trail
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import evolve
from esaa.trail.state import OrchestrationState, encode_state
from tests.query.trail_of import QuickDisk
from tests.trail.scenes import scenes
from tests.trails import ISSUE, a_recorder, a_trail

QUICK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def appended(trail: Trail, events: list[TrailEvent]) -> None:
    """The events of a scene as a stream."""
    drafts = [
        Draft(
            actor=one.actor,
            event_id=one.event_id,
            ts=one.ts,
            schema_version=one.schema_version,
            causation_id=one.causation_id,
            fact=msgspec.structs.replace(one.fact, issue_key=ISSUE),
        )
        for one in events
    ]
    trail.store.stream(ISSUE).append(drafts)


def documents(trail: Trail) -> list[dict[str, Any]]:
    """The state before the first event and after each, folded from the first one on."""
    state = OrchestrationState()
    found = [document(state)]
    for located in trail.store.stream(ISSUE).events():
        evolve(state, located.event, trail.types.fact_of(located.event))
        found.append(document(state))
    return found


def document(state: OrchestrationState) -> dict[str, Any]:
    """A state without what says where one is."""
    told: dict[str, Any] = msgspec.json.decode(encode_state(state))
    return {name: value for name, value in told.items() if name not in CURSORS}


def parts(told: dict[str, Any]) -> dict[str, bytes]:
    """The parts of a document as text; a member that is an object in the fresh state consists of parts."""
    fresh = document(OrchestrationState())
    found: dict[str, bytes] = {}
    for member, value in told.items():
        values = {f"/{member}/{name}": one for name, one in value.items()} if fresh[member] == {} else {}
        for pointer, one in values.items() if fresh[member] == {} else [(f"/{member}", value)]:
            found[pointer] = msgspec.json.encode(one)
    return found


@QUICK
@given(scenes(size_max=25).filter(bool), st.data())
def test_any_moment_is_what_a_full_fold_gives(events: list[TrailEvent], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trail = a_trail(Path(folder), disk=QuickDisk())
        middle = data.draw(st.integers(1, len(events)))
        appended(trail, events[:middle])
        past = StreamPast(trail, ISSUE)
        assert past.count_changed(0, past.head()) == len(list(past.changed_parts(0, past.head())))
        # What comes later is taken in without a new pass.
        appended(trail, events[middle:])
        told = documents(trail)
        changed = [set[str]()]
        for seq in range(1, len(told)):
            assert past.document(seq) == told[seq]
            before, after = parts(told[seq - 1]), parts(told[seq])
            changed.append({one for one in before.keys() | after.keys() if before.get(one) != after.get(one)})
            assert {one.replace("~1", "/") for one in past.changed_parts(seq - 1, seq)} == changed[-1]
        for pointer in {one for each in changed for one in each if one.count("/") < 3}:
            seqs = [seq for seq, each in enumerate(changed) if pointer in each]
            assert list(past.part_changes(pointer, past.head())) == seqs
            seq = data.draw(st.integers(0, past.head()))
            assert past.part(seq, pointer) == value_at(told[seq], parse_pointer(pointer))


@QUICK
@given(scenes(size_max=20).filter(bool))
def test_a_member_of_parts_changes_with_each_of_them(events: list[TrailEvent]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trail = a_trail(Path(folder), disk=QuickDisk())
        appended(trail, events)
        past = StreamPast(trail, ISSUE)
        head = past.head()
        one_by_one = {
            seq for seq in range(1, head + 1) if any(p.startswith("/tasks/") for p in past.changed_parts(seq - 1, seq))
        }
        assert set(past.part_changes("/tasks", head)) == one_by_one
        assert dict(past.parts(head, "tasks")) == past.document(head)["tasks"]
        every = {seq for seq in range(1, head + 1) if past.count_changed(seq - 1, seq)}
        assert set(past.part_changes("", head)) == every


def test_long_stream_is_kept_coarsely_and_answered_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esaa.runtime.history.stream_scan._KEPT_MAX", 3)
    monkeypatch.setattr("esaa.runtime.history.stream_scan._KEPT_EVERY", 2)
    with a_recorder(tmp_path, disk=QuickDisk()) as recorder:
        for number in range(41):
            recorder.record("PhaseStarted", {"phase": f"P{number}"})
    past = StreamPast(a_trail(tmp_path), ISSUE)
    assert past.count_changed(0, 41) > 0
    for seq in (1, 7, 8, 40, 41):
        assert past.document(seq)["current_phase"] == f"P{seq - 1}"
    assert len(past._scan._kept) <= 4  # type: ignore[union-attr]  # what is kept is the point here


@pytest.mark.parametrize("member", ["__annotations__", "__struct_fields__", "last_sequence", "nothing", ""])
def test_what_is_no_member_of_the_state_has_no_parts(tmp_path: Path, member: str) -> None:
    with a_recorder(tmp_path) as recorder:
        recorder.record("PhaseStarted", {"phase": "PLAN"})
    past = StreamPast(a_trail(tmp_path), ISSUE)
    assert list(past.parts(1, member)) == []
    assert past.part(1, f"/{member}") is UNSET
    assert past.part_changes(f"/{member}", 1) == ()


def test_entries_are_found_by_name_actor_text_and_range(tmp_path: Path) -> None:
    with a_recorder(tmp_path) as recorder:
        recorder.record("PhaseStarted", {"phase": "PLAN"})
        started = recorder.record("TaskClaimed", {"task_id": "T-1", "agent_name": "coder"})
        recorder.record("PhaseCompleted", {"phase": "PLAN"}, causation_id=started)
    past = StreamPast(a_trail(tmp_path), ISSUE)

    def seqs(**wanted: Any) -> list[int]:
        return [one.seq for one in past.find(EntryFilter(**wanted)).entries]

    assert seqs() == [1, 2, 3]
    assert seqs(names=("PhaseStarted", "PhaseCompleted")) == [1, 3]
    assert seqs(actors=("nobody",)) == []
    assert seqs(subjects=("T-1",)) == [2]
    assert seqs(text="plan phase") == [1, 3]
    assert seqs(text="coder T-1") == [2]
    assert seqs(first=2, last=2) == [2]
    assert seqs(rejections_only=True) == []
    page = past.find(EntryFilter(), offset=1, count=1)
    assert (page.total, [one.seq for one in page.entries]) == (3, [2])
    assert past.caused_by(started) == (3,)
    assert past.seq_of_id(started) == past.seq_of(started) == 2
    assert past.facets().names == ("PhaseCompleted", "PhaseStarted", "TaskClaimed")
    assert past.facets().subjects_count == 1


def test_stream_that_was_replaced_while_it_is_open_is_read_anew(tmp_path: Path) -> None:
    with a_recorder(tmp_path / "one") as recorder:
        recorder.record("PhaseStarted", {"phase": "PLAN"})
        recorder.record("PhaseStarted", {"phase": "CODE"})
    with a_recorder(tmp_path / "two") as other:
        other.record("PhaseStarted", {"phase": "TEST"})
        other.record("PhaseStarted", {"phase": "FIX"})
    past = StreamPast(a_trail(tmp_path / "one"), ISSUE)
    assert list(past.part_changes("/current_phase", 2)) == [1, 2]
    assert past.document(2)["current_phase"] == "CODE"
    (lying,) = (tmp_path / "one" / "events").rglob("events.jsonl")
    (new,) = (tmp_path / "two" / "events").rglob("events.jsonl")
    lying.write_bytes(new.read_bytes())
    assert list(past.part_changes("/current_phase", 2)) == [1, 2]
    assert past.document(2)["current_phase"] == "FIX"
    assert past.document(1)["current_phase"] == "TEST"


@pytest.mark.parametrize("pointer", ["/last_sequence", "/nothing", "/status/deeper", "/tasks", "/tasks/T-9", ""])
def test_what_is_no_part_is_not_there(tmp_path: Path, pointer: str) -> None:
    with a_recorder(tmp_path) as recorder:
        recorder.record("PhaseStarted", {"phase": "PLAN"})
    past = StreamPast(a_trail(tmp_path), ISSUE)
    assert past.part(1, pointer) is UNSET
    assert past.part(0, pointer) is UNSET


def test_moments_and_streams_that_are_not_there_are_said(tmp_path: Path) -> None:
    with a_recorder(tmp_path) as recorder:
        recorder.record("PhaseStarted", {"phase": "PLAN"})
    trail = a_trail(tmp_path)
    past = StreamPast(trail, ISSUE)
    for ask in (past.entry, past.line, past.document):
        with pytest.raises(NotFound, match="no event 9"):
            ask(9)
    with pytest.raises(NotFound):
        past.entry(0)
    with pytest.raises(NotFound, match="no events of PROJ-9"):
        StreamPast(trail, "PROJ-9")
    with pytest.raises(UsageError, match="no issue key"):
        StreamPast(trail, "../etc")
