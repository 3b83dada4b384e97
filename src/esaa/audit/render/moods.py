"""How good a state is: what a badge's ground says beside its word."""

from __future__ import annotations

from typing import Literal

Mood = Literal["good", "bad", "warn", "plain"]

_GOOD = frozenset((
    "completed", "passed", "resolved", "recovered", "overcome", "merged", "granted", "done", "intact",
))  # fmt: skip
_BAD = frozenset(("failed", "broken", "unrecovered", "denied", "critical", "aborted"))
_WARN = frozenset((
    "open", "escalated", "recovering", "expired", "high", "rolled back", "interrupted", "paused", "in progress",
    "active", "refused",
))  # fmt: skip


def mood_of(word: str) -> Mood:
    """The mood of a state; `plain` for any other word."""
    return "good" if word in _GOOD else "bad" if word in _BAD else "warn" if word in _WARN else "plain"
