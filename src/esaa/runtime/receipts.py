"""Events and receipts as JSON for `--json`. Stable: other programs read it."""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact
from esaa.protocol.wire import action_of, payload_of
from esaa.runtime.workspace import Receipt


def event_view(recorded: Recorded[Fact]) -> dict[str, Any]:
    """An event with its place; a decided one that was not recorded (dry run) has none."""
    place = (
        {"event_id": recorded.event_id, "event_seq": recorded.version, "ts": recorded.ts} if recorded.version else {}
    )
    return {
        **place,
        "actor": recorded.actor,
        "action": action_of(recorded.fact),
        "payload": payload_of(recorded.fact),
    }


def receipt_view(receipt: Receipt) -> dict[str, Any]:
    """What a command led to."""
    return {
        "accepted": receipt.rejected is None,
        "dry_run": receipt.is_dry_run,
        "repeat": receipt.is_repeat,
        "rejected": None if receipt.rejected is None else msgspec.to_builtins(receipt.rejected),
        "warnings": list(receipt.warnings),
        "notices": list(receipt.notices),
        "events": [event_view(event) for event in receipt.events],
    }
