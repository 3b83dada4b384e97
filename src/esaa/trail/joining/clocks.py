"""Vector clocks: which of two events on different machines came first, where that can be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Order = Literal["before", "after", "equal", "concurrent"]


def ticked(clock: Mapping[str, int], writer: str) -> dict[str, int]:
    """The clock after one more event of a writer."""
    return {**clock, writer: clock.get(writer, 0) + 1}


def joined(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """The earliest clock that knows all that either knows."""
    return {name: max(first.get(name, 0), second.get(name, 0)) for name in sorted({*first, *second})}


def order(first: Mapping[str, int], second: Mapping[str, int]) -> Order:
    """How the first clock stands to the second; `concurrent` where neither knows of the other."""
    names = {*first, *second}
    is_less = any(first.get(name, 0) < second.get(name, 0) for name in names)
    is_more = any(first.get(name, 0) > second.get(name, 0) for name in names)
    if is_less and is_more:
        return "concurrent"
    return "before" if is_less else "after" if is_more else "equal"
