"""What an audit finds: one value per finding, with its line, its rule, and what to do."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "note"]
Effect = Literal["corrupted", "mismatch"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An *error* decides the status by its `effect`; a *warning* counts only under `--strict`; a *note* never.

    `line` is the line of the log, or None where the finding is about another file (`where`).
    """

    code: str
    severity: Severity
    effect: Effect
    line: int | None
    where: str
    message: str
    hint: str
