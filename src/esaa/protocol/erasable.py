"""Erasable texts of the governed log: what agents say for the record, kept beside it where the storage policy asks.

No rule and no projection decides by them. Everything else that an agent sends bears state, and can't be erasable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from esaa.kernel.erasable import Erasable, NewSalt, withhold
from esaa.kernel.recorded import Draft, Recorded
from esaa.protocol.facts import Fact, IssueReported, TaskClaimed, TaskCompleted, TaskReviewed

ACTS = (TaskClaimed, TaskCompleted, TaskReviewed, IssueReported)
"""The facts that have texts which can be erasable: what agents send."""


def withheld(
    drafts: Sequence[Draft[Fact]], fields: Collection[str], new_salt: NewSalt
) -> tuple[tuple[Draft[Fact], ...], Mapping[str, bytes]]:
    """The drafts without their erasable texts, and by commitment what has to be kept beside the log.

    `fields` are those of STORAGE_POLICY.yaml.
    """
    if not fields:
        return tuple(drafts), {}
    contents: dict[str, bytes] = {}
    kept: list[Draft[Fact]] = []
    for draft in drafts:
        names = fields if isinstance(draft.fact, ACTS) else ()
        values = {name: getattr(draft.fact, name, msgspec.UNSET) for name in names}
        texts = {name: value for name, value in values.items() if value is not msgspec.UNSET}
        found = withhold(texts, [f"/{name}" for name in texts], new_salt, subject=None, is_sealed=False)
        contents |= found.contents
        notes = [msgspec.to_builtins(note) for note in found.notes]
        fact = msgspec.structs.replace(draft.fact, **found.document, erasable=notes) if notes else draft.fact
        kept.append(msgspec.structs.replace(draft, fact=fact))
    return tuple(kept), contents


def notes_of(event: Recorded[Fact]) -> tuple[Erasable, ...]:
    """The erasable texts of an event; none where what stands there is no list of notes."""
    if not isinstance(event.fact, ACTS) or event.fact.erasable is msgspec.UNSET:
        return ()
    try:
        return msgspec.convert(event.fact.erasable, tuple[Erasable, ...])
    except msgspec.ValidationError:
        return ()
