"""Notes and bookmarks over HTTP. They lie beside the log and change nothing in it."""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from esaa.errors import UsageError
from esaa.redaction.redact import redact_text
from esaa.runtime.clock import Clock
from esaa.runtime.history.machine import TimeMachine
from esaa.stores.notes import TEXT_MAX, Note, NoteKind, NoteStore
from esaa.trail.intake import trail_time
from esaa.web.answers import json_answer
from esaa.web.bodies import read_body
from esaa.web.machines import Machines

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NoteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page says of a note: at which event, of which kind, in which words. A bookmark needs none."""

    seq: int
    kind: NoteKind = "note"
    text: str = ""


class NoteView(Note, frozen=True, kw_only=True):
    """A note. `is_stale` is true where another event stands at its place by now, because the log is another one."""

    is_stale: bool = False


class NotesView(msgspec.Struct, frozen=True, kw_only=True):
    """Notes, by past and event."""

    total: int
    notes: tuple[NoteView, ...]


class NoteRoutes:
    """Answers for the notes of a workspace."""

    def __init__(self, store: NoteStore, machines: Machines, clock: Clock) -> None:
        self._store = store
        self._machines = machines
        self._clock = clock

    async def all(self, _request: Request) -> Response:
        """All of them, as they were kept."""
        notes = self._store.all()
        return json_answer({"total": len(notes), "notes": notes})

    async def of_past(self, past: str) -> Response:
        """Those of a past, each with whether its event is still the same."""

        def look(machine: TimeMachine) -> NotesView:
            head = machine.past.head()
            notes = tuple(
                NoteView(**msgspec.structs.asdict(one), is_stale=_hash_at(machine, one.seq, head) != one.leaf_hash)
                for one in self._store.all()
                if one.past == past
            )
            return NotesView(total=len(notes), notes=notes)

        return json_answer(await self._machines.ask(past, look))

    async def put(self, request: Request, past: str, note_id: str) -> Response:
        """Keeps a note. Secrets in its words are taken out, as everywhere below `.roadmap/`."""
        _require_id(note_id)
        body = await read_body(request, NoteBody)
        text, _ = redact_text(body.text)
        if len(text) > TEXT_MAX:
            raise UsageError("NOTE_INVALID", f"The note has more than {TEXT_MAX} characters.", "Make it shorter.")
        if body.kind == "note" and not text.strip():
            raise UsageError("NOTE_INVALID", "The note has no words.", "Write some, or make a bookmark.")

        def keep(machine: TimeMachine) -> NoteView:
            head = machine.past.head()
            if not 0 <= body.seq <= head:
                raise UsageError("NOTE_INVALID", f"{past} ends at event {head}.", "Put the note at one of its events.")
            note = Note(
                note_id=note_id,
                past=past,
                seq=body.seq,
                kind=body.kind,
                text=text,
                leaf_hash=_hash_at(machine, body.seq, head),
                changed_at=trail_time(self._clock.now()),
            )
            self._store.put(note)
            return NoteView(**msgspec.structs.asdict(note))

        return json_answer(await self._machines.ask(past, keep))

    async def delete(self, past: str, note_id: str) -> Response:
        """Forgets a note."""
        _require_id(note_id)
        self._store.remove(past, note_id)
        return json_answer({"past": past, "note_id": note_id, "removed": True})


def _require_id(note_id: str) -> None:
    if _ID.fullmatch(note_id) is None:
        raise UsageError("NOTE_INVALID", "The id of a note is 1 to 64 of A-Z, a-z, 0-9, _ and -.", "Choose another.")


def _hash_at(machine: TimeMachine, seq: int, head: int) -> str | None:
    return machine.past.entry(seq).leaf_hash if 0 < seq <= head else None
