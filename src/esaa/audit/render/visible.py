"""Texts from events as a page may show them: nothing in them hides, reorders or steers."""

from __future__ import annotations

import re

# Control characters, the marks that reorder, join or fill without being seen, and what XML has no place for.
# A variation selector after a symbol is how an emoji is written, and no more than one of them.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]|(?<![\u00a9-\u3299\U0001f000-\U0001ffff])[\ufe0e\ufe0f]"
)
_BREAKS = {"\n": "⏎", "\t": "⇥"}


def visible(text: str) -> str:
    """The text on one line, with every character that cannot be seen as its code: `[U+202E]`."""
    return _HIDDEN.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    return _BREAKS.get(found.group()) or f"[U+{ord(found.group()):04X}]"
