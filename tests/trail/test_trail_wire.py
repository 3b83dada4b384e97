"""Lines of the trail: what they hold comes back whole, and what is none says which rule it breaks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from esaa.kernel.vocabulary import MalformedLine
from esaa.trail.event import Origin
from esaa.trail.facts.base import TrailFact
from esaa.trail.types import CustomType, EventTypes
from esaa.trail.wire import ENVELOPE_REQUIRED, TrailVocabulary, event_of_view, event_view
from tests.trail.scenes import happened

WIRE = TrailVocabulary()
EVENT = happened(3, "PhaseStarted", {"phase": "PLAN", "extra": {"n": 1.5}})
LINE = WIRE.encode(EVENT)


def test_event_comes_back_from_its_line_and_from_what_is_shown_of_it() -> None:
    full = msgspec.structs.replace(
        EVENT,
        prev_hash="a" * 64,
        correlation_id="c",
        causation_id="d",
        fact=msgspec.structs.replace(
            EVENT.fact,
            occurred_at="2025-12-22T09:00:00.000Z",
            vector_clock={"ann": 2},
            origin=Origin(event_sequence=2, prev_hash="b" * 64, timestamp=None),
        ),
    )
    for event in (EVENT, full):
        assert WIRE.encode(WIRE.decode(WIRE.encode(event))) == WIRE.encode(event)
        assert WIRE.encode(event_of_view(event_view(event))) == WIRE.encode(event)
        assert event_view(event) == json.loads(WIRE.encode(event))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "JSONL_INVALID"),
        (b"{", "JSONL_INVALID"),
        (b"[]", "JSONL_INVALID"),
        (b"{}", "EVENT_MISSING_FIELDS"),
        (LINE.replace(b'"event_sequence":3', b'"event_sequence":"3"'), "SCHEMA_INVALID"),
        (LINE.replace(b'"type":"system"', b'"type":"ghost"'), "SCHEMA_INVALID"),
    ],
)
def test_line_that_is_no_event_says_which_rule_it_breaks(line: bytes, code: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        WIRE.decode(line)
    assert caught.value.code == code


@pytest.mark.parametrize("key", sorted(ENVELOPE_REQUIRED))
def test_missing_key_is_named(key: str) -> None:
    event: dict[str, Any] = json.loads(LINE)
    del event[key]
    with pytest.raises(MalformedLine, match=f"`{key}`") as caught:
        WIRE.decode(json.dumps(event).encode())
    assert caught.value.code == "EVENT_MISSING_FIELDS"


def test_replay_acts_on_the_types_that_may_be_repeated() -> None:
    again = CustomType(name="Again", version="1.0.0", schema={}, is_repeatable=True)
    once = CustomType(name="Once", version="1.0.0", schema={})
    types = EventTypes({"Again": again, "Once": once})
    assert [types.is_repeatable(name) for name in ("Again", "Once", "Nobody", "FileWritten")] == [
        True,
        False,
        False,
        True,
    ]


def test_fact_without_words_of_its_own_is_a_mistake_of_ours() -> None:
    with pytest.raises(NotImplementedError):
        TrailFact().summary()
