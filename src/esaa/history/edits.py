"""Changes to a copy of a log: events left out, events with other values, and what might have come in between."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.errors import UsageError
from esaa.history.asked import Asked, AskedOutput, asked_of, is_log_time
from esaa.history.changes import Change, apply
from esaa.history.decisions import Decision
from esaa.history.pointers import parse_pointer, value_at
from esaa.kernel.canonical import compact
from esaa.kernel.recorded import Recorded
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.facts import Fact
from esaa.protocol.summary import task_of
from esaa.protocol.wire import ProtocolVocabulary, action_of

OUTPUT = "/output"
"""What an edit of a refused output begins with; every other edit is of the event's own line."""

_EDITABLE = ("actor", "ts", "action", "payload", "reviewer_role")
_VOCABULARY = ProtocolVocabulary()
_NOTHING_KEPT: dict[str, bytes] = {}
_FORMS = (
    'Give {"actor": ..., "activity_event": {...}, "file_updates": [...]}, or an event: {"actor", "action", "payload"}.'
)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Another value at a JSON pointer of an event's line, or below `/output` of the output that it refused."""

    pointer: str
    value: Any

    @property
    def is_of_output(self) -> bool:
        """True where it is of what was asked, not of what was recorded."""
        return self.pointer == OUTPUT or self.pointer.startswith(f"{OUTPUT}/")


class Inserted(msgspec.Struct, frozen=True, kw_only=True):
    """What might have come: who asked what, and the event that it is where it needs no decision."""

    actor: str
    name: str
    subject: str | None
    asked: Asked
    event: Recorded[Fact] | None = None


class Edits(msgspec.Struct, frozen=True, kw_only=True):
    """All changes. `inserted` comes right after the decision that the event with that seq belongs to."""

    dropped: frozenset[int] = frozenset()
    edited: Mapping[int, tuple[Edit, ...]] = {}
    inserted: Mapping[int, tuple[Inserted, ...]] = {}

    @property
    def first(self) -> int | None:
        """The first event that is touched; None where nothing is."""
        return min((*self.dropped, *self.edited, *self.inserted), default=None)

    def touches(self, decision: Decision) -> bool:
        """True where one of a decision's events is left out or has another value."""
        return any(one.version in self.dropped or one.version in self.edited for one in decision.events)


def edited_event(recorded: Recorded[Fact], edits: tuple[Edit, ...]) -> Recorded[Fact]:
    """The event with other values. Raises `UsageError` for a value that is not there, or one that makes no event."""
    line = msgspec.json.decode(_VOCABULARY.encode(recorded))
    for edit in edits:
        refuse_fixed(recorded.version, edit.pointer, _EDITABLE, "/actor, /ts or /payload/...")
        line = put(line, edit, recorded.version)
    try:
        event = _VOCABULARY.decode(compact(line))
    except MalformedLine as error:
        raise unfit(recorded.version, f"the edited event is none: {error}", "`esaa show` shows it as it is.") from None
    if not is_log_time(event.ts):
        raise unfit(recorded.version, f"{event.ts[:40]!r} is no time", "Write it as 2026-02-27T01:25:22Z.")
    said = msgspec.json.decode(_VOCABULARY.encode(event))
    for edit in edits:
        if value_at(said, parse_pointer(edit.pointer)) is UNSET:
            why = f"`{action_of(event.fact)}` has no `{edit.pointer[:80]}`"
            raise unfit(recorded.version, why, "`esaa show` shows what it has.")
    return event


def edited_output(output: bytes, edits: tuple[Edit, ...], seq: int) -> bytes:
    """A refused output with other values. Raises `UsageError` where it is no JSON, or has no such value."""
    try:
        value = msgspec.json.decode(output)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        why = "the refused output is no JSON: it has no values to edit"
        raise unfit(seq, why, "Insert another output after it: --insert FILE@REF.") from None
    for edit in edits:
        value = put(value, Edit(pointer=edit.pointer.removeprefix(OUTPUT), value=edit.value), seq)
    return compact(value)


def put(value: Any, edit: Edit, seq: int) -> Any:
    """A JSON value with another value at a pointer; a member of an object may be new."""
    is_there = value_at(value, parse_pointer(edit.pointer)) is not UNSET
    try:
        return apply([Change(op="replace" if is_there else "add", pointer=edit.pointer, after=edit.value)], value)
    except UsageError as error:
        raise unfit(seq, f"it has nothing at `{edit.pointer[:80]}`", "`esaa show` shows what it has.") from error


def inserted_from(data: bytes, after: int, ts: str, schema_version: str) -> Inserted:
    """What a file says that might have come: an actor's result, or an event. Raises `UsageError`."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise insert_invalid(after, f"is no JSON: {error}") from None
    actor = value.get("actor") if isinstance(value, dict) else None
    if not isinstance(actor, str) or not actor:
        raise insert_invalid(after, "names no actor")
    if not is_log_time(ts):
        raise insert_invalid(after, "would come after an event of another writer, which has no time to decide it at")
    if "activity_event" in value:
        output = compact({name: one for name, one in value.items() if name != "actor"})
        act = value["activity_event"] if isinstance(value["activity_event"], dict) else {}
        task_id = act.get("task_id")
        return Inserted(
            actor=actor,
            name=str(act.get("action", "output")),
            subject=task_id if isinstance(task_id, str) else None,
            asked=AskedOutput(actor=actor, output=output),
        )
    line = {
        "schema_version": schema_version,
        "event_id": f"what-if-{after}",
        "event_seq": after,
        "ts": ts,
        "actor": actor,
        "action": value.get("action"),
        "payload": value.get("payload"),
        "prev_hash": "",
    }
    try:
        event = _VOCABULARY.decode(compact(line))
    except MalformedLine as error:
        raise insert_invalid(after, f"is no event: {error}") from None
    asked = asked_of(Decision(events=(event,)), _NOTHING_KEPT.get)
    return Inserted(actor=actor, name=action_of(event.fact), subject=task_of(event.fact), asked=asked, event=event)


def insert_invalid(after: int, why: str, forms: str = _FORMS) -> UsageError:
    """What is raised where a file holds nothing that can be inserted."""
    return UsageError("WHAT_IF_INSERT_INVALID", f"What is inserted after #{after} {why}.", forms)


def refuse_fixed(seq: int, pointer: str, editable: Collection[str], told: str) -> None:
    """Raises `UsageError` for a value that an event cannot have otherwise: its place, its id, what no event has."""
    names = parse_pointer(pointer)
    if not names or names[0] not in editable:
        raise unfit(seq, f"`{pointer[:80]}` cannot be edited", f"Edit {told}.")


def no_output(seq: int, why: str) -> UsageError:
    """What is raised where an edit of an output finds none."""
    return unfit(seq, why, "`/output/...` edits what a kept refusal asked for.")


def unfit(seq: int, why: str, hint: str) -> UsageError:
    """What is raised where an edit does not fit an event."""
    return UsageError("WHAT_IF_EDIT_INVALID", f"Event #{seq}: {why}.", hint)
