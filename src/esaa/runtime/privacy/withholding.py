"""What keeps values erasable while they are recorded: taken out of the metadata, stored beside the trail, and opened
again for who asks.

A value is durable beside the trail before the event that commits to it is appended.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from esaa.errors import CommandConflict, EventRefused, StoreError
from esaa.kernel.commitment import SALT_BYTES
from esaa.kernel.erasable import Erasable, Withheld, payload_of, withhold
from esaa.redaction.redact import redact_text
from esaa.runtime.trail.trail import Trail
from esaa.stores.erasables import ErasableStore
from esaa.stores.subject_keys import SubjectKeys
from esaa.trail.erasable import SUBJECT, ErasableFields, pointer_of
from esaa.trail.event import GLOBAL, GateFinding, TrailEvent, stream_of
from esaa.trail.intake import Prepared, Proposal
from esaa.trail.wire import raw_metadata

Status = Literal["HELD", "ERASED", "MISSING", "MISMATCH"]

_SHOWN_AT_LEAST = 4


class Revealed(msgspec.Struct, frozen=True, kw_only=True):
    """An erasable value as it is now: held, erased (and recorded so), missing, or not what was committed to."""

    path: str
    status: Status
    commitment: str
    subject: str | None = None
    value: Any = None


class Withholding:
    """Withholds what the settings and the witnesses of one trail want erasable."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._fields = ErasableFields(trail.settings.privacy.erasable, trail.types)
        self._encrypts = trail.settings.privacy.encrypt
        if self._encrypts and trail.subject_keys is None:
            raise StoreError("KEY_MISSING", "privacy.encrypt needs a place for keys.", "Set ESAA_CONFIG_DIR.")

    def withheld(self, proposal: Proposal, prepared: Prepared) -> Prepared:
        """The draft without its erasable values. Raises `EventRefused` for a field that can't be erasable."""
        pointers = self._fields.pointers(proposal.event_type)
        if not pointers and not proposal.erasable and proposal.subject is None:
            return prepared
        if proposal.subject is not None and (
            SUBJECT.fullmatch(proposal.subject) is None or redact_text(proposal.subject)[1]
        ):
            raise EventRefused(
                "SUBJECT_INVALID",
                "The subject is no pseudonym: up to 64 letters, digits, `.`, `_`, `:` and `-`.",
                "The subject stays in the event for ever: give a number of your own, such as customer-4711.",
            )
        for field in proposal.erasable:
            fault = self._fields.fault(proposal.event_type, field)
            if fault is not None:
                raise EventRefused("ERASABLE_INVALID", f"{fault}; it can't be erasable.", "See docs/how-to/privacy.md.")
        found = self._taken_out(prepared, [*pointers, *map(pointer_of, proposal.erasable)], proposal.subject)
        if not found.notes:
            return prepared
        fact = msgspec.structs.replace(prepared.draft.fact, metadata=raw_metadata(found.document), erasable=found.notes)
        return msgspec.structs.replace(
            prepared,
            draft=msgspec.structs.replace(prepared.draft, fact=fact),
            findings=_without_values(prepared.findings, found),
            fact=None,  # the typed one holds the values, and the fold must never see them
            contents=found.contents,
        )

    def keep(self, prepared: Prepared) -> None:
        """Stores what was withheld from a draft, durably. Raises `StoreError`."""
        fact = prepared.draft.fact
        self._trail.store.prepare()
        for note in fact.erasable or ():
            content = (prepared.contents or {})[note.commitment]
            if note.is_sealed and self._trail.subject_keys is not None:
                subject = note.subject or fact.issue_key or GLOBAL
                content = self._trail.subject_keys.seal(subject, note.commitment, content)
            self._trail.store.erasables.put(note.commitment, content)

    def is_repeat(self, prepared: Prepared, known: TrailEvent) -> bool:
        """True where the event says the same as a draft with its id, also in what both withhold.

        Raises `CommandConflict` where a value is another one. What was erased can't be compared, and is not.
        """
        notes = {note.path: note for note in known.fact.erasable or ()}
        fresh = prepared.draft.fact.erasable or ()
        held = [(one, contents_of(self._trail, known, notes[one.path])) for one in fresh if one.path in notes]
        is_other = any(
            content is not None and content[SALT_BYTES:] != (prepared.contents or {})[one.commitment][SALT_BYTES:]
            for one, content in held
        )
        if is_other or {one.path for one in fresh} != notes.keys():
            raise CommandConflict(
                "EVENT_ID_CONFLICT",
                f"The event {known.event_id} is in the trail already, with another content.",
                "Use a new id for a new event.",
                event_id=known.event_id,
            )
        return True

    def forget(self, prepared: Prepared) -> None:
        """Destroys what was stored for a draft that was not recorded after all."""
        for commitment in prepared.contents or {}:
            self._trail.store.erasables.destroy(commitment)

    def _taken_out(self, prepared: Prepared, pointers: Iterable[str], subject: str | None) -> Withheld:
        document: dict[str, Any] = msgspec.json.decode(prepared.draft.fact.metadata)
        return withhold(document, pointers, _salt, subject=subject, is_sealed=self._encrypts)


def contents_of(trail: Trail, event: TrailEvent, note: Erasable) -> bytes | None:
    """The salt and value of a note as they lie there, unsealed but not checked; None where they can't be had."""
    return content_in(trail.store.erasables, trail.subject_keys, note, stream_of(event))


def content_in(store: ErasableStore, keys: SubjectKeys | None, note: Erasable, otherwise: str) -> bytes | None:
    """The content of a note in a store. `otherwise` is the subject of a sealed value that names none."""
    content = store.get(note.commitment)
    if content is None or not note.is_sealed:
        return content
    return None if keys is None else keys.unseal(note.subject or otherwise, note.commitment, content)


def revealed(note: Erasable, content: bytes | None, *, is_erased: bool, is_there: bool) -> Revealed:
    """What a note stands for now. What was recorded as erased is never shown, whatever still lies there."""
    payload = None if content is None or is_erased else payload_of(note, content)
    if is_erased:
        status: Status = "ERASED"
    elif payload is not None:
        status = "HELD"
    else:
        status = "MISMATCH" if is_there and content is not None else "MISSING"
    value = None if payload is None else msgspec.json.decode(payload)
    return Revealed(path=note.path, status=status, commitment=note.commitment, subject=note.subject, value=value)


def _salt() -> bytes:
    return os.urandom(SALT_BYTES)


def _without_values(findings: tuple[GateFinding, ...], found: Withheld) -> tuple[GateFinding, ...]:
    """The findings of a lenient store, of which none may repeat a value that can be erased."""
    if not findings:
        return findings
    texts = [str(msgspec.json.decode(content[SALT_BYTES:])) for content in found.contents.values()]
    return tuple(
        msgspec.structs.replace(one, message="a value that is kept erasable breaks the rule")
        if any(text[:_SHOWN_AT_LEAST] in one.message for text in texts)
        else one
        for one in findings
    )
