"""A copy of a trail stream with some of it changed, folded again. A stream has no rules that would decide anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from esaa.errors import UsageError
from esaa.history.edits import Edit, insert_invalid, put, refuse_fixed, unfit
from esaa.kernel.vocabulary import MalformedLine
from esaa.trail.event import TrailEvent
from esaa.trail.evolve import evolve
from esaa.trail.facts.base import TrailFact
from esaa.trail.state import OrchestrationState
from esaa.trail.types import EventTypes
from esaa.trail.wire import event_of_view, event_view

_EDITABLE = ("event_type", "event_version", "actor", "timestamp", "metadata", "occurred_at", "git_sha", "branch")
_TOLD = "/event_type, /actor, /timestamp or /metadata/..."
_FORMS = 'Give {"event_type": ..., "metadata": {...}}, and an "actor" where it is another one.'


class StreamEdits(msgspec.Struct, frozen=True, kw_only=True):
    """Events left out, with other values, and those that might have come after an event."""

    dropped: frozenset[int] = frozenset()
    edited: Mapping[int, tuple[Edit, ...]] = {}
    inserted: Mapping[int, tuple[TrailEvent, ...]] = {}


class ImaginedStream(msgspec.Struct, kw_only=True):
    """The states at the end: as it was, and as it would have been. `touched` are the events that were changed."""

    actual: OrchestrationState
    other: OrchestrationState
    touched: list[tuple[TrailEvent, str]] = []


def imagine_stream(
    events: Iterable[TrailEvent], edits: StreamEdits, fact_of: Callable[[TrailEvent], TrailFact]
) -> ImaginedStream:
    """Folds the stream twice. Raises `UsageError` for an edit that does not fit."""
    found = ImaginedStream(actual=OrchestrationState(), other=OrchestrationState())
    for event in events:
        evolve(found.actual, event, fact_of(event))
        if event.version in edits.dropped:
            found.touched.append((event, "dropped"))
        else:
            own = edits.edited.get(event.version, ())
            kept = edited_stream_event(event, own) if own else event
            if own:
                found.touched.append((kept, "edited"))
            evolve(found.other, kept, fact_of(kept))
        for one in edits.inserted.get(event.version, ()):
            found.touched.append((one, "inserted"))
            evolve(found.other, one, fact_of(one))
    return found


def edited_stream_event(event: TrailEvent, edits: tuple[Edit, ...]) -> TrailEvent:
    """The event with other values. Raises `UsageError` for a value that is not there, or one that makes no event."""
    view = event_view(event)
    for edit in edits:
        refuse_fixed(event.version, edit.pointer, _EDITABLE, _TOLD)
        view = put(view, edit, event.version)
    try:
        return event_of_view(view)
    except MalformedLine as error:
        raise unfit(event.version, f"the edited event is none: {error}", "`esaa query` shows it as it is.") from None


def inserted_stream_event(data: bytes, after: TrailEvent) -> TrailEvent:
    """The event that a file says might have come after another one, in the same circumstances. Raises `UsageError`."""
    seq = after.version
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise insert_invalid(seq, f"is no JSON: {error}", _FORMS) from None
    if not isinstance(value, dict) or not isinstance(value.get("event_type"), str):
        raise insert_invalid(seq, "names no event_type", _FORMS)
    actor: Any = value.get("actor")
    view = event_view(after) | {
        "event_id": f"what-if-{seq}",
        "event_type": value["event_type"],
        "event_version": value.get("event_version", EventTypes().version_of(value["event_type"])),
        "metadata": value.get("metadata", {}),
        "causation_id": None,
    }
    view.pop("source", None)
    if actor is not None:
        view["actor"] = {"type": "agent", "id": actor} if isinstance(actor, str) else actor
    try:
        return event_of_view(view)
    except (MalformedLine, UsageError) as error:
        raise insert_invalid(seq, f"is no event: {error}", _FORMS) from None
