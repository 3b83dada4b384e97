"""Words for the summaries of facts: counts, durations, amounts, texts and lists that stay short.

A summary is shown in a terminal and in reports, and its parts come from outside. `line` therefore has the last word
on every summary: one line, no control characters, not too long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import UNSET, UnsetType

LINE_MAX = 160
_BRIEF_MAX = 100
_SHOWN = 3
_DIGEST_SHOWN = 12

T = TypeVar("T")


def line(text: str) -> str:
    """A whole summary: control characters become spaces, and what is too long ends in an ellipsis."""
    shown = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    shown = shown.strip()
    return shown if len(shown) <= LINE_MAX else _cut(shown, LINE_MAX)


def brief(text: str) -> str:
    """The first line of a text, cut where it is long."""
    if len(text) <= _BRIEF_MAX and text.isprintable():
        return text.strip()
    # Only the start of a text of any length is looked at.
    lines = text[: 4 * LINE_MAX].strip().splitlines()
    return _cut(lines[0].rstrip(), _BRIEF_MAX) if lines else ""


def told(template: str, value: T | UnsetType | None, form: Callable[[T], str] | None = None) -> str:
    """The template with the value in the place of `{}`; nothing where there is no value. Texts are made brief."""
    if value is None or value is UNSET or value == "":
        return ""
    return template.replace("{}", brief(str(value)) if form is None else form(value))


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def seconds(duration: float) -> str:
    """A duration for people: `45 s`, `12 min`, `1 h 5 min`."""
    if duration < 120 or not math.isfinite(duration):
        return f"{duration:g} s"
    minutes = round(duration / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def listed(items: Sequence[str]) -> str:
    """The first few items and how many more there are."""
    more = len(items) - _SHOWN
    return ", ".join(brief(one) for one in items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def quantity(amount: int, unit: str) -> str:
    """An amount in the smallest unit, for people: `12,000 tokens`, `$0.45`, `12 min`."""
    if unit == "micro_usd":
        # Whole cents are enough from a cent upwards; below, each digit counts.
        small = f"{amount / 1_000_000:.6f}".rstrip("0").rstrip(".")
        return f"${amount / 1_000_000:,.2f}" if amount >= 10_000 else f"${small}"
    if unit == "seconds":
        return seconds(amount)
    return f"{amount:,} {unit}"


def dollars(micro_usd: int) -> str:
    """Money kept in millionths of a dollar, for people."""
    return quantity(micro_usd, "micro_usd")


def size(size_bytes: int) -> str:
    """A size for people: `812 bytes`, `14 KiB`, `2.5 MiB`."""
    if size_bytes < 1024:
        return counted(size_bytes, "byte")
    value, unit = size_bytes / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}"


def short(digest: str) -> str:
    """The start of a digest or of the name of a commit."""
    return brief(digest)[:_DIGEST_SHOWN]


def _cut(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else text[: length_max - 1].rstrip() + "…"
