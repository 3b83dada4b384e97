"""What a query can ask about an event, beyond its envelope: phase, agent, and the text that is searched.

Index and scan both ask here, so that they can't come to differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from esaa.trail.event import GLOBAL, TrailEvent
from esaa.trail.types import EventTypes

TEXT_VERSION = 1
"""Raised whenever the same event comes to have another text, phase or agent."""

_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event as it is asked for. What it does not name is an empty text."""

    stream: str
    event_type: str
    actor: str
    session: str
    phase: str
    agent: str
    text: str


class EntryMaker:
    """Entries of events, with the types of a project."""

    def __init__(self, types: EventTypes) -> None:
        self._types = types
        self._names: dict[str, str] = {}

    def entry(self, event: TrailEvent, with_text: bool) -> Entry:
        """The entry of an event. The text is left out where nobody searches it."""
        seen = event.fact
        fact = self._types.fact_of(event)
        phase = getattr(fact, fact.phase_field, None) if fact.phase_field else None
        agent = getattr(fact, fact.agent_field, None) if fact.agent_field else None
        stream, actor = seen.issue_key or GLOBAL, seen.actor.id
        text = ""
        if with_text:
            summary = fact.summary()
            parts = [self._names.get(seen.event_type) or self._name(seen.event_type), stream, summary]
            # With a blank at either end, each text that it shows has a neighbour on both sides.
            spaced = f" {summary} "
            if (at := spaced.find(actor)) < 0 or not _is_whole(spaced, at, actor):
                parts.append(actor)
            metadata = _metadata(seen.metadata)
            _collect(metadata.values() if type(metadata) is dict else (metadata,), spaced, parts)
            text = " ".join(parts)
        return Entry(
            stream,
            seen.event_type,
            actor,
            seen.session_id,
            phase if type(phase) is str else "",
            agent if type(agent) is str else "",
            text,
        )

    def _name(self, event_type: str) -> str:
        """The name of a type, and its words: a person looks for `agent` as well as for `AgentSpawned`."""
        if len(self._names) > 1000:
            self._names.clear()
        words = _PARTS.findall(event_type)
        name = self._names[event_type] = f"{event_type} {' '.join(words)}" if len(words) > 1 else event_type
        return name


def _metadata(raw: msgspec.Raw) -> Any:
    try:
        return _DECODER.decode(raw)
    except _UNREADABLE:
        return None


def _collect(values: Iterable[Any], spaced: str, parts: list[str]) -> None:
    """The texts and numbers of JSON values; those that the summary shows as they are need not stand there twice."""
    for value in values:
        kind = type(value)
        if kind is str:
            at = spaced.find(value)
            if at < 0 or not _is_whole(spaced, at, value):
                parts.append(value)
        elif kind is int or kind is float:
            parts.append(str(value))
        elif kind is list:
            _collect(value, spaced, parts)
        elif kind is dict:
            _collect(value.values(), spaced, parts)


def _is_whole(spaced: str, at: int, value: str) -> bool:
    """True where the value that is found at a place lies between the ends of words."""
    end = at + len(value)
    return not (spaced[at - 1].isalnum() or spaced[end : end + 1].isalnum())
