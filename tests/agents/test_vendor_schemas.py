"""The schema of an answer as vendors take it: within their rules, and wide enough for every act."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from esaa.agents.vendors.schemas import schema_of
from esaa.dev.fake_llm.schemas import fitted, schema_fault
from esaa.protocol.answer_schema import answer_schema, without_nulls
from tests.scenarios import governance

CLAIM = {"activity_event": {"action": "claim", "task_id": "T-1", "prior_status": "todo"}}
COMPLETE = {
    "activity_event": {
        "action": "complete",
        "task_id": "T-1",
        "prior_status": "in_progress",
        "verification": {"checks": ["a.txt is there"]},
    },
    "file_updates": [
        {"path": "a.txt", "content": "x"},
        {"path": "b.txt", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]},
    ],
}
REVIEW = {
    "activity_event": {
        "action": "review",
        "task_id": "T-1",
        "prior_status": "review",
        "decision": "approve",
        "tasks": ["T-1"],
    }
}
ISSUE = {
    "activity_event": {
        "action": "issue.report",
        "task_id": "T-1",
        "prior_status": "review",
        "issue_id": "ISS-1",
        "severity": "low",
        "title": "It is broken",
        "evidence": {"symptom": "It fails.", "repro_steps": ["Run it."]},
        "affected": {"paths": ["a.txt"]},
    }
}
ANSWERS: dict[str, Any] = {"claim": CLAIM, "complete": COMPLETE, "review": REVIEW}


def schema_for(action: str, *, is_strict: bool) -> dict[str, Any]:
    made = schema_of(answer_schema(action, governance()), is_strict=is_strict)
    assert made is not None
    return made


def parts(schema: Any) -> list[dict[str, Any]]:
    """Every schema in a schema."""
    if isinstance(schema, list):
        return [found for one in schema for found in parts(one)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(found for one in schema.values() for found in parts(one))]


@pytest.mark.parametrize("action", ANSWERS)
def test_vendors_take_the_schema(action: str) -> None:
    assert schema_fault(schema_for(action, is_strict=True), "openai-responses", is_strict=True) is None
    assert schema_fault(schema_for(action, is_strict=False), "anthropic", is_strict=True) is None


@pytest.mark.parametrize("action", ANSWERS)
def test_the_asked_act_and_an_issue_fit_and_other_acts_do_not(action: str) -> None:
    wanted = jsonschema_rs.validator_for(schema_for(action, is_strict=False))
    assert wanted.is_valid(ANSWERS[action])
    assert wanted.is_valid(ISSUE)
    for other in ANSWERS.keys() - {action}:
        assert not wanted.is_valid(ANSWERS[other])


@pytest.mark.parametrize("action", ANSWERS)
def test_a_strict_answer_comes_back_without_its_nulls(action: str) -> None:
    schema = schema_for(action, is_strict=True)
    said = fitted(ANSWERS[action], schema)
    assert "null" in json.dumps(said)
    jsonschema_rs.validate(schema, said)
    assert json.loads(without_nulls(json.dumps(said).encode())) == ANSWERS[action]


@pytest.mark.parametrize("action", ANSWERS)
def test_alternatives_and_optional_properties_are_few_enough_for_anthropic(action: str) -> None:
    found = parts(schema_for(action, is_strict=False))
    optional = sum(len(set(one["properties"]) - set(one["required"])) for one in found if "required" in one)
    assert 0 < optional <= 24
    assert sum("anyOf" in one for one in found) <= 16
    assert '"null"' not in json.dumps(found[0])


def test_what_is_nullable_in_two_ways_stays_so() -> None:
    two = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    schema = {"type": "object", "properties": {"a": two}, "required": ["a"], "additionalProperties": False}
    assert schema_of(json.dumps(schema).encode(), is_strict=False) == schema


@pytest.mark.parametrize("schema", [b"", b"no json", b"[]", b"null", b'{"type": "array"}', b"[" * 100_000])
def test_what_describes_no_object_is_left_to_the_prompt(schema: bytes) -> None:
    assert schema_of(schema, is_strict=True) is None
    assert schema_of(schema, is_strict=False) is None
