"""From recorded facts to the effects on files that they name."""

from __future__ import annotations

from collections.abc import Iterable

from esaa.effects.files import FileEffect
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, FileWritten


def file_effects(events: Iterable[Recorded[Fact]]) -> list[FileEffect]:
    """The effects that file-write events name; those without a digest (another writer's) are passed over."""
    effects: list[FileEffect] = []
    for recorded in events:
        named = recorded.fact.effects if isinstance(recorded.fact, FileWritten) else ()
        for effect in named if isinstance(named, list) else ():
            if isinstance(effect, dict) and {"path", "after_sha256"} <= effect.keys():
                effects.append(
                    FileEffect(
                        event_id=recorded.event_id,
                        path=str(effect["path"]),
                        before_sha256=effect.get("before_sha256"),
                        after_sha256=str(effect["after_sha256"]),
                    )
                )
    return effects
