"""The event types in force: the built-in ones, and those that a project adds as JSON Schema files.

Gives the typed fact of an event, and names what is wrong with the metadata of one that is to be recorded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import msgspec

from esaa.errors import ConfigError
from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.versions.upcasters import UPCASTERS, NoUpcaster, Steps, semver, upcast

NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,79}")
"""What the name of an event type looks like."""

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(fact) for name, fact in TRAIL_TYPES.items()
}
_FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(field.encode_name for field in msgspec.structs.fields(fact)) for name, fact in TRAIL_TYPES.items()
}
_REQUIRED: dict[str, tuple[str, ...]] = {
    name: tuple(field.encode_name for field in msgspec.structs.fields(fact) if field.required)
    for name, fact in TRAIL_TYPES.items()
}
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ABOUT = frozenset({"version", "family", "summary", "is_repeatable", "phase_field", "agent_field"})


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with metadata: where, and which rule it breaks. `is_missing` says that a field is not there."""

    path: str
    message: str
    is_missing: bool = False


class Untyped(TrailFact, frozen=True, kw_only=True):
    """An event of a type that is not built in, or whose metadata does not fit its type.

    - `name`: the event type.
    - `metadata`: the metadata as it was recorded.
    - `line`: the line that the type's own template makes, where it has one.
    """

    phase_field: ClassVar[str | None] = "phase"

    name: str
    metadata: Data
    phase: str | None = None
    agent_name: str | None = None
    line: str = ""

    def summary(self) -> str:
        """What happened, in one line."""
        return self.line or self.name


class CustomType(msgspec.Struct, frozen=True, kw_only=True):
    """An event type of the project's own: its JSON Schema, and what the schema's `x-esaa` block says.

    `summary` is a template such as `deploys {service}`; `phase_field` and `agent_field` name top-level fields.
    """

    name: str
    version: str
    schema: Data
    summary: str = ""
    is_repeatable: bool = False
    phase_field: str | None = "phase"
    agent_field: str | None = "agent_name"


class EventTypes:
    """The types by name. Custom types are validated like the built-in ones, and can't take their names."""

    def __init__(self, custom: Mapping[str, CustomType] | None = None, steps: Steps = UPCASTERS) -> None:
        self._custom = dict(custom or {})
        self._steps = steps
        self._validators: dict[str, Any] = {}

    def names(self) -> tuple[str, ...]:
        """Every type's name, the built-in ones first."""
        return (*TRAIL_TYPES, *sorted(self._custom))

    def custom(self) -> tuple[CustomType, ...]:
        """The project's own types."""
        return tuple(self._custom.values())

    def knows(self, name: str) -> bool:
        """True for a type that can be recorded."""
        return name in TRAIL_TYPES or name in self._custom

    def version_of(self, name: str) -> str:
        """The version that is written today; `1.0.0` for a type that nobody declared."""
        built_in = TRAIL_TYPES.get(name)
        if built_in is not None:
            return built_in.version
        custom = self._custom.get(name)
        return custom.version if custom else "1.0.0"

    def is_repeatable(self, name: str) -> bool:
        """True where a replay may act on such an event again."""
        built_in = TRAIL_TYPES.get(name)
        if built_in is not None:
            return built_in.is_repeatable
        custom = self._custom.get(name)
        return custom is not None and custom.is_repeatable

    def fact_of(self, event: TrailEvent) -> TrailFact:
        """The typed fact of an event, of an older version too; `Untyped` where it has no type that fits."""
        seen = event.fact
        decoder = _DECODERS.get(seen.event_type)
        if decoder is not None:
            try:
                current = TRAIL_TYPES[seen.event_type].version
                if event.schema_version == current:
                    fact: TrailFact = decoder.decode(seen.metadata)
                    return fact
                metadata = _OBJECT.decode(seen.metadata)
                lifted = upcast(seen.event_type, event.schema_version, current, metadata, self._steps)
                return msgspec.convert(lifted, TRAIL_TYPES[seen.event_type])
            except (*_UNREADABLE, NoUpcaster):
                pass
        return self._untyped(seen.event_type, seen.metadata)

    def faults(self, name: str, metadata: msgspec.Raw) -> list[Fault]:
        """Everything that is wrong with the metadata of a known type; empty where it fits."""
        try:
            keys = _OBJECT.decode(metadata)
        except _UNREADABLE as error:
            return [_fault(error)]
        return self.examine(name, metadata, keys)[1]

    def examine(self, name: str, metadata: msgspec.Raw, keys: Collection[str]) -> tuple[TrailFact | None, list[Fault]]:
        """The typed fact of metadata that fits a built-in type, and all faults; `keys` are those of the metadata."""
        decoder = _DECODERS.get(name)
        if decoder is None:
            return None, self._custom_faults(name, metadata)
        try:
            fact = decoder.decode(metadata)
        except _UNREADABLE as error:
            return None, [_fault(error)]
        if _FIELDS[name].issuperset(keys):
            return fact, []
        unknown = set(keys) - _FIELDS[name]
        return None, [
            Fault(path=f"metadata.{key}", message=f"{name} has no field `{key}`; anything else goes into `extra`")
            for key in sorted(unknown)
        ]

    def fields_of(self, name: str) -> frozenset[str]:
        """The fields that an event of the type may have; empty for a type that is not known."""
        custom = self._custom.get(name)
        return frozenset(custom.schema.get("properties", ())) if custom else _FIELDS.get(name, frozenset())

    def required_of(self, name: str) -> tuple[str, ...]:
        """The fields that an event of the type must have."""
        custom = self._custom.get(name)
        return tuple(custom.schema.get("required", ())) if custom else _REQUIRED.get(name, ())

    def _untyped(self, name: str, metadata: msgspec.Raw) -> Untyped:
        try:
            value = _OBJECT.decode(metadata)
        except _UNREADABLE:
            value = {}
        custom = self._custom.get(name)
        if custom is None:
            return Untyped(
                name=name, metadata=value, phase=_text(value, "phase"), agent_name=_text(value, "agent_name")
            )
        return Untyped(
            name=name,
            metadata=value,
            phase=_text(value, custom.phase_field),
            agent_name=_text(value, custom.agent_field),
            line=_filled(custom.summary, value),
        )

    def _custom_faults(self, name: str, metadata: msgspec.Raw) -> list[Fault]:
        validator = self._validators.get(name)
        if validator is None:
            import jsonschema_rs

            validator = jsonschema_rs.validator_for(self._custom[name].schema, offline=True)
            self._validators[name] = validator
        faults: list[Fault] = []
        for error in validator.iter_errors(_OBJECT.decode(metadata)):
            path = ".".join(["metadata", *map(str, error.instance_path)])
            faults.append(Fault(path=path, message=str(error.message), is_missing="required" in str(error.message)))
        return faults


def parse_custom_type(schema: object, where: str) -> CustomType:
    """A project's own type from its schema: a JSON Schema 2020-12 of the metadata, named by `title`.

    Raises `ConfigError` naming the file and what is wrong with it.
    """
    import jsonschema_rs

    def refuse(what: str) -> ConfigError:
        return ConfigError("EVENT_TYPE_INVALID", f"{where}: {what}.", "See docs/how-to/own-event-types.md.")

    if not isinstance(schema, dict):
        raise refuse("the schema is not a JSON object")
    name = schema.get("title")
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise refuse("`title` must be the type's name, such as `LicenceChecked`")
    if name in TRAIL_TYPES:
        raise refuse(f"{name} is a built-in type")
    if schema.get("type") != "object":
        raise refuse('`type` must be "object": metadata is one')
    about = schema.get("x-esaa", {})
    if not isinstance(about, dict):
        raise refuse("`x-esaa` is not a JSON object")
    if about.keys() - _ABOUT:
        raise refuse(f"`x-esaa` has no key `{min(about.keys() - _ABOUT)}`; there are {', '.join(sorted(_ABOUT))}")
    try:
        jsonschema_rs.validator_for(schema, offline=True)
        custom = msgspec.convert({"version": "1.0.0"} | about | {"name": name, "schema": schema}, CustomType)
        semver(custom.version)
    except (ValueError, TypeError, NoUpcaster) as error:
        # The first line says what is wrong; jsonschema-rs goes on about where it looked.
        raise refuse(f"it is no valid schema ({str(error).partition(chr(10))[0][:200]})") from error
    return custom


def _text(value: Mapping[str, Any], key: str | None) -> str | None:
    found = value.get(key) if key else None
    return found if isinstance(found, str) else None


def _filled(template: str, value: Mapping[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(value.get(found.group(1), "?"))[:80], template)


def _fault(error: Exception) -> Fault:
    # msgspec says: Object missing required field `x` - at `$.y`
    text = str(error)
    what, _, where = text.partition(" - at `$")
    path = "metadata" + where.removesuffix("`")
    missing = re.search(r"missing required field `(\w+)`", what)
    if missing:
        return Fault(path=f"{path}.{missing.group(1)}", message="the field is required", is_missing=True)
    return Fault(path=path, message=what)
