"""The JSON Schema that a model's answer to one question is wanted in: only what may come now, in the strict subset.

The subset is what every vendor's structured output takes: no references, every object closed, every property required,
what may be absent is nullable instead. It guides a model; what counts is `agent_result.schema.json`, which the
orchestrator validates with. `without_nulls` brings such an answer back to the protocol's form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from esaa.contracts.governance import Governance
from esaa.contracts.values import TASK_KINDS
from esaa.kernel.canonical import compact
from esaa.kernel.strict_json import NotStrict, loads_strict

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}


def answer_schema(action: str, rules: Governance) -> bytes:
    """The schema of an answer to the question for `action`: that act, or a report why it cannot be."""
    acts = [name for name in dict.fromkeys((action, "issue.report")) if name in rules.agent.allowed_actions]
    event: dict[str, Any] = {"anyOf": [_closed(_COMMON | {"action": _one_of([name])} | _EVENTS[name]) for name in acts]}
    properties: dict[str, Any] = {"activity_event": event}
    if action == "complete":
        whole = _closed({"path": _TEXT, "content": _TEXT})
        edit = _closed({"old_string": _TEXT, "new_string": _TEXT, "replace_all": _optional({"type": "boolean"})})
        edits = _closed({"path": _TEXT, "base_sha256": _TEXT, "edits": {"type": "array", "items": edit}})
        properties["file_updates"] = _optional({"type": "array", "items": {"anyOf": [whole, edits]}})
    return compact(_closed(properties))


def without_nulls(result: bytes) -> bytes:
    """The result without the keys that are null, which the protocol never has; no strict JSON stays as it is."""
    try:
        value = loads_strict(result)
    except NotStrict:
        return result
    bare = _bare(value)
    return result if bare == value else compact(bare)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if item is not None}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(names)}


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_COMMON: dict[str, Any] = {
    "action": _TEXT,
    "task_id": _TEXT,
    "prior_status": _one_of(("todo", "in_progress", "review", "done")),
    "notes": _optional(_TEXT),
}
_LESSON = _closed(
    {
        "mistake": _TEXT,
        "rule": _TEXT,
        "scope": _closed({"task_kinds": {"type": "array", "items": _one_of(TASK_KINDS)}}),
        "enforcement": _closed(
            {
                "mode": _one_of(("reject", "warn", "require_field", "require_step")),
                "applies_to": _one_of(
                    ("output_contract", "boundaries", "template", "workflow_gate", "verification_gate")
                ),
            }
        ),
    }
)
_EVENTS: dict[str, dict[str, Any]] = {
    "claim": {},
    "complete": {
        "verification": _optional(_closed({"checks": _TEXTS})),
        "issue_id": _optional(_TEXT),
        "fixes": _optional(_TEXT),
    },
    "review": {"decision": _one_of(("approve", "request_changes")), "tasks": _TEXTS},
    "issue.report": {
        "issue_id": _TEXT,
        "severity": _one_of(("low", "medium", "high", "critical")),
        "title": _TEXT,
        "evidence": _closed({"symptom": _TEXT, "repro_steps": _TEXTS}),
        "affected": _optional(
            _closed({"baseline_id": _optional(_TEXT), "environment": _optional(_TEXT), "paths": _optional(_TEXTS)})
        ),
        "category": _optional(_TEXT),
        "subtype": _optional(_TEXT),
        "lesson": _optional(_LESSON),
        "fixes": _optional(_TEXT),
    },
}
