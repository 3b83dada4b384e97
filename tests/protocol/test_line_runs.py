"""Runs of lines read at once: what is read so is what is read line by line, and what is not ordinary is not read so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from esaa.kernel.recorded import Recorded
from esaa.kernel.strict_json import DEPTH_MAX
from esaa.protocol.facts import (
    Fact,
    ForeignRecorded,
    OutputRejected,
    TaskReviewed,
    VerificationPassed,
    VerificationStarted,
    ViewMutated,
)
from esaa.protocol.line_runs import events_of, lines_of
from esaa.protocol.stateless import is_stateless
from esaa.protocol.wire import ProtocolVocabulary
from tests.scenarios import approved, claimed, completed, created, done, hotfix, record, reported, story

WIRE = ProtocolVocabulary()
CLOSING = ViewMutated(target="roadmap", change="projected")


def _events(*facts: Any) -> list[Recorded[Fact]]:
    return [msgspec.structs.replace(one, prev_hash="a" * 64) for one in story(*facts)]


def _run(events: Sequence[Recorded[Fact]]) -> bytes:
    return b"".join(WIRE.encode(event) + b"\n" for event in events)


LIFE = (
    *done(outputs=["src/a.py"]),
    reported(),
    hotfix(),
    claimed("HF-1"),
    completed("HF-1"),
    approved("HF-1"),
    VerificationPassed(projection_hash_sha256="x"),
)


def test_events_of_a_run_are_those_of_its_lines() -> None:
    events = _events(*LIFE)

    read = events_of(_run(events), len(events))

    assert read is not None
    for one, event in zip(read, events, strict=True):
        assert one is not None
        fact = event.fact
        if isinstance(fact, TaskReviewed):
            fact = msgspec.structs.replace(fact, reviewer_role=msgspec.UNSET)
        # A review's payload has a field more, for what older writers put there.
        assert msgspec.to_builtins(one.fact).items() >= msgspec.to_builtins(fact).items()
        assert isinstance(one.fact, type(fact))
        for name in ("version", "event_id", "ts", "actor", "schema_version", "causation_id", "prev_hash"):
            assert getattr(one, name) == getattr(event, name)


def test_lines_of_a_run_are_read_where_they_are_spelt_as_they_are_written() -> None:
    events = _events(*LIFE)

    lines = lines_of(_run(events), len(events))

    assert lines is not None
    assert [line.event_seq for line in lines] == [event.version for event in events]


@pytest.mark.parametrize(
    "fact",
    [
        CLOSING,
        ViewMutated(target="log", change={"x": 1}),
        ViewMutated(target="lessons", lessons=[]),
        VerificationStarted(strict=True),
        OutputRejected(task_id="T-1", error_code="X", message="m"),
        claimed(),
    ],
)
def test_an_event_is_passed_over_where_its_line_would_be(fact: Fact) -> None:
    run = _run([record(fact, 2)])

    assert events_of(run, 1) is not None
    assert (events_of(run, 1) == [None]) is is_stateless(run[:-1])


ORDINARY = _run(_events(created("T-1"), created("T-2"), claimed("T-1"), CLOSING))
DEEP = b'"outputs":' + b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"task_id":"T-2"', b'"task_id":"T-2","task_id":"T-2"'),
        (b'"actor":', b'"actor":"x","actor":'),
        (b'"outputs":{', b'"outputs":{"x":{"a":1,"a":1},'),
        (b'"outputs":{', b'"unheard_of":1,"outputs":{'),
        (b'"payload":', b'"unheard_of":1,"payload":'),
        (b'"task_id":"T-2"', b'"task_id": "T-2"'),
        (b'"task_id":"T-2"', b'"task_id":"T-\\u0032"'),
        (b'"event_seq":2', b'"event_seq":2.0'),
        (b'"event_seq":2', b'"event_seq":"2"'),
        (b'"actor":"', b'"actor":7,"x":"'),
        (b'"action":"claim"', b'"action":"unheard.of"'),
        (b'"outputs":{', DEEP + b',"x":{'),
        (b'"outputs":{', b'"outputs":{"x":\xff,'),
        (b'"outputs":{', b'"outputs":{"x":"\xff",'),
        (b'"outputs":{', b'"outputs":{"x":NaN,'),
        (b'"outputs":{', b'"outputs":{"x":1.50,'),
        (b"\n", b"\r\n"),
        (b"\n", b"\n\n"),
        (b"\n", b" \n"),
        (b"}\n", b"\n"),
        (b"}\n", b"}{}\n"),
        (b',"prev_hash"', b',"command_id":null,"prev_hash"'),
    ],
)
def test_run_with_a_line_that_is_not_as_it_is_written_is_read_line_by_line(before: bytes, after: bytes) -> None:
    assert lines_of(ORDINARY, 4) is not None
    changed = ORDINARY.replace(before, after, 2 if before == b'"outputs":{' else 3)
    assert changed != ORDINARY

    assert lines_of(changed, 4) is None


def test_run_with_an_action_of_no_type_is_read_line_by_line() -> None:
    run = _run(_events(created(), ForeignRecorded(name="runner.metrics", payload={"a": 1})))

    assert lines_of(run, 2) is None
    assert events_of(run, 2) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"}\n", b"\n"), (b'"event_seq":2', b'"event_seq":"2"'), (b'"task_id":"T-2"', b'"task_id":2'), (b'"ts"', b'"t"')],
)
def test_run_with_an_unreadable_line_has_no_events(before: bytes, after: bytes) -> None:
    assert events_of(ORDINARY, 4) is not None
    assert events_of(ORDINARY.replace(before, after, 1), 4) is None


def test_run_of_an_unknown_version_is_read_line_by_line() -> None:
    assert events_of(_run([record(created(), 2, schema_version="0.3.0")]), 1) is None


def test_count_that_is_not_that_of_the_lines_reads_nothing() -> None:
    assert lines_of(ORDINARY, 3) is None
    assert events_of(ORDINARY, 5) is None
