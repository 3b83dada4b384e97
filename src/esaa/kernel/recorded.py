"""Drafts (facts that were decided) and recorded events (facts that the log holds).

Both are trees of values, so the garbage collector, which looks for cycles, need not look at them.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

F = TypeVar("F")


class Draft(msgspec.Struct, Generic[F], frozen=True, kw_only=True, gc=False):
    """A fact that was decided and not yet appended. `follows` says that it follows from the first fact of its batch.

    The rest is what a witness brings along; where it is None, the batch and the vocabulary decide.
    """

    actor: str
    fact: F
    follows: bool = False
    event_id: str | None = None
    ts: str | None = None
    schema_version: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


class Recorded(msgspec.Struct, Generic[F], frozen=True, kw_only=True, gc=False):
    """A fact with its place in a stream.

    `version` counts from 1 without gaps (INV-004); `ts` is informative, the order is `version`; `prev_hash` is the
    leaf hash of the line before, in hex, where the writer chains its lines.
    """

    version: int
    event_id: str
    ts: str
    actor: str
    fact: F
    schema_version: str
    command_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    prev_hash: str | None = None
