"""One figure of assurance: what was counted, and the target that it has to reach."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """How an area is to measure.

    `scratch` is an empty folder of its own, `is_short` asks for the form that the tests run (under 15 s), and `seed` is
    where everything that is drawn comes from: the same seed measures the same cases.
    """

    scratch: Path
    is_short: bool
    seed: int


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report: what was counted, its target in words, whether it holds, and what stands behind it.

    A figure that can't be taken on this machine does not hold; its detail says under `skipped` what is missing.
    """

    name: str
    value: float
    target: str
    holds: bool
    detail: Mapping[str, float | int | str] = {}
