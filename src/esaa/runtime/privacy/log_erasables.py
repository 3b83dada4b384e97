"""Erasable texts of the governed log: how they stand, what they say, and how they are erased.

The log says that they were erased by `orchestrator.view.mutate` with the target `blobs` and the change `erased`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from esaa.errors import NotFound, UsageError
from esaa.kernel.erasable import Erasable, payload_of
from esaa.kernel.recorded import Recorded
from esaa.protocol.commands import RecordRepair
from esaa.protocol.erasable import notes_of
from esaa.protocol.facts import Fact, ViewMutated
from esaa.runtime.privacy.withholding import Revealed, revealed
from esaa.runtime.workspace import Workspace
from esaa.stores.erasables import ErasableStore

_ORPHAN_S = 3600.0
_TEXT_CHARS_MIN = 4


class LogErasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was, or would be, erased: the values by event, those that had been erased before, and orphans."""

    values: tuple[tuple[str, str], ...]
    erased_before: int
    record_ids: tuple[str, ...]
    orphans: int


def erased_in_log(workspace: Workspace) -> frozenset[str]:
    """Every commitment that the log records as erased."""
    found: set[str] = set()
    for event in workspace.events():
        fact = event.fact
        if isinstance(fact, ViewMutated) and (fact.target, fact.change) == ("blobs", "erased"):
            digests = fact.detail.get("digests") if isinstance(fact.detail, dict) else None
            found.update(one for one in digests if isinstance(one, str)) if isinstance(digests, list) else None
    return frozenset(found)


def reveal_in_log(workspace: Workspace, event_id: str) -> tuple[Recorded[Fact], list[Revealed]]:
    """An event of the log with its erasable texts as they are now. Raises `NotFound`."""
    event = _event(workspace, event_id)
    gone = erased_in_log(workspace)
    return event, [_revealed(workspace.erasables, note, gone) for note in notes_of(event)]


def standing_in_log(workspace: Workspace) -> dict[str, list[str]]:
    """The erasable texts of the log by status; `UNFINISHED` are those whose erasure a crash cut short."""
    gone = erased_in_log(workspace)
    found: dict[str, list[str]] = {}
    for event in workspace.events():
        for note in notes_of(event):
            status: str = _revealed(workspace.erasables, note, gone).status
            if status == "ERASED" and workspace.erasables.holds(note.commitment):
                status = "UNFINISHED"
            found.setdefault(status, []).append(f"{event.event_id} {note.path}")
    return found


def erase_in_log(
    workspace: Workspace,
    event_ids: Collection[str],
    *,
    fields: Collection[str] = (),
    reason: str,
    authority: str,
    legal_basis: str | None = None,
    dry_run: bool = False,
) -> LogErasure:
    """Erases the erasable texts of some events of the log. The record comes first; doing it again changes nothing.

    Raises `NotFound`, `UsageError` for an event that has nothing to erase, and what committing raises.
    """
    chosen: list[tuple[str, Erasable]] = []
    for event_id in event_ids:
        notes = [one for one in notes_of(_event(workspace, event_id)) if not fields or one.path[1:] in fields]
        if not notes:
            raise UsageError(
                "NOTHING_ERASABLE",
                f"The event {event_id} has no erasable texts; what it says stands in the line itself.",
                "Only what was recorded erasable can be erased: see docs/how-to/privacy.md.",
            )
        chosen += [(event_id, note) for note in notes]
    gone = erased_in_log(workspace)
    fresh = [(event_id, note) for event_id, note in chosen if note.commitment not in gone]
    for _, note in fresh:
        _refuse_repeating(workspace.erasables, note, (reason, authority, legal_basis or ""))
    record_ids: tuple[str, ...] = ()
    orphans = 0
    if not dry_run:
        with workspace.writing():
            if fresh:
                record_ids = _recorded(workspace, fresh, reason, authority, legal_basis)
                workspace.project()
            for _, note in chosen:
                workspace.erasables.destroy(note.commitment)
            orphans = _swept(workspace, gone)
    return LogErasure(
        values=tuple((event_id, note.path) for event_id, note in chosen),
        erased_before=len(chosen) - len(fresh),
        record_ids=record_ids,
        orphans=orphans,
    )


def _recorded(
    workspace: Workspace,
    fresh: Sequence[tuple[str, Erasable]],
    reason: str,
    authority: str,
    legal_basis: str | None,
) -> tuple[str, ...]:
    detail: dict[str, Any] = {
        "method": "salt_destroyed",
        "digests": [note.commitment for _, note in fresh],
        "event_ids": list(dict.fromkeys(event_id for event_id, _ in fresh)),
        "items_count": len(fresh),
        "reason": reason,
        "requested_by": authority,
    }
    if legal_basis is not None:
        detail["legal_basis"] = legal_basis
    events = workspace.record_command(RecordRepair(target="blobs", change="erased", detail=detail))
    return tuple(event.event_id for event in events)


def _swept(workspace: Workspace, gone: Collection[str]) -> int:
    """Destroys what belongs to no event, what is recorded as erased, and what interrupted writes left behind."""
    erasables = workspace.erasables
    before = workspace.clock.now().timestamp() - _ORPHAN_S
    there = list(erasables.commitments())
    old = {one for one in there if erasables.changed_at(one) < before}
    known = {note.commitment for note in _notes(workspace)} if old else set()
    doomed = [one for one in there if one in gone or (one in old and one not in known)]
    return sum(erasables.destroy(one) for one in doomed) + erasables.destroy_remains(before)


def _notes(workspace: Workspace) -> Iterator[Erasable]:
    for event in workspace.events():
        yield from notes_of(event)


def _event(workspace: Workspace, event_id: str) -> Recorded[Fact]:
    for event in workspace.events():
        if event.event_id == event_id:
            return event
    raise NotFound("EVENT_NOT_FOUND", f"The log has no event {event_id[:80]}.", "`esaa log` shows the events.")


def _revealed(store: ErasableStore, note: Erasable, gone: Collection[str]) -> Revealed:
    content = store.get(note.commitment)
    return revealed(note, content, is_erased=note.commitment in gone, is_there=content is not None)


def _refuse_repeating(store: ErasableStore, note: Erasable, said: Sequence[str]) -> None:
    content = store.get(note.commitment)
    payload = None if content is None else payload_of(note, content)
    value = None if payload is None else msgspec.json.decode(payload)
    if isinstance(value, str) and len(value) >= _TEXT_CHARS_MIN and any(value in text for text in said):
        raise UsageError(
            "ERASURE_REPEATS",
            f"The reason or the authority repeats what is to be erased ({note.path}).",
            "The record of an erasure stays: say it in other words.",
        )
