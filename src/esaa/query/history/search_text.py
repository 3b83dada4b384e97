"""The text by which an event is found: its summary, and what its payload holds beside that.

The text of an event that says the same as many others is kept once, as a *label*.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, VerificationStarted, ViewMutated
from esaa.protocol.summary import summary

TEXT_VERSION = 1
"""Raised whenever the same event comes to have another text."""

_LABEL_BYTES_MAX = 120
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def text_of(recorded: Recorded[Fact], payload: bytes) -> str:
    """The text of an event, but for its name and its actor."""
    try:
        told = summary(recorded.fact)
    except TypeError:
        # Another writer's values need not be texts.
        told = ""
    parts = [told]
    try:
        value = _DECODER.decode(payload)
    except _UNREADABLE:
        value = None
    if type(value) is dict:
        # What an agent asked for is told by its name already.
        value.pop("action", None)
        _collect(value.values(), told, parts)
    else:
        _collect((value,), told, parts)
    return " ".join(parts)


def label_of(action: str, payload: bytes, fact: Fact) -> str | None:
    """What names the text of an event that many others share; None for one with a text of its own."""
    if isinstance(fact, ViewMutated | VerificationStarted) and len(payload) <= _LABEL_BYTES_MAX:
        return f"{action} {payload.decode()}"
    return None


def words_of(name: str) -> str:
    """A name of an event or an actor as text: `output.rejected` is found by its words as well."""
    return name.replace("_", " ")


def _collect(values: Iterable[Any], told: str, parts: list[str]) -> None:
    """The texts and numbers of JSON values; those that the summary begins or ends with need not stand there twice."""
    for value in values:
        kind = type(value)
        if kind is str:
            if not (told.startswith(f"{value} ") or told.endswith(f" {value}")):
                parts.append(value)
        elif kind is int or kind is float:
            parts.append(str(value))
        elif kind is list:
            _collect(value, told, parts)
        elif kind is dict:
            _collect(value.values(), told, parts)
