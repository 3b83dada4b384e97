"""The short form of the figure of independent verifiers, and that a verifier that is wrong is noticed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from assure import verifiers
from assure.figure import Scope
from assure.proof_cases import Case, draw_cases


def test_four_independent_verifiers_agree_with_the_package(short_scope: Scope, need_tool: Callable[[str], str]) -> None:
    for command in ("go", "openssl"):
        need_tool(command)
    (figure,) = verifiers.measure(short_scope)
    missing = [f"{name}: {said}" for name, said in figure.detail.items() if str(said).startswith("skipped")]
    if missing and os.environ.get("CI") != "true":
        pytest.skip("; ".join(missing))

    assert (figure.value, figure.holds) == (4, True), figure.detail


def test_every_kind_of_spoiling_is_there_and_none_of_them_is_believed() -> None:
    cases = draw_cases(1, 40, 2)
    spoilt = {(case.kind, case.spoilt) for case in cases if case.truth is False}

    assert len(spoilt) >= 20
    assert {case.kind for case in cases if case.truth} == {"root", "inclusion", "consistency", "note"}
    assert all(verifiers.judge_ours(case) == case.truth for case in cases if case.truth is not None)


def test_a_verifier_that_believes_everything_does_not_count(
    short_scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    def credulous(cases: Sequence[Case], scratch: Path) -> verifiers.Answers:
        return [True] * len(cases)

    monkeypatch.setattr(verifiers, "VERIFIERS", {"credulous": credulous})
    (figure,) = verifiers.measure(short_scope)

    assert (figure.value, figure.holds) == (0, False)
    assert "differs" in str(figure.detail["credulous"])


def test_a_verifier_that_is_not_here_fails_the_figure_by_its_name(
    short_scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda command: None)
    (figure,) = verifiers.measure(short_scope)

    assert not figure.holds
    assert str(figure.detail["openssl"]).startswith("skipped")
    assert "golang-go" in str(figure.detail["go x/mod/sumdb"])
