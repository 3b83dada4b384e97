"""The settings of the trail: every key of the specification's `event_sourcing` block, typed and bounded.

They come from `.roadmap/event-sourcing.yaml`; `ESAA_STORAGE_FORMAT` and the like stand above it, the user's
`config.toml` below (DESIGN section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from esaa.errors import ConfigError
from esaa.kernel.ingest import SETTINGS, NotIngested, text_of, yaml_of
from esaa.kernel.strict_yaml import NotStrictYaml, loads_yaml

PartitionBy = Literal["date", "issue", "session"]
Format = Literal["jsonl", "json", "parquet"]

_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
_Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]

IndexField = Literal[
    "event_type", "issue_key", "phase", "agent_name", "session_id", "actor_id", "correlation_id", "causation_id"
]
INDEX_FIELDS: tuple[IndexField, ...] = get_args(IndexField)
"""All fields that can be indexed."""


class Storage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events lie and in which shape. `writer_id` names this machine where several write: then every event
    carries a vector clock."""

    base_path: str = ".roadmap/events"
    partition_by: PartitionBy = "date"
    format: Format = "jsonl"
    compression: bool = False
    writer_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""


class Snapshots(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Folded states beside the events: one every `frequency` events, kept for `retention_days`."""

    enabled: bool = True
    frequency: _Positive = 50
    retention_days: _Days = 30
    compression: bool = True


class Indexing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The index of `esaa query`. Without it every query reads the events themselves."""

    enabled: bool = True
    index_fields: tuple[IndexField, ...] = INDEX_FIELDS
    full_text_search: bool = True


class Validation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The quality gates: in strict mode they refuse, else they record the event with what they found."""

    strict_mode: bool = True
    schema_version: str = "1.0.0"
    validate_on_write: bool = True
    validate_on_read: bool = False


class Performance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept in memory. With `async_writes` events wait at most `async_window_ms` before they are durable:
    a crash loses at most what was recorded in that window."""

    cache_recent_events: _Count = 1000
    cache_snapshots: _Count = 10
    async_writes: bool = False
    async_window_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 200


class Cleanup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retention: segments are archived, and archives deleted, so many days after their last event."""

    enabled: bool = True
    archive_after_days: _Days = 90
    delete_after_days: _Days = 365


class Privacy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be erased later: `erasable` names fields (`TYPE.field`, `*.field`, `TYPE.extra.KEY`) whose values lie
    beside the trail; with `encrypt` they are sealed, each subject with a key of its own."""

    erasable: tuple[str, ...] = ()
    encrypt: bool = False


class TrailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The block `event_sourcing`."""

    storage: Storage = Storage()
    snapshots: Snapshots = Snapshots()
    indexing: Indexing = Indexing()
    validation: Validation = Validation()
    performance: Performance = Performance()
    cleanup: Cleanup = Cleanup()
    privacy: Privacy = Privacy()


def read_settings(
    data: bytes | None,
    where: str,
    *,
    user: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> TrailSettings:
    """The settings of a file (None: there is none), over the user's, under the environment's.

    Raises `ConfigError` naming the source and the key of a wrong value.
    """
    values: dict[str, Any] = {}
    _merge(values, dict(user or {}), "config.toml: event_sourcing")
    if data is not None:
        _merge(values, _block(data, where), where)
    settings = _converted(values, where)
    overrides = _overrides(environ or {})
    if overrides:
        _merge(values, overrides, "the environment")
        settings = _converted(values, "the environment")
    if settings.validation.schema_version != "1.0.0":
        raise ConfigError(
            "CONFIG_INVALID",
            f"{where}: validation.schema_version is {settings.validation.schema_version!r}; this esaa writes 1.0.0.",
            "Set it to 1.0.0, or install the esaa that knows that version.",
        )
    if settings.cleanup.delete_after_days < settings.cleanup.archive_after_days:
        raise ConfigError(
            "CONFIG_INVALID",
            f"{where}: cleanup.delete_after_days must not be less than cleanup.archive_after_days.",
            "Only what was archived is ever deleted.",
        )
    return settings


def _block(data: bytes, where: str) -> dict[str, Any]:
    try:
        text = text_of(data, SETTINGS)
        # A file whose every line is commented out sets nothing, and is none to complain about.
        is_blank = all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())
        value = None if is_blank else yaml_of(data, SETTINGS)
    except NotIngested as error:
        raise ConfigError("CONFIG_INVALID", f"{where}: {error}.", "Mend the file.") from error
    if value is None:
        return {}
    if not isinstance(value, dict) or set(value) - {"event_sourcing"}:
        raise ConfigError(
            "CONFIG_INVALID", f"{where} must hold one map named `event_sourcing`.", "See docs/reference/settings.md."
        )
    block = value.get("event_sourcing")
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise ConfigError(
            "CONFIG_INVALID", f"{where}: event_sourcing must be a map.", "See docs/reference/settings.md."
        )
    return dict(block)


def _merge(values: dict[str, Any], more: dict[str, Any], where: str) -> None:
    for section, keys in more.items():
        if keys is None:
            continue
        if not isinstance(keys, dict):
            raise ConfigError("CONFIG_INVALID", f"{where}: {section} must be a map.", "See docs/reference/settings.md.")
        values[section] = {**values.get(section, {}), **keys}


def _converted(values: dict[str, Any], where: str) -> TrailSettings:
    try:
        return msgspec.convert(values, TrailSettings)
    except msgspec.ValidationError as error:
        raise ConfigError("CONFIG_INVALID", f"{where}: {error}.", "See docs/reference/settings.md.") from error


def _overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    """`ESAA_STORAGE_PARTITION_BY=issue` and the like; the values are read as YAML scalars and lists."""
    found: dict[str, Any] = {}
    for section in msgspec.structs.fields(TrailSettings):
        for field in msgspec.structs.fields(type(section.default)):
            name = f"ESAA_{section.name}_{field.name}".upper()
            text = environ.get(name)
            if text is None:
                continue
            try:
                found.setdefault(section.name, {})[field.name] = text if _is_text(field.type) else loads_yaml(text)
            except NotStrictYaml as error:
                raise ConfigError("CONFIG_INVALID", f"{name}: {error}.", "See docs/reference/settings.md.") from error
    return found


def _is_text(kind: Any) -> bool:
    """True for a plain text, also for one whose shape is bounded."""
    return (get_args(kind)[0] if get_origin(kind) is Annotated else kind) is str
