"""Any changed byte of a chained log is detected: verify never says ok."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.protocol.facts import Fact, VerificationPassed, ViewMutated
from esaa.protocol.roadmap import projection_hash
from esaa.runtime.verification.verify import find_target, verify
from tests.scenarios import (
    approved,
    claimed,
    completed,
    created,
    fold,
    folded,
    log_lines,
    reported,
    run_start,
    story,
)

FACTS: list[Fact] = [
    run_start(project_name="é"),
    created("T-1", outputs=["src/a.py"]),
    claimed(),
    ViewMutated(target="roadmap", change="projected"),
    completed(),
    ViewMutated(target="roadmap", change="projected"),
    approved(),
    reported(),
    ViewMutated(target="issues", change="projected"),
]
PASSED = VerificationPassed(projection_hash_sha256=projection_hash(folded(*FACTS)))
LINES = log_lines(story(*FACTS, PASSED))
DATA = b"".join(line + b"\n" for line in LINES)


def _status(tmp_path: Path, data: bytes) -> str:
    log = tmp_path / "activity.jsonl"
    log.write_bytes(data)
    return verify(find_target(log), strict=True).verify_status


def _same_bytes_but_the_last_line(data: bytes) -> bool:
    """Nothing comes after the last line that could tell of a change in it: only a checkpoint elsewhere can."""
    return data.startswith(b"".join(line + b"\n" for line in LINES[:-1]))


def test_ten_lines_verify_as_they_are(tmp_path: Path) -> None:
    assert len(LINES) == 10
    assert _status(tmp_path, DATA) == "ok"
    assert fold(story(*FACTS, PASSED)).header.verify_status == "ok"


def test_every_changed_byte_before_the_last_line_is_detected(tmp_path: Path) -> None:
    protected = len(DATA) - len(LINES[-1]) - 1
    missed: list[int] = []
    for place in range(protected):
        changed = bytearray(DATA)
        changed[place] ^= (0x01, 0x20, 0x80)[place % 3]
        if _status(tmp_path, bytes(changed)) == "ok":
            missed.append(place)

    assert missed == []


def test_changed_byte_of_the_last_line_is_detected_where_it_means_something(tmp_path: Path) -> None:
    """The last line has no successor; its link, its place and its hash are judged, free texts of it cannot be."""
    start = len(DATA) - len(LINES[-1]) - 1
    missed: set[str] = set()
    for place in range(start, len(DATA) - 1):
        changed = bytearray(DATA)
        changed[place] ^= 0x01
        if _status(tmp_path, bytes(changed)) == "ok":
            before = LINES[-1][: place - start].rpartition(b',"')[2]
            missed.add(before.partition(b'"')[0].decode())

    assert missed <= {"ts", "actor", "schema_version", "{"}


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.data())
def test_cut_insertion_and_repetition_are_detected(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(DATA) - 1))
    end = data.draw(st.integers(start, min(len(DATA), start + 400)))
    middle = data.draw(st.binary(max_size=6) | st.just(DATA[start:end] * 2))
    changed = DATA[:start] + middle + DATA[end:]
    meaning = [line for line in changed.split(b"\n") if line.strip()]
    if meaning == LINES or _same_bytes_but_the_last_line(changed):
        return  # nothing but blank lines, or the end of the log alone
    if meaning == LINES[: len(meaning)]:
        return  # whole lines were cut off the end: only a checkpoint kept elsewhere can tell

    assert _status(tmp_path_factory.mktemp("log"), changed) != "ok"
