"""What a verifier answers, in a form in which two of them can be compared: the status, and where the log is invalid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from esaa.runtime.verification import find_target, verify
from tools import verify_standalone


class Answer(NamedTuple):
    """The status, the line from which on the log is invalid, and every error with its line."""

    status: str
    invalid_from_line: int | None
    errors: frozenset[tuple[str, int | None, str]]


def answer_of_package(path: Path, *, strict: bool = False) -> Answer:
    """The answer of `esaa verify`."""
    verdict = verify(find_target(path), strict=strict)
    errors = {(one.code, one.line, one.where) for one in verdict.findings if one.severity == "error"}
    return Answer(verdict.verify_status, verdict.trust.invalid_from_line, frozenset(errors))


def answer_of_standalone(
    path: Path,
    *,
    strict: bool = False,
    keys: Sequence[verify_standalone.Key] = (),
    checkpoints: Sequence[tuple[str, bytes]] = (),
) -> Answer:
    """The answer of the standalone file."""
    verdict = verify_standalone.verify(path, keys, checkpoints, strict)
    errors = {(one.code, one.line, one.where) for one in verdict.findings if one.severity == "error"}
    return Answer(verdict.status, verdict.trust.invalid_from_line, frozenset(errors))
