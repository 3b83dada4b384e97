"""What vendors ask of the schema of a structured answer, and values that fit one. Only what the fake needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_UNSUPPORTED = ("if", "then", "else", "not", "oneOf", "dependentRequired", "dependentSchemas", "patternProperties")
_STRICT_UNSUPPORTED = ("allOf",)
_LENGTHS = ("minLength", "maxLength", "maxItems", "minimum", "maximum", "multipleOf", "uniqueItems")
_DEPTH_MAX = 32


def schema_fault(schema: dict[str, Any], api: str, *, is_strict: bool) -> str | None:
    """Why the vendor would refuse this schema, or None. As the vendors' pages say it, in the parts that matter here.

    OpenAI's strict mode wants every object closed and every property required; Anthropic wants every object closed and
    knows no lengths; both know no conditions.
    """
    if not is_strict:
        return None
    if schema.get("type") != "object":
        return "the root of the schema must have the type 'object'"
    for place, one in _parts(schema, "schema"):
        names = set(one)
        wrong = names & {*_UNSUPPORTED, *(_LENGTHS if api == "anthropic" else _STRICT_UNSUPPORTED)}
        if wrong:
            return f"{place}: {', '.join(sorted(wrong))} is not supported"
        if "properties" not in one:
            continue
        if one.get("additionalProperties") is not False:
            return f"{place}: 'additionalProperties' is required to be false"
        missing = sorted(set(one["properties"]) - set(one.get("required", ())))
        if missing and api != "anthropic":
            return f"{place}: 'required' must hold every property; {missing[0]!r} is missing"
    return None


def fitted(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """The value with null for each property that the schema requires and the value has not, as a model would do it."""
    root = schema if root is None else root
    schema = _resolved(schema, root)
    if isinstance(value, list):
        found = [_resolved(one, root) for one in schema.get("anyOf", ())]
        items = next((one["items"] for one in (schema, *found) if isinstance(one.get("items"), dict)), None)
        return value if items is None else [fitted(one, items, root) for one in value]
    if not isinstance(value, dict):
        return value
    for branch in schema.get("anyOf") or schema.get("oneOf") or ():
        one_of = _resolved(branch, root)
        if set(value) <= set(one_of.get("properties", ())) and _consts_hold(value, one_of, root):
            return fitted(value, one_of, root)
    known = schema.get("properties", {})
    full = {name: fitted(one, known[name], root) if name in known else one for name, one in value.items()}
    return full | {name: None for name in schema.get("required", ()) if name not in full and name in known}


def sample(schema: dict[str, Any], root: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """A small value that fits a schema, for requests that are not about a task (titles, routing)."""
    root = schema if root is None else root
    schema = _resolved(schema, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key) and depth < _DEPTH_MAX:
            return sample(schema[key][0], root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = str(kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object" and depth < _DEPTH_MAX:
        known = schema.get("properties", {})
        names = [name for name in schema.get("required", ()) if name in known]
        return {name: sample(known[name], root, depth + 1) for name in names}
    if kind == "array":
        return [sample(schema.get("items", {}), root, depth + 1)] * int(schema.get("minItems", 0))
    number = schema.get("minimum", 0)
    return {"integer": number, "number": number, "boolean": False, "null": None}.get(kind, "ok")


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Any = root
    for part in reference[2:].split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found | {key: value for key, value in schema.items() if key != "$ref"} if found else schema


def _consts_hold(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    for name, one in schema.get("properties", {}).items():
        rule = _resolved(one, root)
        if name in value and "const" in rule and value[name] != rule["const"]:
            return False
        if name in value and "enum" in rule and value[name] not in rule["enum"]:
            return False
    return True


def _parts(schema: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield place, schema
    for key in ("properties", "$defs", "definitions"):
        for name, one in schema.get(key, {}).items():
            yield from _parts(one, f"{place}.{key}.{name}")
    for key in ("anyOf", "allOf", "oneOf"):
        for number, one in enumerate(schema.get(key, ())):
            yield from _parts(one, f"{place}.{key}[{number}]")
    yield from _parts(schema.get("items"), f"{place}.items")
