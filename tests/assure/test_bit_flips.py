"""The short form of the bit flips, and that a flip nobody sees is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from assure import bit_flips
from assure.figure import Scope
from tests.trust import flips
from tests.trust.answers import Answer


def test_flipped_bits_in_short(short_scope: Scope) -> None:
    figures = bit_flips.measure(short_scope)

    assert [figure.value for figure in figures] == [100, 100, 100], [figure.detail for figure in figures]
    assert all(figure.holds and int(figure.detail["flips"]) > 200 for figure in figures)


def test_a_verifier_that_sees_the_flip_at_another_line_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Answer("corrupted", 3, None, None, 2, frozenset(), frozenset())
    monkeypatch.setattr(flips, "answer_of_package", lambda *args, **more: elsewhere)
    monkeypatch.setattr(flips, "answer_of_standalone", lambda *args, **more: elsewhere)
    sound = flips.sound_log(1, 10)
    of_line_three = len(b"".join(line + b"\n" for line in sound.lines[:2]))

    assert flips.unfound(sound, [flips.Flip(flips.LOG, of_line_three, 0)], tmp_path) == []
    assert len(flips.unfound(sound, [flips.Flip(flips.LOG, 0, 0)], tmp_path)) == 2
