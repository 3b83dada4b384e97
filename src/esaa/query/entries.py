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
            parts = [self._name(seen.event_type), stream, summary]
            _collect((actor, _metadata(seen.metadata)), summary, parts)
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
        known = self._names.get(event_type)
        if known is None:
            if len(self._names) > 1000:
                self._names.clear()
            words = _PARTS.findall(event_type)
            known = f"{event_type} {' '.join(words)}" if len(words) > 1 else event_type
            self._names[event_type] = known
        return known


def _metadata(raw: msgspec.Raw) -> Any:
    try:
        return _DECODER.decode(raw)
    except _UNREADABLE:
        return None


def _collect(values: Iterable[Any], summary: str, parts: list[str]) -> None:
    """The texts and numbers of JSON values; those that the summary shows as they are need not stand there twice."""
    for value in values:
        kind = type(value)
        if kind is str:
            if value not in summary or not _shows(summary, value):
                parts.append(value)
        elif kind is int or kind is float:
            parts.append(str(value))
        elif kind is list:
            _collect(value, summary, parts)
        elif kind is dict:
            _collect(value.values(), summary, parts)


def _shows(summary: str, value: str) -> bool:
    """True where the text that a summary holds lies between the ends of words."""
    at = summary.find(value)
    after = at + len(value)
    return (at == 0 or not summary[at - 1].isalnum()) and (after == len(summary) or not summary[after].isalnum())
