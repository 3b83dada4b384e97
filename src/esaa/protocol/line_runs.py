"""Runs of whole lines, read at once: what a decoder does in one call for many lines costs a fraction.

Only lines as this package writes them are read so. Where a run holds anything else the answer is None, or False, and
its lines are to be looked at one by one: nothing is found here, and nothing passes here that would be found there.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from esaa.kernel.recorded import Recorded
from esaa.kernel.strict_json import DEPTH_MAX
from esaa.protocol.facts import FACT_TYPES, Fact
from esaa.protocol.stateless import STATELESS, is_stateless_payload
from esaa.protocol.wire import WRITABLE, Line, payload_decoders


class _Event(Recorded[Any], frozen=True, kw_only=True, gc=False):
    """An event as it stands on the wire. The fact is the payload's bytes until its action is known."""

    version: int = msgspec.field(name="event_seq")
    fact: msgspec.Raw = msgspec.field(name="payload")
    action: str


_BRACKETS_MAX = DEPTH_MAX - 2
"""A payload with no more brackets is not nested too deeply for strict JSON."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, RecursionError)
_LINES = msgspec.json.Decoder(Line[msgspec.Raw])
_EVENTS = msgspec.json.Decoder(_Event)
_ENCODER = msgspec.json.Encoder()
_PAYLOADS: dict[str, msgspec.json.Decoder[Any]] = {
    fact.action_name: msgspec.json.Decoder(list[fact])  # type: ignore[valid-type]  # one type for each action
    for fact in FACT_TYPES
}


def lines_of(run: bytes, count: int) -> list[Line[msgspec.Raw]] | None:
    """The `count` lines of a run, if each is strict JSON, spelt and ordered as `wire` writes it; else None."""
    try:
        lines = _LINES.decode_lines(run)
        if len(lines) != count or _ENCODER.encode_lines(lines) != run:
            return None
        return lines if _are_strict(lines) else None
    except _UNREADABLE:
        return None


def _are_strict(lines: list[Line[msgspec.Raw]]) -> bool:
    """True where every payload comes out of its fact as it went in: no key stands twice, and none is unknown."""
    payloads: defaultdict[str, list[msgspec.Raw]] = defaultdict(list)
    for line in lines:
        payloads[line.action].append(line.payload)
    for action, raws in payloads.items():
        decoder = _PAYLOADS.get(action)
        if decoder is None:
            return False
        # What closes a batch says nearly always the same.
        texts = set(map(bytes, raws)) if action in STATELESS else list(map(bytes, raws))
        if max(map(len, texts)) > 2 * _BRACKETS_MAX and any(map(_may_be_deep, texts)):
            return False
        text = b"[%b]" % b",".join(texts)
        if _ENCODER.encode(decoder.decode(text)) != text:
            return False
    return True


def _may_be_deep(payload: bytes) -> bool:
    return payload.count(b"{") + payload.count(b"[") > _BRACKETS_MAX


def events_of(run: bytes, count: int) -> list[Recorded[Fact] | None] | None:
    """The `count` events of a run, None in the place of one that changes no state; None where not all are ordinary.

    As `ProtocolVocabulary.read` does it: a review's `reviewer_role` may be left out.
    """
    decoder_of, stateless, set_fact = payload_decoders().get, STATELESS, msgspec.structs.force_setattr
    events: list[Recorded[Fact] | None] = []
    try:
        read = _EVENTS.decode_lines(run)
        for event in read:
            if event.action in stateless and is_stateless_payload(bytes(event.fact)):
                events.append(None)
                continue
            decoder = decoder_of(event.action)
            if decoder is None or event.schema_version not in WRITABLE:
                return None
            set_fact(event, "fact", decoder.decode(event.fact))
            events.append(event)
    except _UNREADABLE:
        return None
    return events if len(events) == count else None
