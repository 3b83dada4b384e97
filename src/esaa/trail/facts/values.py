"""The kinds of values that fields of several types have: moments, counts, digests, closed lists of words."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

_COUNT_MAX = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly

Moment = Annotated[
    str,
    Meta(
        # The lookahead refuses a line feed after the end, which `$` alone would let pass in Python.
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        r"(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$(?!\n)",
    ),
]
"""An ISO-8601 time with its offset from UTC, such as `2025-12-22T10:30:00Z`."""

Count = Annotated[int, Meta(ge=0, le=_COUNT_MAX)]
"""A whole number from 0: a count, a sequence number, a size in bytes, an amount in the smallest unit."""

Number = Annotated[int, Meta(ge=1, le=_COUNT_MAX)]
"""A whole number from 1: the number of a pull request, an attempt, a line."""

Seconds = Annotated[float, Meta(ge=0)]
"""A duration."""

Percent = Annotated[float, Meta(ge=0, le=100)]
"""A share of 100."""

Fraction = Annotated[float, Meta(ge=0, le=1)]
"""A share of 1."""

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
"""A SHA-256 digest in 64 lower-case hexadecimal digits."""

Severity = Literal["critical", "high", "medium", "low", "info"]

Priority = Literal["critical", "highest", "urgent", "high", "medium", "normal", "low", "lowest"]

CiStatus = Literal[
    "none",
    "created",
    "expected",
    "queued",
    "scheduled",
    "waiting",
    "pending",
    "running",
    "in_progress",
    "success",
    "passed",
    "neutral",
    "skipped",
    "failure",
    "failed",
    "error",
    "cancelled",
    "canceled",
    "timed_out",
    "action_required",
    "manual",
    "stale",
    "unknown",
]
"""The words of the common CI systems, each as the system itself writes it."""

RollbackState = Literal["clean", "partial", "dirty", "in_progress", "failed", "not_needed", "not_attempted", "unknown"]
"""What a failure left behind: `clean` is the state from before, `dirty` is neither before nor after."""
