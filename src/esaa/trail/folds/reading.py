"""What the folds need to read from events and facts."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from esaa.trail.event import TrailEvent
from esaa.trail.facts.base import TrailFact

T = TypeVar("T")

_EXCERPT_MAX = 500


def given(value: T | UnsetType | None) -> T | None:
    """The value of an optional field; None where it was not sent."""
    return None if value is UNSET else value


def excerpt(text: str) -> str:
    """A text of any length as a state keeps it: its beginning. The whole of it is in the event."""
    return text if len(text) <= _EXCERPT_MAX else text[: _EXCERPT_MAX - 1] + "…"


def metadata_as_sent(event: TrailEvent, fact: TrailFact) -> dict[str, Any]:
    """The metadata of an event with all of its keys; of an older version, as the version of today has it."""
    value: dict[str, Any]
    if event.schema_version == fact.version:
        try:
            value = msgspec.json.decode(event.fact.metadata)
        except (msgspec.DecodeError, RecursionError):
            pass  # an unknown key holds what no reader can keep, such as 1e999: the typed fields are still good
        else:
            return value
    value = msgspec.json.decode(msgspec.json.encode(fact))
    return value
