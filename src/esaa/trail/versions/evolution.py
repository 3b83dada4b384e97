"""The history of the event types: every version that was ever written, and whether today's types may follow it.

The log is never rewritten, so a version that was written has to stay readable: a change needs a version number that
says how large it is, and a breaking one needs an upcaster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec

from esaa.errors import ConfigError
from esaa.kernel.ingest import TYPE_HISTORY, NotIngested, json_of
from esaa.trail.facts.base import Data, TrailFact
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.types import CustomType
from esaa.trail.versions.compatibility import LEVELS, Judgement, Level, judge, shape
from esaa.trail.versions.schema import type_schema
from esaa.trail.versions.upcasters import UPCASTERS, NoUpcaster, Steps, is_readable, semver

FIRST = "1.0.0"
"""The version that every type begins with."""

Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$(?!\n)")]


class WrittenVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a type: which it follows, what is different in it, and the schema of its metadata."""

    version: Version
    after: Version | None
    note: str
    schema: Data


class VersionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Every version of every type, the oldest first."""

    types: dict[str, Annotated[tuple[WrittenVersion, ...], msgspec.Meta(min_length=1)]] = {}


class TypeInForce(NamedTuple):
    """What is written of a type today."""

    version: str
    schema: Data


def fingerprint(kind: type[TrailFact]) -> Data:
    """The shape of a type without its words: fields, types, enums, bounds, what is required."""
    bare: Data = shape(type_schema(kind))
    return bare


def built_in(kinds: Iterable[type[TrailFact]] = tuple(TRAIL_TYPES.values())) -> dict[str, TypeInForce]:
    """The built-in types as they are written today."""
    return {kind.__name__: TypeInForce(kind.version, type_schema(kind)) for kind in kinds}


def of_project(custom: Iterable[CustomType]) -> dict[str, TypeInForce]:
    """A project's own types as they are written today."""
    return {one.name: TypeInForce(one.version, one.schema) for one in custom}


def check(history: VersionHistory, types: Mapping[str, TypeInForce], steps: Steps | None = UPCASTERS) -> list[str]:
    """Everything that speaks against writing the types after this history; empty where nothing does.

    New words need no new version. Without `steps` a new major version needs no upcaster: nothing has to read the old
    metadata by its fields.
    """
    complaints = [f"{name} is gone; a type that was written once stays" for name in history.types.keys() - types.keys()]
    complaints += [
        f"{name} stands at {now.version!r}, which is no semantic version"
        for name, now in types.items()
        if not _is_semver(now.version)
    ]
    for name, written in history.types.items():
        complaints += _gaps(name, written)
        if name in types and _is_semver(types[name].version):
            complaints += _changes(name, written, types[name])
            complaints += _unreadable(name, written, types[name], steps) if steps is not None else ()
    for name in types.keys() - history.types.keys():
        if types[name].version != FIRST and _is_semver(types[name].version):
            complaints.append(f"{name} stands at {types[name].version} and has no history; a type begins at {FIRST}")
    return sorted(complaints)


def extended(history: VersionHistory, types: Mapping[str, TypeInForce]) -> VersionHistory:
    """The history with the versions that are not in it yet, and with today's words in those that are written today.

    For types that `check` has nothing against. What was written under older versions stays as it is.
    """
    result = dict(history.types)
    for name, (version, schema) in types.items():
        written = result.get(name, ())
        if not written:
            first = WrittenVersion(version=version, after=None, note="The first version.", schema=schema)
            result[name] = (first,)
            continue
        newest = written[-1]
        if newest.version == version:
            result[name] = (*written[:-1], msgspec.structs.replace(newest, schema=schema))
            continue
        reasons = "; ".join(judge(newest.schema, schema).reasons)
        note = f"{reasons[:1].upper()}{reasons[1:]}." if reasons else "Nothing but the number."
        result[name] = (*written, WrittenVersion(version=version, after=newest.version, note=note, schema=schema))
    return VersionHistory(types=dict(sorted(result.items())))


def with_project_types(
    shipped: VersionHistory, kept: VersionHistory, custom: Mapping[str, TypeInForce]
) -> VersionHistory:
    """The history that a store publishes: that of the built-in types, and that of the project's own.

    `kept` is what the store holds by now; nothing of it is lost, so a store keeps what a newer esaa wrote into it, and
    types that the project has no longer. Raises `ConfigError` for a type of the project's own that changed without a
    new version.
    """
    known = {name: written for name, written in kept.types.items() if name in custom}
    complaints = check(VersionHistory(types=known), {name: custom[name] for name in known}, steps=None)
    if complaints:
        hint = "Raise `version` in the schema's `x-esaa` block; see docs/how-to/own-event-types.md."
        raise ConfigError("EVENT_TYPE_CHANGED", f"{'. '.join(complaints[:3])}.", hint)
    built_in_types = {name: max(written, kept.types.get(name, ()), key=len) for name, written in shipped.types.items()}
    return extended(VersionHistory(types=kept.types | built_in_types), custom)


def parse_history(data: bytes, where: str) -> VersionHistory:
    """The history in a file. Raises `ConfigError` naming the file and what is wrong with it."""
    try:
        return msgspec.convert(json_of(data, TYPE_HISTORY), VersionHistory)
    except (NotIngested, msgspec.ValidationError) as error:
        hint = "Take the file from version control; it can't be made again."
        raise ConfigError("VERSION_HISTORY_INVALID", f"{where}: is no version history: {error}.", hint) from error


def history_file(history: VersionHistory) -> bytes:
    """The file of a history: one line for each version, so that a new one is one line of a diff."""
    return b"\n".join(_history_lines(history)) + b"\n"


def _history_lines(history: VersionHistory) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    yield b'{"title": "Every version of every event type of the trail, with the schema of its metadata",'
    yield b'"types": {'
    last_name = next(reversed(history.types), None)
    for name, written in history.types.items():
        yield encode(name) + b": ["
        for one in written:
            yield encode(one) + (b"" if one is written[-1] else b",")
        yield b"]" if name == last_name else b"],"
    yield b"}}"


def _gaps(name: str, written: tuple[WrittenVersion, ...]) -> Iterator[str]:
    """Versions that are missing, or out of order."""
    before: str | None = None
    for one in written:
        if one.after != before:
            yield f"{name} {one.version} follows {one.after}, which was taken out of the history"
        elif before is not None and not _is_later(one.version, before):
            yield f"{name} {one.version} cannot follow {before}"
        before = one.version


def _changes(name: str, written: tuple[WrittenVersion, ...], now: TypeInForce) -> Iterator[str]:
    """Changes that their version does not tell of."""
    newest = written[-1]
    change = judge(newest.schema, now.schema)
    if now.version == newest.version:
        if change.level in {"minor", "breaking"}:
            wanted = _next(newest.version, change.level)
            yield f"{name} {now.version} was changed without a new version ({_said(change)}); make it {wanted}"
    elif not _is_later(now.version, newest.version):
        yield f"{name} stands at {now.version}, but {newest.version} was written already"
    else:
        yield from _too_small(name, newest.version, now.version, change)
    for before, after in pairwise(written):
        yield from _too_small(name, before.version, after.version, judge(before.schema, after.schema))


def _too_small(name: str, before: str, after: str, change: Judgement) -> Iterator[str]:
    if LEVELS.index(change.level) > LEVELS.index(_step_between(before, after)):
        wanted = _next(before, change.level)
        what = f"a {change.level} change ({_said(change)})"
        yield f"{name} {after} is too small a step from {before} for {what}; make it {wanted}"


def _unreadable(name: str, written: tuple[WrittenVersion, ...], now: TypeInForce, steps: Steps) -> Iterator[str]:
    """Versions from which no chain of upcasters leads to today's."""
    if _is_later(written[-1].version, now.version):
        return
    versions = {one.version for one in written} | {now.version}
    for one in written:
        at, seen = one.version, {one.version}
        while at != now.version and (step := steps.get((name, at))) is not None and step[0] not in seen:
            at = step[0]
            seen.add(at)
        if at not in versions:
            yield f"an upcaster of {name} leads to {at}, a version that never was"
        elif not is_readable(at, now.version):
            yield f"{name} {one.version} has no upcaster to {now.version}: it ends at {at}"


def _said(change: Judgement) -> str:
    return "; ".join(change.reasons[:3]) + (" and more" if len(change.reasons) > 3 else "")


def _is_later(version: str, before: str) -> bool:
    return semver(version) > semver(before)


def _step_between(before: str, after: str) -> Level:
    (major, minor, _), (next_major, next_minor, _) = semver(before), semver(after)
    if major != next_major:
        return "breaking"
    return "minor" if minor != next_minor else "patch"


def _next(version: str, level: Level) -> str:
    major, minor, _ = semver(version)
    return f"{major + 1}.0.0" if level == "breaking" else f"{major}.{minor + 1}.0"


def _is_semver(version: str) -> bool:
    try:
        semver(version)
    except NoUpcaster:
        return False
    return True
