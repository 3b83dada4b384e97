"""Merging histories: nothing lost, nothing doubled, causes first, and the same result from every side."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.errors import CorruptLog, MergeConflict
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.trail.event import Actor, TrailEvent, Witnessed
from esaa.trail.facts.records import CONCURRENT_SHOWN_MAX, TrailMerged
from esaa.trail.intake import is_uuid, trail_time
from esaa.trail.joining import concurrency
from esaa.trail.joining.clocks import joined, order, ticked
from esaa.trail.joining.merge import Line, Merged, merge, original_event, original_line
from esaa.trail.types import EventTypes
from esaa.trail.wire import TrailVocabulary, metadata_of, raw_metadata

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SESSION = "5e551000-0000-4000-8000-000000000001"
WIRE = TrailVocabulary()


def uuid(number: int) -> str:
    """An id that can be told from others at a glance."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def decoded(lines: Sequence[bytes]) -> list[Line]:
    """Stored lines with their events."""
    return [(line, WIRE.decode(line)) for line in lines]


class Machine:
    """One writer of a stream, with a clock of its own that may be wrong."""

    def __init__(self, name: str, *, skew_s: int = 0, has_clock: bool = True, stream: str | None = "PROJ-1") -> None:
        self.name = name
        self.lines: list[Line] = []
        self.written: dict[str, bytes] = {}
        self._skew = timedelta(seconds=skew_s)
        self._has_clock = has_clock
        self._stream = stream
        self._heard: Mapping[str, int] = {}

    def record(
        self,
        number: int,
        second: int,
        *,
        cause: str | None = None,
        actor: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> TrailEvent:
        """Appends an event as the recorder does: chained, never before the last one, with the clock ticked."""
        last = self.lines[-1][1] if self.lines else None
        given = trail_time(MORNING + timedelta(seconds=second) + self._skew)
        ts = max(given, last.ts) if last else given
        clock = None
        if self._has_clock:
            known = (last.fact.vector_clock if last else None) or {}
            clock = ticked(joined(known, self._heard), self.name)
        event: TrailEvent = Recorded(
            version=last.version + 1 if last else 1,
            event_id=uuid(number),
            ts=ts,
            actor=actor or self.name,
            schema_version="1.0.0",
            causation_id=cause,
            prev_hash=leaf_hash(self.lines[-1][0]) if last else None,
            fact=Witnessed(
                event_type="PhaseStarted",
                metadata=raw_metadata(metadata or {"phase": f"P{number}", "score": 0.5}),
                issue_key=self._stream,
                session_id=SESSION,
                actor=Actor(type="agent", id=actor or self.name),
                vector_clock=clock,
                occurred_at=given if given != ts else None,
            ),
        )
        line = WIRE.encode(event)
        self.lines.append((line, event))
        self.written[event.event_id] = line
        return event

    def take(self, other: Machine) -> Merged:
        """Pulls the other machine's history and goes on from both."""
        merged = merge(self.lines, other.lines)
        self.lines = decoded(merged.lines)
        return merged

    def hear(self, other: Machine) -> None:
        """Learns what the other machine did by some other way, such as a message: only its clock is told."""
        for _, event in other.lines[-1:]:
            self._heard = joined(self._heard, event.fact.vector_clock or {})

    @property
    def ids(self) -> list[str]:
        return [event.event_id for _, event in self.lines]

    @property
    def raw(self) -> tuple[bytes, ...]:
        return tuple(line for line, _ in self.lines)


def ids_of(lines: Sequence[bytes]) -> list[str]:
    return [event.event_id for _, event in decoded(lines)]


def without_merges(lines: Sequence[bytes]) -> list[str]:
    return [event.event_id for _, event in decoded(lines) if event.fact.event_type != "TrailMerged"]


def assert_sound(lines: Sequence[bytes]) -> list[TrailEvent]:
    """The chain holds, the sequence has no gap, no id stands twice, time never goes back, every merge fits its type."""
    events = [event for _, event in decoded(lines)]
    before: bytes | None = None
    for number, (line, event) in enumerate(zip(lines, events, strict=True), start=1):
        assert event.version == number
        assert event.prev_hash == (leaf_hash(before) if before is not None else None)
        assert WIRE.encode(event) == line
        before = line
        if event.fact.event_type == "TrailMerged":
            assert EventTypes().faults("TrailMerged", event.fact.metadata) == []
    times = [event.ts for event in events]
    assert times == sorted(times)
    assert len({event.event_id for event in events}) == len(events)
    return events


def two_machines(**options: Any) -> tuple[Machine, Machine]:
    """Two machines with two events in common."""
    here, there = Machine("here", **options), Machine("there", **options)
    here.record(1, 0)
    here.record(2, 1)
    there.lines = list(here.lines)
    return here, there


def test_the_common_start_stays_byte_for_byte() -> None:
    here, there = two_machines()
    here.record(3, 10)
    there.record(4, 11)
    merged = merge(here.lines, there.lines)
    assert merged.common == 2
    assert merged.lines[:3] == here.raw
    assert without_merges(merged.lines) == [uuid(1), uuid(2), uuid(3), uuid(4)]
    assert_sound(merged.lines)


def test_a_merge_names_the_heads_and_what_is_concurrent() -> None:
    here, there = two_machines()
    here.record(3, 10)
    there.record(4, 11)
    there.record(5, 12)
    merged = merge(here.lines, there.lines)
    told = assert_sound(merged.lines)[-1]
    heads = [
        {"leaf_hash": leaf_hash(here.raw[-1]), "event_sequence": 3, "events": 1},
        {"leaf_hash": leaf_hash(there.raw[-1]), "event_sequence": 4, "events": 2},
    ]
    assert metadata_of(told) == {
        "heads": sorted(heads, key=lambda head: str(head["leaf_hash"])),
        "common_sequence": 2,
        "events_joined": 3,
        "concurrent_pairs": 2,
        "concurrent": [[uuid(3), uuid(4)], [uuid(3), uuid(5)]],
    }
    assert told.fact.actor == Actor(type="system", id="esaa")
    assert (told.ts, told.fact.session_id) == (there.lines[-1][1].ts, SESSION)
    assert told.fact.vector_clock == {"here": 3, "there": 2}
    assert is_uuid(told.event_id)
    assert told.event_id[14] == "8"
    fact = EventTypes().fact_of(told)
    assert isinstance(fact, TrailMerged)
    assert "2 concurrent pairs" in fact.summary()


def test_a_history_merged_with_itself_stays() -> None:
    here, _ = two_machines()
    assert merge(here.lines, here.lines) == Merged(lines=here.raw, common=2)


def test_a_side_that_only_went_on_is_the_result() -> None:
    here, there = two_machines()
    there.record(3, 10)
    merged = merge(here.lines, there.lines)
    assert merged.lines == there.raw
    assert (merged.joined, merged.changes_first, merged.changes_second) == (1, True, False)


def test_an_empty_history_adds_nothing() -> None:
    here, _ = two_machines()
    assert merge(here.lines, []).lines == merge([], here.lines).lines == here.raw
    assert merge([], []) == Merged(lines=(), common=0)


def test_histories_without_a_common_start_are_joined_too() -> None:
    here, there = Machine("here"), Machine("there")
    here.record(1, 0)
    there.record(2, 1)
    merged = merge(here.lines, there.lines)
    assert merged.common == 0
    assert without_merges(merged.lines) == [uuid(1), uuid(2)]
    assert_sound(merged.lines)


def test_merging_again_changes_nothing() -> None:
    here, there = two_machines()
    here.record(3, 11)
    there.record(4, 10)
    merged = merge(here.lines, there.lines)
    again = [
        merge(decoded(merged.lines), here.lines),
        merge(there.lines, decoded(merged.lines)),
        merge(decoded(merged.lines), decoded(merged.lines)),
    ]
    assert all(one.lines == merged.lines for one in again)
    assert [one.changes_first for one in again] == [False, True, False]


def test_a_moved_line_keeps_the_witness_time_and_can_be_made_again() -> None:
    # Sequence and chain move both of them; the time of the third event moves too, since its cause is later.
    here, there = Machine("here", skew_s=3600), Machine("there")
    here.record(1, 0)
    there.hear(here)
    there.record(2, 5)
    there.record(3, 6)
    merged = merge(here.lines, there.lines)
    events = assert_sound(merged.lines)
    assert [event.event_id for event in events[:3]] == [uuid(1), uuid(2), uuid(3)]
    moved = events[1]
    assert moved.ts == here.lines[0][1].ts
    assert moved.fact.occurred_at == there.lines[0][1].ts
    assert moved.fact.origin is not None
    assert json.loads(merged.lines[1])["origin"] == {"event_sequence": 1, "timestamp": there.lines[0][1].ts}
    assert [original_line(event) for event in events[:3]] == [*here.raw, *there.raw]


@pytest.mark.parametrize("occurred_at", [None, "2026-03-02T08:00:00.000Z", "2026-03-02T09:00:05.000Z"])
def test_every_moved_timestamp_finds_back(occurred_at: str | None) -> None:
    here, there = Machine("here", skew_s=3600), Machine("there")
    here.record(1, 0)
    there.hear(here)
    event = there.record(2, 5)
    event = msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, occurred_at=occurred_at))
    there.lines = [(WIRE.encode(event), event)]
    moved = decoded(merge(here.lines, there.lines).lines)[1][1]
    assert moved.event_id == uuid(2)
    assert moved.ts > event.ts
    assert original_event(moved) == event
    assert original_line(moved) == there.raw[0]


def test_an_event_that_never_moved_is_its_own_original() -> None:
    here, _ = two_machines()
    assert [original_line(event) for _, event in here.lines] == list(here.raw)


def test_a_cause_comes_first_even_when_its_clock_is_wrong() -> None:
    here, there = two_machines(has_clock=False)
    cause = there.record(3, 500)
    here.record(4, 10, cause=cause.event_id)
    merged = merge(here.lines, there.lines)
    assert without_merges(merged.lines)[2:] == [uuid(3), uuid(4)]
    assert merged.concurrent_pairs == 0


def test_without_clocks_what_follows_a_cause_knows_it_too() -> None:
    here, there = two_machines(has_clock=False)
    there.record(3, 5)
    cause = there.record(4, 6)
    there.record(5, 7)
    here.record(6, 1)
    here.record(7, 20, cause=cause.event_id)
    here.record(8, 21)
    merged = merge(here.lines, there.lines)
    # 7 and 8 know 3 and 4; all other pairs are open. Those that came to lie nearest are named first.
    expected = {(6, 3), (6, 4), (6, 5), (5, 7), (5, 8)}
    assert {frozenset(pair) for pair in merged.concurrent} == {frozenset(map(uuid, pair)) for pair in expected}
    assert merged.concurrent_pairs == 5
    assert merged.concurrent[:2] == ((uuid(6), uuid(3)), (uuid(5), uuid(7)))


def test_with_clocks_only_what_is_open_is_concurrent() -> None:
    here, there = two_machines()
    here.record(3, 10)
    there.hear(here)
    there.record(4, 11)
    here.record(5, 12)
    merged = merge(here.lines, there.lines)
    assert merged.concurrent == ((uuid(4), uuid(5)),)


def test_many_concurrent_pairs_are_counted_and_some_are_named() -> None:
    here, there = two_machines()
    for number in range(20):
        here.record(100 + number, number)
        there.record(200 + number, number)
    merged = merge(here.lines, there.lines)
    assert merged.concurrent_pairs == 400
    assert len(merged.concurrent) == CONCURRENT_SHOWN_MAX
    assert merged.is_every_pair


def test_too_many_pairs_to_look_at_are_those_of_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "PAIRS_MAX", 5)
    here, there = two_machines()
    for number in range(3):
        here.record(100 + number, 10 * number)
        there.record(200 + number, 10 * number + 1)
    merged = merge(here.lines, there.lines)
    assert not merged.is_every_pair
    assert merged.concurrent_pairs == 5
    assert all(first[:7] != second[:7] for first, second in merged.concurrent)
    assert metadata_of(assert_sound(merged.lines)[-1])["extra"] == {"concurrent_pairs_are": "neighbours"}


def test_long_histories_merge_in_seconds() -> None:
    here, there = two_machines()
    for number in range(3000):
        here.record(10_000 + number, number)
        there.record(50_000 + number, number)
    merged = merge(here.lines, there.lines)
    assert len(merged.lines) == 6003
    assert not merged.is_every_pair


def test_two_machines_under_one_name_lose_nothing() -> None:
    here, there = two_machines()
    there.name = here.name
    for number in range(4):
        here.record(100 + number, 10 - number)
        there.record(200 + number, number)
    merged = merge(here.lines, there.lines)
    assert sorted(without_merges(merged.lines)) == sorted({*here.ids, *there.ids})
    assert merge(there.lines, here.lines).lines == merged.lines
    assert_sound(merged.lines)


def test_one_event_that_two_machines_recorded_for_themselves_stands_once() -> None:
    here, there = two_machines()
    here.record(3, 10)
    here.record(9, 12, actor="feed")
    there.record(9, 12, actor="feed")
    there.record(4, 14)
    merged = merge(here.lines, there.lines)
    assert without_merges(merged.lines)[2:] == [uuid(3), uuid(9), uuid(4)]
    assert merge(there.lines, here.lines).lines == merged.lines
    kept = original_line(decoded(merged.lines)[3][1])
    assert kept in (here.raw[3], there.raw[2])


def test_clocks_that_contradict_a_writer_lose_against_its_own_order() -> None:
    here, there = two_machines()
    first, second = here.record(3, 10), here.record(4, 11)
    clocks = ({"here": 5, "there": 4}, {"here": 4, "there": 2})
    for event, clock in zip((first, second), clocks, strict=True):
        before = leaf_hash(here.lines[event.version - 2][0])
        changed = msgspec.structs.replace(
            event, prev_hash=before, fact=msgspec.structs.replace(event.fact, vector_clock=clock)
        )
        here.lines[event.version - 1] = (WIRE.encode(changed), changed)
    there.record(5, 5)
    merged = merge(here.lines, there.lines)
    assert merge(there.lines, here.lines).lines == merged.lines
    assert without_merges(merged.lines)[2:] == [uuid(5), uuid(3), uuid(4)]
    assert_sound(merged.lines)


def test_a_broken_chain_still_tells_the_order() -> None:
    here, there = two_machines()
    here.record(3, 10)
    late = here.record(4, 11)
    late = msgspec.structs.replace(late, prev_hash="0" * 64, ts="2026-03-02T08:00:00.000Z")
    here.lines[-1] = (WIRE.encode(late), late)
    there.record(5, 5)
    merged = merge(here.lines, there.lines)
    assert without_merges(merged.lines)[2:] == [uuid(5), uuid(3), uuid(4)]
    assert_sound(merged.lines)


def test_a_merge_that_names_no_heads_stays_where_it_stood() -> None:
    here, there = two_machines()
    strange = here.record(3, 10)
    strange = msgspec.structs.replace(
        strange, fact=msgspec.structs.replace(strange.fact, event_type="TrailMerged", metadata=raw_metadata({}))
    )
    here.lines[-1] = (WIRE.encode(strange), strange)
    here.record(4, 11)
    there.record(5, 5)
    merged = merge(here.lines, there.lines)
    assert ids_of(merged.lines)[2:5] == [uuid(5), uuid(3), uuid(4)]


def test_two_sides_that_disagree_about_the_order_are_still_joined() -> None:
    here, there = two_machines()
    for number in (3, 4, 5):
        here.record(number, 10, actor="feed")
    for number in (5, 4, 3):
        there.record(number, 10, actor="feed")
    there.record(6, 11)
    merged = merge(here.lines, there.lines)
    assert sorted(without_merges(merged.lines)) == [uuid(number) for number in range(1, 7)]
    assert merge(there.lines, here.lines).lines == merged.lines
    assert_sound(merged.lines)


def test_the_same_events_in_another_order_give_one_of_the_two() -> None:
    here, there = two_machines()
    for number in (3, 4):
        here.record(number, 10, actor="feed")
    for number in (4, 3):
        there.record(number, 10, actor="feed")
    merged = merge(here.lines, there.lines)
    assert merged.lines in (here.raw, there.raw)
    assert merge(there.lines, here.lines).lines == merged.lines


def test_one_id_with_two_meanings_is_refused_by_name() -> None:
    here, there = two_machines()
    here.record(3, 10, metadata={"phase": "PLAN"})
    there.record(3, 10, metadata={"phase": "CODE"})
    with pytest.raises(MergeConflict, match=uuid(3)) as caught:
        merge(here.lines, there.lines)
    assert caught.value.code == "MERGE_EVENT_CONFLICT"
    assert caught.value.context == {"event_id": uuid(3)}


def test_other_streams_are_refused() -> None:
    here, there = Machine("here"), Machine("there", stream=None)
    here.record(1, 0)
    there.record(2, 0)
    with pytest.raises(MergeConflict, match="PROJ-1, global") as caught:
        merge(here.lines, there.lines)
    assert caught.value.code == "MERGE_STREAMS_DIFFER"


def test_an_id_twice_in_one_history_is_damage() -> None:
    here, there = two_machines()
    here.record(2, 10)
    with pytest.raises(CorruptLog) as caught:
        merge(there.lines, here.lines)
    assert (caught.value.code, caught.value.line) == ("EVENT_ID_DUPLICATE", 3)


def test_a_line_with_unknown_keys_stays_in_its_place_or_is_refused() -> None:
    here, there = two_machines()
    line, event = here.record(3, 10), here.lines[-1]
    foreign = event[0].replace(b'"event_type"', b'"flavour":"new","event_type"')
    here.lines[-1] = (foreign, line)
    there.record(4, 11)
    merged = merge(here.lines, there.lines)
    assert merged.lines[2] == foreign
    there.lines.pop()
    there.record(4, 9)
    with pytest.raises(MergeConflict, match=uuid(3)) as caught:
        merge(here.lines, there.lines)
    assert caught.value.code == "MERGE_LINE_FOREIGN"


def test_a_history_whose_old_events_are_gone_meets_the_other() -> None:
    here, there = two_machines()
    there.lines = there.lines[1:]
    here.record(3, 10)
    there.record(4, 11)
    merged = merge(there.lines, here.lines)
    assert merged.lines == merge(here.lines, there.lines).lines
    assert merged.lines[:2] == here.raw[:2]
    assert without_merges(merged.lines) == [uuid(number) for number in (1, 2, 3, 4)]
    assert_sound(merged.lines)


def test_a_history_that_goes_on_where_the_other_ends() -> None:
    here, there = two_machines()
    there.record(3, 10)
    assert merge(here.lines, there.lines[2:]).lines == there.raw


@pytest.mark.parametrize("gap", [2, 3])
def test_histories_that_do_not_meet_are_refused(gap: int) -> None:
    here, other = Machine("here"), Machine("other")
    for number in range(1, 3):
        here.record(number, number)
    for number in range(11, 16):
        other.record(number, number)
    with pytest.raises(MergeConflict) as caught:
        merge(here.lines, other.lines[gap:])
    assert caught.value.code == "MERGE_HISTORIES_APART"
    with pytest.raises(MergeConflict):
        merge(other.lines[gap:], here.lines[1:] if gap == 3 else here.lines)


# What random histories are made of: a machine records, pulls from another one, or only hears of it.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "record", "record", "take", "hear", "cause"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(0, 30),
    ),
    max_size=30,
)
SKEWS = st.tuples(*[st.sampled_from([0, 0, -40, 25, 3600])] * 3)


def played(steps: Sequence[tuple[str, int, int, int]], skews: Sequence[int], *, has_clock: bool) -> list[Machine]:
    """Three machines after a random story; at the start they have one event in common."""
    machines = [
        Machine(name, skew_s=skew, has_clock=has_clock) for name, skew in zip(("x", "y", "z"), skews, strict=True)
    ]
    machines[0].record(1, 0)
    for machine in machines[1:]:
        machine.lines = list(machines[0].lines)
    for number, (act, who, whom, second) in enumerate(steps, start=2):
        machine, other = machines[who], machines[whom]
        if act == "take":
            machine.take(other)
        elif act == "hear":
            machine.hear(other)
        else:
            machine.record(number, number + second, cause=other.ids[-1] if act == "cause" else None)
    return machines


def assert_causes_first(events: Sequence[TrailEvent]) -> None:
    place = {event.event_id: number for number, event in enumerate(events)}
    work = [event for event in events if event.fact.event_type != "TrailMerged"]
    for one, other in itertools.combinations(work, 2):
        clock, later = one.fact.vector_clock, other.fact.vector_clock
        if clock and later:
            assert order(clock, later) != "after", (one.event_id, other.event_id)
    for event in events:
        if event.causation_id in place:
            assert place[str(event.causation_id)] < place[event.event_id]


def assert_is_subsequence(part: Sequence[str], whole: Sequence[str]) -> None:
    rest = iter(whole)
    assert all(one in rest for one in part)


@settings(deadline=None)
@given(STEPS, SKEWS, st.booleans())
def test_a_merge_is_sound_complete_and_the_same_from_both_sides(
    steps: list[tuple[str, int, int, int]], skews: tuple[int, int, int], has_clock: bool
) -> None:
    first, second, _ = played(steps, skews, has_clock=has_clock)
    merged = merge(first.lines, second.lines)
    assert merge(second.lines, first.lines).lines == merged.lines
    events = assert_sound(merged.lines)
    new = set(ids_of(merged.lines)) - {*first.ids, *second.ids}
    assert len(new) <= 1
    assert {*first.ids, *second.ids} <= set(ids_of(merged.lines))
    for side in (first, second):
        if not {"hear", "cause"} & {step[0] for step in steps}:
            # Who knows of an event has it, so a merge never learns later that an earlier one decided otherwise.
            assert_is_subsequence(side.ids, ids_of(merged.lines))
        assert_is_subsequence([one for one in side.ids if one in side.written], ids_of(merged.lines))
        assert merge(decoded(merged.lines), side.lines).lines == merged.lines
        assert merge(side.lines, decoded(merged.lines)).lines == merged.lines
    assert_causes_first(events)
    assert (merged.changes_first, merged.changes_second) == (merged.lines != first.raw, merged.lines != second.raw)
    assert merged.lines[: merged.common] == first.raw[: merged.common] == second.raw[: merged.common]


@settings(deadline=None)
@given(STEPS, SKEWS, st.booleans(), st.permutations([0, 1, 2]))
def test_three_machines_keep_every_cause_and_every_line_whoever_merges_first(
    steps: list[tuple[str, int, int, int]], skews: tuple[int, int, int], has_clock: bool, turn: list[int]
) -> None:
    machines = played(steps, skews, has_clock=has_clock)
    one, two, three = (machines[number] for number in turn)
    lines = merge(decoded(merge(one.lines, two.lines).lines), three.lines).lines
    events = assert_sound(lines)
    assert_causes_first(events)
    written = {event_id: line for machine in machines for event_id, line in machine.written.items()}
    assert set(without_merges(lines)) == set(written)
    for event in events:
        if event.event_id in written:
            assert original_line(event) == written[event.event_id]
    # In which order the machines merge leaves traces in the merges, and none in the order of the work.
    straight = merge(decoded(merge(machines[0].lines, machines[1].lines).lines), machines[2].lines).lines
    assert without_merges(straight) == without_merges(lines)


@settings(deadline=None)
@given(STEPS, SKEWS)
def test_circles_of_merges_come_to_rest(steps: list[tuple[str, int, int, int]], skews: tuple[int, int, int]) -> None:
    machines = played(steps, skews, has_clock=True)
    pairs = [decoded(merge(one.lines, two.lines).lines) for one, two in itertools.combinations(machines, 2)]
    whole = decoded(merge(decoded(merge(pairs[0], pairs[1]).lines), pairs[2]).lines)
    assert_sound([line for line, _ in whole])
    assert_causes_first([event for _, event in whole])
    for part in (*pairs, *(machine.lines for machine in machines)):
        assert merge(whole, part).lines == tuple(line for line, _ in whole)


@settings(deadline=None)
@given(STEPS, SKEWS)
def test_an_old_history_can_be_made_again_from_the_merged_one(
    steps: list[tuple[str, int, int, int]], skews: tuple[int, int, int]
) -> None:
    alone = [step for step in steps if step[0] != "take"]
    first, second, _ = played(alone, skews, has_clock=True)
    events = [event for _, event in decoded(merge(first.lines, second.lines).lines)]
    for side in (first, second):
        mine = [original_event(event) for event in events if event.event_id in set(side.ids)]
        again = [WIRE.encode(event) for event in sorted(mine, key=lambda event: event.version)]
        assert tuple(again) == side.raw


@settings(deadline=None)
@given(STEPS, SKEWS)
def test_concurrent_pairs_are_those_that_the_clocks_leave_open(
    steps: list[tuple[str, int, int, int]], skews: tuple[int, int, int]
) -> None:
    first, second, _ = played(steps, skews, has_clock=True)
    merged = merge(first.lines, second.lines)
    if merged.lines in (first.raw, second.raw):
        assert merged.concurrent == ()
        return
    clocks = {event.event_id: event.fact.vector_clock or {} for _, event in (*first.lines, *second.lines)}
    mine = [one for one in without_merges(first.raw) if one not in set(second.ids)]
    theirs = [one for one in without_merges(second.raw) if one not in set(first.ids)]
    open_pairs = {
        frozenset((one, other)) for one in mine for other in theirs if order(clocks[one], clocks[other]) == "concurrent"
    }
    assert merged.concurrent_pairs == len(open_pairs)
    assert {frozenset(pair) for pair in merged.concurrent} <= open_pairs
    assert len(merged.concurrent) == min(len(open_pairs), CONCURRENT_SHOWN_MAX)
    place = {event_id: number for number, event_id in enumerate(ids_of(merged.lines))}
    assert all(place[before] < place[after] for before, after in merged.concurrent)
