"""Text for a terminal: nothing that comes from a log or an agent may steer it."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Control characters (the escape among them), the marks that reorder or hide text or a message in it, letters that
# nobody sees, and halves of characters. A joiner within an emoji is shown as its code too: better so than hidden.
_STEERING = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def plain(text: str) -> str:
    """The text with every steering character shown as its code, as JSON writes it, on one line."""
    return _STEERING.sub(_code, text)


def for_screen(text: str) -> str:
    """A text of many lines, in which only line feeds and tabs are what they are."""
    return "\n".join(plain(line) for line in text.replace("\r\n", "\n").split("\n"))


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
