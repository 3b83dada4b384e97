"""A stream of the trail with some of it changed: folded again, and nothing is decided anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esaa.errors import UsageError
from esaa.history.edits import Edit
from esaa.history.what_if_stream import ImaginedStream, StreamEdits, imagine_stream, inserted_stream_event
from esaa.trail.event import Actor, TrailEvent, Witnessed
from esaa.trail.types import EventTypes
from esaa.trail.wire import raw_metadata

TYPES = EventTypes()


def event(version: int, event_type: str, **metadata: Any) -> TrailEvent:
    """An event of a stream."""
    fact = Witnessed(
        event_type=event_type,
        metadata=raw_metadata(metadata),
        issue_key="PROJ-1",
        session_id="S-1",
        actor=Actor(type="agent", id="agent-impl"),
    )
    return TrailEvent(
        version=version,
        event_id=f"5e551000-0000-4000-8000-{version:012d}",
        ts=f"2026-03-01T12:00:{version:02d}Z",
        actor="agent-impl",
        fact=fact,
        schema_version=TYPES.version_of(event_type),
    )


STREAM = [
    event(1, "PhaseStarted", phase="build"),
    event(2, "PhaseStarted", phase="test"),
    event(3, "PhaseFailed", phase="test", error_message="it broke"),
]


def imagined(edits: StreamEdits) -> ImaginedStream:
    """The stream with some of it changed."""
    return imagine_stream(STREAM, edits, TYPES.fact_of)


def test_no_change_changes_nothing() -> None:
    found = imagined(StreamEdits())
    assert found.other == found.actual
    assert found.actual.current_phase is not None
    assert found.touched == []


def test_event_that_is_dropped_was_never_folded() -> None:
    found = imagined(StreamEdits(dropped=frozenset({3})))
    without = imagine_stream(STREAM[:2], StreamEdits(), TYPES.fact_of)
    assert found.other == without.actual
    assert found.other != found.actual
    assert [(one.version, how) for one, how in found.touched] == [(3, "dropped")]


def test_edited_event_is_folded_as_it_is_edited() -> None:
    found = imagined(StreamEdits(edited={2: (Edit(pointer="/metadata/phase", value="deploy"),)}))
    expected = [STREAM[0], event(2, "PhaseStarted", phase="deploy"), STREAM[2]]
    assert found.other == imagine_stream(expected, StreamEdits(), TYPES.fact_of).actual
    assert found.other != found.actual


@pytest.mark.parametrize(
    "value",
    [
        {"event_type": "PhaseStarted", "metadata": {"phase": "deploy"}},
        {"event_type": "PhaseStarted", "metadata": {"phase": "deploy"}, "actor": "agent-qa"},
        {"event_type": "PhaseStarted", "metadata": {"phase": "deploy"}, "actor": {"type": "user", "id": "jane"}},
    ],
    ids=["as before", "an agent", "a user"],
)
def test_inserted_event_is_folded_after_its_place(value: dict[str, Any]) -> None:
    new = inserted_stream_event(json.dumps(value).encode(), STREAM[1])
    found = imagined(StreamEdits(inserted={2: (new,)}))
    assert found.other == imagine_stream([*STREAM[:2], new, STREAM[2]], StreamEdits(), TYPES.fact_of).actual
    assert found.other != found.actual
    assert [(one.version, how) for one, how in found.touched] == [(2, "inserted")]


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/event_sequence", 9), ("/issue_key", "X-1"), ("", {}), ("/metadata/none/such", 1), ("/actor", "nobody")],
)
def test_edit_that_does_not_fit_is_refused(pointer: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        imagined(StreamEdits(edited={1: (Edit(pointer=pointer, value=value),)}))
    assert caught.value.code == "WHAT_IF_EDIT_INVALID"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "no JSON"),
        (b"[]", "names no event_type"),
        (b'{"event_type": 5}', "names no event_type"),
        (b'{"event_type": "PhaseStarted", "actor": {"id": 5}}', "is no event"),
    ],
)
def test_what_cannot_be_inserted_is_named(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        inserted_stream_event(data, STREAM[0])
    assert caught.value.code == "WHAT_IF_INSERT_INVALID"
