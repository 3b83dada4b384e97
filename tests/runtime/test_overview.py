"""The list of all pasts reads a stream again only where its files changed, and says what reading all of them says."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

import esaa.runtime.history.overview as overview_module
from bench.trails import _drafts, a_trail, fill
from esaa.runtime.history.overview import Summaries
from esaa.runtime.history.views import PastSummary
from esaa.runtime.trail.trail import Trail


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The streams that were read, in order."""
    seen: list[str] = []
    real = overview_module._summary

    def told(trail: Trail, name: str) -> PastSummary | None:
        seen.append(name)
        return real(trail, name)

    monkeypatch.setattr(overview_module, "_summary", told)
    return seen


def all_of(summaries: Summaries, root: Path) -> list[PastSummary]:
    """What a server says that opens the trail for each question."""
    return list(summaries.of(a_trail(root)))


def test_streams_that_did_not_change_are_not_read_again(tmp_path: Path, read: list[str]) -> None:
    fill(tmp_path, 4, 5)
    summaries = Summaries()
    first = all_of(summaries, tmp_path)
    assert [(one.name, one.head) for one in first] == [(f"PROJ-{number}", 5) for number in range(1, 5)]
    assert all_of(summaries, tmp_path) == first
    assert len(read) == 4


def test_a_stream_that_grew_is_read_again_alone(tmp_path: Path, read: list[str]) -> None:
    fill(tmp_path, 4, 5)
    summaries = Summaries()
    all_of(summaries, tmp_path)
    read.clear()
    a_trail(tmp_path).store.stream("PROJ-2").append(list(_drafts(random.Random(99), 1, 2)))
    found = all_of(summaries, tmp_path)
    assert read == ["PROJ-2"]
    assert [one.head for one in found] == [5, 7, 5, 5]
    assert found == all_of(Summaries(), tmp_path)


def test_a_damaged_stream_is_left_out_and_comes_back(tmp_path: Path) -> None:
    fill(tmp_path, 2, 3)
    summaries = Summaries()
    whole = all_of(summaries, tmp_path)
    files = sorted((tmp_path / "events").rglob("PROJ-1/events*"))
    before = [one.read_bytes() for one in files]
    for one in files:
        one.write_bytes(b"{no event\n{none\n")
    assert [one.name for one in all_of(summaries, tmp_path)] == ["PROJ-2"]
    for one, data in zip(files, before, strict=True):
        one.write_bytes(data)
    assert all_of(summaries, tmp_path) == whole


def test_a_stream_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    fill(tmp_path, 2, 3)
    summaries = Summaries()
    all_of(summaries, tmp_path)
    for folder in sorted((tmp_path / "events").rglob("PROJ-1")):
        shutil.rmtree(folder)
    assert [one.name for one in all_of(summaries, tmp_path)] == ["PROJ-2"]
