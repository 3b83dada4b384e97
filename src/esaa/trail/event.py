"""An event of the trail: what was witnessed, by whom, in which circumstances."""

from __future__ import annotations

from typing import Literal

import msgspec

from esaa.kernel.erasable import Erasable
from esaa.kernel.recorded import Recorded
from esaa.redaction.note import Redaction

GLOBAL = "global"
"""The stream of events that belong to no issue."""

ActorType = Literal["user", "system", "agent"]


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who acted: a user, a part of the system, or an agent with the model behind it."""

    type: ActorType
    id: str
    model: str | None = None


class GateFinding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a quality gate found: the gate's number in the specification (1 to 8), the field, the rule, what to do."""

    gate: int
    code: str
    path: str
    message: str
    hint: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The event of the governed run that this one tells of: its id, and the leaf hash of its line."""

    event_id: str
    leaf_hash: str


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a line stood before a merge. With it the line of that time can be made again, byte for byte."""

    event_sequence: int
    prev_hash: str | None = None
    timestamp: str | None = None


class Witnessed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the envelope says beyond place and time.

    `metadata` is the JSON object as it was sent; secrets are taken out, and what is erasable. `occurred_at` is the
    witness's own time where it lies before the last event of the stream. `findings` are those of a lenient store: the
    event was recorded nevertheless.
    """

    event_type: str
    metadata: msgspec.Raw
    issue_key: str | None
    session_id: str
    actor: Actor
    git_sha: str | None = None
    branch: str | None = None
    codebase_state: str | None = None
    vector_clock: dict[str, int] | None = None
    occurred_at: str | None = None
    redaction: tuple[Redaction, ...] | None = None
    erasable: tuple[Erasable, ...] | None = None
    findings: tuple[GateFinding, ...] | None = None
    source: Source | None = None
    origin: Origin | None = None


TrailEvent = Recorded[Witnessed]


def stream_of(event: TrailEvent) -> str:
    """The stream that an event belongs to."""
    return event.fact.issue_key or GLOBAL
