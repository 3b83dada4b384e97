"""Text for a terminal: nothing that comes from a log or an agent may steer it."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Control characters (the escape among them), the marks that reorder or hide text, and halves of characters.
_STEERING = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    """The text with every steering character shown as its code, as JSON writes it, on one line."""
    return _STEERING.sub(_code, text)


def columns(rows: Sequence[Sequence[str]], *, gap: str = "  ") -> list[str]:
    """The rows as aligned lines; the last column is not padded."""
    if not rows:
        return []
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    lines: list[str] = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append(gap.join([*cells, row[-1]]).rstrip())
    return lines


def _code(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
