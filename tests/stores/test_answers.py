"""Kept answers: durable, authenticated, found by their question, gone when they were judged."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from esaa.errors import StoreError
from esaa.protocol.provenance import Usage
from esaa.stores.answers import AnswerStore, KeptAnswer
from esaa.stores.disk import Disk
from tests.crash.disks import CountingDisk, FailingDisk

SECRET = b"s" * 32
ANSWER = KeptAnswer(
    question_sha256="ab" * 32,
    task_id="T/1",
    received_at="2026-01-05T09:00:00Z",
    based_on=17,
    result=b"\xff not even text",
    usage=Usage(model="m", cost_micro_usd=12),
    provenance={"model": "m"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "answers"


def test_answer_is_found_as_it_was_kept_by_another_process(folder: Path) -> None:
    AnswerStore(folder, SECRET, Disk()).keep(ANSWER)
    other = AnswerStore(folder, SECRET, Disk())
    assert other.find(ANSWER.question_sha256) == ANSWER
    assert other.find("cd" * 32) is None
    assert list(other.all()) == [ANSWER]
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_answer_is_synced_before_and_after_it_gets_its_name(folder: Path) -> None:
    disk = CountingDisk()
    AnswerStore(folder, SECRET, disk).keep(ANSWER)
    steps = disk.steps[disk.steps.index("open") :]
    assert steps == ["open", "write", "fsync", f"rename {ANSWER.question_sha256}.answer", "sync answers"]


def test_dropped_answer_is_gone_and_dropping_twice_is_no_error(folder: Path) -> None:
    store = AnswerStore(folder, SECRET, Disk())
    store.keep(ANSWER)
    store.drop(ANSWER.question_sha256)
    store.drop(ANSWER.question_sha256)
    assert store.find(ANSWER.question_sha256) is None
    assert list(store.all()) == []


def test_what_somebody_else_puts_there_is_no_answer(folder: Path) -> None:
    AnswerStore(folder, b"other" * 8, Disk()).keep(ANSWER)
    store = AnswerStore(folder, SECRET, Disk())
    assert store.find(ANSWER.question_sha256) is None
    assert list(store.all()) == []
    store.keep(ANSWER)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes().replace(b"not even", b"not ever"))
    assert store.find(ANSWER.question_sha256) is None
    path.write_bytes(b"")
    assert store.find(ANSWER.question_sha256) is None


def test_answer_under_the_name_of_another_question_is_none(folder: Path) -> None:
    store = AnswerStore(folder, SECRET, Disk())
    store.keep(ANSWER)
    (path,) = folder.iterdir()
    path.rename(folder / f"{'cd' * 32}.answer")
    assert store.find("cd" * 32) is None
    assert list(store.all()) == []


def test_without_a_key_nothing_is_kept(folder: Path) -> None:
    store = AnswerStore(folder, None, Disk())
    store.keep(ANSWER)
    assert store.find(ANSWER.question_sha256) is None
    assert not folder.exists()


def test_full_disk_is_an_error_that_says_what_to_do(folder: Path) -> None:
    whole = CountingDisk()
    AnswerStore(folder, SECRET, whole).keep(ANSWER)
    AnswerStore(folder, SECRET, Disk()).drop(ANSWER.question_sha256)
    at = 1 + whole.steps.index("write") - whole.steps.index("open")
    store = AnswerStore(folder, SECRET, FailingDisk(at, errno.ENOSPC))
    with pytest.raises(StoreError, match="cannot be kept") as caught:
        store.keep(ANSWER)
    assert caught.value.code == "ANSWER_NOT_KEPT"
    assert "run again" in caught.value.hint
    assert list(folder.iterdir()) == []


def test_failure_to_drop_is_no_error(folder: Path) -> None:
    AnswerStore(folder, SECRET, Disk()).keep(ANSWER)
    AnswerStore(folder, SECRET, FailingDisk(1, errno.EIO)).drop(ANSWER.question_sha256)
