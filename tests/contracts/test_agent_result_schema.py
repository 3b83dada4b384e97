"""agent_result.schema.json: a corpus of results that it accepts and refuses, and where it says they are wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema_rs
import pytest

from esaa.contracts.load import parse_governance
from esaa.stores.contracts import shipped_files

SCHEMA_0_4_0 = json.loads(shipped_files("0.4.0")["agent_result.schema.json"])
SCHEMA_0_4_1 = json.loads(shipped_files("0.4.1")["agent_result.schema.json"])
VALIDATOR = jsonschema_rs.validator_for(SCHEMA_0_4_0)
VALIDATOR_0_4_1 = jsonschema_rs.validator_for(SCHEMA_0_4_1)

Json = dict[str, Any]

CLAIM: Json = {"action": "claim", "task_id": "T-1", "prior_status": "todo"}
COMPLETE: Json = {
    "action": "complete",
    "task_id": "T-1",
    "prior_status": "in_progress",
    "notes": "Done as REQ-01 asks.",
    "verification": {"checks": ["pytest: 3 passed"]},
}
HOTFIX: Json = {**COMPLETE, "task_id": "HF-ISS-1", "issue_id": "ISS-1", "fixes": "T-1"}
REVIEW: Json = {
    "action": "review",
    "task_id": "T-1",
    "prior_status": "review",
    "decision": "approve",
    "tasks": ["T-1"],
}
LESSON: Json = {
    "mistake": "Claim and complete were merged.",
    "rule": "One action per output.",
    "scope": {"task_kinds": ["spec", "impl"]},
    "enforcement": {"mode": "reject", "applies_to": "workflow_gate"},
}
ISSUE: Json = {
    "action": "issue.report",
    "task_id": "T-1",
    "prior_status": "done",
    "issue_id": "ISS-1",
    "severity": "high",
    "title": "It breaks",
    "evidence": {"symptom": "Exit code 1", "repro_steps": ["Run it."]},
    "affected": {"baseline_id": "B-000", "environment": "Linux", "paths": ["src/a.py"]},
    "category": "process",
    "subtype": "lesson",
    "lesson": LESSON,
    "fixes": "T-1",
}
WHOLE: Json = {"path": "src/a.py", "content": "x = 1\n"}
EDITED: Json = {
    "path": "src/a.py",
    "base_sha256": "0" * 64,
    "edits": [{"old_string": "a", "new_string": ""}, {"old_string": "b", "new_string": "c", "replace_all": True}],
}


def event(base: Json, **changes: Any) -> Json:
    """A result with the event, some keys changed; `...` takes a key out."""
    changed = {**copy.deepcopy(base), **changes}
    return {"activity_event": {key: value for key, value in changed.items() if value is not ...}}


def files(*updates: Json, base: Json = COMPLETE) -> Json:
    """A result with file updates."""
    return {**event(base), "file_updates": list(updates)}


def update(base: Json, **changes: Any) -> Json:
    """A result with one file update, some keys changed."""
    return files({key: value for key, value in {**base, **changes}.items() if value is not ...})


VALID: dict[str, Json] = {
    "claim": event(CLAIM),
    "claim without prior status": event(CLAIM, prior_status=...),
    "claim with notes": event(CLAIM, notes="Starting."),
    "empty notes": event(CLAIM, notes=""),
    "shortest id": event(CLAIM, task_id="T"),
    "longest id": event(CLAIM, task_id="T" + "x" * 127),
    "id with dots, dashes and underscores": event(CLAIM, task_id="T_1.2-3"),
    "complete": event(COMPLETE),
    "complete without verification": event(COMPLETE, verification=...),
    "complete without notes": event(COMPLETE, notes=...),
    "complete of a hotfix": event(HOTFIX, verification={"checks": ["a", "b"]}),
    "complete with a whole file": files(WHOLE),
    "complete with an empty file": files({"path": "src/__init__.py", "content": ""}),
    "complete with edits": files(EDITED),
    "complete with both kinds of update": files(WHOLE, {**EDITED, "path": "src/b.py"}),
    "complete with an empty list of files": files(),
    "longest check": event(COMPLETE, verification={"checks": ["x" * 2000]}),
    "approval": event(REVIEW),
    "request for changes": event(REVIEW, decision="request_changes", tasks=["REQ-01: fix it.", "REQ-02: too."]),
    "review with notes": event(REVIEW, notes="Fine."),
    "issue with everything": event(ISSUE),
    "issue with the least": event(
        ISSUE, affected=..., category=..., subtype=..., lesson=..., fixes=..., prior_status=...
    ),
    "issue about a task in progress": event(ISSUE, prior_status="in_progress"),
    "issue with empty affected": event(ISSUE, affected={}),
    "issue with notes": event(ISSUE, notes="See above."),
    "longest title": event(ISSUE, title="x" * 300),
    "longest symptom": event(ISSUE, evidence={"symptom": "x" * 20000, "repro_steps": ["a"]}),
    "non-ASCII text": event(ISSUE, title="Título é \U0001f600"),
    **{
        f"lesson enforced by {mode}": event(
            ISSUE, lesson={**LESSON, "enforcement": {"mode": mode, "applies_to": "boundaries"}}
        )
        for mode in ("reject", "warn", "require_field", "require_step")
    },
    **{
        f"lesson about {target}": event(ISSUE, lesson={**LESSON, "enforcement": {"mode": "warn", "applies_to": target}})
        for target in ("output_contract", "boundaries", "template", "workflow_gate", "verification_gate")
    },
}

# The result, the path of the instance where an error must be, and the keyword that finds it.
INVALID: dict[str, tuple[Any, str, str]] = {
    "nothing": ({}, "", "required"),
    "a list": ([event(CLAIM)], "", "type"),
    "a text": ("claim", "", "type"),
    "null": (None, "", "type"),
    "unknown key at the root": ({**event(CLAIM), "thoughts": "hm"}, "", "additionalProperties"),
    "event that is a list": ({"activity_event": [CLAIM, COMPLETE]}, "activity_event", "type"),
    "event that is null": ({"activity_event": None}, "activity_event", "type"),
    "event without action": (event(CLAIM, action=...), "activity_event", "required"),
    "event without task": (event(CLAIM, task_id=...), "activity_event", "required"),
    "unknown action": (event(CLAIM, action="start"), "activity_event/action", "enum"),
    "reserved action": (event(CLAIM, action="run.end"), "activity_event/action", "enum"),
    "action in capitals": (event(CLAIM, action="Claim"), "activity_event/action", "enum"),
    "action that is no text": (event(CLAIM, action=["claim"]), "activity_event/action", "enum"),
    "unknown key in the event": (event(CLAIM, mood="good"), "activity_event", "additionalProperties"),
    **{
        f"forbidden field {name}": (event(CLAIM, **{name: "x"}), "activity_event", "additionalProperties")
        for name in (
            "schema_version",
            "event_id",
            "event_seq",
            "ts",
            "actor",
            "payload",
            "assigned_to",
            "started_at",
            "completed_at",
        )
    },
    "empty id": (event(CLAIM, task_id=""), "activity_event/task_id", "pattern"),
    "id of 129 characters": (event(CLAIM, task_id="T" * 129), "activity_event/task_id", "pattern"),
    "id that begins with a dot": (event(CLAIM, task_id=".x"), "activity_event/task_id", "pattern"),
    "id with a slash": (event(CLAIM, task_id="a/b"), "activity_event/task_id", "pattern"),
    "id with a line feed": (event(CLAIM, task_id="T-1\n"), "activity_event/task_id", "pattern"),
    "id with a space": (event(CLAIM, task_id="T 1"), "activity_event/task_id", "pattern"),
    "id that is no text": (event(CLAIM, task_id=1), "activity_event/task_id", "type"),
    "unknown prior status": (event(CLAIM, prior_status="blocked"), "activity_event/prior_status", "enum"),
    "notes that are null": (event(CLAIM, notes=None), "activity_event/notes", "type"),
    "notes of 20001 characters": (event(CLAIM, notes="x" * 20001), "activity_event/notes", "maxLength"),
    "claim with verification": (
        event(CLAIM, verification={"checks": ["a"]}),
        "activity_event/verification",
        "falseSchema",
    ),
    "claim with a decision": (event(CLAIM, decision="approve"), "activity_event/decision", "falseSchema"),
    "complete with a decision": (event(COMPLETE, decision="approve"), "activity_event/decision", "falseSchema"),
    "complete with a severity": (event(COMPLETE, severity="low"), "activity_event/severity", "falseSchema"),
    "review with verification": (
        event(REVIEW, verification={"checks": ["a"]}),
        "activity_event/verification",
        "falseSchema",
    ),
    "review with an issue id": (event(REVIEW, issue_id="ISS-1"), "activity_event/issue_id", "falseSchema"),
    "issue with tasks": (event(ISSUE, tasks=["T-1"]), "activity_event/tasks", "falseSchema"),
    "empty checks": (event(COMPLETE, verification={"checks": []}), "activity_event/verification/checks", "minItems"),
    "101 checks": (
        event(COMPLETE, verification={"checks": ["a"] * 101}),
        "activity_event/verification/checks",
        "maxItems",
    ),
    "empty check": (
        event(COMPLETE, verification={"checks": ["a", ""]}),
        "activity_event/verification/checks/1",
        "minLength",
    ),
    "check of spaces": (
        event(COMPLETE, verification={"checks": ["  \n"]}),
        "activity_event/verification/checks/0",
        "pattern",
    ),
    "check of 2001 characters": (
        event(COMPLETE, verification={"checks": ["x" * 2001]}),
        "activity_event/verification/checks/0",
        "maxLength",
    ),
    "check that is no text": (
        event(COMPLETE, verification={"checks": [True]}),
        "activity_event/verification/checks/0",
        "type",
    ),
    "checks that are a text": (
        event(COMPLETE, verification={"checks": "a"}),
        "activity_event/verification/checks",
        "type",
    ),
    "verification without checks": (event(COMPLETE, verification={}), "activity_event/verification", "required"),
    "verification that is a list": (event(COMPLETE, verification=["a"]), "activity_event/verification", "type"),
    "unknown key in verification": (
        event(COMPLETE, verification={"checks": ["a"], "by": "me"}),
        "activity_event/verification",
        "additionalProperties",
    ),
    "review without decision": (event(REVIEW, decision=...), "activity_event", "required"),
    "review without tasks": (event(REVIEW, tasks=...), "activity_event", "required"),
    "review with empty tasks": (event(REVIEW, tasks=[]), "activity_event/tasks", "minItems"),
    "review with an empty item": (event(REVIEW, tasks=[""]), "activity_event/tasks/0", "minLength"),
    "review with an object as item": (event(REVIEW, tasks=[{"id": "T-1"}]), "activity_event/tasks/0", "type"),
    "unknown decision": (event(REVIEW, decision="reject"), "activity_event/decision", "enum"),
    **{
        f"issue without {name}": (event(ISSUE, **{name: ...}), "activity_event", "required")
        for name in ("issue_id", "severity", "title", "evidence")
    },
    "unknown severity": (event(ISSUE, severity="blocker"), "activity_event/severity", "enum"),
    "empty title": (event(ISSUE, title=""), "activity_event/title", "minLength"),
    "title of 301 characters": (event(ISSUE, title="x" * 301), "activity_event/title", "maxLength"),
    "evidence without symptom": (event(ISSUE, evidence={"repro_steps": ["a"]}), "activity_event/evidence", "required"),
    "evidence without steps": (event(ISSUE, evidence={"symptom": "a"}), "activity_event/evidence", "required"),
    "evidence with empty steps": (
        event(ISSUE, evidence={"symptom": "a", "repro_steps": []}),
        "activity_event/evidence/repro_steps",
        "minItems",
    ),
    "empty symptom": (
        event(ISSUE, evidence={"symptom": "", "repro_steps": ["a"]}),
        "activity_event/evidence/symptom",
        "pattern",
    ),
    "unknown key in evidence": (
        event(ISSUE, evidence={"symptom": "a", "repro_steps": ["a"], "log": "x"}),
        "activity_event/evidence",
        "additionalProperties",
    ),
    "unknown key in affected": (
        event(ISSUE, affected={"files": []}),
        "activity_event/affected",
        "additionalProperties",
    ),
    "affected path that is empty": (
        event(ISSUE, affected={"paths": [""]}),
        "activity_event/affected/paths/0",
        "minLength",
    ),
    "unknown key in a lesson": (
        event(ISSUE, lesson={**LESSON, "author": "me"}),
        "activity_event/lesson",
        "additionalProperties",
    ),
    **{
        f"lesson without {name}": (
            event(ISSUE, lesson={key: value for key, value in LESSON.items() if key != name}),
            "activity_event/lesson",
            "required",
        )
        for name in LESSON
    },
    "lesson for no kind": (
        event(ISSUE, lesson={**LESSON, "scope": {"task_kinds": []}}),
        "activity_event/lesson/scope/task_kinds",
        "minItems",
    ),
    "lesson for a kind twice": (
        event(ISSUE, lesson={**LESSON, "scope": {"task_kinds": ["qa", "qa"]}}),
        "activity_event/lesson/scope/task_kinds",
        "uniqueItems",
    ),
    "lesson for an unknown kind": (
        event(ISSUE, lesson={**LESSON, "scope": {"task_kinds": ["docs"]}}),
        "activity_event/lesson/scope/task_kinds/0",
        "enum",
    ),
    "unknown key in a lesson's scope": (
        event(ISSUE, lesson={**LESSON, "scope": {"task_kinds": ["qa"], "x": 1}}),
        "activity_event/lesson/scope",
        "additionalProperties",
    ),
    "unknown enforcement": (
        event(ISSUE, lesson={**LESSON, "enforcement": {"mode": "punish", "applies_to": "template"}}),
        "activity_event/lesson/enforcement/mode",
        "enum",
    ),
    "unknown key in enforcement": (
        event(ISSUE, lesson={**LESSON, "enforcement": {**LESSON["enforcement"], "x": 1}}),
        "activity_event/lesson/enforcement",
        "additionalProperties",
    ),
    "files with a claim": (files(WHOLE, base=CLAIM), "file_updates", "falseSchema"),
    "files with a review": (files(WHOLE, base=REVIEW), "file_updates", "falseSchema"),
    "files with an issue": (files(WHOLE, base=ISSUE), "file_updates", "falseSchema"),
    "empty files with a claim": (files(base=CLAIM), "file_updates", "falseSchema"),
    "files that are an object": ({**event(COMPLETE), "file_updates": WHOLE}, "file_updates", "type"),
    "files that are null": ({**event(COMPLETE), "file_updates": None}, "file_updates", "type"),
    "file without path": (update(WHOLE, path=...), "file_updates/0", "required"),
    "file with an empty path": (update(WHOLE, path=""), "file_updates/0/path", "minLength"),
    "file with a path of 1025 characters": (update(WHOLE, path="x" * 1025), "file_updates/0/path", "maxLength"),
    "file without content": (update(WHOLE, content=...), "file_updates/0", "oneOf"),
    "file with null as content": (update(WHOLE, content=None), "file_updates/0/content", "type"),
    "unknown key in a file": (update(WHOLE, mode="0755"), "file_updates/0", "additionalProperties"),
    "content and edits": (update(EDITED, content="x"), "file_updates/0", "oneOf"),
    "content and base": (update(WHOLE, base_sha256="0" * 64), "file_updates/0", "oneOf"),
    "edits without base": (update(EDITED, base_sha256=...), "file_updates/0", "oneOf"),
    "base without edits": (update(EDITED, edits=...), "file_updates/0", "oneOf"),
    "empty edits": (update(EDITED, edits=[]), "file_updates/0/edits", "minItems"),
    "base in capitals": (update(EDITED, base_sha256="A" * 64), "file_updates/0/base_sha256", "pattern"),
    "base of 63 digits": (update(EDITED, base_sha256="0" * 63), "file_updates/0/base_sha256", "pattern"),
    "base of 65 digits": (update(EDITED, base_sha256="0" * 65), "file_updates/0/base_sha256", "pattern"),
    "edit of nothing": (
        update(EDITED, edits=[{"old_string": "", "new_string": "a"}]),
        "file_updates/0/edits/0/old_string",
        "minLength",
    ),
    "edit without replacement": (update(EDITED, edits=[{"old_string": "a"}]), "file_updates/0/edits/0", "required"),
    "unknown key in an edit": (
        update(EDITED, edits=[{"old_string": "a", "new_string": "b", "count": 1}]),
        "file_updates/0/edits/0",
        "additionalProperties",
    ),
    "replace_all that is a text": (
        update(EDITED, edits=[{"old_string": "a", "new_string": "b", "replace_all": "yes"}]),
        "file_updates/0/edits/0/replace_all",
        "type",
    ),
}


def errors(result: Any) -> list[tuple[str, str]]:
    """The errors of a result: where, and by which keyword."""
    return [("/".join(map(str, error.instance_path)), error.kind.name) for error in VALIDATOR.iter_errors(result)]


@pytest.mark.parametrize("result", VALID.values(), ids=VALID)
def test_valid_result_is_accepted(result: Json) -> None:
    assert errors(result) == []


@pytest.mark.parametrize(("result", "path", "keyword"), INVALID.values(), ids=INVALID)
def test_invalid_result_is_refused_where_it_is_wrong(result: Any, path: str, keyword: str) -> None:
    assert (path, keyword) in errors(result)


@pytest.mark.parametrize("result", [event(CLAIM, action="run.end"), files(WHOLE, base={**CLAIM, "action": "start"})])
def test_unknown_action_is_the_only_error_of_an_otherwise_good_result(result: Json) -> None:
    assert errors(result) == [("activity_event/action", "enum")]


@pytest.mark.parametrize("result", VALID.values(), ids=VALID)
def test_prior_status_is_required_from_0_4_1_on(result: Json) -> None:
    assert VALIDATOR_0_4_1.is_valid(result) is ("prior_status" in result["activity_event"])


def test_schemas_of_the_two_versions_differ_in_nothing_else() -> None:
    newer = copy.deepcopy(SCHEMA_0_4_1)
    newer["$defs"]["activity_event"]["required"].remove("prior_status")
    assert newer == SCHEMA_0_4_0


@pytest.mark.parametrize("name", ["agent_result", "roadmap", "issues", "lessons"])
@pytest.mark.parametrize("protocol", ["0.4.0", "0.4.1"])
def test_schema_is_a_2020_12_schema(name: str, protocol: str) -> None:
    schema = json.loads(shipped_files("0.4.1" if protocol == "0.4.1" else "0.4.0")[f"{name}.schema.json"])
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == name
    jsonschema_rs.meta.validate(schema)


def test_types_agree_with_the_schema() -> None:
    parsed = pytest.importorskip("esaa.protocol.result")
    rules = parse_governance(shipped_files("0.4.0"))
    for name, result in VALID.items():
        answer = parsed.parse_result(json.dumps(result).encode(), rules)
        assert not isinstance(answer, parsed.Refused), (name, answer)
    for name, (result, _, _) in INVALID.items():
        answer = parsed.parse_result(json.dumps(result).encode(), rules)
        assert isinstance(answer, parsed.Refused), name


def real_results(text: str) -> list[Json]:
    """The agents' events of a log, as the results that they came from."""
    events = [json.loads(line) for line in text.splitlines() if line.strip()]
    acts = ("claim", "complete", "review", "issue.report")
    payloads = [entry["payload"] for entry in events if entry["action"] in acts]
    return [{key: value for key, value in payload.items() if key != "_reviewer_role"} for payload in payloads]


@pytest.mark.parametrize("log", ["esaa-0.4.1-147-events", "esaa-0.4.1-1821-events", "esaa-core-290-false-checkpoint"])
def test_results_of_real_runs_are_accepted(real_logs: Any, log: str) -> None:
    results = real_results((real_logs / log / "activity.jsonl").read_text(encoding="utf-8"))
    assert results
    for payload in results:
        assert VALIDATOR_0_4_1.is_valid({"activity_event": payload}), payload
