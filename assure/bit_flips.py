"""Bit flips: every bit of a ten-event log, and a bit in each byte of everything else that a verification reads.

A flip counts where both verifiers find it and place it: in the log at its line, elsewhere at its file. A snapshot is
found wrong by not being opened: the log is folded instead.
"""

from __future__ import annotations

import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from assure.figure import Figure, Scope
from esaa.kernel.snapshot import SnapshotKey, seal, unseal
from tests.trust.flips import LOG, Flip, every_bit, one_bit_of_each_byte, sound_log, unfound

_BATCH = 400
_LONG = 60


def measure(scope: Scope) -> list[Figure]:
    """Three figures: the ten-event log, the files beside it and the longer log, and the snapshot."""
    step = 61 if scope.is_short else 1
    small = sound_log(scope.seed, 10)
    long = sound_log(scope.seed, _LONG)
    beside = ["roadmap.json", "issues.json", "lessons.json", *(name for name in small.files if "checkpoints" in name)]
    bits = every_bit(small, LOG, step)
    bytes_beside = [flip for name in beside for flip in one_bit_of_each_byte(small, name, scope.seed, min(step, 20))]
    bytes_long = one_bit_of_each_byte(long, LOG, scope.seed, step * 4 if scope.is_short else step)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        work = [(scope.seed, 10, part) for part in _parts(bits)]
        wrong_bits = [text for found in pool.map(_run, work) for text in found]
        work = [(scope.seed, 10, part) for part in _parts(bytes_beside)]
        work += [(scope.seed, _LONG, part) for part in _parts(bytes_long)]
        wrong_bytes = [text for found in pool.map(_run, work) for text in found]
    snapshots, opened = _snapshot_flips(scope)
    return [
        _figure("bits of a ten-event log found at their line", len(bits), wrong_bits),
        _figure(
            "bytes of checkpoints, read models and a longer log found at their line or file",
            len(bytes_beside) + len(bytes_long),
            wrong_bytes,
        ),
        _figure("bytes of a snapshot found", snapshots, opened),
    ]


def _figure(name: str, flips: int, wrong: list[str]) -> Figure:
    detail: dict[str, float | int | str] = {"flips": flips}
    if wrong:
        detail["first"] = wrong[0][:400]
    share = 100 * (1 - len({text.partition(": ")[2] for text in wrong}) / flips)
    return Figure(name=name, value=share, target="100 %", holds=not wrong, detail=detail)


def _parts(flips: list[Flip]) -> list[list[Flip]]:
    return [flips[at : at + _BATCH] for at in range(0, len(flips), _BATCH)]


def _run(work: tuple[int, int, list[Flip]]) -> list[str]:
    seed, events, flips = work
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return unfound(sound_log(seed, events), flips, Path(folder) / "log")


def _snapshot_flips(scope: Scope) -> tuple[int, list[str]]:
    """A flipped byte of a sealed state, opened with the right key: it must not open."""
    draw = random.Random(scope.seed)
    secret = draw.randbytes(32)
    key = SnapshotKey(
        vocabulary="esaa",
        projection_version=1,
        seq=10,
        leaf_hash=draw.randbytes(32).hex(),
        offset=3579,
        line_bytes=240,
        is_chained=True,
    )
    sealed = seal(secret, key, [draw.randbytes(900), b"", b'{"tasks":[]}' * 40])
    assert unseal(secret, sealed) is not None
    places = range(0, len(sealed), 7 if scope.is_short else 1)
    opened: list[str] = []
    for at in places:
        for bit in range(8):
            flipped = bytearray(sealed)
            flipped[at] ^= 1 << bit
            if unseal(secret, bytes(flipped)) is not None:
                opened.append(f"snapshot: byte {at}, bit {bit}")
    return len(places) * 8, opened
