"""`esaa what-if`: the edits as a person writes them, the log or stream that they are of, and the answer.

Nothing is written. What the answer tells is hypothetical, and it says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from esaa.contracts.governance import Governance
from esaa.contracts.load import parse_governance
from esaa.errors import ContractError, NotFound, StoreError, UsageError
from esaa.history.changes import Change, diff
from esaa.history.edits import Edit, Edits, Inserted, inserted_from
from esaa.history.past import Past
from esaa.history.what_if import Imagined, Outcome, imagine
from esaa.history.what_if_stream import ImaginedStream, StreamEdits, imagine_stream, inserted_stream_event
from esaa.history.world import differences
from esaa.kernel.vocabulary import MalformedLine
from esaa.protocol.wire import ProtocolVocabulary
from esaa.runtime.history.commands import command, option
from esaa.runtime.history.lines import recorded
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.stream_scan import CURSORS
from esaa.runtime.history.views import Answer
from esaa.stores.contracts import read_files
from esaa.stores.layout import ROADMAP
from esaa.trail.event import TrailEvent
from esaa.trail.state import OrchestrationState, encode_state
from esaa.trail.types import EventTypes
from esaa.trail.wire import TrailVocabulary

EDITS_MAX = 1000
_LOG, _TRAIL = ProtocolVocabulary(), TrailVocabulary()
_TYPES = EventTypes()
_INSERT = re.compile(r"(.+?)@(@\{[^@]*\}|[^@{][^@]*)", re.DOTALL)
"""A file may have an `@` in its name, and `@{2h}` is a moment."""
_NO_RULES = "A stream of the trail has no rules: the changed events are folded again, and nothing is decided anew."
_CUT = " Its first events were deleted: both folds begin with event #{first}."


class InsertedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is inserted after a moment: the bytes, and how they are named on the command line."""

    data: bytes
    name: str
    ref: str


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise, as a person writes it: `REF` to leave out, `REF:POINTER=JSON` to edit, what to insert.

    `contracts` is a folder with other contract files; those that it lacks stay as they are.
    """

    drop: tuple[str, ...] = ()
    edit: tuple[str, ...] = ()
    insert: tuple[InsertedFile, ...] = ()
    contracts: Path | None = None


class WhatIfView(Answer, frozen=True, kw_only=True):
    """What would have happened.

    - `outcomes`: a page of the decisions that would have been others, or were changed on purpose; `total` of them.
    - `counts`: all decisions from the first change on: accepted, rejected, dropped, not_judged, newly_rejected, ...
    - `not_judged`: why some could not be decided again, with how many. They stay as they were recorded.
    - `first_divergence`: the first event from which on the stories differ; None where they do not.
    - `changes`: a page of what would be otherwise in the state at the end; `changes_total` of them.
    """

    is_hypothetical: Literal[True] = True
    total: int
    offset: int
    outcomes: tuple[Outcome, ...]
    counts: dict[str, int]
    not_judged: dict[str, int]
    first_divergence: int | None
    changes_total: int
    changes: tuple[Change, ...]
    note: str = ""


def what_if_view(
    past: Past,
    sources: Sources,
    seq: int,
    wishes: Wishes,
    *,
    offset: int = 0,
    count: int = 200,
    progress: Callable[[int], None] | None = None,
) -> WhatIfView:
    """What would have happened up to an event. Raises `UsageError`, `NotFound` and `ContractError`."""
    if len(wishes.drop) + len(wishes.edit) + len(wishes.insert) > EDITS_MAX:
        raise UsageError("WHAT_IF_TOO_MANY", f"More than {EDITS_MAX} edits are given.", "Change fewer events.")
    dropped = frozenset(_event_at(past, ref, seq) for ref in wishes.drop)
    edited = _edited(past, wishes.edit, seq)
    if past.kind == "trail":
        if wishes.contracts is not None:
            raise UsageError("WHAT_IF_NO_RULES", "A stream of the trail has no contracts.", "Leave --contracts out.")
        return _of_stream(past, seq, wishes, dropped, edited, offset, count)
    edits = Edits(dropped=dropped, edited=edited, inserted=_inserted(past, wishes.insert, seq))
    rules = sources.rules
    if rules is None:
        raise ContractError(
            "CONTRACT_MISSING",
            "The contracts of this log cannot be read, so nothing can be decided again.",
            "Ask in the workspace that the log comes from; `esaa doctor` explains its contracts.",
        )
    other_rules = None if wishes.contracts is None else other_contracts(sources.root / ROADMAP, wishes.contracts)
    events = recorded(past, seq) if sources.recorded is None else sources.recorded(seq)
    found = imagine(events, edits, rules, _careful(sources), other_rules=other_rules, progress=progress)
    return _of_log(past, seq, wishes, found, offset, count)


def other_contracts(roadmap: Path, folder: Path) -> Governance:
    """The contracts of a workspace with the files of a folder in their places. Raises `NotFound`, `ContractError`."""
    inner = folder / ROADMAP
    found = read_files(inner if inner.is_dir() else folder) if folder.is_dir() else {}
    if not found:
        raise NotFound(
            "CONTRACTS_NOT_FOUND",
            f"There is no contract file in {folder}.",
            "Name a folder with AGENT_CONTRACT.yaml, ...",
        )
    return parse_governance({**read_files(roadmap), **found})


def parse_edit(text: str) -> tuple[str, Edit]:
    """The moment and the edit of `REF:POINTER=JSON`. Raises `UsageError`."""
    ref, colon, rest = text.partition(":/")
    pointer, equals, value = rest.partition("=")
    if not colon or not equals or not ref:
        raise _no_edit(text, "has not the form REF:POINTER=JSON")
    try:
        return ref, Edit(pointer=f"/{pointer}", value=msgspec.json.decode(value))
    except (msgspec.DecodeError, RecursionError):
        raise _no_edit(text, "has no JSON after the `=`; a text stands in quotes") from None


def parse_insert(text: str) -> tuple[str, str]:
    """The file and the moment of `FILE@REF`. Raises `UsageError`."""
    found = _INSERT.fullmatch(text)
    if found is None:
        raise UsageError(
            "WHAT_IF_INSERT_INVALID", f"{text[:80]!r} has not the form FILE@REF.", "For instance late.json@#12."
        )
    return found.group(1), found.group(2)


def _event_at(past: Past, ref: str, last: int) -> int:
    seq = past.seq_of(ref)
    if not 1 <= seq <= last:
        raise NotFound("EVENT_NOT_FOUND", f"There is no event at {ref[:80]} to change.", "`esaa log` shows the events.")
    return seq


def _edited(past: Past, texts: Iterable[str], last: int) -> dict[int, tuple[Edit, ...]]:
    edited: dict[int, tuple[Edit, ...]] = {}
    for text in texts:
        ref, edit = parse_edit(text)
        seq = _event_at(past, ref, last)
        edited[seq] = (*edited.get(seq, ()), edit)
    return edited


def _inserted(past: Past, files: Iterable[InsertedFile], last: int) -> dict[int, tuple[Inserted, ...]]:
    inserted: dict[int, tuple[Inserted, ...]] = {}
    for file in files:
        after = _event_at(past, file.ref, last)
        try:
            event = _LOG.decode(past.line(after))
        except MalformedLine as error:
            raise NotFound(
                "EVENT_NOT_FOUND", f"Line #{after} is no event: {error}.", "`esaa verify --explain`."
            ) from None
        one = inserted_from(file.data, after, event.ts, event.schema_version)
        inserted[after] = (*inserted.get(after, ()), one)
    return inserted


def _careful(sources: Sources) -> Callable[[str], bytes | None]:
    """Contents; one that is damaged is as good as none."""

    def content_of(digest: str) -> bytes | None:
        try:
            return sources.content_of(digest)
        except StoreError:
            return None

    return content_of


def _of_log(past: Past, seq: int, wishes: Wishes, found: Imagined, offset: int, count: int) -> WhatIfView:
    changes, total = _page(differences(found.actual, found.other), count)
    return WhatIfView(
        past=past.name,
        at=seq,
        cli=_said(past, wishes),
        total=len(found.outcomes),
        offset=offset,
        outcomes=tuple(found.outcomes[offset : offset + count]),
        counts=dict(found.counts),
        not_judged=dict(found.not_judged),
        first_divergence=found.first_divergence,
        changes_total=total,
        changes=changes,
    )


def _of_stream(
    past: Past,
    seq: int,
    wishes: Wishes,
    dropped: frozenset[int],
    edited: dict[int, tuple[Edit, ...]],
    offset: int,
    count: int,
) -> WhatIfView:
    events = [_TRAIL.decode(past.line(entry.seq)) for entry in past.entries(1, seq)]
    by_seq = {event.version: event for event in events}
    inserted: dict[int, tuple[TrailEvent, ...]] = {}
    for file in wishes.insert:
        after = by_seq[_event_at(past, file.ref, seq)]
        inserted[after.version] = (*inserted.get(after.version, ()), inserted_stream_event(file.data, after))
    edits = StreamEdits(dropped=dropped, edited=edited, inserted=inserted)
    found = imagine_stream(events, edits, _TYPES.fact_of)
    changes, total = _page(iter(diff(_document(found.actual), _document(found.other))), count)
    outcomes = [_outcome_of(event, how) for event, how in found.touched]
    first = events[0].version if events else 1
    return WhatIfView(
        past=past.name,
        at=seq,
        cli=_said(past, wishes),
        total=len(outcomes),
        offset=offset,
        outcomes=tuple(outcomes[offset : offset + count]),
        counts=_counted(found),
        not_judged={},
        first_divergence=min((one.seq for one in outcomes), default=None),
        changes_total=total,
        changes=changes,
        note=_NO_RULES + ("" if first == 1 else _CUT.format(first=first)),
    )


def _counted(found: ImaginedStream) -> dict[str, int]:
    kinds = [how for _, how in found.touched]
    return {kind: kinds.count(kind) for kind in ("dropped", "edited", "inserted")}


def _outcome_of(event: TrailEvent, how: str) -> Outcome:
    return Outcome(
        seq=event.version,
        actor=event.actor,
        name=event.fact.event_type,
        subject=None,
        summary=_TYPES.fact_of(event).summary(),
        was="absent" if how == "inserted" else "accepted",
        is_="dropped" if how == "dropped" else "accepted",
        is_edited=True,
    )


def _document(state: OrchestrationState) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(encode_state(state))
    return {name: value for name, value in found.items() if name not in CURSORS}


def _page(changes: Iterator[Change], count: int) -> tuple[tuple[Change, ...], int]:
    page = tuple(islice(changes, count))
    return page, len(page) + sum(1 for _ in changes)


def _said(past: Past, wishes: Wishes) -> str:
    words: list[str] = []
    for ref in wishes.drop:
        words += option("--drop", ref)
    for text in wishes.edit:
        words += option("--edit", text)
    for file in wishes.insert:
        words += option("--insert", f"{file.name}@{file.ref}")
    if wishes.contracts is not None:
        words += option("--contracts", str(wishes.contracts))
    return command(past, "what-if", *words)


def _no_edit(text: str, why: str) -> UsageError:
    return UsageError(
        "WHAT_IF_EDIT_INVALID", f"The edit {text[:80]!r} {why}.", "For instance #12:/payload/decision='\"approve\"'."
    )
