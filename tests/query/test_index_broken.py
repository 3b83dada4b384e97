"""An index that can't be used is made again or done without, and that is said; the answer is the same."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import esaa.query.index_file
from esaa.errors import StoreError, UsageError
from esaa.query.filters import Query
from esaa.stores.lock import writer_lock
from esaa.trail.settings import Indexing
from esaa.trail.types import CustomType, EventTypes
from tests.query.trail_of import FilledTrail, sequences


@pytest.fixture
def trail(tmp_path: Path) -> FilledTrail:
    filled = FilledTrail(tmp_path / "events")
    drafts: dict[str, list[Any]] = {}
    for number in range(300):
        stream = f"PROJ-{number % 7 + 1}"
        metadata = {"agent_name": f"agent-{number}", "failure_reason": f"login failed {number}"}
        ts = f"2026-03-02T09:{number // 60:02}:{number % 60:02}.000Z"
        drafts.setdefault(stream, []).append(filled.draft("AgentFailed", metadata, ts=ts, issue=stream))
    for stream, some in drafts.items():
        filled.add_many(stream, some)
    return filled


def index_of(trail: FilledTrail) -> Path:
    return trail.store.disposable("index.sqlite")


def answers(trail: FilledTrail, **options: Any) -> list[str]:
    """What is said while queries of all kinds are answered as a scan answers them."""
    said: list[str] = []
    with trail.finder(say=said.append, **options) as finder:
        scan = finder.scanning()
        for query in (
            Query(limit=1000),
            Query(text="login 17"),
            Query(issue_keys=("PROJ-3",), sort="oldest"),
            Query(agents=("agent-40",)),
            Query(event_id="00000011-0000-4000-8000-000000000000"),
        ):
            assert finder.search(query) == scan.search(query)
            assert finder.count(query) == scan.count(query) > 0
            assert finder.group(query, "day") == scan.group(query, "day")
    return said


def is_whole(trail: FilledTrail) -> bool:
    with closing(sqlite3.connect(index_of(trail))) as connection:
        found: list[tuple[str]] = connection.execute("PRAGMA integrity_check").fetchall()
    return found == [("ok",)]


def scribble(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database at all" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes()[:-4096]),
        lambda path: scribble(path, 0, b"\xff" * 64),
        lambda path: scribble(path, 4096, b"\xff" * (path.stat().st_size - 4096)),
        lambda path: path.unlink() or path.mkdir(),
    ],
    ids=["empty", "foreign", "head", "half", "short", "header", "pages", "folder"],
)
def test_damaged_index_is_made_again(trail: FilledTrail, damage: Any) -> None:
    assert answers(trail) == []
    damage(index_of(trail))
    said = answers(trail)
    assert said
    if index_of(trail).is_dir():
        assert "can't be used" in said[0]
        return
    assert all("made again" in text for text in said)
    assert answers(trail) == []
    assert is_whole(trail)


def test_every_page_of_the_index_may_be_damaged(trail: FilledTrail) -> None:
    # Whatever SQLite makes of it, no answer differs and nothing is raised.
    answers(trail)
    whole = index_of(trail).read_bytes()
    for page in range(1, len(whole) // 4096, 5):
        index_of(trail).write_bytes(whole)
        scribble(index_of(trail), page * 4096, b"\xff" * 4096)
        with trail.finder() as finder:
            assert finder.search(Query(limit=1000)) == finder.scanning().search(Query(limit=1000))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = 'another' WHERE key = 'signature'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "DROP TABLE search",
        "DROP TABLE events",
        "DROP INDEX events_key",
        "DELETE FROM segments",
        "UPDATE events SET segment = 99",
        "UPDATE events SET start = start + 1",
        "UPDATE events SET length = 10",
        "UPDATE segments SET path = '2026-03-02/PROJ-1/events.jsonl' WHERE path LIKE '%PROJ-2%'",
        "UPDATE streams SET leaf = 'x', size = 0",
        "UPDATE streams SET sequence = sequence + 1, size = 0",
        "UPDATE streams SET sequence = sequence - 1, size = 0",
    ],
)
def test_index_with_foreign_contents_is_made_again(trail: FilledTrail, change: str) -> None:
    answers(trail)
    with closing(sqlite3.connect(index_of(trail))) as connection, connection:
        try:
            connection.execute(change)
        except sqlite3.IntegrityError:
            # Two segments at one place can't even be written.
            return
    for number in range(1, 8):
        trail.add(f"PROJ-{number}", ts="2026-03-02T11:00:00.000Z")
    # A wrong place is no wrong answer: the event is found by its sequence.
    is_mended = change.startswith("UPDATE events SET")
    assert (answers(trail) == []) == is_mended


@pytest.mark.parametrize(
    "options",
    [
        {"indexing": Indexing(full_text_search=False)},
        {"indexing": Indexing(index_fields=("phase",))},
        {"types": EventTypes({"LicenceChecked": CustomType(name="LicenceChecked", version="1.0.0", schema={})})},
    ],
)
def test_index_of_other_settings_is_made_again(trail: FilledTrail, options: dict[str, Any]) -> None:
    assert answers(trail) == []
    assert len(answers(trail, **options)) == 1
    assert answers(trail, **options) == []


def test_order_of_the_indexed_fields_does_not_matter(trail: FilledTrail) -> None:
    assert answers(trail, indexing=Indexing(index_fields=("phase", "issue_key"))) == []
    assert answers(trail, indexing=Indexing(index_fields=("issue_key", "phase"))) == []


def test_index_that_vanishes_or_is_replaced_meanwhile_is_opened_anew(trail: FilledTrail) -> None:
    said: list[str] = []
    with trail.finder(say=said.append) as finder, trail.finder() as other:
        assert finder.count(Query()) == 300
        other.rebuild()
        trail.add("PROJ-1", ts="2026-03-02T11:00:00.000Z")
        assert finder.count(Query()) == other.count(Query()) == 301
        assert finder._index is not None
        assert finder._index.inode == index_of(trail).stat().st_ino
        for suffix in ("", "-wal", "-shm"):
            Path(f"{index_of(trail)}{suffix}").unlink(missing_ok=True)
        trail.add("PROJ-1", ts="2026-03-02T11:00:00.000Z")
        assert finder.count(Query()) == other.count(Query()) == 302
    assert said == []
    assert is_whole(trail)


def test_index_that_another_process_writes_to_is_waited_for_and_then_done_without(trail: FilledTrail) -> None:
    trail.store.lock_timeout_s = 0.05
    answers(trail)
    trail.add("PROJ-1", ts="2026-03-02T11:00:00.000Z")
    with closing(sqlite3.connect(index_of(trail), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = answers(trail)
        assert said
        assert all("can't be used, so every event is read: SQLite says: database is locked" in text for text in said)
    assert answers(trail) == []


def test_index_that_another_process_is_making_is_done_without(trail: FilledTrail) -> None:
    trail.store.lock_timeout_s = 0.05
    with writer_lock(trail.store.disposable("locks/index-making.lock"), timeout_s=1):
        said = answers(trail)
    assert all("locked by another process that makes the index" in text for text in said)
    assert not index_of(trail).exists()


def test_full_disk_leaves_no_half_made_index(trail: FilledTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = esaa.query.index_file._TABLES
    monkeypatch.setattr(esaa.query.index_file, "_TABLES", f"PRAGMA max_page_count = 30; {tables}")
    said = answers(trail)
    assert all("database or disk is full" in text for text in said)
    assert [path.name for path in index_of(trail).parent.glob("index*")] == []
    with trail.finder() as finder, pytest.raises(StoreError) as refused:
        finder.rebuild()
    assert refused.value.code == "INDEX_UNAVAILABLE"


def test_interrupted_making_leaves_nothing_behind(trail: FilledTrail) -> None:
    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    with trail.finder(progress=interrupt) as finder, pytest.raises(KeyboardInterrupt):
        finder.count(Query())
    assert [path.name for path in index_of(trail).parent.glob("index*")] == []
    assert answers(trail) == []


def test_leavings_of_a_dead_process_are_no_index(trail: FilledTrail) -> None:
    trail.store.prepare()
    staged = index_of(trail).with_name("index.sqlite.new")
    staged.write_bytes(b"half an index")
    Path(f"{staged}-wal").write_bytes(b"and its log")
    assert answers(trail) == []
    assert [path.name for path in index_of(trail).parent.glob("index*")] == ["index.sqlite"]


def test_old_index_answers_until_the_new_one_is_whole(trail: FilledTrail) -> None:
    said: list[str] = []
    with trail.finder(say=said.append) as reader:
        assert reader.count(Query()) == 300
        seen: list[int] = []

        def look(count: int) -> None:
            seen.append(reader.count(Query()))

        with trail.finder(progress=look) as maker:
            maker.rebuild()
        assert seen == [300] * len(seen) != []
        assert reader.count(Query()) == 300
    assert said == []


def test_times_that_are_all_the_same_are_too_many_at_some_point(
    trail: FilledTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("esaa.query.rows.TIES_MAX", 4)
    for _ in range(5):
        trail.add("PROJ-1", "AgentFailed", {"agent_name": "x", "failure_reason": "y"}, ts="2026-03-02T12:00:00.000Z")
    said = answers(trail)
    assert all("more than 4 events have the same time" in text for text in said)


def test_disabled_index_is_not_made_on_demand(trail: FilledTrail) -> None:
    with trail.finder(indexing=Indexing(enabled=False)) as finder:
        for ask in (finder.rebuild, finder.standing):
            with pytest.raises(UsageError) as refused:
                ask()
            assert refused.value.code == "INDEX_DISABLED"


def test_standing_says_what_the_index_lacks(trail: FilledTrail) -> None:
    with trail.finder() as finder:
        assert finder.standing() is None
        finder.count(Query())
        standing = finder.standing()
        assert standing is not None
        assert (standing.events, standing.streams, standing.behind) == (300, 7, ())
        trail.add("PROJ-2", ts="2026-03-02T11:00:00.000Z")
        trail.add("PROJ-8", ts="2026-03-02T11:00:00.000Z")
        standing = finder.standing()
        assert standing is not None
        assert (standing.events, standing.behind) == (300, ("PROJ-2", "PROJ-8"))
        assert standing.size_bytes > 10_000
        assert finder.count(Query()) == 302
        standing = finder.standing()
        assert standing is not None
        assert (standing.events, standing.streams, standing.behind) == (302, 8, ())


def test_pages_of_an_index_do_not_outlive_it(trail: FilledTrail) -> None:
    # A cursor is a place among the events, not in the index.
    with trail.finder() as finder:
        first = finder.search(Query(limit=100))
        finder.rebuild()
        with trail.finder() as other:
            second = other.search(Query(limit=100, cursor=first.next_cursor))
        third = finder.scanning().search(Query(limit=100, cursor=second.next_cursor))
        assert third.next_cursor is None
        whole = finder.search(Query(limit=1000))
    assert sequences(first) + sequences(second) + sequences(third) == sequences(whole)


def test_nothing_is_left_open(trail: FilledTrail) -> None:
    answers(trail)
    before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else set()
    for _ in range(5):
        answers(trail)
        index_of(trail).write_bytes(b"x" * 5000)
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) <= len(before)
