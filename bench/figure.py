"""One figure: what was measured, and the bar that it has to hold."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report: the measured ratio, the bar, and what stands behind it."""

    name: str
    ratio: float
    bar: float
    unit: str = "x"
    detail: Mapping[str, float | int | str] = {}

    @property
    def holds(self) -> bool:
        """True when the ratio is within the bar."""
        return self.ratio <= self.bar
