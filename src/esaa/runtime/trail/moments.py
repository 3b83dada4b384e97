"""Moments of a trail stream: `#12`, `HEAD~3`, a time, `@{2h}` or an event's id, resolved to a sequence."""

from __future__ import annotations

from esaa.errors import NotFound
from esaa.history.refs import AtHead, AtSeq, AtTime, parse_ref
from esaa.runtime.trail.trail import Trail
from esaa.trail.intake import is_uuid, parse_time, trail_time


def sequence_of(trail: Trail, stream: str, text: str) -> int:
    """The sequence of the last event at a moment; 0 where the moment lies before the first one.

    Raises `UsageError` for a text that names no moment, `NotFound` for an event id or sequence that is not there.
    """
    events = trail.store.stream(stream)
    head = events.tip().head.version
    if is_uuid(text):
        located = events.find([text.lower()]).get(text.lower())
        if located is None:
            raise NotFound("EVENT_NOT_FOUND", f"{stream} has no event {text}.", "`esaa query --id` looks everywhere.")
        return located.event.version
    moment = parse_time(text)
    if moment is not None:  # with its milliseconds, which a ref of the governed log has not
        return events.sequence_at(trail_time(moment))
    match parse_ref(text, trail.clock.now()):
        case AtSeq(seq=seq):
            if not 0 <= seq <= head:
                raise NotFound("EVENT_NOT_FOUND", f"{stream} ends at event {head}.", "`esaa trail list` says how many.")
            return seq
        case AtHead(back=back):
            return max(head - back, 0)
        case AtTime(ts=ts):
            return events.sequence_at(ts.removesuffix("Z") + ".999Z")
