"""Given, when, then: what holds passes, and what does not fails with what was decided."""

from __future__ import annotations

import pytest

from esaa.kernel.decider import LAYERS, Rejected
from esaa.kernel.spec import Spec

NO = Rejected(layer="boundary", reason="boundary_violation", error_code="NO", message="no", hint="ask")


def _decide(command: int, total: int) -> tuple[int, ...] | Rejected:
    return NO if total + command > 10 else (command,)


SPEC: Spec[int, int, int] = Spec(fold=sum, decide=_decide)


def test_given_folds_the_facts() -> None:
    assert SPEC.given(1, 2, 3).state == 6


def test_then_takes_exactly_these_facts() -> None:
    SPEC.given(1).when(2).then(2)
    for wrong in ((), (3,), (2, 2)):
        with pytest.raises(AssertionError, match="expected"):
            SPEC.given(1).when(2).then(*wrong)
    with pytest.raises(AssertionError, match="NO"):
        SPEC.given(9).when(2).then(2)


def test_then_rejected_takes_the_code_and_what_else_is_named() -> None:
    outcome = SPEC.given(9).when(2)

    assert outcome.then_rejected("NO") is NO
    outcome.then_rejected("NO", "boundary_violation", "boundary")
    for wrong in (("YES",), ("NO", "schema_violation"), ("NO", None, "schema")):
        with pytest.raises(AssertionError):
            outcome.then_rejected(*wrong)
    with pytest.raises(AssertionError, match="expected NO"):
        SPEC.given(1).when(2).then_rejected("NO")


def test_there_are_seven_layers() -> None:
    assert len(LAYERS) == len(set(LAYERS)) == 7
