"""The subscriber: an index that followed step by step is one that was made at once, whatever happened on the way."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esaa.query.event_index
import esaa.query.feed
from esaa.errors import CorruptLog
from esaa.query.filters import Query
from esaa.query.finder import Finder
from esaa.query.rows import RowWriter
from esaa.query.tree import TrailTree
from esaa.stores.trail_segments import compressed, joined_array, stored_lines
from esaa.trail.event import GLOBAL
from esaa.trail.settings import Indexing
from tests.query.contents import contents
from tests.query.trail_of import FilledTrail, sequences

STEPS = st.lists(
    st.one_of(
        st.just("look"),
        st.just("reopen"),
        st.tuples(
            st.sampled_from(["PROJ-1", "PROJ-2", GLOBAL]),
            st.integers(1, 5),
            st.sampled_from(["2026-03-02T09:00:00.000Z", "2026-03-02T09:00:00.007Z", "2026-03-03T09:00:00.000Z"]),
            st.sampled_from(["PLAN", "CODE"]),
        ),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True)
def _look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others do to the files is seen at the next question, not two seconds later."""
    monkeypatch.setattr(esaa.query.event_index, "LOOK_EVERY_S", 0.0)


@given(STEPS, st.sampled_from(["jsonl", "json"]), st.sampled_from(["date", "issue", "session"]))
@settings(max_examples=25, deadline=None)
def test_following_leads_to_what_a_rebuild_makes(steps: list[Any], form: str, partition_by: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trail = FilledTrail(Path(folder) / "events", format=form, partition_by=partition_by)
        said: list[str] = []
        finder = trail.finder(say=said.append)
        for step in ["look", *steps]:
            if step == "look":
                finder.count(Query())
            elif step == "reopen":
                finder.close()
            else:
                stream, count, ts, phase = step
                issue = None if stream == GLOBAL else stream
                drafts = [trail.draft(metadata={"phase": phase}, ts=ts, issue=issue) for _ in range(count)]
                trail.add_many(stream, drafts)
        if trail.base.exists():
            finder.count(Query())
            finder.close()
            followed = contents(trail.store)
            finder.rebuild()
            finder.close()
            assert contents(trail.store) == followed
        assert said == []


def filled(tmp_path: Path, **storage: Any) -> FilledTrail:
    """Three days of two issues."""
    trail = FilledTrail(tmp_path / "events", **storage)
    for day in (2, 3, 4):
        for stream in ("PROJ-1", "PROJ-2"):
            trail.add_many(stream, [trail.draft(ts=f"2026-03-0{day}T09:00:0{n}.000Z", issue=stream) for n in range(4)])
    return trail


def everything(finder: Finder) -> list[tuple[str, int]]:
    """All events, the oldest first, after a comparison with a scan by another process."""
    query = Query(sort="oldest", limit=1000)
    page = finder.search(query)
    with FilledTrail(finder._store.base).finder(indexing=Indexing(enabled=False)) as scan:
        assert scan.search(query) == page
    return sequences(page)


def long_ago(folder: Path) -> None:
    """Gives a folder a time that is trusted."""
    os.utime(folder, (1_700_000_000, 1_700_000_000))


def test_change_that_leaves_the_time_of_a_folder_alone_is_seen_while_that_may_be(tmp_path: Path) -> None:
    # Two changes within one tick of the file system's clock.
    trail = filled(tmp_path)
    day = trail.base / "2026-03-04"
    with trail.finder() as finder:
        everything(finder)
        times = day.stat()
        shutil.copytree(trail.base / "2026-03-02" / "PROJ-2", day / "PROJ-5")
        path = day / "PROJ-5" / "events.jsonl"
        path.write_bytes(path.read_bytes().replace(b'"PROJ-2"', b'"PROJ-5"'))
        os.utime(day, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert finder.count(Query(issue_keys=("PROJ-5",))) == 4


def test_recorded_event_is_found_at_once_without_looking_at_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = filled(tmp_path)
    monkeypatch.setattr(esaa.query.event_index, "LOOK_EVERY_S", 3600.0)
    with trail.finder() as finder:
        everything(finder)
        looked: list[str] = []
        for name in ("_look", "stamp"):
            real = getattr(TrailTree, name)

            def look(self: TrailTree, path: str, *rest: Any, real: Any = real) -> Any:
                looked.append(path)
                return real(self, path, *rest)

            monkeypatch.setattr(TrailTree, name, look)
        trail.add("PROJ-2", ts="2026-03-04T10:00:00.000Z")
        trail.add("PROJ-2", ts="2026-03-05T10:00:00.000Z")
        trail.add("PROJ-3", ts="2026-03-05T10:00:00.000Z")
        trail.add(GLOBAL, ts="2026-03-05T10:00:00.000Z")
        assert len(everything(finder)) == 28
        assert "2026-03-02" in looked
        assert not any("PROJ-1" in path for path in looked)
        looked.clear()
        everything(finder)
        assert looked == []


def test_events_of_another_process_are_found(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    other = FilledTrail(trail.base)
    with trail.finder() as finder:
        assert len(everything(finder)) == 24
        other.add("PROJ-9", ts="2026-03-09T10:00:00.000Z", event_id="11111111-0000-4000-8000-000000000000")
        assert everything(finder)[-1] == ("PROJ-9", 1)


@pytest.mark.parametrize("step", range(12))
def test_crash_while_catching_up_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    trail = filled(tmp_path)
    with trail.finder() as finder:
        everything(finder)
    for stream in ("PROJ-1", "PROJ-2", "PROJ-3"):
        drafts = [trail.draft(ts=f"2026-03-05T09:00:{n:02}.000Z", issue=stream) for n in range(30)]
        trail.add_many(stream, drafts)
    monkeypatch.setattr(esaa.query.feed, "_BATCH", 10)
    monkeypatch.setattr(esaa.query.feed, "_AT_ONCE", 20)

    class Killed(BaseException):
        """The end of the process."""

    left = [step]

    def write(self: RowWriter, rows: list[Any]) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        original(self, rows)

    original = RowWriter.write
    monkeypatch.setattr(RowWriter, "write", write)
    crashed = trail.finder()
    with contextlib.suppress(Killed):
        crashed.count(Query())
    monkeypatch.setattr(RowWriter, "write", original)
    # The same process asks again (what it knew of the transaction is gone), and a new one.
    assert len(everything(crashed)) == 114
    crashed.close()
    with trail.finder() as finder:
        assert len(everything(finder)) == 114
    followed = contents(trail.store)
    with trail.finder() as finder:
        finder.rebuild()
    assert contents(trail.store) == followed


def test_processes_that_catch_up_at_once_agree(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    trail.add()
    with trail.finder() as finder:
        everything(finder)
    for number in range(1, 9):
        stream = f"PROJ-{number}"
        drafts = [trail.draft(ts=f"2026-03-05T09:00:{n % 60:02}.000Z", issue=stream) for n in range(50)]
        trail.add_many(stream, drafts)
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        import esaa.query.feed as feed
        from esaa.query.filters import Query
        from tests.query.trail_of import FilledTrail
        feed._BATCH, feed._AT_ONCE = 10, 20
        def fail(text):
            sys.exit(text)
        finder = FilledTrail(Path({str(trail.base)!r})).finder(say=fail)
        print("ready", flush=True)
        sys.stdin.readline()
        print(finder.count(Query()), len(finder.search(Query(limit=1000)).events))
    """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in processes]
    assert answers == ["401 401\n"] * 3
    followed = contents(trail.store)
    with trail.finder() as finder:
        finder.rebuild()
    assert contents(trail.store) == followed


def test_processes_that_find_no_index_make_one(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    found: list[int] = []
    finders = [FilledTrail(trail.base).finder(say=lambda text: found.append(-1)) for _ in range(4)]
    threads = [threading.Thread(target=lambda one=one: found.append(one.count(Query()))) for one in finders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [24] * 4
    assert len({one._index.inode for one in finders if one._index is not None}) == 1
    for one in finders:
        one.close()


def test_queries_while_others_record_see_all_that_was_acknowledged(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    acknowledged: list[int] = []
    errors: list[BaseException] = []

    def record() -> None:
        try:
            for number in range(60):
                stream = f"PROJ-{number % 4 + 1}"
                drafts = [trail.draft(ts=f"2026-03-02T09:00:{number:02}.000Z", issue=stream) for _ in range(3)]
                acknowledged.append(len(trail.add_many(stream, drafts)))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=record)
    reader = FilledTrail(trail.base)
    with reader.finder(say=lambda text: errors.append(AssertionError(text))) as finder:
        thread.start()
        while thread.is_alive():
            before = sum(acknowledged)
            assert finder.count(Query()) >= before
        thread.join()
        assert finder.count(Query()) == 180
        everything(finder)
    assert errors == []


def test_threads_share_a_finder(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    with trail.finder() as finder:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(finder.count(Query()))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [24] * 4


def test_torn_tail_is_left_out_until_it_is_whole(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    path = trail.base / "2026-03-04" / "PROJ-1" / "events.jsonl"
    whole = path.read_bytes()
    with trail.finder() as finder:
        for torn in (whole[:-1], whole[:-40], whole + b'{"event_id":', whole + b"{"):
            path.write_bytes(torn)
            finder.rebuild()
            assert len(everything(finder)) == (24 if torn.startswith(whole) else 23)
        # The next recorder takes the torn line away, and its own event has the sequence.
        assert trail.add("PROJ-1", ts="2026-03-04T11:00:00.000Z").version == 13
        assert everything(finder)[-1] == ("PROJ-1", 13)


def test_first_line_that_is_torn_is_left_out(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    folder = trail.base / "2026-03-09" / "PROJ-7"
    folder.mkdir(parents=True)
    path = folder / "events.jsonl"
    path.touch()
    other = FilledTrail(tmp_path / "other")
    other.add("PROJ-7", event_id="77777777-0000-4000-8000-000000000000", ts="2026-03-09T09:00:00.000Z")
    line = (tmp_path / "other" / "2026-03-09" / "PROJ-7" / "events.jsonl").read_bytes()
    long_ago(folder)
    said: list[str] = []
    with trail.finder(say=said.append) as finder:
        for content in (b"", b"\n", line[:70]):
            path.write_bytes(content)
            assert len(everything(finder)) == 24
        # The folder does not tell that a file in it has grown.
        path.write_bytes(line)
        assert everything(finder)[-1] == ("PROJ-7", 1)
    assert said == []


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.zst", "json"])
@pytest.mark.parametrize("is_copied_first", [True, False])
@pytest.mark.parametrize("is_reopened", [True, False])
def test_segments_that_move_into_the_archive_are_found(
    tmp_path: Path, kind: str, is_copied_first: bool, is_reopened: bool
) -> None:
    trail = filled(tmp_path)
    said: list[str] = []
    with trail.finder(say=said.append) as finder:
        before = everything(finder)
        for day in ("2026-03-02", "2026-03-03", "2026-03-04"):
            source = trail.base / day / "PROJ-1" / "events.jsonl"
            lines = list(stored_lines(source, "jsonl"))
            target = trail.base / "archive" / day / "PROJ-1" / f"events.{kind}"
            target.parent.mkdir(parents=True)
            data = b"".join(line + b"\n" for line in lines)
            if kind == "jsonl.zst":
                data = compressed(iter(lines))
            elif kind == "json":
                data = joined_array(lines)
            target.write_bytes(data)
            long_ago(target.parent)
            if is_copied_first:
                trail.add("PROJ-2", ts="2026-03-04T12:00:00.000Z")
                before = everything(finder)
            if is_reopened:
                finder.close()
            source.unlink()
            source.parent.rmdir()
            assert everything(finder) == before
        trail.add("PROJ-1", ts="2026-03-05T11:00:00.000Z")
        assert everything(finder) == [*before, ("PROJ-1", 13)]
        finder.close()
        trail.add("PROJ-1", ts="2026-03-05T12:00:00.000Z")
        assert everything(finder) == [*before, ("PROJ-1", 13), ("PROJ-1", 14)]
    assert said == []


def test_segment_that_is_deleted_takes_its_events_along(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    said: list[str] = []
    with trail.finder(say=said.append) as finder:
        everything(finder)
        shutil.rmtree(trail.base / "2026-03-02" / "PROJ-1")
        assert ("PROJ-1", 4) not in everything(finder)
        assert finder.count(Query(issue_keys=("PROJ-1",))) == 8
        assert said == ["the index is made again: events of PROJ-1 that were indexed are gone"]
        shutil.rmtree(trail.base / "2026-03-04" / "PROJ-1")
        finder.close()
        assert finder.count(Query(issue_keys=("PROJ-1",))) == 4


def test_stream_that_was_written_anew_is_indexed_anew(tmp_path: Path) -> None:
    # As a merge does: other events have the same sequences.
    trail = filled(tmp_path)
    other = FilledTrail(tmp_path / "other")
    for number in range(20):
        other.add("PROJ-1", "PhaseStarted", {"phase": "CODE"}, ts=f"2026-03-04T09:00:{number:02}.000Z")
    said: list[str] = []
    with trail.finder(say=said.append) as finder:
        everything(finder)
        for day in ("2026-03-02", "2026-03-03"):
            shutil.rmtree(trail.base / day / "PROJ-1")
        target = trail.base / "2026-03-04" / "PROJ-1" / "events.jsonl"
        shutil.copy(tmp_path / "other" / "2026-03-04" / "PROJ-1" / "events.jsonl", target)
        assert len(everything(finder)) == 32
        assert finder.count(Query(phases=("CODE",))) == 20
    assert len(said) == 1


def test_line_that_was_replaced_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    other = FilledTrail(tmp_path / "other")
    for _ in range(40):
        other.draft()
    for number in range(4):
        other.add("PROJ-1", ts=f"2026-03-02T09:00:0{number}.000Z")
    said: list[str] = []
    with trail.finder(say=said.append) as finder:
        everything(finder)
        path = trail.base / "2026-03-02" / "PROJ-1" / "events.jsonl"
        times = path.stat()
        path.write_bytes((tmp_path / "other" / "2026-03-02" / "PROJ-1" / "events.jsonl").read_bytes())
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        everything(finder)
    assert said == ["the index is made again: event 1 of PROJ-1 is not the one that was indexed"]


def test_damaged_stream_is_named_and_the_others_are_answered(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    path = trail.base / "2026-03-03" / "PROJ-1" / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{not json}\n", *lines[2:]]))
    for finder in (trail.finder(), trail.finder()):
        with finder:
            for one in (finder, finder.scanning()):
                with pytest.raises(CorruptLog, match="PROJ-1 breaks") as damaged:
                    one.count(Query())
                assert damaged.value.line == 6
                with pytest.raises(CorruptLog):
                    one.search(Query(issue_keys=("PROJ-1",)))
                assert one.count(Query(issue_keys=("PROJ-2",))) == 12
            assert [error for error in finder.rebuild().damaged if "PROJ-1 breaks" in error]
    long_ago(path.parent)
    with trail.finder() as finder:
        for _ in range(2):
            with pytest.raises(CorruptLog):
                finder.count(Query())
        path.write_bytes(b"".join(lines))
        assert len(everything(finder)) == 24


def test_missing_segment_in_the_middle_is_damage(tmp_path: Path) -> None:
    trail = filled(tmp_path)
    with trail.finder() as finder:
        everything(finder)
        shutil.rmtree(trail.base / "2026-03-03" / "PROJ-1")
        for one in (finder, finder.scanning()):
            with pytest.raises(CorruptLog, match="event 5 is missing"):
                one.count(Query())
            assert one.count(Query(issue_keys=("PROJ-2",))) == 12


def test_long_lines_and_blank_lines_are_read(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    for number in range(5):
        trail.add("PROJ-1", "AgentFailed", {"agent_name": "ada", "failure_reason": f"word{number} " * 60_000})
    path = trail.base / "2026-03-02" / "PROJ-1" / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n  \n"))
    with trail.finder() as finder:
        assert everything(finder) == [("PROJ-1", number) for number in range(1, 6)]
        assert sequences(finder.search(Query(text="word3"))) == [("PROJ-1", 4)]


def test_many_streams_are_read_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = FilledTrail(tmp_path / "events")
    for number in range(1, 24):
        drafts = [trail.draft(ts=f"2026-03-02T09:{n:02}:00.0{number:02}Z", issue=f"PROJ-{number}") for n in range(9)]
        trail.add_many(f"PROJ-{number}", drafts)
    monkeypatch.setattr(esaa.query.feed, "_STREAMS_AT_ONCE", 4)
    monkeypatch.setattr(esaa.query.feed, "_PIECE_BYTES_MAX", 1000)
    monkeypatch.setattr(esaa.query.feed, "_BATCH", 3)
    with trail.finder() as finder:
        assert len(everything(finder)) == 207
    first = contents(trail.store)
    monkeypatch.undo()
    with trail.finder() as finder:
        finder.rebuild()
    assert contents(trail.store) == first


def test_process_that_was_overtaken_goes_on_where_the_other_one_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = filled(tmp_path)
    monkeypatch.setattr(esaa.query.feed, "_BATCH", 5)
    monkeypatch.setattr(esaa.query.feed, "_AT_ONCE", 10)
    with trail.finder() as slow, trail.finder() as quick:
        everything(slow)
        everything(quick)
        for stream in ("PROJ-1", "PROJ-2"):
            drafts = [trail.draft(ts=f"2026-03-05T09:00:{n:02}.000Z", issue=stream) for n in range(20)]
            trail.add_many(stream, drafts)
        begun: list[int] = []

        class Between:
            """The connection of the slow one, who is overtaken between two of its transactions."""

            def __init__(self, connection: sqlite3.Connection) -> None:
                self._connection = connection

            def __getattr__(self, name: str) -> Any:
                return getattr(self._connection, name)

            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                if sql.startswith("BEGIN"):
                    begun.append(1)
                    if len(begun) == 2:
                        assert quick.count(Query()) == 64
                return self._connection.execute(sql, *rest)

        assert slow._index is not None
        feeder: Any = slow._index._feeder
        feeder._connection = Between(feeder._connection)
        assert len(everything(slow)) == 64
        assert len(begun) == 2
    followed = contents(trail.store)
    with trail.finder() as finder:
        finder.rebuild()
    assert contents(trail.store) == followed


def test_row_ids_go_up_with_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else each event would cost a look at those of its time, and the full-text index a merge.
    trail = FilledTrail(tmp_path / "events")
    for hour, stream in ((9, "PROJ-1"), (10, "PROJ-2"), (8, "PROJ-3")):
        drafts = [trail.draft(ts=f"2026-03-02T{hour:02}:00:{n:02}.000Z", issue=stream) for n in range(12)]
        trail.add_many(stream, drafts)
    monkeypatch.setattr(esaa.query.feed, "_BATCH", 2)
    monkeypatch.setattr(esaa.query.feed, "_PIECE_BYTES_MAX", 500)
    asked: list[int] = []

    def ask(self: RowWriter, slot: int, ties: dict[int, int]) -> int:
        asked.append(slot)
        return len(asked)

    monkeypatch.setattr(RowWriter, "_next_tie", ask)
    with trail.finder() as finder:
        finder.count(Query())
        assert asked == []
    with closing(sqlite3.connect(trail.store.disposable("index.sqlite"))) as connection:
        rows = connection.execute("SELECT name FROM events JOIN streams s ON s.id = stream ORDER BY events.id")
        assert [name for (name,) in rows] == ["PROJ-3"] * 12 + ["PROJ-1"] * 12 + ["PROJ-2"] * 12
