"""How far two schemas of an event type lie apart: can what was written under the old one be read under the new one?

Judges the keywords that the types use. Whatever else differs is taken for a breaking change: no rule says that it is
none.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from esaa.kernel.canonical import canonical
from esaa.trail.facts.base import Data

Level = Literal["same", "patch", "minor", "breaking"]
"""`patch`: only words changed. `minor`: more is allowed than before. `breaking`: old metadata may not fit, or is lost.
From the smallest to the largest."""

LEVELS: tuple[Level, ...] = get_args(Level)

_WORDS = frozenset({"title", "description", "$comment", "$id", "examples", "default", "deprecated", "x-esaa"})
_MEANING = ("is_repeatable", "phase_field", "agent_field")
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_FILTERS = frozenset({"pattern", "format", "multipleOf", "uniqueItems"})
_NAMES = {str: "string", int: "integer", bool: "boolean", type(None): "null"}
_JUDGED = frozenset({"type", "enum", "const", "properties", "required", "additionalProperties", "items"})


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The level of a change, and each single change with its reason."""

    level: Level
    reasons: tuple[str, ...]


class _Findings:
    def __init__(self) -> None:
        self.found: list[tuple[Level, str]] = []

    def add(self, level: Level, reason: str) -> None:
        self.found.append((level, reason))

    def judgement(self) -> Judgement:
        level = LEVELS[max((LEVELS.index(level) for level, _ in self.found), default=0)]
        # What decides comes first.
        ordered = sorted(self.found, key=lambda one: -LEVELS.index(one[0]))
        return Judgement(level=level, reasons=tuple(reason for _, reason in ordered))


def judge(old: Data, new: Data) -> Judgement:
    """The change from one schema to another.

    A field that went, a narrower type or enum, a new required field and one that has become required are breaking;
    a new optional field and a wider type or enum are minor; so is what a replay or a projection makes of the type.
    """
    findings = _Findings()
    _compare(old, new, "", findings)
    before, after = old.get("x-esaa", {}), new.get("x-esaa", {})
    for key in _MEANING:
        if before.get(key) != after.get(key):
            findings.add("minor", f"`{key}` is {after.get(key)!r}, it was {before.get(key)!r}")
    if not findings.found and _without_version(old) != _without_version(new):
        findings.add("patch", "its words changed")
    return findings.judgement()


def shape(schema: Any) -> Any:
    """A schema without its words: types, enums, bounds, what is required."""
    if not isinstance(schema, dict):
        return schema
    bare: Data = {}
    for key, value in schema.items():
        if key in _WORDS:
            continue
        if key in {"properties", "$defs", "patternProperties"}:
            bare[key] = {name: shape(one) for name, one in value.items()}
        elif key in {"anyOf", "oneOf", "allOf", "prefixItems"}:
            bare[key] = [shape(one) for one in value]
        elif key in {"required", "enum", "type"} and isinstance(value, list):
            bare[key] = sorted(value, key=canonical)
        else:
            bare[key] = value if key in {"const", "enum"} else shape(value)
    return bare


def _compare(old: Any, new: Any, path: str, findings: _Findings) -> None:
    if shape(old) == shape(new):
        return
    olds, news = _alternatives(old), _alternatives(new)
    if olds is None or news is None:
        findings.add("breaking", f"{_named(path)} changed in a way that no rule judges")
        return
    for kind, node in olds.items():
        if kind in news:
            _compare_kind(node, news[kind], path, findings)
        elif not _covers(news, kind, node):
            findings.add("breaking", f"{_named(path)} may no longer be {_kind(kind)}")
    for kind in sorted(news.keys() - olds.keys()):
        findings.add("minor", f"{_named(path)} may be {_kind(kind)}")


def _alternatives(schema: Any) -> dict[str, Data] | None:
    """What a value may be, by kind; None where a kind stands twice."""
    if not isinstance(schema, dict):
        return {"any": {}} if schema is True else None
    node = {key: value for key, value in schema.items() if key not in _WORDS}
    if "anyOf" not in node:
        kinds = node.get("type", "any")
        if "enum" in node or "const" in node:
            return {"enum": node}
        return dict.fromkeys(kinds, node) if isinstance(kinds, list) else {kinds: node}
    found: dict[str, Data] = {}
    for one in node["anyOf"]:
        below = _alternatives(one)
        if below is None or below.keys() & found.keys() or len(node) > 1:
            return None
        found |= below
    return found


def _covers(news: dict[str, Data], kind: str, node: Data) -> bool:
    """True where everything of a kind that is gone fits into a wider one."""
    if news.get("any") == {}:
        return True
    if kind == "integer" and "number" in news:
        bounds = _Findings()
        _compare_kind(node | {"type": "number"}, news["number"], "", bounds)
        return bounds.judgement().level != "breaking"
    if kind == "enum":
        plain = {name for name, one in news.items() if one.keys() == {"type"}}
        return all(_NAMES.get(type(value)) in plain for value in _values(node))
    return False


def _compare_kind(old: Data, new: Data, path: str, findings: _Findings) -> None:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if key in _LOWER or key in _UPPER:
            _compare_bound(key, before, after, path, findings)
        elif key in _FILTERS and before != after:
            level: Level = "minor" if after is None else "breaking"
            findings.add(level, f"{_named(path)} has {_or_no(after)} `{key}`, it had {_or_no(before)}")
        elif key not in _JUDGED and _part(old, key) != _part(new, key):
            findings.add("breaking", f"`{key}` of {_named(path)} changed, which no rule judges")
    if "enum" in old or "const" in old:
        _compare_values(_values(old), _values(new), path, findings)
    _compare_fields(old, new, path, findings)
    if "items" in old or "items" in new:
        _compare(old.get("items", {}), new.get("items", {}), f"{path}[]", findings)


def _part(node: Data, key: str) -> Any:
    return shape({key: node[key]}) if key in node else None


def _compare_bound(key: str, before: float | None, after: float | None, path: str, findings: _Findings) -> None:
    if before == after:
        return
    is_wider = after is None or (before is not None and (after < before) == (key in _LOWER))
    findings.add("minor" if is_wider else "breaking", f"`{key}` of {_named(path)} is {after}, it was {before}")


def _compare_values(old: list[Any], new: list[Any], path: str, findings: _Findings) -> None:
    before, after = ({canonical(one).decode() for one in values} for values in (old, new))
    if before - after:
        findings.add("breaking", f"{_named(path)} may no longer be {', '.join(sorted(before - after))}")
    if after - before:
        findings.add("minor", f"{_named(path)} may be {', '.join(sorted(after - before))}")


def _compare_fields(old: Data, new: Data, path: str, findings: _Findings) -> None:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed_before, needed = set(old.get("required", ())), set(new.get("required", ()))
    prefix = f"{path}." if path else ""
    for name in sorted(before.keys() - after.keys()):
        findings.add("breaking", f"the field `{prefix}{name}` is gone")
    for name in sorted((after.keys() | needed) - before.keys() - needed_before):
        is_needed = name in needed
        findings.add("breaking" if is_needed else "minor", f"{_kind_of_field(is_needed)} `{prefix}{name}` is new")
    for name in sorted((needed - needed_before) & before.keys()):
        findings.add("breaking", f"the field `{prefix}{name}` is required now")
    for name in sorted((needed_before - needed) & after.keys()):
        findings.add("minor", f"the field `{prefix}{name}` is optional now")
    for name in sorted(before.keys() & after.keys()):
        _compare(before[name], after[name], f"{prefix}{name}", findings)
    rest_before, rest = old.get("additionalProperties", True), new.get("additionalProperties", True)
    if shape(rest_before) == shape(rest):
        return
    if rest_before is False:
        findings.add("minor", f"{_named(path)} may have further fields")
    elif rest is False:
        findings.add("breaking", f"{_named(path)} may no longer have further fields")
    else:
        _compare({} if rest_before is True else rest_before, {} if rest is True else rest, f"{prefix}*", findings)


def _without_version(schema: Data) -> Data:
    about = schema.get("x-esaa", {})
    return schema | {"x-esaa": {key: value for key, value in about.items() if key != "version"}}


def _values(node: Data) -> list[Any]:
    values: list[Any] = node["enum"] if "enum" in node else [node["const"]]
    return values


def _named(path: str) -> str:
    return f"`{path}`" if path else "the metadata"


def _kind(kind: str) -> str:
    words = {"any": "anything", "enum": "one of a list", "null": "null", "boolean": "true or false"}
    article = "an" if kind[0] in "aeiou" else "a"
    return words.get(kind, f"{article} {kind}")


def _kind_of_field(is_needed: bool) -> str:
    return "the required field" if is_needed else "the optional field"


def _or_no(value: object) -> str:
    return "no" if value is None else f"{value!r} as"
