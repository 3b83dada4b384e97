"""Finding lines without reading the log: backwards over chunk borders, and by bisection."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.kernel.recorded import Draft
from esaa.protocol.facts import Fact, TaskCreated
from esaa.protocol.wire import ProtocolVocabulary
from esaa.stores.base import Batch
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore
from esaa.stores.locate import events_from, lines_backwards, offset_of

VOCABULARY = ProtocolVocabulary("0.4.0")
CHUNK = 64 * 1024


def backwards_by_hand(data: bytes) -> list[tuple[bytes, int]]:
    found: list[tuple[bytes, int]] = []
    start = 0
    for line in data.split(b"\n"):
        if line:
            found.append((line, start))
        start += len(line) + 1
    return found[::-1]


@pytest.mark.parametrize("size", [1, CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 7])
@pytest.mark.parametrize("end", [b"\n", b"", b"\n\n"])
def test_lines_come_backwards_with_their_offsets_over_every_chunk_border(tmp_path: Path, size: int, end: bytes) -> None:
    path = tmp_path / "log"
    for before in (b"", b"a\n", b"first line\nsecond\n"):
        data = before + b"x" * size + b"\n" + b"last" + end
        path.write_bytes(data)
        assert list(lines_backwards(path)) == backwards_by_hand(data)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.one_of(st.integers(0, 5), st.integers(CHUNK - 3, CHUNK + 3)), max_size=6), ends=st.booleans())
def test_lines_backwards_are_the_lines_reversed(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], ends: bool
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    data = b"\n".join(bytes([65 + number]) * size for number, size in enumerate(sizes)) + (b"\n" if ends else b"")
    path.write_bytes(data)
    assert list(lines_backwards(path)) == backwards_by_hand(data)


def test_missing_and_empty_files_have_no_lines(tmp_path: Path) -> None:
    assert list(lines_backwards(tmp_path / "none")) == []
    (tmp_path / "empty").write_bytes(b"")
    assert list(lines_backwards(tmp_path / "empty")) == []
    assert list(events_from(tmp_path / "none", 1, VOCABULARY)) == []


def log_of(path: Path, title_sizes: list[int]) -> list[int]:
    """A log whose lines have titles of these sizes; returns where each line begins."""
    store: JsonlStore[Fact] = JsonlStore(path, VOCABULARY, Disk())
    drafts: list[Draft[Fact]] = [
        Draft(actor="orchestrator", fact=TaskCreated(task_id=f"T-{number}", task_kind="impl", title="x" * size))
        for number, size in enumerate(title_sizes)
    ]
    store.append(drafts, 0, Batch(ts="2026-01-05T09:00:00Z"))
    starts, at = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        starts.append(at)
        at += len(line)
    return starts


@pytest.mark.parametrize(
    "sizes",
    [[1], [1, 1], [10] * 33, [20_000, 1, 1, 1], [1, 1, 1, 20_000], [1, 9000, 2, 9000, 4095, 4096, 4097], [100_000] * 3],
)
def test_bisection_finds_every_line_however_long(tmp_path: Path, sizes: list[int]) -> None:
    path = tmp_path / "log"
    starts = log_of(path, sizes)
    assert [offset_of(path, seq, VOCABULARY) for seq in range(1, len(sizes) + 1)] == starts
    assert offset_of(path, 0, VOCABULARY) is None
    assert offset_of(path, len(sizes) + 1, VOCABULARY) is None
    for first in range(1, len(sizes) + 1):
        found = [event.version for _, event in events_from(path, first, VOCABULARY)]
        assert found == list(range(first, len(sizes) + 1))


def test_events_are_found_where_blank_lines_and_garbage_defeat_bisection(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log_of(path, [5] * 6)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"\n" + b"\n\r\n".join(lines[:3]) + b"garbage\n" + b"".join(lines[3:]))
    for first in range(1, 7):
        assert [event.version for _, event in events_from(path, first, VOCABULARY)] == list(range(first, 7))
