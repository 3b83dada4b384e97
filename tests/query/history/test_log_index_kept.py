"""The index that is kept beside a log: it follows, notices another log, and can always be done without."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import esaa.query.history.log_index
import esaa.query.history.log_past
from esaa.errors import CorruptLog, NotFound, StoreError
from esaa.history.entries import EntryFilter
from esaa.history.log_document import document_of, named_lessons
from esaa.history.log_fold import LogFold
from esaa.protocol.facts import Fact, TaskClaimed, TaskCreated
from esaa.query.history.feed import Indexed
from esaa.query.history.log_index import LogIndex
from esaa.query.history.log_past import LogPast
from esaa.query.history.opening import open_log_past
from esaa.query.history.schema import TABLES
from esaa.query.history.versions import decoded
from esaa.stores.lock import writer_lock
from tests.query.history.log_of import NOW, Folded, lines_of, past_of, small_blocks, write_log

LogOfWork = Callable[[Path], Path]


def index_of(log: Path) -> Path:
    return log.parent / ".esaa" / "history.db"


def other_story(count: int = 10) -> list[bytes]:
    return lines_of(
        (TaskCreated(task_id=f"X-{n}", task_kind="qa", title="another"), "orchestrator", "2026-03-01T12:00:00Z")
        for n in range(count)
    )


def test_index_is_made_once_and_kept(tmp_path: Path, log_of_work: LogOfWork) -> None:
    log, said, told = log_of_work(tmp_path), list[str](), list[Indexed]()
    with closing(open_log_past(tmp_path, progress=told.append, say=said.append)):
        inode = index_of(log).stat().st_ino
    assert told[-1] == Indexed(events=10, bytes_done=log.stat().st_size, bytes_total=log.stat().st_size)
    told.clear()
    with closing(open_log_past(tmp_path, progress=told.append, say=said.append)) as past:
        assert past.head() == 10
    assert (index_of(log).stat().st_ino, told, said) == (inode, [], [])
    assert (log.parent / ".esaa" / ".gitignore").read_text() == "*\n"


def test_log_that_grows_is_followed(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story[:3])
    with closing(past_of(log)) as past, closing(past_of(log)) as other:
        for count in range(3, 11):
            write_log(tmp_path, story[:count])
            assert past.head() == count
            assert past.document(count) == Folded(story[:count]).documents[count]
        assert other.head() == 10
        assert other.entry(10) == past.entry(10)


def test_log_in_the_place_of_another_is_another_past(tmp_path: Path, story: list[bytes]) -> None:
    said: list[str] = []
    log = write_log(tmp_path, story)
    with closing(past_of(log, said)) as past, closing(past_of(log)) as other:
        assert past.find(EntryFilter(text="sign")).total == 3
        write_log(tmp_path, other_story(12))
        assert past.head() == other.head() == 12
        assert past.find(EntryFilter(text="sign")).total == 0
        assert list(past.document(12)["tasks"]) == [f"X-{n}" for n in range(12)]
        assert other.document(12) == past.document(12)
    assert said == ["the index of the log is made again: the log is not the one that was indexed"]


def test_log_that_was_cut_back_has_no_more_events_than_are_left(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story)
    with closing(past_of(log)) as past:
        write_log(tmp_path, story[:4])
        assert past.head() == 4
        with pytest.raises(NotFound):
            past.entry(5)
    write_log(tmp_path, story[:2])
    with closing(past_of(log)) as past:
        assert past.head() == 2


def test_log_that_is_gone_is_told_and_may_come_back(tmp_path: Path, log_of_work: LogOfWork) -> None:
    log = log_of_work(tmp_path)
    with closing(past_of(log)) as past:
        log.unlink()
        with pytest.raises(NotFound) as refused:
            past.head()
        assert refused.value.code == "LOG_NOT_FOUND"
        log_of_work(tmp_path)
        assert past.head() == 10


def test_a_question_after_one_that_failed_is_answered(
    tmp_path: Path, story: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the disk says no")

    log = write_log(tmp_path, story[:3])
    with closing(past_of(log)) as past:
        write_log(tmp_path, story[:4])
        # The index is another one by then, for another process threw it away.
        index_of(log).unlink()
        with monkeypatch.context() as failing:
            failing.setattr(LogIndex, "_catch_up", fail)
            with pytest.raises(OSError, match="the disk says no"):
                past.entry(1)
        assert (past.head(), past.entry(1).seq) == (4, 1)


def test_index_of_another_version_is_made_again(tmp_path: Path, log_of_work: LogOfWork) -> None:
    log, said = log_of_work(tmp_path), list[str]()
    past_of(log).close()
    with closing(sqlite3.connect(index_of(log))) as connection, connection:
        connection.execute("UPDATE meta SET value = 'older' WHERE key = 'signature'")
    with closing(past_of(log, said)) as past:
        assert past.head() == 10
    assert said == ["the index of the log is made again: it was made by another version of esaa or with other settings"]


@pytest.mark.parametrize("content", [b"no database at all" * 500, b""])
def test_index_that_is_damaged_is_made_again(tmp_path: Path, log_of_work: LogOfWork, content: bytes) -> None:
    log, said = log_of_work(tmp_path), list[str]()
    past_of(log).close()
    index_of(log).write_bytes(content)
    with closing(past_of(log, said)) as past:
        assert past.document(10)["tasks"]["T-1"]["status"] == "review"
        assert past.note == ""
    assert len(said) == 1


def test_damage_in_the_middle_ends_the_past_and_is_named(tmp_path: Path, story: list[bytes]) -> None:
    broken = [*story[:6], b'{"half": ', *story[7:]]
    with small_blocks(), closing(past_of(write_log(tmp_path, broken))) as past:
        assert past.head() == 6
        assert past.document(6) == Folded(story[:6]).documents[6]
        damage = past.damage
        assert isinstance(damage, CorruptLog)
        assert (damage.code, damage.line) == ("JSONL_INVALID", 7)
        write_log(tmp_path, story)
        assert past.head() == 10
        assert past.damage is None


@pytest.mark.parametrize(
    ("wrong", "code"), [(b'"event_seq":7', "CHAIN_BROKEN"), (b'"event_seq":8', "EVENT_SEQ_INVALID")]
)
def test_line_that_does_not_follow_is_damage(tmp_path: Path, story: list[bytes], wrong: bytes, code: str) -> None:
    other = story[6].replace(b'"event_seq":7', wrong).replace(b'"prev_hash":"', b'"prev_hash":"00')
    with closing(past_of(write_log(tmp_path, [*story[:6], other, *story[7:]]))) as past:
        assert past.head() == 6
        damage = past.damage
        assert damage is not None
        assert damage.code == code


def test_torn_line_is_no_event_yet(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story[:5])
    with closing(past_of(log)) as past:
        with log.open("ab") as file:
            file.write(story[5][:-9])
        assert (past.head(), past.damage) == (5, None)
        with log.open("ab") as file:
            file.write(story[5][-9:] + b"\n")
        assert past.head() == 6


def test_last_line_of_another_writer_needs_no_line_feed(tmp_path: Path) -> None:
    claims: list[tuple[Fact, str, str]] = [(TaskClaimed(task_id="T-1"), "a", "2026-03-01T12:00:00Z")] * 3
    lines = lines_of(claims, are_chained=False)
    log = write_log(tmp_path, [])
    log.write_bytes(b"\r\n" + lines[0] + b"\r\n\n  \n" + lines[1])
    with closing(past_of(log)) as past:
        assert past.head() == 2
        assert past.line(1) == lines[0] + b"\r"
        log.write_bytes(log.read_bytes() + b"\n" + lines[2])
        assert past.head() == 3
        assert past.line(3) == lines[2]


def test_empty_log_has_only_the_moment_before_the_first_event(tmp_path: Path) -> None:
    with closing(past_of(write_log(tmp_path, []))) as past:
        assert (past.head(), past.head_hash(), past.seq_of("HEAD")) == (0, None, 0)
        assert past.document(0) == Folded([]).documents[0]
        assert past.board(0).counts == {}
        assert list(past.changed_parts(0, 0)) == []
        assert past.find(EntryFilter()).total == 0


def test_line_that_is_longer_than_what_is_read_at_once(tmp_path: Path, story: list[bytes]) -> None:
    big: list[tuple[Fact, str, str]] = [
        (TaskCreated(task_id="T-1", task_kind="impl", title="x" * 3_000_000), "orchestrator", "2026-03-01T12:00:00Z"),
        (TaskClaimed(task_id="T-1"), "agent-impl", "2026-03-01T12:01:00Z"),
    ]
    lines = lines_of(big)
    with closing(past_of(write_log(tmp_path, lines))) as past:
        assert past.document(2) == Folded(lines).documents[2]
        assert [past.line(seq) for seq in (1, 2)] == lines


def test_event_that_was_changed_in_its_place_is_told(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story)
    with closing(past_of(log)) as past:
        write_log(tmp_path, [story[0], story[1].replace(b'"event_seq":2', b'"event_seq":9'), *story[2:]])
        assert past.entry(1).seq == 1
        with pytest.raises(StoreError) as refused:
            past.entry(2)
        assert refused.value.code == "LOG_UNREADABLE"
        with pytest.raises(StoreError):
            list(past.entries(1, 4))


def test_folder_that_can_not_be_written_is_done_without(tmp_path: Path, log_of_work: LogOfWork) -> None:
    log, said = log_of_work(tmp_path), list[str]()
    # A file where the folder should be: also who may write everywhere can't make it.
    (log.parent / ".esaa").write_text("")
    with closing(past_of(log, said)) as past:
        assert past.document(10)["tasks"]["T-1"]["status"] == "review"
        assert "Not a directory" in past.note or "exists" in past.note
    assert len(said) == 1
    assert "is not kept" in said[0]


def test_full_disk_is_done_without(tmp_path: Path, story: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    log, said = write_log(tmp_path, story[:9]), list[str]()
    tables = TABLES
    monkeypatch.setattr(esaa.query.history.log_index, "TABLES", f"PRAGMA max_page_count = 20; {tables}")
    index = LogIndex(log, said.append)
    monkeypatch.undo()
    with closing(LogPast(index, lambda: NOW)) as past:
        assert "disk is full" in past.note
        assert not index_of(log).exists()
        write_log(tmp_path, story)
        assert past.document(10) == Folded(story).documents[10]
        write_log(tmp_path, other_story(3))
        assert list(past.document(3)["tasks"]) == ["X-0", "X-1", "X-2"]
    assert "is not kept" in said[0]


def test_nothing_that_can_be_written_at_all_is_an_error(
    tmp_path: Path, log_of_work: LogOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of_work(tmp_path)
    tables = TABLES
    monkeypatch.setattr(esaa.query.history.log_index, "TABLES", f"PRAGMA max_page_count = 20; {tables}")
    with pytest.raises(StoreError) as refused:
        past_of(log)
    assert refused.value.code == "INDEX_UNAVAILABLE"


def test_index_that_another_process_is_making_is_waited_for(tmp_path: Path, log_of_work: LogOfWork) -> None:
    log, said = log_of_work(tmp_path), list[str]()
    locks = log.parent / ".esaa" / "locks"
    locks.mkdir(parents=True)
    with writer_lock(locks / "history-making.lock", timeout_s=1), closing(past_of(log, said, wait_s=0.05)) as past:
        assert past.head() == 10
        assert "locked by another process that makes the index" in past.note
    with closing(past_of(log)) as past:
        assert past.note == ""


def test_index_that_was_thrown_away_is_made_again(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story[:5])
    with closing(past_of(log)) as past:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{index_of(log)}{suffix}").unlink(missing_ok=True)
        write_log(tmp_path, story)
        assert past.document(10) == Folded(story).documents[10]
    assert index_of(log).exists()


def test_making_that_was_interrupted_leaves_nothing(tmp_path: Path, log_of_work: LogOfWork) -> None:
    def interrupt(_: Indexed) -> None:
        raise KeyboardInterrupt

    log = log_of_work(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        open_log_past(tmp_path, progress=interrupt)
    assert [path.name for path in index_of(log).parent.glob("history.db*")] == []


def test_following_that_was_interrupted_goes_on_where_it_was(tmp_path: Path, story: list[bytes]) -> None:
    stops = [False]

    def interrupt(_: Indexed) -> None:
        if stops[0]:
            raise KeyboardInterrupt

    log = write_log(tmp_path, story[:4])
    with small_blocks(), closing(LogPast(LogIndex(log, lambda _: None, interrupt), lambda: NOW)) as past:
        write_log(tmp_path, story)
        stops[0] = True
        with pytest.raises(KeyboardInterrupt):
            past.head()
        stops[0] = False
        assert past.document(10) == Folded(story).documents[10]


def test_many_threads_may_ask_at_once(tmp_path: Path, story: list[bytes]) -> None:
    log = write_log(tmp_path, story[:5])
    documents, wrong = Folded(story).documents, list[str]()
    with small_blocks(), closing(past_of(log)) as past:

        def ask() -> None:
            for seq in (1, 5, 3, 2, 4) * 5:
                if past.document(seq) != documents[seq] or next(past.entries(seq, 5)).seq != seq:
                    wrong.append(str(seq))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        write_log(tmp_path, story)
        for thread in threads:
            thread.join()
        assert past.head() == 10
    assert wrong == []


def test_comparison_that_outlives_its_log_is_told(
    tmp_path: Path, story: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esaa.query.history.log_past, "_AT_ONCE", 1)
    with small_blocks(), closing(past_of(write_log(tmp_path, story))) as past:
        changed = past.changed_parts(0, 10)
        assert next(changed) == "/run"
        write_log(tmp_path, other_story())
        assert past.head() == 10
        with pytest.raises(StoreError) as refused:
            list(changed)
        assert refused.value.code == "LOG_UNREADABLE"


def test_many_versions_of_a_part_are_each_whole_again(tmp_path: Path) -> None:
    claims: list[tuple[Fact, str, str]] = [
        (TaskClaimed(task_id="T-1"), f"agent-{n}", f"2026-03-01T12:{n:02d}:00Z") for n in range(40)
    ]
    created: list[tuple[Fact, str, str]] = [
        (TaskCreated(task_id="T-1", task_kind="impl", title="x" * 2000), "orchestrator", "2026-03-01T11:00:00Z")
    ]
    lines = lines_of([*created, *claims])
    folded = Folded(lines)
    with small_blocks(), closing(past_of(write_log(tmp_path, lines), held_max=0)) as past:
        for seq in range(42):
            assert past.document(seq) == folded.documents[seq]
    size = os.stat(index_of(tmp_path / ".roadmap" / "activity.jsonl")).st_size
    assert size < 400_000
    with pytest.raises(ValueError, match="no value is whole"):
        decoded([b'+{"status":"done"}'])


def test_fold_tells_nothing_of_what_did_not_change() -> None:
    fold = LogFold()
    assert document_of(fold.state, fold.files)["verification"] == {"status": "unknown"}
    assert list(named_lessons([{"lesson_id": "L"}, {}, {"lesson_id": "L"}, {"lesson_id": 7}])) == [
        "L",
        "#2",
        "L~2",
        "#4",
    ]
