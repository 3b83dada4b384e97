"""One open trail: its settings, its event types, its store, and what comes from outside (clock, ids, the key)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from esaa.runtime.clock import Clock
from esaa.stores.trail import TrailStore
from esaa.trail.settings import TrailSettings
from esaa.trail.types import EventTypes

NewId = Callable[[], str]
_DRAWN = 256


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """What every service of the trail is given. `secret` authenticates snapshots; without it none are trusted."""

    root: Path
    settings: TrailSettings
    types: EventTypes
    store: TrailStore
    clock: Clock
    new_id: NewId
    secret: bytes | None


_RANDOM: list[str] = []
"""Random numbers that were asked for together; asking the system for each costs more than all the rest."""
os.register_at_fork(after_in_child=_RANDOM.clear)


def random_id() -> str:
    """A new UUID, version 4: 122 random bits."""
    try:
        text = _RANDOM.pop()
    except IndexError:
        drawn = os.urandom(16 * _DRAWN).hex()
        _RANDOM.extend(drawn[at : at + 32] for at in range(32, len(drawn), 32))
        text = drawn[:32]
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
