"""Text for a terminal: nothing that comes from a log or an agent may steer it."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Control characters (the escape among them), and the marks that reorder or hide text.
_STEERING = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def plain(text: str) -> str:
    """The text with every steering character shown as its code, on one line."""
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


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
