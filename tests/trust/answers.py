"""What a verifier answers, in a form in which two of them can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from esaa.kernel.checkpoint import VerifierKey, format_vkey
from esaa.runtime.verification.checkpoint_audit import Given
from esaa.runtime.verification.verify import find_target, verify
from tools import verify_standalone


class Answer(NamedTuple):
    """The status, the three-valued trust with what stands behind it, and every error with its line."""

    status: str
    invalid_from_line: int | None
    anchored_through: int | None
    signed_through: int | None
    unanchored_tail: int
    errors: frozenset[tuple[str, int | None, str]]
    warnings: frozenset[tuple[str, int | None, str]]

    @property
    def in_short(self) -> tuple[str, int | None, int | None, int | None, int]:
        """What both verifiers must agree on: everything but how many codes they have for the same damage."""
        return self.status, self.invalid_from_line, self.anchored_through, self.signed_through, self.unanchored_tail


def answer_of_package(
    path: Path, *, strict: bool = False, keys: Sequence[VerifierKey] = (), anchors: Sequence[bytes] = ()
) -> Answer:
    """The answer of `esaa verify`, which knows nothing but what it is given."""
    given = [Given(where="anchor", data=data) for data in anchors]
    verdict = verify(find_target(path), strict=strict, keys=keys, given=given)
    found = {severity: set[tuple[str, int | None, str]]() for severity in ("error", "warning")}
    for one in verdict.findings:
        found[one.severity].add((one.code, one.line, one.where))
    trust = verdict.trust
    return Answer(
        verdict.verify_status,
        trust.invalid_from_line,
        trust.anchored_through,
        trust.signed_through,
        trust.unanchored_tail,
        frozenset(found["error"]),
        frozenset(found["warning"]),
    )


def answer_of_standalone(
    path: Path, *, strict: bool = False, keys: Sequence[VerifierKey] = (), anchors: Sequence[bytes] = ()
) -> Answer:
    """The answer of the standalone file; keys go over as the text that people exchange."""
    own_keys = [verify_standalone.parse_key(format_vkey(key)) for key in keys]
    verdict = verify_standalone.verify(path, own_keys, [("anchor", data) for data in anchors], strict)
    found = {severity: set[tuple[str, int | None, str]]() for severity in ("error", "warning")}
    for one in verdict.findings:
        found[one.severity].add((one.code, one.line, one.where))
    trust = verdict.trust
    return Answer(
        verdict.status,
        trust.invalid_from_line,
        trust.anchored_through,
        trust.signed_through,
        trust.unanchored_tail,
        frozenset(found["error"]),
        frozenset(found["warning"]),
    )
