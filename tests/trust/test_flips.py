"""A flipped bit is found by both verifiers and placed at its line or file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from esaa.kernel.chain import leaf_hash
from tests.trust.answers import answer_of_package, answer_of_standalone
from tests.trust.corpus import write_folder
from tests.trust.flips import LOG, every_bit, one_bit_of_each_byte, sound_log, unfound


def test_bits_of_a_log_are_found_at_their_line(tmp_path: Path) -> None:
    sound = sound_log(1, 10)

    assert unfound(sound, every_bit(sound, LOG, step=61), tmp_path) == []


@pytest.mark.parametrize("name", ["roadmap.json", "issues.json", "lessons.json", "checkpoints/latest", "checkpoints/5"])
def test_bits_beside_the_log_are_found_in_their_file(tmp_path: Path, name: str) -> None:
    sound = sound_log(1, 10)

    assert unfound(sound, one_bit_of_each_byte(sound, name, seed=2, step=5), tmp_path) == []


@pytest.mark.parametrize("line", range(2, 11))
def test_a_changed_link_is_blamed_on_the_line_that_holds_it(tmp_path: Path, line: int) -> None:
    # The link names the line before, which is sound: what follows (or this machine's memory) vouches for both.
    sound = sound_log(1, 10)
    lines = list(sound.lines)
    link = leaf_hash(lines[line - 2]).encode()
    lines[line - 1] = lines[line - 1].replace(link, link[:-1] + (b"0" if link[-1:] != b"0" else b"1"))
    write_folder(tmp_path, dict(sound.files) | {LOG: b"".join(one + b"\n" for one in lines)})

    for answer_of in (answer_of_package, answer_of_standalone):
        answer = answer_of(tmp_path)
        assert answer.invalid_from_line == line
        assert ("CHAIN_BROKEN", line, LOG) in answer.errors


def test_a_line_and_the_link_to_it_changed_together_are_blamed_on_the_line(tmp_path: Path) -> None:
    sound = sound_log(1, 10)
    lines = list(sound.lines)
    event = json.loads(lines[3])
    lines[3] = json.dumps(event | {"ts": "2026-03-09T00:00:00Z"}).encode()
    lines[4] = lines[4].replace(json.loads(lines[4])["prev_hash"].encode(), b"0" * 64)
    write_folder(tmp_path, dict(sound.files) | {LOG: b"".join(one + b"\n" for one in lines)})

    for answer_of in (answer_of_package, answer_of_standalone):
        assert answer_of(tmp_path).invalid_from_line == 4
