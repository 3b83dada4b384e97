"""Queries that can't be answered say which filter is wrong, and which rule it breaks; cursors belong to their query."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from esaa.errors import UsageError
from esaa.query.filters import Query, moment
from tests.query.trail_of import FilledTrail, sequences

NOW = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def trail(tmp_path: Path) -> FilledTrail:
    filled = FilledTrail(tmp_path / "events")
    for minute in range(6):
        filled.add(ts=f"2026-03-02T09:0{minute}:00.000Z")
    return filled


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        (Query(limit=0), "QUERY_INVALID", "1 to 1000"),
        (Query(limit=1001), "QUERY_INVALID", "1 to 1000"),
        (Query(sort="random"), "QUERY_INVALID", "sort is 'random'"),  # type: ignore[arg-type]  # what JSON may bring
        (Query(event_types=("AgentSpawnd",)), "EVENT_TYPE_UNKNOWN", "Did you mean AgentSpawned?"),
        (Query(event_types=('"); DROP',)), "EVENT_TYPE_UNKNOWN", "`esaa record --list`"),
        (Query(issue_keys=("PROJ-1", "../etc")), "ISSUE_KEY_INVALID", "'../etc' is no issue key"),
        (Query(since="yesterday"), "QUERY_INVALID", "since is 'yesterday'"),
        (Query(until="#12"), "QUERY_INVALID", "until is '#12'"),
        (Query(since="HEAD~3"), "QUERY_INVALID", "no time"),
        (Query(since="@{999999999w}"), "QUERY_INVALID", "no time"),
        (Query(since="0001-01-01T00:00:00+14:00"), "QUERY_INVALID", "no time"),
        (Query(event_id="12"), "QUERY_INVALID", "no UUID"),
        (Query(first_sequence=0), "QUERY_INVALID", "Sequences begin at 1"),
        (Query(last_sequence=1 << 63), "QUERY_INVALID", "no sequence"),
        (Query(actors=("",)), "QUERY_INVALID", "actors has an empty value"),
        (Query(phases=("\ud800",)), "QUERY_INVALID", "not UTF-8"),
        (Query(correlation_id=""), "QUERY_INVALID", "correlation_id has an empty value"),
        (Query(agents=("x",) * 101), "QUERY_INVALID", "at most 100"),
        (Query(text='"'), "QUERY_INVALID", "character 1"),
        (Query(cursor="!"), "CURSOR_INVALID", "not one that a query gave"),
        (Query(cursor="x" * 3000), "CURSOR_INVALID", "too long"),
        (Query(cursor="é"), "CURSOR_INVALID", "not one that a query gave"),
    ],
)
def test_bad_queries_are_refused(trail: FilledTrail, query: Query, code: str, words: str) -> None:
    with trail.finder() as finder:
        for one in (finder, finder.scanning()):
            for ask in (one.search, one.count):
                if ask == one.count and (query.cursor or not 1 <= query.limit <= 1000):
                    continue
                with pytest.raises(UsageError) as refused:
                    ask(query)
                assert refused.value.code == code
                assert words in str(refused.value)


def test_refused_queries_make_no_index(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    trail.add()
    with trail.finder() as finder, pytest.raises(UsageError):
        finder.search(Query(text="-x"))
    assert not trail.store.disposable("index.sqlite").exists()


def test_groups_are_refused_by_name(trail: FilledTrail) -> None:
    with trail.finder() as finder, pytest.raises(UsageError, match="issue_key, phase"):
        finder.group(Query(), "type")  # type: ignore[arg-type]  # what JSON may bring


@pytest.mark.parametrize(
    "other",
    [
        {"actors": ("ada", "bob")},
        {"sort": "oldest"},
        {"since": "2026-03-02"},
        {"text": "phase"},
        {"event_id": "00000001-0000-4000-8000-000000000000"},
    ],
)
def test_cursor_of_another_query_is_refused(trail: FilledTrail, other: dict[str, object]) -> None:
    query = Query(actors=("ada",), limit=2)
    with trail.finder() as finder:
        cursor = finder.search(query).next_cursor
        changed = msgspec.convert(msgspec.to_builtins(query) | other | {"cursor": cursor}, Query)
        with pytest.raises(UsageError, match="another query") as refused:
            finder.search(changed)
    assert refused.value.code == "CURSOR_INVALID"


def test_cursor_with_other_contents_is_refused(trail: FilledTrail) -> None:
    with trail.finder() as finder:
        cursor = finder.search(Query(limit=2)).next_cursor
        assert cursor is not None
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=="))
        for wrong in (fields[:-1], [*fields, 1], [1, *fields[1:]], {"ts": "x"}, 7):
            text = base64.urlsafe_b64encode(json.dumps(wrong).encode()).decode().rstrip("=")
            with pytest.raises(UsageError, match="not one that a query gave"):
                finder.search(Query(limit=2, cursor=text))


def test_page_may_have_another_size_than_the_one_before(trail: FilledTrail) -> None:
    with trail.finder() as finder:
        cursor = finder.search(Query(limit=1)).next_cursor
        assert sequences(finder.search(Query(limit=3, cursor=cursor))) == [("PROJ-1", 5), ("PROJ-1", 4), ("PROJ-1", 3)]


def test_relative_times_stand_still_from_page_to_page(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    for minute in range(10):
        trail.add(ts=f"2026-03-02T09:0{minute}:00.000Z")
    clock = [datetime(2026, 3, 2, 9, 10, tzinfo=UTC)]
    with trail.finder(now=lambda: clock[0]) as finder:
        query = Query(since="@{5m}", limit=2)
        page = finder.search(query)
        clock[0] = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)
        rest = finder.search(msgspec.structs.replace(query, cursor=page.next_cursor, limit=10))
        assert sequences(page) + sequences(rest) == [("PROJ-1", n) for n in (10, 9, 8, 7, 6)]


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("2026-02-27", "2026-02-27T00:00:00.000Z"),
        ("2026-02-27T01:25:22Z", "2026-02-27T01:25:22.000Z"),
        ("2026-02-27T01:25:22.500Z", "2026-02-27T01:25:22.500Z"),
        ("2026-02-27T01:25:22.500001Z", "2026-02-27T01:25:22.501Z"),
        ("2026-02-27T01:25:22.9999", "2026-02-27T01:25:23.000Z"),
        ("2026-02-27T01:25:22+02:00", "2026-02-26T23:25:22.000Z"),
        ("@{2h}", "2026-03-02T10:00:00.000Z"),
    ],
)
def test_times_are_trail_times(text: str, ts: str) -> None:
    assert moment(text, "since", NOW) == ts


def test_unknown_type_that_the_trail_holds_is_found(tmp_path: Path) -> None:
    # A lenient store takes any type, and a project may give up a type of its own.
    trail = FilledTrail(tmp_path / "events")
    trail.add("PROJ-1", "LicenceChecked", {"licence": "MIT"})
    with trail.finder() as finder:
        for one in (finder, finder.scanning()):
            assert one.count(Query(event_types=("LicenceChecked",))) == 1
            with pytest.raises(UsageError):
                one.count(Query(event_types=("LicenceCheckd",)))
