"""The port of anchors: a place outside of the workspace that takes a copy of a checkpoint, and gives it back.

What an anchor gives back is foreign bytes: whoever asks verifies the signatures and compares with the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from esaa.errors import IntegrationError
from esaa.kernel.checkpoint import Checkpoint, CheckpointInvalid, checkpoint_of, parse_note


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a checkpoint was put. `note` is what lies there or came back signed; `files` belong to the receipt."""

    where: str
    note: bytes
    detail: dict[str, str] = {}
    files: Mapping[str, bytes] = {}


class Anchor(Protocol):
    """One configured place, for the checkpoints of one log."""

    def put(self, note: bytes, size: int) -> Placed:
        """Takes a copy, durably as far as the place can say. Again is no error.

        Raises `IntegrationError` where the place cannot be reached, or refuses.
        """
        ...

    def fetch(self) -> Iterator[bytes]:
        """The copies that the place gives back now, in any order. Raises `IntegrationError`."""
        ...


def contradicted(where: str, size: int) -> IntegrationError:
    """The error of a place that holds another history already: two signed heads of one size with different roots."""
    return IntegrationError(
        "ANCHOR_CONTRADICTS",
        f"{where} holds another checkpoint of {size} events: one of the two histories was rewritten.",
        "Keep both copies and run `esaa anchor check`.",
    )


def checkpoint_in(note: bytes) -> Checkpoint | None:
    """The checkpoint in these bytes, or None; no signature is verified."""
    try:
        return checkpoint_of(parse_note(note))
    except CheckpointInvalid:
        return None


def same_head(note: bytes, other: bytes) -> bool:
    """True where two notes are about the same head, whoever signed them."""
    one = checkpoint_in(note)
    return one is not None and one == checkpoint_in(other)
