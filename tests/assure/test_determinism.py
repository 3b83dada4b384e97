"""The short form of the determinism figure, and that it notices what it is there for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assure import determinism
from assure.figure import Scope


def test_other_surroundings_give_the_same_digests(short_scope: Scope) -> None:
    (figure,) = determinism.measure(short_scope)
    assert figure.holds, figure.detail
    assert int(figure.detail["digests_compared"]) > 100


def test_a_fold_that_asks_the_hash_seed_is_noticed(
    short_scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stands in for the interpreter, and says of each log something that only this process says.
    liar = tmp_path / "liar"
    liar.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        "print(json.dumps({'log: projection': 'a', 'log: projection over the snapshot at 3': hash('a') % 2}))\n"
    )
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    monkeypatch.setattr(determinism, "_logs", lambda scope: [])
    monkeypatch.setattr(determinism, "LOCALES", {})
    (figure,) = determinism.measure(short_scope)
    assert not figure.holds
    assert figure.value == 50
    assert "over the snapshot at 3" in str(figure.detail["first_difference"])
