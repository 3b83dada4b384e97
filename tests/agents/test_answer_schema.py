"""The schema of an answer in vendors' words: it takes what the whole schema takes, and vendors take it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from esaa.agents.answer_schema import NotPortable, portable_schema, without_nulls
from esaa.dev.fake_llm.schemas import fitted, schema_fault
from tests.dev.questions import SCHEMA

CLAIM = {"activity_event": {"action": "claim", "task_id": "T-1", "prior_status": "todo"}}
COMPLETE = {
    "activity_event": {"action": "complete", "task_id": "T-1", "verification": {"checks": ["a.txt is there"]}},
    "file_updates": [
        {"path": "a.txt", "content": "x"},
        {"path": "b.txt", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]},
    ],
}
REVIEW = {"activity_event": {"action": "review", "task_id": "T-1", "decision": "approve", "tasks": ["T-1"]}}
ISSUE = {
    "activity_event": {
        "action": "issue.report",
        "task_id": "T-1",
        "issue_id": "ISS-1",
        "severity": "low",
        "title": "It is broken",
        "evidence": {"symptom": "It fails.", "repro_steps": ["Run it."]},
        "affected": {"paths": ["a.txt"]},
        "lesson": {
            "mistake": "m",
            "rule": "r",
            "scope": {"task_kinds": ["impl"]},
            "enforcement": {"mode": "warn", "applies_to": "boundaries"},
        },
    }
}
ANSWERS: dict[str, Any] = {"claim": CLAIM, "complete": COMPLETE, "review": REVIEW}


@pytest.mark.parametrize("action", ANSWERS)
@pytest.mark.parametrize("is_strict", [True, False])
def test_vendors_take_the_schema(action: str, is_strict: bool) -> None:
    schema = portable_schema(SCHEMA, action, is_strict=is_strict)
    api = "openai-responses" if is_strict else "anthropic"
    assert schema_fault(schema, api, is_strict=True) is None
    jsonschema_rs.validator_for(schema)


@pytest.mark.parametrize("action", ANSWERS)
def test_the_asked_act_and_an_issue_fit_and_other_acts_do_not(action: str) -> None:
    wanted = jsonschema_rs.validator_for(portable_schema(SCHEMA, action))
    assert wanted.is_valid(ANSWERS[action])
    assert wanted.is_valid(ISSUE)
    for other in ANSWERS.keys() - {action}:
        assert not wanted.is_valid(ANSWERS[other])


@pytest.mark.parametrize("answer", [*ANSWERS.values(), ISSUE], ids=[*ANSWERS, "issue.report"])
def test_nulls_of_a_strict_answer_are_taken_out_again(answer: Any) -> None:
    action = answer["activity_event"]["action"]
    schema = portable_schema(SCHEMA, action, is_strict=True)
    said = fitted(answer, schema)
    assert "null" in json.dumps(said)
    jsonschema_rs.validate(schema, said)
    result = without_nulls(json.dumps(said).encode())
    assert json.loads(result) == answer
    jsonschema_rs.validate(json.loads(SCHEMA), json.loads(result))


def test_an_answer_to_a_claim_has_no_files() -> None:
    # Files come with a complete, so a model that claims is not offered them.
    assert "file_updates" in portable_schema(SCHEMA, "complete")["properties"]
    assert "file_updates" not in portable_schema(SCHEMA, "claim")["properties"]


def test_few_enough_properties_are_optional_for_anthropic() -> None:
    def optional(part: Any) -> int:
        if isinstance(part, list):
            return sum(map(optional, part))
        if not isinstance(part, dict):
            return 0
        own = len(set(part["properties"]) - set(part["required"])) if "properties" in part else 0
        return own + sum(map(optional, part.values()))

    assert all(optional(portable_schema(SCHEMA, action)) <= 24 for action in ANSWERS)


@pytest.mark.parametrize(
    "schema",
    [
        b"no json",
        b"[]",
        b'{"type": "array", "items": {"type": "string"}}',
        b'{"type": "object", "properties": {"a": {"type": "object"}}, "additionalProperties": false}',
        b'{"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "additionalProperties": false}',
        b'{"type": "object", "properties": {"a": {"$ref": "https://example.org"}}, "additionalProperties": false}',
        b'{"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "additionalProperties": false,'
        b' "$defs": {"a": {"$ref": "#/$defs/a"}}}',
        b'{"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": false}',
        b'{"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "additionalProperties": false, "$defs":'
        b' {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}',
        b'{"type": "object", "properties": {"a": true}, "additionalProperties": false}',
        b'{"type": "object", "properties": {"a": {}}, "additionalProperties": false}',
        b'{"type": "object", "additionalProperties": false, "allOf": [{"properties": {}}]}',
        b'{"type": "object", "additionalProperties": false, "if": true}',
        b'{"type": "object", "additionalProperties": false, "properties": ["a"]}',
    ],
)
def test_a_schema_that_no_vendor_takes_is_named(schema: bytes) -> None:
    with pytest.raises(NotPortable):
        portable_schema(schema, "claim")


@pytest.mark.parametrize("answer", [b"prose", b"[null]", b'{"a": null', b'{"a": 1, "a": null}', b"null", b"\xff"])
def test_what_is_no_strict_object_stays_as_it_is(answer: bytes) -> None:
    assert without_nulls(answer) == answer
