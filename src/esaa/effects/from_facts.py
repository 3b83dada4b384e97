"""From recorded facts to the effects on files that they name."""

from __future__ import annotations

from collections.abc import Iterable

from esaa.effects.files import FileEffect
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, FileWritten


def file_effects(events: Iterable[Recorded[Fact]]) -> list[FileEffect]:
    """The effects that file-write events name; those without a digest (another writer's) are passed over."""
    return [
        FileEffect(
            event_id=recorded.event_id,
            path=str(effect["path"]),
            before_sha256=before if isinstance(before := effect.get("before_sha256"), str) else None,
            after_sha256=str(effect["after_sha256"]),
        )
        for recorded in events
        if isinstance(recorded.fact, FileWritten) and isinstance(recorded.fact.effects, list)
        for effect in recorded.fact.effects
        if isinstance(effect, dict) and {"path", "after_sha256"} <= effect.keys()
    ]
