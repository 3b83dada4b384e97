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


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """What every service of the trail is given. `secret` authenticates snapshots; without it none are trusted."""

    root: Path
    settings: TrailSettings
    types: EventTypes
    store: TrailStore
    clock: Clock
    new_id: NewId
    secret: bytes | None


def random_id() -> str:
    """A new UUID, version 4: 122 random bits."""
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
