"""What was refused: what was asked, which rule refused it, and what came next."""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.contracts.swarm import ORCHESTRATOR
from esaa.errors import StoreError
from esaa.history.entries import Entry, EntryFilter
from esaa.history.past import Past
from esaa.kernel.strict_json import NotStrict, loads_strict
from esaa.runtime.history.commands import command
from esaa.runtime.history.lines import payload_of
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import Answer

SHOWN_BYTES_MAX = 64 * 1024
"""So much of a refused output is shown; `esaa what-if` reads all of it."""


class WhatWasAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor wanted.

    `output` is the kept output: a JSON object, or a text where it is no JSON; None where it was not kept or is too
    large to be shown, and `note` says so. Secrets were taken out before it was kept.
    """

    actor: str
    action: str | None
    task_id: str | None
    output: Any = None
    output_bytes: int | None = None
    note: str = ""


class RefusingRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that refused: its layer, the reject condition, the code, what was wrong and what to do instead."""

    layer: str
    reason: str
    error_code: str
    message: str
    hint: str


class RejectionView(msgspec.Struct, frozen=True, kw_only=True):
    """One rejection, and the next event about the same task."""

    entry: Entry
    asked: WhatWasAsked
    rule: RefusingRule
    next: Entry | None


class RejectionsView(Answer, frozen=True, kw_only=True):
    """A page of what was refused, the oldest first."""

    total: int
    offset: int
    rejections: tuple[RejectionView, ...]


def rejections_view(
    past: Past, sources: Sources, seq: int, *, first: int = 1, offset: int = 0, count: int = 100
) -> RejectionsView:
    """What was refused from an event on, up to another one."""
    page = past.find(EntryFilter(rejections_only=True, first=first, last=seq), offset=offset, count=count)
    moments = () if first == 1 and seq == past.head() else (f"{first}..{seq}",)
    return RejectionsView(
        past=past.name,
        at=seq,
        cli=command(past, "rejections", *moments),
        total=page.total,
        offset=offset,
        rejections=tuple(_view(past, sources, entry, seq) for entry in page.entries),
    )


def _view(past: Past, sources: Sources, entry: Entry, last: int) -> RejectionView:
    stored = payload_of(past, entry.seq)
    fact: dict[str, Any] = stored if isinstance(stored, dict) else {}
    named = _text(fact, "rejected_actor") or _text(fact, "agent_name")
    output, size, note = _output(fact, sources)
    return RejectionView(
        entry=entry,
        asked=WhatWasAsked(
            actor=named or (entry.actor if entry.actor != ORCHESTRATOR else ""),
            action=_text(fact, "source_action") or None,
            task_id=_text(fact, "task_id") or None,
            output=output,
            output_bytes=size,
            note=note,
        ),
        rule=RefusingRule(
            layer=_text(fact, "layer"),
            reason=_text(fact, "reason"),
            error_code=_text(fact, "error_code"),
            message=_text(fact, "message"),
            hint=_text(fact, "hint"),
        ),
        next=_next(past, entry, last),
    )


def _output(fact: dict[str, Any], sources: Sources) -> tuple[Any, int | None, str]:
    """The kept output as it is shown, its size, and a note where there is something to say about it."""
    sent = _text(fact, "result_sha256")
    if fact.get("result_sha256") == "":
        return None, None, "no output came"
    # The trail names the digest of what was sent alone: where no secret was in it, it lies under just that.
    is_told = bool(_text(fact, "output_sha256"))
    digest = _text(fact, "output_sha256") or sent
    try:
        kept = sources.content_of(digest)
    except StoreError as error:
        return None, None, error.message
    if kept is None:
        return None, None, "the output is not kept any more" if is_told else "the output was not kept"
    if len(kept) > SHOWN_BYTES_MAX:
        return None, len(kept), f"it has {len(kept)} bytes; .roadmap/blobs has it as {digest}"
    note = "secrets were taken out of it" if digest != sent else ""
    try:
        return loads_strict(kept), len(kept), note
    except NotStrict:
        return kept.decode("utf-8", "replace"), len(kept), note


def _next(past: Past, entry: Entry, last: int) -> Entry | None:
    if entry.subject is None or entry.seq >= last:
        return None
    wanted = EntryFilter(subjects=(entry.subject,), first=entry.seq + 1, last=last)
    return next(iter(past.find(wanted, count=1).entries), None)


def _text(fact: dict[str, Any], name: str) -> str:
    """A text of a payload, which may come from any writer."""
    value = fact.get(name)
    return value if isinstance(value, str) else ""
