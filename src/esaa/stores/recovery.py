"""The tail rule: what a crash left unacknowledged at the end of a log goes to quarantine, and the log is cut back.

Damage anywhere else is never cut: it is reported as `CorruptLog` and copied aside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from esaa.kernel.canonical import sha256_hex
from esaa.stores.archive import Quarantine
from esaa.stores.jsonl import JsonlStore, storage_error

F = TypeVar("F")


class TailRepair(msgspec.Struct, frozen=True, kw_only=True):
    """What was cut off: its size and digest, and where the copy lies."""

    removed_bytes: int
    sha256: str
    quarantine: str


def cut_tail(store: JsonlStore[F], keep: int, quarantine: Quarantine, ts: str) -> TailRepair:
    """Copies everything from offset `keep` on to quarantine, durably, and then cuts the log there."""
    with store.path.open("rb") as file:
        file.seek(keep)
        tail = file.read()
    copy = quarantine.keep("torn-tail", tail, ts)
    try:
        store.cut(keep)
    except OSError as error:
        raise storage_error(store.path, error) from error
    return TailRepair(removed_bytes=len(tail), sha256=sha256_hex(tail), quarantine=_shown(copy))


def _shown(path: Path) -> str:
    return "/".join(path.parts[-3:])
