"""Whatever is done to a log, its read models or its checkpoints is found, by both verifiers and at the same line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.trust.answers import answer_of_package, answer_of_standalone
from tests.trust.clean_logs import draw_log
from tests.trust.corpus import run_seed, write_folder
from tests.trust.tampering import (
    KINDS,
    OPERATOR,
    kept,
    replace_signed_by_operator,
    rewrite_signed_by_operator,
    rewrite_without_checkpoints,
    truncate_signed_by_operator,
)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_tampering_is_found_and_a_sound_log_is_not_complained_about(number: int, tmp_path: Path) -> None:
    for seed in (number, number + len(KINDS), number + 2 * len(KINDS)):
        outcome = run_seed(seed, tmp_path / "log")

        assert outcome.false_alarms == outcome.missed == outcome.disagreements == ()


@pytest.mark.parametrize("kind", [rewrite_signed_by_operator, truncate_signed_by_operator, replace_signed_by_operator])
def test_what_the_operator_signed_again_is_found_by_the_anchor_alone(kind: object, tmp_path: Path) -> None:
    # The documented limit (docs/trust.md): without a checkpoint elsewhere, who holds the key can write any history.
    assert callable(kind)
    for seed in range(5):
        draw = random.Random(seed)
        sound = kept(draw_log(draw))
        write_folder(tmp_path, kind(sound, draw))
        for answer_of in (answer_of_package, answer_of_standalone):
            alone = answer_of(tmp_path, keys=[OPERATOR.verifier])
            anchored = answer_of(tmp_path, keys=[OPERATOR.verifier], anchors=[sound.anchor])

            assert anchored.status == "corrupted"
            if not alone.errors:  # an edit may break a rule of the protocol besides
                assert (alone.status, alone.anchored_through) == ("ok", None)


def test_who_throws_the_checkpoints_away_is_not_believed_more_than_before(tmp_path: Path) -> None:
    draw = random.Random(3)
    sound = kept(draw_log(draw))
    write_folder(tmp_path, rewrite_without_checkpoints(sound, draw))

    for answer_of in (answer_of_package, answer_of_standalone):
        answer = answer_of(tmp_path, keys=[OPERATOR.verifier])
        assert (answer.anchored_through, answer.signed_through) == (None, None)
