"""Folding: split logs, snapshots and the wire give the same state, byte for byte; evolve takes everything."""

from __future__ import annotations

import hashlib
import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.kernel.canonical import canonical
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.kernel.snapshot import SnapshotKey, seal, unseal
from esaa.protocol.envelope_audit import EnvelopeAudit
from esaa.protocol.evolve import evolve, project
from esaa.protocol.facts import Fact, TaskReviewed
from esaa.protocol.issues import issues_json
from esaa.protocol.lessons import lessons_json
from esaa.protocol.roadmap import projection_hash, roadmap_json, roadmap_pieces
from esaa.protocol.scheduling import plan
from esaa.protocol.state import Header, State
from esaa.protocol.stateless import is_stateless
from esaa.protocol.summary import summary, task_of
from esaa.protocol.task_table import TaskTable
from esaa.protocol.verify import LogAudit
from esaa.protocol.wire import ProtocolVocabulary, action_of, payload_of
from tests.properties.strategies import FACTS, STORIES
from tests.scenarios import LATER, fold, governance, record

_STABLE = settings(derandomize=True, deadline=None, max_examples=60)
WIRE = ProtocolVocabulary()

Told = list[tuple[Fact, str, str]]


def _events(told: Told) -> list[Recorded[Fact]]:
    return [record(fact, version, actor=actor, ts=ts) for version, (fact, actor, ts) in enumerate(told, start=1)]


def _views(state: State) -> tuple[bytes, ...]:
    return roadmap_json(state), issues_json(state), lessons_json(state), msgspec.json.encode(state.header)


def _sealed(state: State) -> State:
    key = SnapshotKey(
        vocabulary="esaa", projection_version=1, seq=state.seq, leaf_hash="", offset=0, line_bytes=0, is_chained=True
    )
    opened = unseal(b"k", seal(b"k", key, [msgspec.json.encode(state.header), *state.tasks.dump()]))
    assert opened is not None
    found, sections = opened
    assert found == key
    return State(msgspec.json.decode(sections[0], type=Header), TaskTable.load(sections[1:]))


@_STABLE
@given(STORIES, st.data())
def test_fold_of_a_split_log_is_the_fold_of_the_whole(told: Told, data: st.DataObject) -> None:
    events = _events(told)
    split = data.draw(st.integers(0, len(events)))

    assert _views(fold(events[split:], fold(events[:split]))) == _views(fold(events))


@_STABLE
@given(STORIES, st.data())
def test_snapshot_and_tail_are_the_full_fold(told: Told, data: st.DataObject) -> None:
    events = _events(told)
    split = data.draw(st.integers(0, len(events)))

    whole = fold(events)
    resumed = fold(events[split:], _sealed(fold(events[:split])))

    assert _views(resumed) == _views(whole)
    assert projection_hash(resumed) == projection_hash(whole)
    assert [task.task_id for task in resumed.tasks.pending()] == [task.task_id for task in whole.tasks.pending()]
    assert resumed.tasks.ids() == whole.tasks.ids()
    assert _views(_sealed(resumed)) == _views(whole)


@_STABLE
@given(STORIES)
def test_copy_and_original_do_not_share_what_changes(told: Told) -> None:
    events = _events(told)
    half = len(events) // 2
    state = fold(events[:half])
    before = _views(state)

    fold(events[half:], state.copy())

    assert _views(state) == before


@_STABLE
@given(STORIES)
def test_indexes_count_the_tasks_and_pending_are_those_that_are_not_done(told: Told) -> None:
    state = fold(_events(told))
    tasks = list(state.tasks)

    for name, counts in (("status", state.tasks.by_status), ("task_kind", state.tasks.by_kind)):
        assert counts == {value: sum(getattr(task, name) == value for task in tasks) for value in counts}
        assert sum(counts.values()) == len(tasks)
    assert state.tasks.pending() == [task for task in tasks if task.status != "done"]
    assert set(state.header.work) <= {task.task_id for task in tasks}


@_STABLE
@given(STORIES)
def test_hash_is_that_of_the_roadmap_as_it_is_written(told: Told) -> None:
    state = fold(_events(told))
    document = json.loads(roadmap_json(state))
    part = {key: document[key] for key in ("project", "tasks", "indexes")}
    part["schema_version"] = document["meta"]["schema_version"]

    assert projection_hash(state) == hashlib.sha256(canonical(part) + b"\n").hexdigest()
    assert b"".join(roadmap_pieces(state, keep_texts=False)) == roadmap_json(state)


@_STABLE
@given(STORIES)
def test_projection_alone_shows_what_the_whole_fold_shows(told: Told) -> None:
    events = _events(told)
    alone = State()
    for event in events:
        project(alone, event)

    assert _views(alone)[:3] == _views(fold(events))[:3]


@_STABLE
@given(STORIES)
def test_line_that_is_passed_over_changes_no_state(told: Told) -> None:
    state = State()
    for event in _events(told):
        before = state.copy()
        evolve(state, event)
        if event.version > 1 and is_stateless(WIRE.encode(event)):
            before.header.last_seq, before.header.last_ts = event.version, event.ts
            # A refusal is tracked beside the projection, which is all that an audit folds.
            before.header.work = state.header.work
            before.header.unknown_actors = state.header.unknown_actors
            assert _views(before) == _views(state)


@_STABLE
@given(STORIES)
def test_audits_and_plans_take_every_log(told: Told) -> None:
    rules = governance()
    meaning = LogAudit(rules, hash_all=True, last_verified=None)
    envelopes = EnvelopeAudit(rules)
    for line, event in enumerate(_events(told), start=1):
        envelopes.feed(json.loads(WIRE.encode(event)), line)
        meaning.feed(event, line)
        assert summary(event.fact)
        assert task_of(event.fact) is None or isinstance(task_of(event.fact), str)

    made = plan(fold(_events(told)), rules, LATER)

    assert {order.actor for order in made.orders} <= set(rules.swarm.actors)


# The wire.

_TEXT_OR_NONE = st.none() | st.text(st.characters(codec="utf-8"), max_size=5)


@settings(_STABLE, max_examples=250)
@given(FACTS, st.integers(1, 10**9), st.sampled_from(["0.4.0", "0.4.1"]), _TEXT_OR_NONE, _TEXT_OR_NONE, _TEXT_OR_NONE)
def test_fact_survives_the_wire(
    fact: Fact, version: int, schema_version: str, command: str | None, story: str | None, cause: str | None
) -> None:
    event = record(
        fact,
        version,
        schema_version=schema_version,
        command_id=command,
        correlation_id=story,
        causation_id=cause,
        prev_hash="ab" * 32,
    )

    line = WIRE.encode(event)

    assert WIRE.decode(line) == event
    assert WIRE.encode(WIRE.decode(line)) == line
    assert b"\n" not in line
    value = json.loads(line)
    assert list(value)[:7] == ["schema_version", "event_id", "event_seq", "ts", "actor", "action", "payload"]
    assert list(value)[-1] == "prev_hash"
    assert value["action"] == action_of(fact)
    shown = payload_of(fact)
    assert json.loads(canonical(shown)) == (value["payload"] if isinstance(value["payload"], dict) else {})
    assert isinstance(fact, TaskReviewed) or "reviewer_role" not in value


@_STABLE
@given(FACTS)
def test_respaced_and_reordered_line_is_the_same_fact(fact: Fact) -> None:
    event = record(fact, 3)
    value = json.loads(WIRE.encode(event))

    for text in (json.dumps(value), json.dumps(dict(reversed(value.items())), indent=1)):
        assert WIRE.decode(text.encode()) == event


@_STABLE
@given(st.binary(max_size=20))
def test_leaf_is_the_hash_with_its_prefix(data: bytes) -> None:
    assert leaf_hash(data) == hashlib.sha256(b"\0" + data).hexdigest()
