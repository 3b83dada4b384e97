"""The event types of a store: those that its project adds in `schemas/custom`, and the schemas that it publishes.

The version history of the built-in types ships with the package; a store's own copy also holds the project's types.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from esaa.errors import ConfigError
from esaa.kernel.canonical import canonical, pretty, sha256_hex
from esaa.kernel.ingest import EVENT_TYPE, TYPE_HISTORY, Limit, NotIngested, json_of
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_placed
from esaa.stores.trail_layout import SCHEMAS
from esaa.trail.types import CustomType, EventTypes, parse_custom_type

if TYPE_CHECKING:
    from esaa.trail.versions.evolution import VersionHistory

CUSTOM = "custom"
EVENTS_SCHEMA = "orchestration-events.json"
VERSION_HISTORY = "version-history.json"

SCHEMA_BYTES_MAX = EVENT_TYPE.bytes_max
TYPES_MAX = 500
_HINT = "Event types are regular files that the recorder may read; see docs/how-to/own-event-types.md."


def load_types(base: Path) -> EventTypes:
    """The types in force in the store at `base`: the built-in ones and those of `schemas/custom/*.json`.

    Raises `ConfigError` naming the file: one that cannot be read, is no strict JSON or no valid schema, or names a type
    that there is already.
    """
    folder = base / SCHEMAS / CUSTOM
    names = _names(folder)
    if len(names) > TYPES_MAX:
        message = f"{folder} holds {len(names)} event types; the limit is {TYPES_MAX}."
        raise ConfigError("EVENT_TYPES_TOO_MANY", message, "Use one type with a field that says which kind it is.")
    found: dict[str, CustomType] = {}
    origin: dict[str, str] = {}
    for name in names:
        where = f"{SCHEMAS}/{CUSTOM}/{name}"
        try:
            schema = json_of(_read(folder / name, where, EVENT_TYPE), EVENT_TYPE)
        except NotIngested as error:
            raise _unreadable(where, str(error)) from error
        custom = parse_custom_type(schema, where)
        if custom.name in found:
            message = f"{where} and {origin[custom.name]} both name the event type {custom.name}."
            raise ConfigError("EVENT_TYPE_TWICE", message, "Keep one of the files, with the type's newest version.")
        found[custom.name], origin[custom.name] = custom, where
    return EventTypes(found)


def shipped_history() -> bytes:
    """The version history of the built-in types, as it ships with the package."""
    return (resources.files("esaa.trail") / SCHEMAS / VERSION_HISTORY).read_bytes()


def publish_schemas(base: Path, disk: Disk, types: EventTypes) -> bool:
    """Writes the schema of a line and the version history into the store, where they are not there as they should be.

    True when something was written. What is published already costs the reading of two files and no more. Raises
    `ConfigError` for a type of the project's own that changed without a new version, and where the store's history
    cannot be read; `StoreError` where nothing can be written.
    """
    shipped = shipped_history()
    mark = f"Made by esaa for the types {_digest(shipped, types)}."
    folder = base / SCHEMAS
    if _is_marked(folder / EVENTS_SCHEMA, mark) and (folder / VERSION_HISTORY).is_file():
        return False

    # Loaded here: who only records pays for no schemas.
    from esaa.trail.versions.evolution import history_file
    from esaa.trail.versions.schema import events_schema

    history = history_file(_history_of(folder, shipped, types))
    # The history first: the mark in the other file says that both are there.
    published = {
        folder / VERSION_HISTORY: history,
        folder / EVENTS_SCHEMA: pretty({"$comment": mark} | events_schema(types.custom())) + b"\n",
    }
    try:
        disk.mkdir(folder)
        for path, data in published.items():
            if not path.is_file() or path.read_bytes() != data:
                disk.replace_file(path, data, durable=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    return True


def _history_of(folder: Path, shipped: bytes, types: EventTypes) -> VersionHistory:
    from esaa.trail.versions.evolution import VersionHistory, of_project, parse_history, with_project_types

    path = folder / VERSION_HISTORY
    where = f"{SCHEMAS}/{VERSION_HISTORY}"
    kept = parse_history(_read(path, where, TYPE_HISTORY), where) if path.exists() else VersionHistory()
    return with_project_types(parse_history(shipped, VERSION_HISTORY), kept, of_project(types.custom()))


def _digest(shipped: bytes, types: EventTypes) -> str:
    # The history changes with every built-in type.
    custom = {one.name: one.schema for one in types.custom()}
    return sha256_hex(shipped + canonical(custom))[:16]


def _is_marked(path: Path, mark: str) -> bool:
    try:
        with path.open("rb") as file:
            return mark.encode() in file.read(512)
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(str(folder), error.strerror or str(error)) from error


def _read(path: Path, where: str, limit: Limit) -> bytes:
    try:
        return read_placed(path, limit)
    except NotIngested as error:
        raise _unreadable(where, str(error)) from error
    except FileNotFoundError as error:
        raise _unreadable(where, "it is gone") from error


def _unreadable(where: str, reason: str) -> ConfigError:
    return ConfigError("EVENT_TYPE_UNREADABLE", f"{where}: cannot be read, {reason}.", _HINT, file=where)
