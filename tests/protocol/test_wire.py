"""Lines of activity.jsonl to recorded facts and back: versions, key order, odd shapes, malformed lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import UNSET

from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import (
    FACT_TYPES,
    Fact,
    FileWritten,
    ForeignRecorded,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
    ViewMutated,
)
from esaa.protocol.wire import ProtocolVocabulary, action_of, payload_of
from tests.scenarios import approved, claimed, completed, created, record, reported, run_start

WIRE = ProtocolVocabulary()


def _line(**fields: Any) -> bytes:
    event: dict[str, Any] = {
        "schema_version": "0.4.0",
        "event_id": "EV-00000001",
        "event_seq": 1,
        "ts": "2026-03-01T12:00:00Z",
        "actor": "orchestrator",
        "action": "run.start",
        "payload": {"run_id": "RUN-0001"},
    }
    event |= fields
    return json.dumps({key: value for key, value in event.items() if value is not ...}).encode()


def _code(line: bytes) -> str:
    with pytest.raises(MalformedLine) as caught:
        WIRE.decode(line)
    assert caught.value.message == str(caught.value)
    return caught.value.code


def test_line_has_the_keys_in_the_order_of_the_format_and_the_link_last() -> None:
    event = record(
        approved(), 7, actor="agent-qa", prev_hash="ab", command_id="c", correlation_id="r", causation_id="EV-1"
    )

    line = WIRE.encode(event)

    assert list(json.loads(line)) == [
        "schema_version",
        "event_id",
        "event_seq",
        "ts",
        "actor",
        "action",
        "payload",
        "reviewer_role",
        "command_id",
        "correlation_id",
        "causation_id",
        "prev_hash",
    ]
    assert json.loads(line)["payload"] == {
        "action": "review",
        "task_id": "T-1",
        "decision": "approve",
        "tasks": ["T-1"],
    }
    assert WIRE.decode(line) == event


def test_line_is_compact_and_leaves_text_unescaped() -> None:
    line = WIRE.encode(record(created("T-1", description="é “x”"), 1))

    assert "é “x”".encode() in line
    assert b'", "' not in line
    assert b"\n" not in line


@pytest.mark.parametrize("version", ["0.4.0", "0.4.1"])
def test_vocabulary_says_what_new_lines_carry(version: str) -> None:
    vocabulary = ProtocolVocabulary(version)

    assert vocabulary.schema_version == version
    assert vocabulary.event_id(42) == "EV-00000042"


@pytest.mark.parametrize("numbers", [[1e-05, 1e20, 0.1, -0.0, 1e-300], [2**64, -(2**70), 10**300], [True, None, 0]])
def test_numbers_of_another_writer_survive_a_round_trip(numbers: list[Any]) -> None:
    event = record(TaskCompleted(task_id="T-1", verification={"checks": numbers}), 3)

    line = WIRE.encode(event)

    assert WIRE.decode(line) == event
    assert json.loads(line)["payload"]["verification"]["checks"] == numbers


def test_text_that_is_no_unicode_is_never_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        WIRE.encode(record(TaskCompleted(task_id="\ud800"), 1))


@pytest.mark.parametrize("spacing", [(",", ":"), (", ", ": ")])
def test_order_of_keys_and_spacing_do_not_change_what_is_read(spacing: tuple[str, str]) -> None:
    line = _line(action="claim", payload={"action": "complete", "task_id": "T-1"})
    value = json.loads(line)
    backwards = json.dumps(dict(reversed(value.items())), separators=spacing).encode()

    assert WIRE.decode(backwards) == WIRE.decode(line)
    assert isinstance(WIRE.decode(line).fact, TaskClaimed)


def test_values_sent_as_they_are_keep_their_keys_and_absent_is_not_null() -> None:
    line = _line(action="complete", payload={"task_id": "T-1", "verification": {"z": 1, "a": None}, "fixes": None})

    fact = WIRE.decode(line).fact

    assert isinstance(fact, TaskCompleted)
    assert (fact.verification, fact.fixes, fact.issue_id) == ({"z": 1, "a": None}, None, UNSET)


# Reviews.


@pytest.mark.parametrize(
    ("envelope", "payload", "role"),
    [
        ({}, {}, UNSET),
        ({"reviewer_role": "qa"}, {}, "qa"),
        ({"reviewer_role": None}, {}, UNSET),
        ({}, {"_reviewer_role": "qa"}, "qa"),
        ({"reviewer_role": None}, {"_reviewer_role": "qa"}, "qa"),
        ({"reviewer_role": "orchestrator"}, {"_reviewer_role": "qa"}, "orchestrator"),
    ],
)
def test_role_of_a_reviewer_stands_in_the_envelope_or_in_older_logs_in_the_payload(
    envelope: dict[str, Any], payload: dict[str, Any], role: Any
) -> None:
    line = _line(action="review", payload={"task_id": "T-1", "decision": "approve", **payload}, **envelope)

    assert WIRE.decode(line).fact == TaskReviewed(task_id="T-1", decision="approve", reviewer_role=role)


# Versions.


def test_legacy_line_is_read_through_the_shim() -> None:
    line = _line(
        schema_version=..., action="run.init", payload=..., data={"run_id": "R"}, ts="2026-01-01T00:00:00-03:00"
    )

    event = WIRE.decode(line)

    assert event.schema_version == "0.3.0"
    assert event.fact == RunStarted(run_id="R")


def test_legacy_line_may_have_no_payload_at_all_and_foreign_actions() -> None:
    assert WIRE.decode(_line(schema_version=..., payload=...)).fact == RunStarted()
    dispatched = WIRE.decode(_line(schema_version="0.3.0", action="orchestrator.dispatch", payload={"x": 1})).fact
    assert dispatched == ForeignRecorded(name="orchestrator.dispatch", payload={"x": 1})


def test_run_init_is_a_foreign_action_in_later_versions() -> None:
    assert WIRE.decode(_line(action="run.init")).fact == ForeignRecorded(
        name="run.init", payload={"run_id": "RUN-0001"}
    )


def test_data_is_no_payload_in_later_versions() -> None:
    assert _code(_line(payload=..., data={})) == "EVENT_MISSING_FIELDS"


def test_runner_and_other_unknown_envelope_keys_are_accepted() -> None:
    line = _line(schema_version="0.4.1", runner={"runner_id": "r"}, prev_event_hash="x", event_hash="y", anything=[1])

    assert WIRE.decode(line).fact == RunStarted(run_id="RUN-0001")


def test_unknown_payload_keys_are_accepted() -> None:
    assert WIRE.decode(_line(payload={"run_id": "R", "more": 1})).fact == RunStarted(run_id="R")


# Malformed lines.

MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "JSONL_INVALID"),
    "prose": (b"hello", "JSONL_INVALID"),
    "cut": (_line()[:-1], "JSONL_INVALID"),
    "two events": (_line() + _line(), "JSONL_INVALID"),
    "a list": (b"[1]", "JSONL_INVALID"),
    "null": (b"null", "JSONL_INVALID"),
    "byte order mark": (b"\xef\xbb\xbf" + _line(), "JSONL_INVALID"),
    "not UTF-8 in the envelope": (_line().replace(b"orchestrator", b"\xff"), "JSONL_INVALID"),
    "not UTF-8 in a payload": (_line().replace(b"RUN-0001", b"\xff"), "JSONL_INVALID"),
    "not UTF-8 in a foreign payload": (_line(action="x").replace(b"RUN-0001", b"\xff"), "JSONL_INVALID"),
    "number out of range in a foreign payload": (_line(action="x").replace(b'"RUN-0001"', b"1e999"), "JSONL_INVALID"),
    "endless integer in a payload": (
        _line(action="complete", payload={"task_id": "T", "verification": 1}).replace(
            b": 1}", b": 1" + b"0" * 5000 + b"}"
        ),
        "JSONL_INVALID",
    ),
    "lone surrogate": (_line().replace(b"RUN-0001", b"\\ud800"), "JSONL_INVALID"),
    "depth bomb": (
        _line(action="x", payload=1).replace(b'"payload": 1', b'"payload": ' + b"[" * 9000 + b"]" * 9000),
        "JSONL_INVALID",
    ),
    "no id": (_line(event_id=...), "EVENT_MISSING_FIELDS"),
    "no seq": (_line(event_seq=...), "EVENT_MISSING_FIELDS"),
    "no ts": (_line(ts=...), "EVENT_MISSING_FIELDS"),
    "no actor": (_line(actor=...), "EVENT_MISSING_FIELDS"),
    "no action": (_line(action=...), "EVENT_MISSING_FIELDS"),
    "no payload": (_line(payload=...), "EVENT_MISSING_FIELDS"),
    "an empty object": (b"{}", "EVENT_MISSING_FIELDS"),
    "legacy without an id": (_line(schema_version=..., event_id=..., payload=..., data={}), "EVENT_MISSING_FIELDS"),
    "seq as text": (_line(event_seq="1"), "SCHEMA_INVALID"),
    "seq as a fraction": (_line(event_seq=1.5), "SCHEMA_INVALID"),
    "actor null": (_line(actor=None), "SCHEMA_INVALID"),
    "version null": (_line(schema_version=None), "SCHEMA_INVALID"),
    "prev_hash a number": (_line(prev_hash=1), "SCHEMA_INVALID"),
    "payload a list": (_line(payload=[]), "SCHEMA_INVALID"),
    "payload null": (_line(payload=None), "SCHEMA_INVALID"),
    "task without an id": (_line(action="claim", payload={}), "SCHEMA_INVALID"),
    "task id a number": (_line(action="claim", payload={"task_id": 1}), "SCHEMA_INVALID"),
    "depends_on a text": (
        _line(action="task.create", payload={"task_id": "T", "task_kind": "impl", "title": "t", "depends_on": "T-0"}),
        "SCHEMA_INVALID",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_line_is_named_by_its_code_and_never_crashes(name: str) -> None:
    line, code = MALFORMED[name]

    assert _code(line) == code


def test_missing_fields_are_named() -> None:
    with pytest.raises(MalformedLine, match="`ts`, `actor`"):
        WIRE.decode(_line(ts=..., actor=...))


# Names and payloads.


def test_every_fact_has_its_wire_name_once() -> None:
    names = [fact.action_name for fact in FACT_TYPES]

    assert len(set(names)) == len(names) == 16
    assert action_of(claimed()) == "claim"
    assert action_of(ForeignRecorded(name="runner.metrics")) == "runner.metrics"


@pytest.mark.parametrize(
    ("fact", "payload"),
    [
        (TaskCreated(task_id="T", task_kind="impl", title="t"), {"task_id": "T", "task_kind": "impl", "title": "t"}),
        (
            TaskReviewed(task_id="T", decision="approve", reviewer_role="qa"),
            {"action": "review", "task_id": "T", "decision": "approve", "tasks": ()},
        ),
        (ForeignRecorded(name="x", payload={"a": 1}), {"a": 1}),
        (ForeignRecorded(name="x", payload=[1]), {}),
        (ForeignRecorded(name="x"), {}),
    ],
)
def test_payload_is_shown_as_builtins_without_the_envelopes_keys(fact: Fact, payload: dict[str, Any]) -> None:
    shown = payload_of(fact)

    assert shown == payload or shown == {**payload, "tasks": []}


@pytest.mark.parametrize(
    "fact",
    [
        run_start(),
        created(),
        claimed(),
        completed(),
        approved(),
        reported(),
        FileWritten(task_id="T-1", files=("a",)),
        ViewMutated(target="log", change={"x": 1}, warnings=("w",)),
        ForeignRecorded(name="runner.metrics", payload={"ms": 1.5}),
        ForeignRecorded(name="runner.metrics", payload={}),
    ],
)
def test_fact_survives_a_round_trip(fact: Fact) -> None:
    event = record(fact, 12, schema_version="0.4.1")

    assert WIRE.decode(WIRE.encode(event)) == event


def test_foreign_fact_without_a_payload_is_written_with_an_empty_one() -> None:
    line = WIRE.encode(record(ForeignRecorded(name="x.y"), 1))

    assert json.loads(line)["payload"] == {}


def test_ordinary_lines_are_read_in_one_step_and_say_the_same() -> None:
    facts: list[Fact] = [claimed(), approved(), created("T-1"), ViewMutated(target="roadmap", change="projected")]
    for version, fact in enumerate(facts, start=1):
        event = record(fact, version)
        read = WIRE.read(WIRE.encode(event))

        assert type(read) is not type(event), "this was read piece by piece"
        assert isinstance(read, Recorded)
        assert (read.version, read.ts, read.actor) == (event.version, event.ts, event.actor)
        assert action_of(read.fact) == action_of(event.fact)
        assert WIRE.decode(WIRE.encode(event)) == event
