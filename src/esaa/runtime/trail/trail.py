"""One open trail: its settings, its event types, its store, and what comes from outside (clock, ids, the key)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from esaa.runtime.clock import Clock
from esaa.stores.subject_keys import SubjectKeys
from esaa.stores.trail import TrailStore
from esaa.trail.settings import TrailSettings
from esaa.trail.types import EventTypes

if TYPE_CHECKING:
    from esaa.runtime.trust.trail_checkpoints import TrailCheckpoints

NewId = Callable[[], str]
_DRAWN = 256


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """What every service of the trail is given. `secret` authenticates snapshots; without it none are trusted.
    `subject_keys` seal erasable values. `open_checkpoints` gives what signs the streams, where they have a name."""

    root: Path
    settings: TrailSettings
    types: EventTypes
    store: TrailStore
    clock: Clock
    new_id: NewId
    secret: bytes | None
    subject_keys: SubjectKeys | None = None
    open_checkpoints: Callable[[], TrailCheckpoints] | None = None


_IDS: list[str] = []
"""Ids that were drawn together; asking the system for each costs more than all the rest."""
os.register_at_fork(after_in_child=_IDS.clear)
_AS_VERSION = bytes(one & 0x0F | 0x40 for one in range(256))
_AS_VARIANT = bytes(one & 0x3F | 0x80 for one in range(256))


def random_id() -> str:
    """A new UUID, version 4: 122 random bits."""
    try:
        return _IDS.pop()
    except IndexError:
        drawn = _drawn()
        mine = drawn.pop()
        _IDS.extend(drawn)
        return mine


def _drawn() -> list[str]:
    data = bytearray(os.urandom(16 * _DRAWN))
    data[6::16] = data[6::16].translate(_AS_VERSION)
    data[8::16] = data[8::16].translate(_AS_VARIANT)
    text = data.hex()
    ids: list[str] = []
    for at in range(0, len(text), 32):
        one = text[at : at + 32]
        ids.append(f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}")
    return ids
