"""Bytes from agents: hostile ones are a value with a precise code, never an exception (layers 1 to 3)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import sha256_hex
from esaa.protocol.intentions import AgentResult, Claim, Complete, ReportIssue, Review
from esaa.protocol.result import Refused, parse_result
from tests.scenarios import claim, complete, governance, governed, lesson, report, review

VALID: dict[str, tuple[dict[str, Any], type]] = {
    "claim": (claim(prior_status="todo", notes="mine"), Claim),
    "complete": (complete(files={"src/a.py": "x"}), Complete),
    "hotfix": (complete(checks=2, issue_id="ISS-1", fixes="T-1"), Complete),
    "edits": (
        complete(
            files=[{"path": "a", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": ""}]}],
        ),
        Complete,
    ),
    "approve": (review(), Review),
    "request_changes": (review(decision="request_changes"), Review),
    "report": (report(), ReportIssue),
    "full report": (
        report(
            severity="critical",
            affected={"baseline_id": "B-000", "environment": "ci", "paths": ["src/a.py"]},
            category="process",
            subtype="lesson",
            lesson=lesson("forbid text x"),
            fixes="T-0",
        ),
        ReportIssue,
    ),
}


def _refused(data: bytes | Any, rules: Governance | None = None) -> Refused:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    result = parse_result(raw, governance() if rules is None else rules)
    assert isinstance(result, Refused), result
    assert result.result_sha256 == sha256_hex(raw)
    return result


@pytest.mark.parametrize("name", VALID)
def test_valid_output_is_typed_and_keeps_its_fields_as_sent(name: str) -> None:
    output, kind = VALID[name]

    result = parse_result(json.dumps(output, indent=3).encode(), governance())

    assert isinstance(result, AgentResult)
    assert isinstance(result.intention, kind)
    assert result.fields == output["activity_event"]
    assert [update.path for update in result.updates] == [one["path"] for one in output.get("file_updates", [])]


def test_checks_of_a_complete_without_verification_are_none() -> None:
    result = parse_result(json.dumps(complete(checks=0)).encode(), governance())

    assert isinstance(result, AgentResult)
    assert isinstance(result.intention, Complete)
    assert result.intention.checks == ()


_EVENT = b'{"activity_event":{"action":"claim","task_id":"T-1"%s}}'
_DEEP = b'{"activity_event":' + b'{"a":' * 200 + b"1" + b"}" * 201

NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b" \n\t ",
    "prose": b"I have claimed the task.",
    "fenced": b"```json\n" + _EVENT % b"" + b"\n```",
    "prose before": b"Here: " + _EVENT % b"",
    "prose after": _EVENT % b"" + b" done",
    "two values": _EVENT % b"" + _EVENT % b"",
    "two lines": _EVENT % b"" + b"\n" + _EVENT % b"",
    "cut short": (_EVENT % b"")[:-1],
    "trailing comma": b'{"activity_event":{"action":"claim","task_id":"T-1",}}',
    "single quotes": b"{'activity_event':{}}",
    "comment": b'{/* hi */"activity_event":{}}',
    "duplicate key": _EVENT % b',"task_id":"T-2"',
    "duplicate key far down": b'{"activity_event":{"action":"complete","verification":{"checks":[],"checks":["b"]}}}',
    "duplicate top key": b'{"activity_event":{},"activity_event":{}}',
    "duplicate key by escape": _EVENT % b',"t\\u0061sk_id":"T-2"',
    "NaN": _EVENT % b',"notes":NaN',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "number out of range": b'{"activity_event":1e999}',
    "number of 4301 digits": b"1" * 4301,
    "leading zero": b"[01]",
    "hexadecimal": b"[0x10]",
    "byte order mark": b"\xef\xbb\xbf" + _EVENT % b"",
    "UTF-16": (_EVENT % b"").decode().encode("utf-16"),
    "invalid UTF-8": _EVENT % b',"notes":"\xff"',
    "overlong UTF-8": _EVENT % b',"notes":"\xc0\xaf"',
    "surrogate in UTF-8": _EVENT % b',"notes":"\xed\xa0\x80"',
    "lone high surrogate": _EVENT % b',"notes":"\\ud800"',
    "lone low surrogate": _EVENT % b',"notes":"\\udfff x"',
    "lone surrogate as a key": b'{"\\ud800":1}',
    "raw control character": _EVENT % b',"notes":"a\nb"',
    "null byte": b"\0",
    "deep objects": _DEEP,
    "deep lists": b"[" * 100 + b"]" * 100,
    "depth bomb": b"[" * 1_000_000,
    "depth bomb that closes": b"[" * 100_000 + b"]" * 100_000,
    "depth bomb of objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_bytes_that_are_not_one_strict_json_value_are_refused_in_the_first_layer(name: str) -> None:
    refused = _refused(NOT_JSON[name])

    assert refused.rejected.error_code == "JSON_INVALID", refused.rejected
    assert refused.rejected.layer == "json_parse"
    assert (refused.task_id, refused.source_action) == (None, None)


def test_size_bomb_is_refused_before_it_is_read() -> None:
    refused = _refused(b"[" * (governance().agent.output_contract.result_bytes_max + 1))

    assert refused.rejected.error_code == "RESOURCE_LIMIT_EXCEEDED"
    assert refused.rejected.layer == "json_parse"


def test_surrogate_pair_is_text() -> None:
    result = parse_result(_EVENT % b',"notes":"\\ud83d\\ude00 \\\\ud800"', governance())

    assert isinstance(result, AgentResult)
    assert result.intention.notes == "\U0001f600 \\ud800"


SCHEMA_BREAKERS: dict[str, Any] = {
    "null": None,
    "a number": 1,
    "a string": "claim",
    "a list": [claim()],
    "an empty object": {},
    "activity_event null": {"activity_event": None},
    "activity_event empty list": {"activity_event": []},
    "activity_event list of one": {"activity_event": [claim()["activity_event"]]},
    "activity_event text": {"activity_event": "claim"},
    "no action": {"activity_event": {"task_id": "T-1"}},
    "action null": {"activity_event": {"action": None, "task_id": "T-1"}},
    "action list": {"activity_event": {"action": ["claim"], "task_id": "T-1"}},
    "no task": {"activity_event": {"action": "claim"}},
    "task a number": {"activity_event": {"action": "claim", "task_id": 1}},
    "task a path": {"activity_event": {"action": "claim", "task_id": "../T-1"}},
    "task too long": {"activity_event": {"action": "claim", "task_id": "T" * 129}},
    "unknown prior status": claim(prior_status="blocked"),
    "prior status null": claim(prior_status=None),
    "unknown key on top": {**claim(), "comment": "x"},
    "unknown key in the event": claim(colour="red"),
    "unknown key in verification": {
        "activity_event": {"action": "complete", "task_id": "T-1", "verification": {"checks": ["a"], "by": "me"}}
    },
    "no check": {"activity_event": {"action": "complete", "task_id": "T-1", "verification": {"checks": []}}},
    "blank check": {"activity_event": {"action": "complete", "task_id": "T-1", "verification": {"checks": [" "]}}},
    "check a number": {"activity_event": {"action": "complete", "task_id": "T-1", "verification": {"checks": [1]}}},
    "unknown key in an update": complete(files=[{"path": "a", "content": "x", "mode": "755"}]),
    "update without path": complete(files=[{"content": "x"}]),
    "update without content": complete(files=[{"path": "a"}]),
    "update with both": complete(
        files=[
            {"path": "a", "content": "x", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b"}]}
        ]
    ),
    "edits without base": complete(files=[{"path": "a", "edits": [{"old_string": "a", "new_string": "b"}]}]),
    "edits empty": complete(files=[{"path": "a", "base_sha256": "0" * 64, "edits": []}]),
    "base in capitals": complete(
        files=[{"path": "a", "base_sha256": "A" * 64, "edits": [{"old_string": "a", "new_string": "b"}]}]
    ),
    "unknown key in an edit": complete(
        files=[{"path": "a", "base_sha256": "0" * 64, "edits": [{"old_string": "a", "new_string": "b", "regex": True}]}]
    ),
    "file_updates an object": {**complete(), "file_updates": {"path": "a", "content": "x"}},
    "file_updates null": {**complete(), "file_updates": None},
    "content null": complete(files=[{"path": "a", "content": None}]),
    "content a number": complete(files=[{"path": "a", "content": 1}]),
    "claim with a decision": claim(decision="approve"),
    "claim with verification": claim(verification={"checks": ["a"]}),
    "complete with a severity": complete(severity="low"),
    "review without a decision": {"activity_event": {"action": "review", "task_id": "T-1", "tasks": ["T-1"]}},
    "review without tasks": {"activity_event": {"action": "review", "task_id": "T-1", "decision": "approve"}},
    "review with no task": {
        "activity_event": {"action": "review", "task_id": "T-1", "decision": "approve", "tasks": []}
    },
    "unknown decision": review(decision="maybe"),
    "report without evidence": {
        "activity_event": {
            "action": "issue.report",
            "task_id": "T-1",
            "issue_id": "I",
            "severity": "low",
            "title": "x",
        }
    },
    "unknown severity": report(severity="fatal"),
    "no repro step": report(evidence={"symptom": "x", "repro_steps": []}),
    "unknown key in evidence": report(evidence={"symptom": "x", "repro_steps": ["a"], "log": "x"}),
    "unknown key in affected": report(affected={"hosts": ["a"]}),
    "unknown key in a lesson": report(lesson={**lesson("x", mode="warn"), "lesson_id": "LES-0001"}),
    "unknown key in a scope": report(
        lesson={**lesson("x", mode="warn"), "scope": {"task_kinds": ["impl"], "all": True}}
    ),
    "unknown key in enforcement": report(
        lesson={**lesson("x"), "enforcement": {"mode": "warn", "applies_to": "template", "level": 1}}
    ),
    "unknown enforcement": report(lesson=lesson("x", mode="punish")),
    "report with verification": report(verification={"checks": ["a"]}),
}


@pytest.mark.parametrize("name", SCHEMA_BREAKERS)
def test_output_that_breaks_the_schema_is_refused_in_the_second_layer(name: str) -> None:
    refused = _refused(SCHEMA_BREAKERS[name])

    assert refused.rejected.error_code == "SCHEMA_INVALID", refused.rejected
    assert refused.rejected.layer == "schema"


@pytest.mark.parametrize("field", governance().agent.output_contract.forbidden_fields)
@pytest.mark.parametrize("output", [claim(), complete(), review(), report()])
def test_field_that_only_the_orchestrator_writes_is_refused_by_name(field: str, output: dict[str, Any]) -> None:
    event = {**output["activity_event"], field: None}

    refused = _refused({**output, "activity_event": event})

    assert refused.rejected.error_code == "SCHEMA_INVALID"
    assert f"`{field}`" in refused.rejected.message


@pytest.mark.parametrize(
    "output",
    [
        {"activity_event": [claim()["activity_event"], complete()["activity_event"]]},
        {**claim(), "file_updates": []},
        {**claim(), "file_updates": [{"path": "a", "content": "x"}]},
        {**review(), "file_updates": [{"path": "a", "content": "x"}]},
        {**report(), "file_updates": [{"path": "a", "content": "x"}]},
    ],
)
def test_two_acts_in_one_output_are_refused_as_such(output: dict[str, Any]) -> None:
    assert _refused(output).rejected.error_code == "ACTION_COLLAPSE"


@pytest.mark.parametrize("action", ["", "fly", "CLAIM", "claim ", "run.end", "task.create", "verify.ok", "x" * 65])
def test_action_outside_the_vocabulary_is_refused_in_the_third_layer(action: str) -> None:
    refused = _refused({"activity_event": {"action": action, "task_id": "T-1"}})

    assert refused.rejected.error_code == "UNKNOWN_ACTION"
    assert (refused.rejected.reason, refused.rejected.layer) == ("unknown_action", "vocabulary")
    assert ("reserved" in refused.rejected.message) == (action in governance().agent.reserved_actions)


def test_unknown_action_with_other_faults_is_refused_by_the_schema_first() -> None:
    refused = _refused({"activity_event": {"action": "fly", "task_id": "T-1", "height": 3}})

    assert refused.rejected.error_code == "SCHEMA_INVALID"
    assert refused.source_action == "fly"


def test_contract_may_allow_fewer_actions_than_the_protocol() -> None:
    rules = governed({"AGENT_CONTRACT.yaml": [("  - review\n  - issue.report\n", "  - issue.report\n")]})

    assert _refused(review(), rules).rejected.error_code == "UNKNOWN_ACTION"


def test_contract_may_forbid_files_altogether() -> None:
    rules = governed({"AGENT_CONTRACT.yaml": [("optional_keys: [file_updates]", "optional_keys: []")]})

    assert _refused(complete(files={"src/a.py": ""}), rules).rejected.error_code == "SCHEMA_INVALID"
    assert isinstance(parse_result(json.dumps(complete()).encode(), rules), AgentResult)


def test_prior_status_is_required_from_0_4_1_on() -> None:
    assert _refused(claim(), governance("0.4.1")).rejected.error_code == "SCHEMA_INVALID"
    assert isinstance(parse_result(json.dumps(claim(prior_status="todo")).encode(), governance("0.4.1")), AgentResult)


def test_refusal_names_the_task_and_the_action_where_they_can_be_read() -> None:
    refused = _refused({"activity_event": {"action": "claim", "task_id": "T-1", "colour": "red"}})

    assert (refused.task_id, refused.source_action) == ("T-1", "claim")


def test_message_shows_a_few_errors_shortened_and_counts_the_rest() -> None:
    files = [{"path": "a" * 2000, "content": 1} for _ in range(9)]

    message = _refused(complete(files=files)).rejected.message

    assert "more)" in message
    assert len(message) < 1500


def test_number_of_files_is_limited() -> None:
    many = [{"path": f"src/{number}", "content": ""} for number in range(201)]

    refused = _refused(complete(files=many))

    assert refused.rejected.error_code == "RESOURCE_LIMIT_EXCEEDED"
    assert refused.rejected.layer == "schema"
    assert isinstance(parse_result(json.dumps(complete(files=many[:200])).encode(), governance()), AgentResult)


def test_size_of_a_file_is_limited_in_bytes() -> None:
    limit = governance().agent.output_contract.file_bytes_max

    refused = _refused(complete(files={"src/a": "é" * (limit // 2 + 1)}))

    assert refused.rejected.error_code == "RESOURCE_LIMIT_EXCEEDED"
    assert isinstance(
        parse_result(json.dumps(complete(files={"src/a": "e" * limit})).encode(), governance()), AgentResult
    )


def _loosely(schema: object) -> Governance:
    return msgspec.structs.replace(governance(), result_schema=json.dumps(schema))


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ({"activity_event": {"action": "claim", "task_id": "T-1", "colour": "red"}}, "SCHEMA_INVALID"),
        ({"activity_event": {"action": "claim"}}, "SCHEMA_INVALID"),
        ({"activity_event": {"action": "claim", "task_id": 5}}, "SCHEMA_INVALID"),
        (
            {"activity_event": {"action": "review", "task_id": "T-1", "decision": "maybe", "tasks": []}},
            "SCHEMA_INVALID",
        ),
        ({**complete(), "file_updates": [1]}, "SCHEMA_INVALID"),
        ({**complete(), "file_updates": None}, "SCHEMA_INVALID"),
        ({**complete(), "file_updates": [{"path": "a", "content": "x", "mode": 1}]}, "SCHEMA_INVALID"),
        ({}, "UNKNOWN_ACTION"),
        ({"activity_event": None}, "UNKNOWN_ACTION"),
        ({"activity_event": {"task_id": "T-1"}}, "UNKNOWN_ACTION"),
    ],
)
def test_types_still_hold_where_a_workspace_has_a_looser_schema(output: dict[str, Any], code: str) -> None:
    assert _refused(output, _loosely({})).rejected.error_code == code


def test_verification_that_is_no_object_has_no_checks() -> None:
    output = {"activity_event": {"action": "complete", "task_id": "T-1", "verification": ["a"]}}

    result = parse_result(json.dumps(output).encode(), _loosely({}))

    assert isinstance(result, AgentResult)
    assert isinstance(result.intention, Complete)
    assert result.intention.checks == ()


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(parse_result(data, governance()), Refused)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["action", "task_id", "prior_status", "verification", "decision", "tasks", "evidence", "ts", "x"]
)


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(_KEYS, _JSON, max_size=5), _JSON)
def test_no_json_raises(event: dict[str, Any], updates: Any) -> None:
    for output in (
        {"activity_event": event},
        {"activity_event": {"action": "complete", **event}, "file_updates": updates},
    ):
        parse_result(json.dumps(output).encode("utf-8", "surrogatepass"), governance())
        parse_result(json.dumps(output).encode("utf-8", "surrogatepass"), _loosely({}))
