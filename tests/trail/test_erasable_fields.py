"""Which fields can be erasable: no fold depends on their values, and a project can ask for no others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from esaa.errors import ConfigError
from esaa.kernel.erasable import PLACEHOLDER
from esaa.trail.erasable import FREE_TEXTS, SUBJECT, ErasableFields, pointer_of
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import evolve
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.state import OrchestrationState, encode_state
from esaa.trail.types import EventTypes, Untyped, parse_custom_type
from esaa.trail.wire import TrailVocabulary, metadata_of, raw_metadata
from tests.trail.extend_corpus import corpus_lines

TYPES = EventTypes()
EVENTS = [TrailVocabulary().decode(line) for line in corpus_lines()]
CASES = sorted(
    {
        (event.fact.event_type, field)
        for event in EVENTS
        for field, value in metadata_of(event).items()
        if field in FREE_TEXTS and value not in (PLACEHOLDER, "", None)
    }
)
CUSTOM = parse_custom_type(
    {
        "title": "CallTaken",
        "type": "object",
        "properties": {
            "caller": {"type": "string"},
            "number": {"type": "string", "pattern": "^[0-9]+$"},
            "minutes": {"type": "integer"},
            "step": {"type": "string"},
        },
        "x-esaa": {"phase_field": "step"},
    },
    "calls.json",
)


def without(event: TrailEvent, name: str, field: str) -> TrailEvent:
    """The event with the placeholder in the place of one field of one type."""
    metadata = metadata_of(event)
    if event.fact.event_type != name or field not in metadata:
        return event
    fact = msgspec.structs.replace(event.fact, metadata=raw_metadata(metadata | {field: PLACEHOLDER}))
    return msgspec.structs.replace(event, fact=fact)


def folded(events: list[TrailEvent]) -> Any:
    """The state of events as builtins. Every one of them has its type."""
    state = OrchestrationState()
    for event in events:
        fact = TYPES.fact_of(event)
        assert not isinstance(fact, Untyped), event.fact.event_type
        assert fact.summary()
        evolve(state, event, fact)
    return msgspec.json.decode(encode_state(state))


WHOLE = folded(EVENTS)


def differences(first: Any, second: Any, path: str = "") -> list[tuple[str, Any]]:
    """Where two JSON values differ, with what the second one has there."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return [one for key in first for one in differences(first[key], second[key], f"{path}/{key}")]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [one for number, (old, new) in pairs for one in differences(old, new, f"{path}/{number}")]
    return [] if first == second else [(path, second)]


@pytest.mark.parametrize(("name", "field"), CASES)
def test_nothing_is_decided_by_a_text_that_can_be_erasable(name: str, field: str) -> None:
    erased = folded([without(event, name, field) for event in EVENTS])
    for path, value in differences(WHOLE, erased):
        assert isinstance(value, str), path
        assert PLACEHOLDER in value, path


def test_every_free_text_was_tried() -> None:
    tried = {field for _, field in CASES}
    declared = {one.name for fact in TRAIL_TYPES.values() for one in msgspec.structs.fields(fact)}
    assert declared >= FREE_TEXTS
    assert tried == FREE_TEXTS


@pytest.mark.parametrize(
    ("rule", "because"),
    [
        ("TaskCreated.task_id", "bears state"),
        ("PhaseStarted.phase", "bears state"),
        ("AgentCompleted.agent_name", "bears state"),
        ("FileWritten.after_sha256", "bears state"),
        ("CheckpointCreated.git_sha", "bears state"),
        ("CommentPosted.nothing", "has no field"),
        ("DataErased.reason", "act of the store"),
        ("DataErased.extra.x", "act of the store"),
        ("Unknown.notes", "no event type"),
        ("*.task_id", "no event type has"),
        ("comment_body", "is no TYPE.field"),
        ("CommentPosted.comment_body.deep", "is no TYPE.field"),
        ("CommentPosted.extra.a.b", "is no TYPE.field"),
        ("CommentPosted.extra", "bears state"),
        ("CallTaken.step", "bears state"),
        ("CallTaken.number", "no free text"),
        ("CallTaken.minutes", "no free text"),
        ("CallTaken.colour", "has no field"),
    ],
)
def test_what_bears_state_is_refused_by_name(rule: str, because: str) -> None:
    with pytest.raises(ConfigError, match=because) as caught:
        ErasableFields([rule], EventTypes({"CallTaken": CUSTOM}))
    assert caught.value.code == "ERASABLE_INVALID"


def test_rules_name_fields_of_one_type_or_of_all() -> None:
    fields = ErasableFields(
        ["*.notes", "CommentPosted.comment_body", "*.extra.caller", "CallTaken.caller"],
        EventTypes({"CallTaken": CUSTOM}),
    )
    assert fields.pointers("TaskCompleted") == ("/notes", "/extra/caller")
    assert fields.pointers("CommentPosted") == ("/comment_body", "/extra/caller")
    assert fields.pointers("CallTaken") == ("/extra/caller", "/caller")
    assert fields.pointers("DataErased") == ()
    assert pointer_of("extra.caller") == "/extra/caller"


@pytest.mark.parametrize("name", ["jane@example.org", "Jane Doe", "", "-x", "a" * 65, "a/b", "Jäne"])
def test_a_subject_is_no_name_and_no_address(name: str) -> None:
    assert SUBJECT.fullmatch(name) is None


def test_field_whose_schema_stands_elsewhere_cannot_be_erasable() -> None:
    schema = {
        "title": "CallTaken",
        "type": "object",
        "properties": {"caller": {"type": "string"}, "said": {"$ref": "#/properties/caller"}},
    }
    types = EventTypes({"CallTaken": parse_custom_type(schema, "call.json")})
    assert ErasableFields(["CallTaken.caller"], types).pointers("CallTaken") == ("/caller",)
    with pytest.raises(ConfigError, match="no free text"):
        ErasableFields(["CallTaken.said"], types)
