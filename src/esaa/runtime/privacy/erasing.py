"""Erasing: destroys values that lie beside the trail, with their salts and keys, and records that it was done.

The record comes first. A crash after it leaves a value that is recorded as erased; nobody is shown it, `esaa trail
check` names it, and the next erasure finishes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import msgspec

from esaa.errors import NotFound, UsageError
from esaa.kernel.erasable import Erasable
from esaa.runtime.privacy.withholding import Revealed, contents_of, revealed
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.erasables import ErasableStore
from esaa.trail.event import GLOBAL, TrailEvent, stream_of
from esaa.trail.intake import Proposal
from esaa.trail.wire import TrailVocabulary, metadata_of

_VOCABULARY = TrailVocabulary()
_PER_RECORD = 1000
_ORPHAN_S = 3600.0
"""A value without an event may belong to one that is just being recorded; after an hour it belongs to none."""
_NAME_CHARS = 4
"""Shorter values are words that a reason may well hold."""

Method = Literal["salt_destroyed", "key_destroyed"]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was, or would be, erased: the values by event, those that had been erased before, the records of it, and
    how many orphans of interrupted recordings went with them."""

    values: tuple[tuple[str, str], ...]
    erased_before: int
    is_key_destroyed: bool
    record_ids: tuple[str, ...]
    orphans: int


class _Value(msgspec.Struct, frozen=True):
    event: TrailEvent
    note: Erasable


def erase_events(
    recorder: TrailRecorder,
    event_ids: Collection[str],
    *,
    fields: Collection[str] = (),
    reason: str,
    authority: str,
    legal_basis: str | None = None,
    dry_run: bool = False,
) -> Erasure:
    """Erases the values of some events, or some of their fields. Doing it again changes nothing.

    Raises `NotFound` for an event that is not there, `UsageError` for one that has nothing to erase or a reason that
    repeats what is to go, and what recording raises.
    """
    found = {one.event.event_id: one.event for one in _values(recorder.trail)}
    chosen: list[_Value] = []
    for event_id in event_ids:
        event = found.get(event_id)
        if event is None:
            raise _nothing(recorder.trail, event_id)
        notes = [one for one in event.fact.erasable or () if not fields or _field_of(one) in fields]
        if not notes:
            raise UsageError(
                "NOTHING_ERASABLE",
                f"The event {event_id} has no erasable {', '.join(sorted(fields))}.",
                f"It has {', '.join(map(_field_of, event.fact.erasable or ()))}.",
            )
        chosen += [_Value(event, note) for note in notes]
    return _erase(recorder, chosen, None, reason, authority, legal_basis, dry_run=dry_run)


def erase_subject(
    recorder: TrailRecorder,
    subject: str,
    *,
    reason: str,
    authority: str,
    legal_basis: str | None = None,
    dry_run: bool = False,
) -> Erasure:
    """Erases every value that is about a subject, and its key. Raises as `erase_events`."""
    keys = recorder.trail.subject_keys
    chosen = [one for one in _values(recorder.trail) if subject in (one.note.subject, _ring_name(one))]
    if not chosen and not (keys is not None and keys.has(subject)):
        raise NotFound("SUBJECT_NOT_FOUND", f"No erasable value is about {subject[:80]!r}.", "Check the pseudonym.")
    return _erase(recorder, chosen, subject, reason, authority, legal_basis, dry_run=dry_run)


def reveal(trail: Trail, event_id: str) -> tuple[TrailEvent, list[Revealed]]:
    """An event with its erasable values as they are now. Raises `NotFound`."""
    for name in trail.store.names():
        event = trail.store.stream(name).event(event_id)
        if event is not None:
            gone = erased_commitments(trail)
            return event, [_revealed(trail, _Value(event, note), gone) for note in event.fact.erasable or ()]
    raise NotFound("EVENT_NOT_FOUND", f"The trail has no event {event_id[:80]}.", "`esaa query` finds events.")


def standing(trail: Trail) -> dict[str, list[str]]:
    """All erasable values of a trail by status. `UNFINISHED` are those whose erasure a crash cut short, `ORPHAN` those
    that no event names. Reads every line and every value."""
    gone = erased_commitments(trail)
    found: dict[str, list[str]] = {}
    for one in _values(trail):
        status: str = _revealed(trail, one, gone).status
        if status == "ERASED" and trail.store.erasables.holds(one.note.commitment):
            status = "UNFINISHED"
        found.setdefault(status, []).append(f"{one.event.event_id} {one.note.path}")
    orphans = list(_orphans(trail))
    return found | ({"ORPHAN": orphans} if orphans else {})


def erased_commitments(trail: Trail) -> frozenset[str]:
    """Every commitment that an event of the trail records as erased."""
    found: set[str] = set()
    for located in trail.store.stream(GLOBAL).events():
        if located.event.fact.event_type == "DataErased":
            digests = metadata_of(located.event).get("digests")
            found.update(one for one in digests if isinstance(one, str)) if isinstance(digests, list) else None
    return frozenset(found)


def forget_lines(trail: Trail, lines: Sequence[bytes]) -> None:
    """Destroys the values of lines that are deleted themselves. Raises `StoreError`."""
    for line in lines:
        if b'"erasable":[' in line:
            for note in _VOCABULARY.decode(line).fact.erasable or ():
                trail.store.erasables.destroy(note.commitment)


def take_over(trail: Trail, other: ErasableStore) -> None:
    """Copies the values of another store beside the events that are joined to this one. Raises `StoreError`."""
    gone = erased_commitments(trail)
    for commitment in other.commitments():
        content = other.get(commitment)
        if content is not None and commitment not in gone and not trail.store.erasables.holds(commitment):
            trail.store.erasables.put(commitment, content)


def finish_erasures(trail: Trail) -> int:
    """Destroys what is recorded as erased and still there; returns how many values that were. Raises `StoreError`."""
    gone = erased_commitments(trail)
    erasables = trail.store.erasables
    return sum(erasables.destroy(one) for one in list(erasables.commitments()) if one in gone)


def _erase(
    recorder: TrailRecorder,
    chosen: Sequence[_Value],
    subject: str | None,
    reason: str,
    authority: str,
    legal_basis: str | None,
    *,
    dry_run: bool,
) -> Erasure:
    trail = recorder.trail
    gone = erased_commitments(trail)
    fresh = [one for one in chosen if one.note.commitment not in gone]
    for said in (reason, authority, legal_basis or ""):
        _refuse_repeating(trail, fresh, said)
    keys = trail.subject_keys if subject is not None else None
    has_key = keys is not None and subject is not None and keys.has(subject)
    record_ids: list[str] = []
    if not dry_run:
        if fresh or has_key:
            method: Method = "key_destroyed" if has_key else "salt_destroyed"
            record_ids = _recorded(recorder, fresh, method, reason, authority, legal_basis)
        if keys is not None and subject is not None:
            keys.destroy(subject)
        for one in chosen:
            trail.store.erasables.destroy(one.note.commitment)
    return Erasure(
        values=tuple((one.event.event_id, one.note.path) for one in chosen),
        erased_before=len(chosen) - len(fresh),
        is_key_destroyed=has_key,
        record_ids=tuple(record_ids),
        orphans=0 if dry_run else _swept(trail, gone),
    )


def _recorded(
    recorder: TrailRecorder,
    fresh: Sequence[_Value],
    method: Method,
    reason: str,
    authority: str,
    legal_basis: str | None,
) -> list[str]:
    proposals: list[Proposal] = []
    for start in range(0, max(len(fresh), 1), _PER_RECORD):
        some = fresh[start : start + _PER_RECORD]
        event_ids = list(dict.fromkeys(one.event.event_id for one in some))
        metadata = {
            "subject": "the key of a subject" if not some else "values that were kept erasable",
            "method": method,
            "reason": reason,
            "digests": [one.note.commitment for one in some],
            "event_ids": event_ids,
            "items_count": len(some),
            "requested_by": authority,
        }
        if legal_basis is not None:
            metadata["legal_basis"] = legal_basis
        proposals.append(Proposal(event_type="DataErased", metadata=metadata, actor=RECORDER, stream=GLOBAL))
    receipt = recorder.record_many(proposals)
    recorder.flush()
    return [event.event_id for event in receipt.events]


def _swept(trail: Trail, gone: frozenset[str]) -> int:
    """Destroys what belongs to no event, what is recorded as erased, and what interrupted writes left behind."""
    erasables = trail.store.erasables
    destroyed = sum(erasables.destroy(one) for one in [*_orphans(trail), *gone])
    return destroyed + erasables.destroy_remains(trail.clock.now().timestamp() - _ORPHAN_S)


def _orphans(trail: Trail) -> Iterator[str]:
    before = trail.clock.now().timestamp() - _ORPHAN_S
    old = [one for one in trail.store.erasables.commitments() if trail.store.erasables.changed_at(one) < before]
    if old:
        known = {one.note.commitment for one in _values(trail)}
        yield from (one for one in old if one not in known)


def _values(trail: Trail) -> Iterator[_Value]:
    """Every erasable value of every event."""
    for name in trail.store.names():
        for located in trail.store.stream(name).events():
            for note in located.event.fact.erasable or ():
                yield _Value(located.event, note)


def _revealed(trail: Trail, one: _Value, gone: frozenset[str]) -> Revealed:
    commitment = one.note.commitment
    return revealed(
        one.note,
        contents_of(trail, one.event, one.note),
        is_erased=commitment in gone,
        is_there=trail.store.erasables.holds(commitment),
    )


def _refuse_repeating(trail: Trail, values: Sequence[_Value], said: str) -> None:
    """What is written down about an erasure must not hold what is erased."""
    for one in values:
        value = _revealed(trail, one, frozenset()).value
        if isinstance(value, str) and len(value) >= _NAME_CHARS and value in said:
            raise UsageError(
                "ERASURE_REPEATS",
                f"The reason or the authority repeats what is to be erased ({one.note.path}).",
                "The record of an erasure stays: say it in other words.",
            )


def _ring_name(one: _Value) -> str | None:
    return stream_of(one.event) if one.note.is_sealed and one.note.subject is None else None


def _field_of(note: Erasable) -> str:
    return note.path.removeprefix("/").replace("/", ".", 1)


def _nothing(trail: Trail, event_id: str) -> NotFound | UsageError:
    if any(trail.store.stream(name).event(event_id) is not None for name in trail.store.names()):
        return UsageError(
            "NOTHING_ERASABLE",
            f"The event {event_id[:80]} has no erasable values; what it says stands in the line itself.",
            "Only what was recorded erasable can be erased: see docs/how-to/privacy.md.",
        )
    return NotFound("EVENT_NOT_FOUND", f"The trail has no event {event_id[:80]}.", "`esaa query` finds events.")
