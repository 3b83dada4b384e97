"""The decider pattern: a command and a state give facts, or a refusal. A refusal is a value, never an exception."""

from __future__ import annotations

from typing import Literal

import msgspec

Layer = Literal[
    "json_parse",
    "schema",
    "vocabulary",
    "state_machine",
    "boundary",
    "immutability",
    "verification_gate",
]

LAYERS: tuple[Layer, ...] = (
    "json_parse",
    "schema",
    "vocabulary",
    "state_machine",
    "boundary",
    "immutability",
    "verification_gate",
)
"""The seven validation layers in the order in which they are asked."""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """Why an intention was refused.

    `reason` is one of the specification's six reject conditions, `error_code` the precise code, `message` says what
    and where, `hint` what to do instead. `counts` is False where the refusal must not cost the task an attempt.
    """

    layer: Layer
    reason: str
    error_code: str
    message: str
    hint: str
    counts: bool = True
