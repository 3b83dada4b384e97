"""Marks of what was appended to: every one is told once, and where any may be lost, that is told instead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import esaa.stores.trail_changes
from esaa.stores.disk import Disk
from esaa.stores.trail_changes import ChangeFollower, ChangeMarks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "changes"


@pytest.fixture
def follower(path: Path) -> Iterator[ChangeFollower]:
    found = ChangeFollower(path)
    yield found
    found.close()


def test_first_question_is_answered_with_anything(path: Path, follower: ChangeFollower) -> None:
    ChangeMarks(path, Disk()).mark("PROJ-1")
    assert follower.changed() is None
    assert follower.changed() == frozenset()


def test_each_mark_is_told_once(path: Path, follower: ChangeFollower) -> None:
    follower.changed()
    marks = ChangeMarks(path, Disk())
    marks.mark("PROJ-1")
    marks.mark("global")
    marks.mark("PROJ-1")
    assert follower.changed() == frozenset({"PROJ-1", "global"})
    assert follower.changed() == frozenset()
    marks.mark("PROJ-2")
    assert follower.changed() == frozenset({"PROJ-2"})


def test_mark_that_is_half_written_is_told_when_it_is_whole(path: Path, follower: ChangeFollower) -> None:
    follower.changed()
    with path.open("ab", buffering=0) as file:
        file.write(b"PROJ-1\nPRO")
        assert follower.changed() == frozenset({"PROJ-1"})
        file.write(b"J-2\n")
    assert follower.changed() == frozenset({"PROJ-2"})


def test_file_that_grew_long_is_put_away_and_followers_look_at_everything(
    path: Path, follower: ChangeFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esaa.stores.trail_changes, "SIZE_MAX", 30)
    follower.changed()
    marks = ChangeMarks(path, Disk())
    for number in range(5):
        marks.mark(f"PROJ-{number}")
    assert not path.exists()
    assert follower.changed() is None
    marks.mark("PROJ-9")
    assert follower.changed() == frozenset({"PROJ-9"})


def test_file_that_another_process_removed_is_no_loss(path: Path, follower: ChangeFollower) -> None:
    follower.changed()
    ChangeMarks(path, Disk()).mark("PROJ-1")
    path.unlink()
    ChangeMarks(path, Disk()).mark("PROJ-2")
    assert follower.changed() is None
    assert follower.changed() == frozenset()


def test_nothing_fails_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "changes"
    ChangeMarks(path, Disk()).mark("PROJ-1")
    follower = ChangeFollower(path)
    assert follower.changed() is None
    assert follower.changed() is None
    path.parent.mkdir()
    ChangeMarks(path, Disk()).mark("PROJ-1")
    assert follower.changed() is None
    ChangeMarks(path, Disk()).mark("PROJ-2")
    assert follower.changed() == frozenset({"PROJ-2"})
    follower.close()


def test_every_mark_of_many_writers_is_told_or_everything_is(
    path: Path, follower: ChangeFollower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esaa.stores.trail_changes, "SIZE_MAX", 200)
    follower.changed()
    appended: list[str] = []
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        marks = ChangeMarks(path, Disk())
        for number in range(100):
            name = f"PROJ-{writer}{number:03}"
            appended.append(name)
            marks.mark(name)
            acknowledged.append(name)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(1, 4)]
    for thread in threads:
        thread.start()
    told: set[str] = set()
    is_running = True
    while is_running:
        is_running = any(thread.is_alive() for thread in threads)
        before = set(acknowledged)
        found = follower.changed()
        # Who is told nothing certain looks at everything that is there by then.
        told |= set(appended) if found is None else found
        assert before <= told
    assert len(acknowledged) == 300
