"""Lines of JSON as a command line prints them, and careful looks into them: whatever is no JSON or has another shape
is passed over, since another version may print more than we know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

Line = dict[str, Any]  # the shape is the vendor's; each value is looked at through the functions below


def json_lines(output: bytes) -> Iterator[Line]:
    """The objects among the lines."""
    for line in output.splitlines():
        if not line.lstrip().startswith(b"{"):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def part(value: object, *keys: str) -> Line:
    """The object below these keys, or an empty one."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    """A text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def count(value: object) -> int:
    """A number of tokens; 0 for everything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def micro_usd(value: object) -> int | None:
    """US dollars as whole millionths, rounded, or None where it is no amount."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        amount = int((Decimal(str(value)) * 1_000_000).to_integral_value())
    except (InvalidOperation, OverflowError, ValueError):
        return None
    return amount if amount >= 0 else None
