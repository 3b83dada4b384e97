"""Values from elsewhere, fitted to what an event of the trail can hold: names, texts, digests, and the size of it all.

The log of a run may hold what the gates of the trail refuse (an empty name, a megabyte of notes, another writer's
digest in capitals). Nothing that was told there may be lost for that: what does not fit is shortened or left out, and
the event's `source` names the line that has all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from esaa.kernel.canonical import compact
from esaa.trail.facts.base import TrailFact

METADATA_BYTES = 256 * 1024
"""Metadata up to this size is kept as it is; what is larger is shortened."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME_MAX = 200
_NUMBER_MAX = 1e308
_LARGE_NUMBERS = (b"e+308", b"e308")
_LEVELS: tuple[tuple[int, int, int], ...] = ((16_384, 1_000, 16), (1_024, 100, 8), (128, 20, 4), (64, 10, 2))
"""How long texts, how long lists and how deep values may be: the first that makes the metadata small enough.

The last one always does, and still holds a digest.
"""


def fitted(fact: TrailFact) -> dict[str, Any]:
    """The metadata of a fact. Where it is too large or nested too deeply, it is shortened, and `extra` says so."""
    metadata: dict[str, Any] = msgspec.to_builtins(fact)
    raw = compact(metadata)
    is_small = len(raw) <= METADATA_BYTES and raw.count(b"{") + raw.count(b"[") <= _LEVELS[0][2]
    if is_small and not any(mark in raw for mark in _LARGE_NUMBERS):
        return metadata
    shorter = ({key: _shortened(value, *level) for key, value in metadata.items()} for level in _LEVELS)
    shortened = next(one for one in shorter if len(compact(one)) <= METADATA_BYTES)
    if compact(shortened) == raw:
        return metadata
    return shortened | {"extra": {**shortened.get("extra", {}), "shortened": True}}


def name(text: str | None, otherwise: str = "unknown") -> str:
    """A text that is never empty, for a field that names something."""
    return text or otherwise


def label(text: str | None) -> str | None:
    """A text that an envelope can hold as a name: printable and not too long; None where it is neither."""
    return text if text and len(text) <= _NAME_MAX and text.isprintable() else None


def text(value: object) -> str | UnsetType:
    """The text of a JSON value, or nothing."""
    return value if isinstance(value, str) and value else UNSET


def texts(value: object) -> tuple[str, ...] | UnsetType:
    """The texts of a JSON list, or nothing."""
    if not isinstance(value, list | tuple):
        return UNSET
    return tuple(item for item in value if isinstance(item, str) and item)


def sha256(value: object) -> str | UnsetType:
    """A digest as the trail writes it, or nothing."""
    return value if isinstance(value, str) and _SHA256.fullmatch(value) else UNSET


def count(value: object) -> int | UnsetType:
    """A whole number from 0 that every reader keeps exactly, or nothing."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if is_count else UNSET  # type: ignore[return-value]  # checked in the line above


def data(value: object) -> dict[str, Any] | UnsetType:
    """A JSON object that is not empty, or nothing."""
    return value if isinstance(value, dict) and value else UNSET


def sent(fact: msgspec.Struct, fields: Iterable[str]) -> dict[str, Any] | UnsetType:
    """Those of the fields that were sent, as they were sent; nothing where none was."""
    values = {field: getattr(fact, field) for field in fields}
    return {field: value for field, value in values.items() if value is not UNSET and value is not None} or UNSET


def _shortened(value: Any, text_max: int, items_max: int, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= text_max else value[: text_max - 1] + "…"
    if isinstance(value, float):
        return value if -_NUMBER_MAX <= value <= _NUMBER_MAX else str(value)
    if not isinstance(value, dict | list | tuple):
        return value
    if depth <= 0 and value:
        return "…"
    if isinstance(value, dict):
        kept = list(value.items())[:items_max]
        return {key[:text_max]: _shortened(item, text_max, items_max, depth - 1) for key, item in kept}
    return [_shortened(item, text_max, items_max, depth - 1) for item in value[:items_max]]
