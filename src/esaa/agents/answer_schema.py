"""The schema of a wanted answer in the part of JSON Schema that models' vendors take, and the way back.

Vendors know no conditions and no patterns. So the conditions of the schema become alternatives, one for each act that
may be answered; what cannot be said is left out. That loosens the schema: what comes back is judged by the whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from esaa.kernel.strict_json import NotStrict, loads_strict

ALWAYS = "issue.report"
"""The act that an agent may answer with whatever it was asked for."""

_KEPT = ("type", "description", "enum")
_DEPTH_MAX = 16


class NotPortable(ValueError):
    """The schema holds what no vendor takes (recursion, open objects, something that is no schema)."""


def portable_schema(schema: bytes, action: str, *, is_strict: bool = False) -> dict[str, Any]:
    """The schema of an answer to `action`, without references, conditions and patterns. Raises `NotPortable`.

    With `is_strict` every property is required and those that were optional may be null, as OpenAI (and Codex) want it;
    `without_nulls` takes the nulls out of the answer again.
    """
    try:
        root = json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise NotPortable(f"it is no JSON: {error}") from error
    if not isinstance(root, dict):
        raise NotPortable("it is no object")
    try:
        made = _Porter(root, frozenset({action, ALWAYS}), is_strict=is_strict).node(root, 0)
    except (AttributeError, TypeError) as error:
        raise NotPortable("it holds something that is no schema") from error
    if made.get("type") != "object":
        raise NotPortable("it describes no object")
    return made


def without_nulls(answer: bytes) -> bytes:
    """The answer without the properties that are null; unchanged where it is no strict JSON object."""
    try:
        value = loads_strict(answer)
    except NotStrict:
        return answer
    return json.dumps(_pruned(value), ensure_ascii=False).encode() if isinstance(value, dict) else answer


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _pruned(one) for name, one in value.items() if one is not None}
    return [_pruned(one) for one in value] if isinstance(value, list) else value


class _Porter:
    def __init__(self, root: dict[str, Any], actions: frozenset[str], *, is_strict: bool) -> None:
        self._root = root
        self._actions = actions
        self._is_strict = is_strict

    def node(self, schema: Any, depth: int) -> dict[str, Any]:
        """One schema, with all that is below it."""
        if not isinstance(schema, dict) or depth > _DEPTH_MAX:
            raise NotPortable("it is recursive, too deep, or holds something that is no schema")
        schema = self._settled(self._resolved(schema))
        branches = self._branches(schema)
        if branches:
            made = [self.node(one, depth + 1) for one in branches]
            return made[0] if len(made) == 1 else {"anyOf": made}
        kept = {key: schema[key] for key in _KEPT if key in schema}
        if "const" in schema:
            kept["enum"] = [schema["const"]]
        if "type" not in kept and "enum" in kept and all(isinstance(one, str) for one in kept["enum"]):
            kept["type"] = "string"
        if "anyOf" in schema:
            return kept | {"anyOf": [self.node(one, depth + 1) for one in schema["anyOf"]]}
        if schema.get("type") == "object" or "properties" in schema:
            return kept | self._object(schema, depth)
        if schema.get("type") == "array":
            kept["items"] = self.node(schema.get("items"), depth + 1)
            kept |= {"minItems": 1} if schema.get("minItems") else {}
        if "type" not in kept:
            raise NotPortable("a part of it has no type")
        return kept

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        if schema.get("additionalProperties") is not False:
            raise NotPortable("an object of it is open")
        required = schema.get("required", [])
        properties: dict[str, Any] = {}
        for name, one in schema.get("properties", {}).items():
            if one is False:
                continue
            made = self.node(one, depth + 1)
            is_optional = self._is_strict and name not in required
            properties[name] = {"anyOf": [made, {"type": "null"}]} if is_optional else made
        return {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if self._is_strict or name in required],
            "additionalProperties": False,
        }

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        seen: set[str] = set()
        while "$ref" in schema:
            reference = schema["$ref"]
            if not isinstance(reference, str) or not reference.startswith("#/") or reference in seen:
                raise NotPortable("it refers to something outside, or in a circle")
            seen.add(reference)
            found: Any = self._root
            for part in reference[2:].split("/"):
                found = found.get(part) if isinstance(found, dict) else None
            if not isinstance(found, dict):
                raise NotPortable(f"there is no {reference} in it")
            schema = found | {key: value for key, value in schema.items() if key != "$ref"}
        return schema

    def _settled(self, schema: dict[str, Any]) -> dict[str, Any]:
        """With the `then` of a condition on the act that holds for every act that may be answered."""
        event = schema.get("if", {}).get("properties", {}).get("activity_event", {})
        acts = event.get("properties", {}).get("action", {}).get("enum", [])
        if acts and self._actions <= set(acts):
            return _narrowed(_without(schema, "if", "then", "else"), schema.get("then", {}))
        return schema

    def _branches(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        if "oneOf" in schema:
            base = _without(schema, "oneOf")
            return [_narrowed(base, one) for one in schema["oneOf"]]
        found: list[dict[str, Any]] = []
        base = _without(schema, "allOf")
        for one in schema.get("allOf", ()):
            if not isinstance(one, dict) or "if" not in one:
                raise NotPortable("it joins schemas by allOf")
            for name, value in _consts(one["if"]).items():
                if name != "action" or value in self._actions:
                    pinned = {"properties": {name: {"enum": [value]}}, "required": [name]}
                    found.append(_narrowed(_narrowed(base, one.get("then", {})), pinned))
        return found


def _consts(condition: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one["const"] for name, one in condition.get("properties", {}).items() if "const" in one}


def _without(schema: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in keys}


def _narrowed(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = dict(base.get("properties", {}))
    for name, one in more.get("properties", {}).items():
        properties[name] = one if not isinstance(one, dict) else {**properties.get(name, {}), **one}
    required = list(dict.fromkeys([*base.get("required", ()), *more.get("required", ())]))
    return base | {"properties": properties, "required": required}
