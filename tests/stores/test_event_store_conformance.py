"""One suite against the port `EventStore`; every store runs it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.errors import WrongExpectedVersion
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Draft, Recorded
from esaa.protocol.facts import Fact, RunStarted, TaskClaimed, TaskCreated, ViewMutated
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.base import START, Batch, EventStore
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.memory import MemoryStore

VOCABULARY = ProtocolVocabulary("0.4.0")
BATCH = Batch(ts="2026-01-05T09:00:00Z")

Open = Callable[[Path], EventStore[Fact]]


def memory(folder: Path) -> EventStore[Fact]:
    return MemoryStore(VOCABULARY)


def jsonl(folder: Path) -> EventStore[Fact]:
    return JsonlStore(folder / "activity.jsonl", VOCABULARY, Disk())


STORES: dict[str, Open] = {"memory": memory, "jsonl": jsonl}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EventStore[Fact]:
    name: str = request.param
    return STORES[name](tmp_path)


def created(number: int) -> Draft[Fact]:
    fact = TaskCreated(task_id=f"T-{number}", task_kind="impl", title=f"Täsk {number}")
    return Draft(actor="orchestrator", fact=fact)


def test_empty_store_is_at_the_start(store: EventStore[Fact]) -> None:
    assert store.head() == START
    assert list(store.read()) == []
    assert store.head().version == 0


def test_append_returns_what_read_gives_back(store: EventStore[Fact]) -> None:
    events = store.append([created(1), created(2)], 0, BATCH)
    events += store.append([created(3)], 2, Batch(ts="2026-01-05T09:00:01Z"))
    assert [event.version for event in events] == [1, 2, 3]
    assert [event.event_id for event in events] == ["EV-00000001", "EV-00000002", "EV-00000003"]
    assert [event.ts[-3:] for event in events] == ["00Z", "00Z", "01Z"]
    assert tuple(store.read()) == events


def test_append_moves_the_head_to_the_last_event(store: EventStore[Fact]) -> None:
    events = store.append([created(1), created(2)], 0, BATCH)
    assert store.head().version == 2
    assert store.head().leaf_hash == leaf_hash(VOCABULARY.encode(events[-1]))


@pytest.mark.parametrize("expected", [0, 1, 3, -1])
def test_append_at_another_version_is_refused_and_changes_nothing(store: EventStore[Fact], expected: int) -> None:
    events = store.append([created(1), created(2)], 0, BATCH)
    head = store.head()
    with pytest.raises(WrongExpectedVersion) as caught:
        store.append([created(3)], expected, BATCH)
    assert (caught.value.expected, caught.value.actual) == (expected, 2)
    assert caught.value.exit_code == 6
    assert store.head() == head
    assert tuple(store.read()) == events


def test_append_of_nothing_writes_nothing(store: EventStore[Fact]) -> None:
    store.append([created(1)], 0, BATCH)
    head = store.head()
    assert store.append([], 1, BATCH) == ()
    assert store.head() == head
    with pytest.raises(WrongExpectedVersion):
        store.append([], 0, BATCH)
    assert store.append([created(2)], 1, BATCH)[0].version == 2
    assert len(list(store.read())) == 2


def test_batch_with_one_draft_that_cannot_be_written_leaves_no_trace(store: EventStore[Fact]) -> None:
    before = store.append([created(1)], 0, BATCH)
    unwritable: Draft[Fact] = Draft(actor="orchestrator", fact=ViewMutated(target="log", change=object()))
    with pytest.raises(TypeError):
        store.append([created(2), unwritable, created(3)], 1, BATCH)
    assert store.head().version == 1
    assert tuple(store.read()) == before
    assert [event.version for event in store.append([created(2)], 1, BATCH)] == [2]


def test_each_event_names_the_hash_of_the_line_before_and_the_first_names_none(store: EventStore[Fact]) -> None:
    store.append([created(1), created(2)], 0, BATCH)
    store.append([created(3)], 2, BATCH)
    events = list(store.read())
    assert events[0].prev_hash is None
    assert b"prev_hash" not in VOCABULARY.encode(events[0])
    for before, event in pairwise(events):
        assert event.prev_hash == leaf_hash(VOCABULARY.encode(before))


def test_followers_name_the_act_that_they_follow_from(store: EventStore[Fact]) -> None:
    start: Draft[Fact] = Draft(actor="orchestrator", fact=RunStarted(run_id="RUN-0001"))
    claim: Draft[Fact] = Draft(actor="agent-impl", fact=TaskClaimed(task_id="T-1"))
    closing: Draft[Fact] = Draft(actor="orchestrator", fact=ViewMutated(target="roadmap"), follows=True)
    store.append([created(1)], 0, BATCH)
    store.append([start, claim, closing, closing], 1, BATCH)
    causes = [event.causation_id for event in store.read()]
    assert causes == [None, None, None, "EV-00000003", "EV-00000003"]


def test_follower_without_an_act_before_it_has_no_cause(store: EventStore[Fact]) -> None:
    closing: Draft[Fact] = Draft(actor="orchestrator", fact=ViewMutated(target="roadmap"), follows=True)
    store.append([closing], 0, BATCH)
    assert [event.causation_id for event in store.read()] == [None]


def test_every_event_of_a_batch_carries_its_command_and_story(store: EventStore[Fact]) -> None:
    store.append([created(1), created(2)], 0, Batch(ts=BATCH.ts, command_id="c-1", correlation_id="s-1"))
    store.append([created(3)], 2, BATCH)
    stamped = [(event.command_id, event.correlation_id) for event in store.read()]
    assert stamped == [("c-1", "s-1"), ("c-1", "s-1"), (None, None)]


def test_read_after_a_place_gives_what_came_later(store: EventStore[Fact]) -> None:
    store.append([created(1), created(2)], 0, BATCH)
    place = store.head()
    later = store.append([created(3), created(4)], 2, BATCH)
    assert tuple(store.read(place)) == later
    assert list(store.read(store.head())) == []


def test_reading_a_part_does_not_move_the_head_back(store: EventStore[Fact]) -> None:
    store.append([created(1), created(2), created(3)], 0, BATCH)
    head = store.head()
    assert next(iter(store.read())).version == 1
    assert store.head() == head
    assert store.append([created(4)], 3, BATCH)[0].version == 4


def test_read_after_each_place_in_turn_gives_the_same_story(store: EventStore[Fact]) -> None:
    places = [store.head()]
    for number in range(1, 6):
        store.append([created(number)], number - 1, BATCH)
        places.append(store.head())
    whole = list(store.read())
    for place in places:
        assert list(store.read(place)) == whole[place.version :]


@contextmanager
def opened(name: str) -> Iterator[EventStore[Fact]]:
    with tempfile.TemporaryDirectory() as folder:
        yield STORES[name](Path(folder))


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 4), max_size=6), titles=st.lists(st.text(max_size=20), min_size=24, max_size=24))
def test_batches_of_any_size_and_text_come_back_gap_free_and_chained(
    name: str, sizes: list[int], titles: list[str]
) -> None:
    with opened(name) as store:
        written: list[Recorded[Fact]] = []
        texts = iter(title.encode("utf-8", "replace").decode() for title in titles)
        for size in sizes:
            drafts: list[Draft[Fact]] = [
                Draft(actor="orchestrator", fact=TaskCreated(task_id="T", task_kind="impl", title=next(texts)))
                for _ in range(size)
            ]
            written += store.append(drafts, len(written), BATCH)
        found = list(store.read())
        assert found == written
        assert [event.version for event in found] == list(range(1, sum(sizes) + 1))
        for before, event in pairwise(found):
            assert event.prev_hash == leaf_hash(VOCABULARY.encode(before))
