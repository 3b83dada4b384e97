"""The tamper corpus, run: sound logs and tampered ones, put before both verifiers with the anchor from elsewhere."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.trust.answers import Answer, answer_of_package, answer_of_standalone
from tests.trust.clean_logs import draw_log
from tests.trust.tampering import KINDS, OPERATOR, flip_checkpoint, kept


class Outcome(NamedTuple):
    """What came of one seed. Each text names what is wrong; all are empty where everything is as it should be."""

    kind: str
    false_alarms: tuple[str, ...]
    missed: tuple[str, ...]
    disagreements: tuple[str, ...]


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Makes a folder hold these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def run_seed(seed: int, folder: Path) -> Outcome:
    """One sound log, which nobody may complain about, and one tampering with it, which everybody must find."""
    draw = random.Random(seed)
    sound = kept(draw_log(draw))
    write_folder(folder, sound.files)
    answers = _ask(folder, sound.anchor)
    false_alarms = [
        f"{who} on the sound log of seed {seed}: {answer}"
        for who, answer in answers.items()
        if answer.status != "ok" or answer.errors or answer.warnings or answer.anchored_through != len(sound.lines)
    ]
    disagreements = _disagreements(answers, f"the sound log of seed {seed}")

    kind = KINDS[seed % len(KINDS)]
    files = kind(sound, draw)
    assert files != dict(sound.files), f"{kind.__name__} changed nothing at seed {seed}"
    write_folder(folder, files)
    answers = _ask(folder, sound.anchor)
    # A checkpoint whose signer's name was flipped is signed by nobody who is known. The log is sound all the same, so
    # that is a warning; a sound log has none.
    missed = [
        f"{who} on {kind.__name__} of seed {seed}"
        for who, answer in answers.items()
        if answer.status == "ok" and not (kind is flip_checkpoint and answer.warnings)
    ]
    disagreements += _disagreements(answers, f"{kind.__name__} of seed {seed}")
    return Outcome(kind.__name__, tuple(false_alarms), tuple(missed), tuple(disagreements))


def run_seeds(seeds: Iterable[int], folder: Path) -> list[Outcome]:
    """All of these, one after the other."""
    return [run_seed(seed, folder) for seed in seeds]


def _ask(folder: Path, anchor: bytes) -> dict[str, Answer]:
    keys = [OPERATOR.verifier]
    return {
        "the package": answer_of_package(folder, keys=keys, anchors=[anchor]),
        "the standalone verifier": answer_of_standalone(folder, keys=keys, anchors=[anchor]),
    }


def _disagreements(answers: Mapping[str, Answer], what: str) -> list[str]:
    one, other = answers.values()
    if one.in_short == other.in_short:
        return []
    return [f"{what}: {one.in_short} against {other.in_short}, {one.errors ^ other.errors}"]
