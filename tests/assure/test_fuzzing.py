"""The fuzzer finds nothing at two doors in a few thousand inputs; and it does find what is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from assure import fuzzing
from assure.doors import Door
from assure.figure import Scope

HAS_ATHERIS = importlib.util.find_spec("atheris") is not None


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    return Scope(scratch=tmp_path, is_short=True, seed=1)


@pytest.mark.skipif(not HAS_ATHERIS, reason="there is no atheris for this Python and this machine")
def test_fuzzer_finds_nothing(scope: Scope) -> None:
    (figure,) = fuzzing.measure(scope)
    assert figure.holds, figure
    assert int(figure.detail["inputs"]) >= 4000


@pytest.mark.skipif(not HAS_ATHERIS, reason="there is no atheris for this Python and this machine")
def test_door_that_breaks_is_found(scope: Scope) -> None:
    found = fuzzing.fuzz(Door("breaks", bytes, (), (b"",)), scope, target="tests.assure.breaking_target")
    assert found.complaint
    assert "KeyError" in found.complaint


def test_machine_without_the_fuzzer_says_so(
    scope: Scope, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert fuzzing.measure(scope) == []
    assert "SKIPPED" in capsys.readouterr().out
