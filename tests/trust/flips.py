"""One bit of a file is flipped: do both verifiers find it, and say where?"""

from __future__ import annotations

import bisect
import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from esaa.kernel.chain import leaf_hash
from esaa.stores.base import Head
from esaa.stores.views import Cursors
from tests.trust.answers import Answer, answer_of_package, answer_of_standalone
from tests.trust.clean_logs import draw_log
from tests.trust.corpus import write_folder
from tests.trust.tampering import OPERATOR, Sound, kept

LOG = "activity.jsonl"


class Flip(NamedTuple):
    """A file of the folder, a byte of it, and a bit of that."""

    name: str
    at: int
    bit: int


def sound_log(seed: int, events: int) -> Sound:
    """A sound log of exactly so many events, with its checkpoints, on the machine that wrote it.

    That machine remembers the last line that it wrote. Without this, or another checkpoint, a change of the last line
    cannot be told from one of any line after the last checkpoint that holds.
    """
    while True:
        log = draw_log(random.Random(seed), events, events)
        if len(log.lines) == events and log.files["issues.json"].count(b"ISS-") + events > 10:
            break
        seed += 1
    sound = kept(log)
    last = log.lines[-1]
    size = len(log.files[LOG])
    head = Head(version=events, leaf_hash=leaf_hash(last), offset=size, line_bytes=len(last) + 1, is_chained=True)
    cursors = msgspec.json.encode(Cursors(published=head, projected_seq=events))
    return sound._replace(files=dict(sound.files) | {".esaa/cursors.json": cursors})


def every_bit(sound: Sound, name: str, step: int = 1) -> list[Flip]:
    """Each bit of a file; with a step, every so many of them."""
    return [Flip(name, *divmod(bit, 8)) for bit in range(0, 8 * len(sound.files[name]), step)]


def one_bit_of_each_byte(sound: Sound, name: str, seed: int, step: int = 1) -> list[Flip]:
    """For each byte of a file a drawn bit."""
    draw = random.Random(seed)
    return [Flip(name, at, draw.randrange(8)) for at in range(0, len(sound.files[name]), step)]


def unfound(sound: Sound, flips: Iterable[Flip], folder: Path) -> list[str]:
    """The flips that a verifier missed, or placed elsewhere, each in words."""
    write_folder(folder, sound.files)
    starts = [0]
    for stored in sound.lines:
        starts.append(starts[-1] + len(stored) + 1)
    wrong: list[str] = []
    for flip in flips:
        content = bytearray(sound.files[flip.name])
        content[flip.at] ^= 1 << flip.bit
        path = folder / flip.name
        path.write_bytes(content)
        line = bisect.bisect_right(starts, flip.at) if flip.name == LOG else None
        for answer_of in (answer_of_package, answer_of_standalone):
            answer = answer_of(folder, keys=[OPERATOR.verifier], anchors=[sound.anchor])
            if not _is_placed(answer, flip, line):
                wrong.append(f"{answer_of.__name__}: {flip}, line {line}: {answer}")
    for name in {flip.name for flip in flips}:
        (folder / name).write_bytes(sound.files[name])
    return wrong


def _is_placed(answer: Answer, flip: Flip, line: int | None) -> bool:
    if line is not None:
        return answer.status == "corrupted" and answer.invalid_from_line == line
    if answer.invalid_from_line is not None:
        return False
    # A flipped signer's name leaves a checkpoint that nobody known has signed: the log is sound, so it is a warning.
    found = answer.errors | (answer.warnings if flip.name.startswith("checkpoints/") else frozenset())
    return flip.name in {where for _, _, where in found}
