"""What all facts of the trail have in common.

A fact is the typed `metadata` of an event. The Struct gives the fields their types, the docstring their meaning, and
`summary` the line that a timeline shows.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

Json = Any  # a JSON value whose shape belongs to the tool that sent it
Data = dict[str, Any]  # a JSON object whose keys belong to the tool that sent it
Text = str
Maybe = UnsetType


class TrailFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all facts of the trail. The wire name of a type is the name of its class.

    Class attributes say what a type is to the rest of the engine:

    - `version`: the semantic version of the schema that is written today.
    - `is_repeatable`: True where doing it again is safe and makes sense; only then a replay may hand it to a handler.
    - `phase_field`, `agent_field`: the field that names the phase, or the agent, that the event is about.

    Fields that mean the same wherever they occur:

    - `extra`: anything else worth keeping, as a JSON object; never read by a projection.
    - `phase`: the phase that the event is about, such as `EXPLORE`, `PLAN`, `CODE`, `TEST`, `FIX` or `DOCUMENT`.
    - `agent_name`: the agent that the event is about.
    - `issue_key`: the tracker issue again, where the tool that reports names it.
    - `duration_seconds`: how long it took.
    """

    version: ClassVar[str] = "1.0.0"
    is_repeatable: ClassVar[bool] = False
    phase_field: ClassVar[str | None] = "phase"
    agent_field: ClassVar[str | None] = "agent_name"

    extra: Data | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line, without who and when."""
        raise NotImplementedError


def named(fact: TrailFact, field: str | None) -> str | None:
    """The text in a field of a fact, or None where the type has no such field or it is not set."""
    value = getattr(fact, field, None) if field else None
    return value if isinstance(value, str) else None


def phase_of(fact: TrailFact) -> str | None:
    """The phase that a fact is about, or None."""
    return named(fact, fact.phase_field)


def agent_of(fact: TrailFact) -> str | None:
    """The agent that a fact is about, or None."""
    return named(fact, fact.agent_field)
