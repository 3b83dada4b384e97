"""The published contract of the trail's lines: a JSON Schema 2020-12, made from the Structs and their docstrings.

It says of a line what the gates say, with one exception: to JSON Schema `1.0` is a whole number, to the gates it is
not. Rules that no schema can state stay with the gates: sizes, printable characters, a required text that is empty.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.facts.values import Moment, Sha256
from esaa.trail.registry import FAMILIES, TRAIL_TYPES
from esaa.trail.types import CustomType, EventTypes
from esaa.trail.versions.envelope_schema import envelope_definitions
from esaa.trail.versions.upcasters import semver

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_VERSION = "1.0.0"
"""The version of the envelope, which the schema's `$id` carries."""

_FAMILY_OF = {kind.__name__: family for family, kinds in FAMILIES.items() for kind in kinds}
_FORMATS: dict[Any, str] = {"date-time": "time", "date": "date", "uuid": "UUID", "uri": "address"}
_PATTERNS: dict[Any, str] = {get_args(Moment)[1].pattern: "time", get_args(Sha256)[1].pattern: "SHA-256 in hex"}
_PLURALS = {
    "text": "texts",
    "text, not empty": "texts",
    "whole number": "whole numbers",
    "number": "numbers",
    "object": "objects",
    "array": "lists",
}


class Documentation(NamedTuple):
    """The docstring of a type: its paragraphs, and the meaning of each field that it lists."""

    prose: tuple[str, ...]
    fields: dict[str, str]


def documentation(kind: type) -> Documentation:
    """What the docstring of a Struct says. Fields that it does not list have the meaning that a base gives them."""
    fields: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, msgspec.Struct):
            fields |= _listed(base)
    prose = (" ".join(part.split()) for part in _parts_of(kind) if not part.startswith("- `"))
    return Documentation(tuple(prose), fields)


def family_of(name: str) -> str:
    """The family of a built-in type."""
    return _FAMILY_OF[name]


class FieldSaid(NamedTuple):
    """A field for people: its dotted name, what it takes, whether it has to be there, and what it means."""

    name: str
    type: str
    required: bool
    meaning: str
    values: tuple[str, ...] = ()


class TypeSaid(NamedTuple):
    """An event type for people: its schema, its description, its fields with those that are nested in them."""

    schema: Data
    prose: str
    fields: tuple[FieldSaid, ...]


def described(types: EventTypes, name: str) -> TypeSaid:
    """What there is to know about a type, built in or a project's own. For a type that `types` knows."""
    kind = TRAIL_TYPES.get(name)
    own = {} if kind else {one.name: one.schema for one in types.custom()}
    schema = type_schema(kind) if kind else own[name]
    return TypeSaid(schema, str(schema.get("description", "")), tuple(fields_said(schema)))


def fields_said(schema: Data, prefix: str = "") -> Iterator[FieldSaid]:
    """The fields of a schema; what a field holds itself follows it. `extra`, which every type has, comes last."""
    required = schema.get("required", ())
    fields: Data = schema.get("properties", {})
    for name in sorted(fields, key=lambda name: name == "extra"):
        field = fields[name]
        if not isinstance(field, dict):
            continue
        meaning = str(field.get("description", ""))
        yield FieldSaid(f"{prefix}{name}", value_said(field), name in required, meaning, _values(field))
        yield from fields_said(field, f"{prefix}{name}.")
        if isinstance(field.get("items"), dict):
            yield from fields_said(field["items"], f"{prefix}{name}[].")


def value_said(schema: Data) -> str:
    """What a value may be, in a few words."""
    values = _values(schema)
    if values:
        return " | ".join(values) + (" | null" if "anyOf" in schema else "")
    if "anyOf" in schema:
        return " or ".join(value_said(one) for one in schema["anyOf"])
    match schema.get("type"):
        case "string":
            text = _FORMATS.get(schema.get("format")) or _PATTERNS.get(schema.get("pattern"), "text")
            return "text, not empty" if text == "text" and schema.get("minLength") else text
        case "integer":
            return "whole number" + _bounds(schema)
        case "number":
            return "number" + _bounds(schema)
        case "boolean":
            return "true or false"
        case "array" if isinstance(schema.get("items"), dict):
            item = value_said(schema["items"])
            return f"list of {_PLURALS.get(item, item)}"
        case str(kind):
            return kind
        case _:
            return "anything" if schema.keys() <= {"title", "description"} else "see the schema"


def type_schema(kind: type[TrailFact]) -> Data:
    """The schema of one type's metadata, complete in itself: what is nested stands where it belongs."""
    (root,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    definitions = _described([kind], parts)
    resolved: Data = _inlined(definitions[root["$ref"]], definitions)
    return resolved


def events_schema(custom: Iterable[CustomType] = ()) -> Data:
    """The schema of a whole line, for the built-in types and for those of a project."""
    kinds = tuple(TRAIL_TYPES.values())
    _, parts = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    definitions = envelope_definitions() | _described(kinds, parts)
    cases = [_case(kind.__name__, kind.version, kind.__name__) for kind in kinds]
    names = list(TRAIL_TYPES)
    for one in sorted(custom, key=lambda one: one.name):
        # An identifier of its own makes `#` inside the project's schema mean that schema.
        identifier = {"$id": f"urn:esaa:custom:{one.name}:{one.version}"}
        definitions[f"custom.{one.name}"] = identifier | one.schema
        cases.append(_case(one.name, one.version, f"custom.{one.name}"))
        names.append(one.name)
    return {
        "$schema": DIALECT,
        "$id": f"urn:esaa:orchestration-events:{ENVELOPE_VERSION}",
        "title": "A line of the trail",
        "description": "An envelope around the metadata of the event's type. Keys of the envelope that are not listed "
        "are allowed; fields of a built-in type that are not listed are not. Metadata that was written in an older "
        "major version of its type is described in version-history.json. Lines with `findings` were recorded by a "
        "lenient store although they do not fit.",
        "$ref": "#/$defs/BaseEvent",
        "properties": {"event_type": {"enum": names}},
        "allOf": cases,
        "$defs": definitions,
    }


def _case(name: str, version: str, definition: str) -> Data:
    """Metadata fits its type, in this version and in those before that it can stand for."""
    major, minor, _ = semver(version)
    minors = "|".join(str(number) for number in range(minor + 1))
    known = {"event_type": {"const": name}, "event_version": {"pattern": rf"^{major}\.({minors})\.[0-9]+$"}}
    fits = {"properties": {"metadata": {"$ref": f"#/$defs/{definition}"}}}
    return {"if": {"properties": known, "required": list(known)}, "then": fits}


def _described(kinds: Iterable[type[TrailFact]], parts: dict[str, Data]) -> dict[str, Data]:
    """The definitions with what the docstrings say; those of the types take no field that is not listed."""
    definitions: dict[str, Data] = {}
    nested = {kind.__name__: kind for root in kinds for kind in _structs_in(root)}
    for name, schema in parts.items():
        kind = nested[name]
        said = documentation(kind)
        fields = {field: {"description": said.fields[field]} | one for field, one in schema["properties"].items()}
        about: Data = {"title": name, "description": "\n\n".join(said.prose)}
        rest: Data = {"type": "object", "properties": fields, "required": schema["required"]}
        if issubclass(kind, TrailFact):
            rest["additionalProperties"] = False
            rest["x-esaa"] = {
                "version": kind.version,
                "family": family_of(name) if name in _FAMILY_OF else "",
                "is_repeatable": kind.is_repeatable,
                "phase_field": kind.phase_field,
                "agent_field": kind.agent_field,
            }
        definitions[name] = about | _in_declared_order(rest, kind)
    return definitions


def _structs_in(kind: type[msgspec.Struct]) -> Iterable[type[msgspec.Struct]]:
    """A Struct and all that stand in its fields."""
    pending: list[Any] = [kind]
    while pending:
        one = pending.pop()
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            yield one
            pending += _field_types(one)
        else:
            pending += getattr(one, "__args__", ())


@cache
def _field_types(kind: type[msgspec.Struct]) -> tuple[Any, ...]:
    # Annotations are texts; to evaluate them is most of the work of making a schema.
    return tuple(field.type for field in msgspec.structs.fields(kind))


def _in_declared_order(schema: Data, kind: type[msgspec.Struct]) -> Data:
    """The schema with the values of its enums as the code has them: in an order that means something."""
    orders: dict[frozenset[Any], list[Any]] = {}
    pending = list(_field_types(kind))
    while pending:
        one = pending.pop()
        if get_origin(one) is Literal:
            orders[frozenset(get_args(one))] = list(get_args(one))
        pending += getattr(one, "__args__", ())

    def ordered(value: Any) -> Any:
        if isinstance(value, list):
            return [ordered(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: orders.get(frozenset(one), one) if key == "enum" and isinstance(one, list) else ordered(one)
            for key, one in value.items()
        }

    result: Data = ordered(schema)
    return result


def _values(schema: Data) -> tuple[str, ...]:
    """The words that a value is one of, where it is one of a list."""
    found = [value for one in schema.get("anyOf", [schema]) for value in one.get("enum", ())]
    return tuple(map(str, found))


def _bounds(schema: Data) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return (f" from {low}" if low is not None else "") + (f" to {high}" if high not in {None, 2**53 - 1} else "")


def _inlined(value: Any, parts: dict[str, Data]) -> Any:
    if isinstance(value, list):
        return [_inlined(one, parts) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        beside = {key: one for key, one in value.items() if key != "$ref"}
        return _inlined(parts[value["$ref"]] | beside, parts)
    return {key: _inlined(one, parts) for key, one in value.items()}


def _parts_of(kind: type) -> list[str]:
    return inspect.cleandoc(kind.__doc__ or "").split("\n\n")


@cache
def _listed(kind: type) -> dict[str, str]:
    meanings: dict[str, str] = {}
    for part in _parts_of(kind):
        if part.startswith("- `"):
            for item in part.removeprefix("- ").split("\n- "):
                names, _, meaning = item.partition(": ")
                text = " ".join(meaning.split())
                for name in names.split(", "):
                    meanings[name.strip("`")] = text[:1].upper() + text[1:]
    return meanings
