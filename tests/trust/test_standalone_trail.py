"""Streams of the trail: the standalone file finds what the package finds, at the same event."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.kernel.checkpoint import format_vkey
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.verification import verify_stream
from esaa.runtime.verification.checkpoint_audit import Given
from tests.trails import ISSUE, MORNING, a_recorder, a_trail, phase
from tests.trust.tampering import ORIGIN, Signer
from tools import verify_standalone

SIGNER = Signer(1, ORIGIN)
STREAM = f"{ORIGIN}/trail/{ISSUE}"

Lines = list[bytes]


def _edited(lines: Lines, draw: random.Random) -> Lines:
    at = draw.randrange(len(lines))
    return [*lines[:at], lines[at].replace(b'"PLAN', b'"PLOT'), *lines[at + 1 :]]


def _relinked(lines: Lines, draw: random.Random) -> Lines:
    at = draw.randrange(1, len(lines) - 1)
    link = json.loads(lines[at])["prev_hash"].encode()
    return [*lines[:at], lines[at].replace(link, b"0" * 64), *lines[at + 1 :]]


def _deleted(lines: Lines, draw: random.Random) -> Lines:
    at = draw.randrange(1, len(lines) - 1)
    return lines[:at] + lines[at + 1 :]


def _doubled(lines: Lines, draw: random.Random) -> Lines:
    at = draw.randrange(len(lines))
    return lines[: at + 1] + lines[at:]


def _reordered(lines: Lines, draw: random.Random) -> Lines:
    at = draw.randrange(1, len(lines) - 1)
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def _garbled(lines: Lines, draw: random.Random) -> Lines:
    at = draw.randrange(1, len(lines) - 1)
    return [*lines[:at], lines[at][:-1], *lines[at + 1 :]]


def _cut(lines: Lines, draw: random.Random) -> Lines:
    return lines[: draw.randrange(1, len(lines))]


@pytest.fixture
def stream(tmp_path: Path) -> tuple[Path, Path, Lines]:
    """A trail of three days with a stream of 24 events: its root, the file of the second day, and its lines."""
    clock = ManualClock(MORNING)
    (tmp_path / ".roadmap").mkdir()
    (tmp_path / ".roadmap" / "origin").write_text(f"{ORIGIN}\n")
    for day in range(3):
        with a_recorder(tmp_path, clock=clock, new_id=_ids(day)) as recorder:
            recorder.record_many([phase(f"PLAN-{day}-{number}") for number in range(8)])
        clock.advance(86_400)
    files = sorted((tmp_path / "events").glob("2*/PROJ-123/events.jsonl"))
    assert len(files) == 3
    return tmp_path, files[1], files[1].read_bytes().splitlines()


def _ids(day: int) -> Callable[[], str]:
    numbers = iter(range(1, 1000))
    return lambda: f"{day:08x}-0000-4000-8000-{next(numbers):012x}"


def _anchor(root: Path) -> bytes:
    stored = a_trail(root).store.stream(ISSUE).events()
    return SIGNER.checkpoint(tuple(located.line for located in stored), STREAM)


def _both(root: Path, anchor: bytes) -> tuple[tuple[bool, int | None, int | None], tuple[bool, int | None, int | None]]:
    verdict = verify_stream(a_trail(root), ISSUE, keys=[SIGNER.verifier], given=[Given(where="anchor", data=anchor)])
    key = verify_standalone.parse_key(format_vkey(SIGNER.verifier))
    trust, findings = verify_standalone.verify_trail(root / "events", [key], [("anchor", anchor)])[ISSUE]
    is_sound = not any(one.severity == "error" for one in findings)
    package = verdict.is_sound, verdict.trust.invalid_from_line, verdict.trust.anchored_through
    return package, (is_sound, trust.invalid_from_line, trust.anchored_through)


def test_sound_stream_is_anchored_for_both(stream: tuple[Path, Path, Lines]) -> None:
    root, _, _ = stream

    assert _both(root, _anchor(root)) == ((True, None, 24), (True, None, 24))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tamper", [_edited, _relinked, _deleted, _doubled, _reordered, _garbled, _cut])
def test_both_find_what_was_done_to_a_stream_at_the_same_event(
    stream: tuple[Path, Path, Lines], tamper: Callable[[Lines, random.Random], Lines], seed: int
) -> None:
    root, file, lines = stream
    anchor = _anchor(root)
    changed = tamper(lines, random.Random(seed))
    assert changed != lines
    file.write_bytes(b"".join(line + b"\n" for line in changed))

    package, standalone = _both(root, anchor)

    assert not package[0]
    assert standalone == package
