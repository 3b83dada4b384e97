"""The short form of the tamper figures, and that they notice a verifier that looks away."""

from __future__ import annotations

from pathlib import Path

import pytest

from assure import tampering
from assure.figure import Scope
from tests.trust import corpus
from tests.trust.answers import Answer


def test_corpus_in_short(short_scope: Scope) -> None:
    figures = tampering.measure(short_scope)

    assert [figure.value for figure in figures] == [0, 0, 0], [figure.detail for figure in figures]
    assert all(figure.holds for figure in figures)
    assert {figure.detail["kinds"] for figure in figures} == {27}


def test_a_verifier_that_says_ok_to_everything_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = Answer("ok", None, None, None, 0, frozenset(), frozenset())
    monkeypatch.setattr(corpus, "answer_of_standalone", lambda *args, **more: blind)
    outcome = corpus.run_seed(1, tmp_path / "log")

    assert outcome.missed == ("the standalone verifier on flip of seed 1",)
    assert outcome.false_alarms  # it does not name the anchor either
    assert len(outcome.disagreements) == 2
