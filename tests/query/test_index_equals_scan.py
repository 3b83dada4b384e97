"""The index answers what reading every event answers: events, order, pages, counts and groups, whatever is asked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import esaa.query.conditions
from esaa.query.filters import GROUPS, GroupBy, Query
from esaa.query.finder import Finder
from esaa.trail.event import GLOBAL
from esaa.trail.settings import INDEX_FIELDS, Indexing
from tests.query.trail_of import FilledTrail, sequences

STREAMS = ("PROJ-1", "PROJ-2", "PROJ-10", GLOBAL)
TIMES = (
    "0999-01-01T00:00:00.000Z",
    "1970-01-01T00:00:00.000Z",
    "2026-03-01T23:59:59.999Z",
    "2026-03-02T09:00:00.000Z",
    "2026-03-02T09:00:00.001Z",
    "2026-03-02T10:00:00.000Z",
    "2109-05-15T07:35:11.103Z",
    "2111-01-01T00:00:00.000Z",
    "2111-01-01T00:00:00.001Z",
)
SESSIONS = tuple(f"5e551000-0000-4000-8000-00000000000{number}" for number in range(2))
ACTORS = ("ada", "grace hopper", "agent-qa")
PHASES = ("PLAN", "CODE", "größer als 日本")
WORDS = ("login", "failed", "LOGIN", "Über-Brücke", "café", "cafe", "auth_service", "42", "日本", "n1", "i1", "\x00x")
IDS = ("run-1", "Run-1", "story\u00e9")


def texts() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


EVENTS = st.fixed_dictionaries(
    {
        "stream": st.sampled_from(STREAMS),
        "ts": st.sampled_from(TIMES),
        "actor": st.sampled_from(ACTORS),
        "session": st.sampled_from(SESSIONS),
        "correlation_id": st.none() | st.sampled_from(IDS),
        "causation_id": st.none() | st.sampled_from(IDS),
        "event": st.one_of(
            st.tuples(st.just("PhaseStarted"), st.fixed_dictionaries({"phase": st.sampled_from(PHASES)})),
            st.tuples(
                st.just("AgentSpawned"),
                st.fixed_dictionaries({"agent_name": st.sampled_from(ACTORS)}, optional={"assigned_task": texts()}),
            ),
            st.tuples(
                st.just("AgentFailed"),
                st.fixed_dictionaries({"agent_name": st.sampled_from(ACTORS), "failure_reason": texts()}),
            ),
            # What a lenient store took: it does not fit its type, or has none.
            st.tuples(st.just("AgentFailed"), st.just({"agent_name": 7, "phase": "CODE"})),
            st.tuples(
                st.sampled_from(["LicenceChecked", "odd type"]),
                st.fixed_dictionaries({"phase": st.sampled_from((*PHASES, "")), "deep": st.lists(texts(), max_size=2)}),
            ),
        ),
    }
)


def few(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.one_of(st.just(()), st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple))


def looked_for() -> st.SearchStrategy[str]:
    """Texts of a query, with all that its language has."""
    word = st.sampled_from(WORDS[:-1])
    term = st.one_of(
        word,
        st.tuples(word, word).map(lambda pair: f'"{pair[0]} {pair[1]}"'),
        st.sampled_from(
            ["lo*", "caf*", '"login fa"*', "agent", "phase", "ada", "proj-1", "-failed", '-"login failed"']
        ),
        st.tuples(word, word).map(" OR ".join),
    )
    return st.tuples(word, st.lists(term, max_size=2)).map(lambda found: " ".join([found[0], *found[1]]))


NONE: st.SearchStrategy[Any] = st.none()
FILTERS = st.fixed_dictionaries(
    {
        "issue_keys": few(STREAMS),
        "phases": few((*PHASES, "TEST")),
        "agents": few((*ACTORS, "nobody")),
        "event_types": few(("PhaseStarted", "AgentSpawned", "AgentFailed", "TestRunFailed")),
        "actors": few((*ACTORS, "nobody")),
        "sessions": few((*SESSIONS, "none")),
        "correlation_id": NONE | NONE | st.sampled_from((*IDS, "none")),
        "causation_id": NONE | NONE | st.sampled_from((*IDS, "none")),
        "event_id": NONE | NONE | NONE | st.integers(1, 40).map("{:08X}-0000-4000-8000-000000000000".format),
        "since": NONE | NONE | st.sampled_from((*TIMES, "2026-03-02")),
        "until": NONE | NONE | st.sampled_from((*TIMES, "2026-03-02T09:00:00.0005Z")),
        "first_sequence": NONE | NONE | st.integers(1, 8),
        "last_sequence": NONE | NONE | st.integers(1, 8),
        "text": NONE | looked_for(),
    }
)


def sparse(filters: dict[str, Any], kept: list[str]) -> dict[str, Any]:
    """Only some of the filters: all together nearly always find nothing."""
    return {name: value for name, value in filters.items() if name in kept}


QUERIES = st.builds(
    lambda filters, kept, sort, limit: Query(**sparse(filters, kept), sort=sort, limit=limit),
    FILTERS,
    st.lists(
        st.sampled_from(
            [
                *("text", "issue_keys", "phases", "agents", "event_types", "actors", "sessions", "correlation_id"),
                *(
                    "causation_id",
                    "event_id",
                    "since",
                    "until",
                    "first_sequence",
                    "last_sequence",
                    "text",
                    "event_types",
                ),
            ]
        ),
        max_size=3,
    ),
    st.sampled_from(["newest", "oldest"]),
    st.integers(1, 7),
)
CHOICES = st.one_of(
    st.just(Indexing()),
    st.builds(
        lambda fields, text: Indexing(index_fields=tuple(fields), full_text_search=text),
        st.lists(st.sampled_from(INDEX_FIELDS), unique=True),
        st.booleans(),
    ),
)


def all_pages(finder: Finder, query: Query) -> list[tuple[str, int]]:
    """Every event that a query finds, page by page."""
    events: list[tuple[str, int]] = []
    while True:
        page = finder.search(query)
        assert len(page.events) == query.limit or page.next_cursor is None
        events += sequences(page)
        if page.next_cursor is None:
            return events
        query = msgspec.structs.replace(query, cursor=page.next_cursor)


@given(
    st.lists(st.lists(EVENTS, max_size=10), min_size=1, max_size=3),
    st.lists(QUERIES, min_size=1, max_size=5),
    CHOICES,
    st.lists(st.sampled_from(GROUPS), max_size=2, unique=True),
    st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_index_answers_what_a_scan_answers(
    batches: list[list[dict[str, Any]]],
    queries: list[Query],
    choice: Indexing,
    groups: list[GroupBy],
    is_reopened: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trail = FilledTrail(Path(folder) / "events")
        said: list[str] = []
        finder = trail.finder(indexing=choice, say=said.append)
        for batch in batches:
            for one in batch:
                event = dict(one)
                event_type, metadata = event.pop("event")
                trail.add(event.pop("stream"), event_type, metadata, **event)
            if is_reopened:
                finder.close()
            compare(finder, queries, groups)
        finder.close()
        assert said == []


def compare(finder: Finder, queries: list[Query], groups: list[GroupBy]) -> None:
    scan = finder.scanning()
    for query in queries:
        found = all_pages(finder, query)
        assert found == all_pages(scan, query)
        assert len(set(found)) == len(found) == finder.count(query) == scan.count(query)
        for by in groups:
            counts = finder.group(query, by)
            assert list(counts.items()) == list(scan.group(query, by).items())
            assert sum(counts.values()) == len(found)
            assert all(counts.values())


@pytest.mark.parametrize("many", [1, 300])
def test_few_and_many_candidates_are_looked_up_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(esaa.query.conditions, "_CANDIDATES_MAX", many)
    monkeypatch.setattr(esaa.query.conditions, "_ABOUTS_MAX", many)
    trail = FilledTrail(tmp_path / "events")
    for number in range(24):
        metadata = {"agent_name": ACTORS[number % 3], "failure_reason": f"login failed {number % 4}"}
        trail.add(
            *(f"PROJ-{number % 2 + 1}", "AgentFailed", metadata),
            ts=f"2026-03-02T09:00:{number:02}.000Z",
            actor=ACTORS[number % 2],
            correlation_id=IDS[number % 2],
            causation_id=IDS[number // 12],
        )
    queries = [
        Query(text="login 1", correlation_id=IDS[1]),
        Query(text="login", correlation_id=IDS[0], since="2026-03-02T09:00:10Z", until="2026-03-02T09:00:20Z"),
        Query(text="login", correlation_id=IDS[1], causation_id=IDS[1], sort="oldest", limit=2),
        Query(text="login", correlation_id="none"),
        Query(text="nowhere", causation_id=IDS[0]),
        Query(agents=ACTORS[:2], actors=ACTORS[:2], limit=5),
        Query(agents=(ACTORS[2],), actors=ACTORS[:2], event_types=("AgentFailed",), text="failed 3"),
        Query(agents=(ACTORS[2],), actors=(ACTORS[2],)),
    ]
    with trail.finder() as finder:
        compare(finder, queries, list(GROUPS))
        assert finder.count(queries[0]) == 6
        assert finder.count(queries[5]) == 16


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_events_of_one_millisecond_are_paged_in_the_canonical_order(tmp_path: Path, sort: Any) -> None:
    trail = FilledTrail(tmp_path / "events")
    with trail.finder() as finder:
        for count in range(8):
            # The streams come in another order than their names, and are indexed in between.
            for stream in ("PROJ-9", GLOBAL, "PROJ-10"):
                trail.add(stream, ts="2026-03-02T09:00:00.000Z")
            if count % 3 == 0:
                finder.count(Query())
        names = [GLOBAL if name == "global" else name for name in sorted((GLOBAL, "PROJ-10", "PROJ-9"))]
        expected = [(name, sequence) for name in names for sequence in range(1, 9)]
        for limit in (1, 2, 5, 24, 100):
            found = all_pages(finder, Query(sort=sort, limit=limit))
            assert found == (expected if sort == "oldest" else expected[::-1])


@pytest.mark.parametrize("bound", [*TIMES[:-1], "0999-01-01T00:00:00.001Z", "9999-12-31T23:59:59.999Z"])
def test_times_that_are_no_slots_bound_a_query_like_any_other(tmp_path: Path, bound: str) -> None:
    trail = FilledTrail(tmp_path / "events")
    for ts in TIMES:
        trail.add(ts=ts)
    with trail.finder() as finder:
        for sort in ("newest", "oldest"):
            since = [located.event.ts for located in finder.search(Query(since=bound, sort=sort)).events]
            until = [located.event.ts for located in finder.search(Query(until=bound, sort=sort)).events]
            assert sorted(since) == [ts for ts in TIMES if ts >= bound]
            assert sorted(until) == [ts for ts in TIMES if ts < bound]
            assert finder.count(Query(since=bound)) + finder.count(Query(until=bound)) == len(TIMES)


def test_new_events_neither_repeat_nor_hide_events_of_later_pages(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    for second in range(10):
        trail.add(ts=f"2026-03-02T09:00:0{second}.000Z")
    with trail.finder() as finder:
        query = Query(limit=4)
        page = finder.search(query)
        trail.add("PROJ-2", ts="2026-03-02T09:00:20.000Z")
        trail.add("PROJ-3", ts="2026-03-02T09:00:01.500Z")
        rest = all_pages(finder, Query(limit=4, cursor=page.next_cursor))
    assert sequences(page) == [("PROJ-1", 10), ("PROJ-1", 9), ("PROJ-1", 8), ("PROJ-1", 7)]
    assert rest == [("PROJ-1", n) for n in (6, 5, 4, 3)] + [("PROJ-3", 1), ("PROJ-1", 2), ("PROJ-1", 1)]


def test_event_is_found_by_its_id(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    event_id = "ABCDEF00-0000-4000-8000-000000000001"
    trail.add("PROJ-1", event_id=event_id.lower())
    with trail.finder() as finder:
        for one in (finder, finder.scanning()):
            located = one.by_id(event_id)
            assert located is not None
            assert located.event.event_id == event_id.lower()
            assert located.line == next(iter(trail.store.stream("PROJ-1").events())).line
            assert one.by_id("ABCDEF00-0000-4000-8000-000000000002") is None


def test_queries_are_answered_without_an_index(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    trail.add("PROJ-1", "AgentFailed", {"agent_name": "ada", "failure_reason": "login failed"})
    with trail.finder(indexing=Indexing(enabled=False)) as finder:
        assert sequences(finder.search(Query(text="login"))) == [("PROJ-1", 1)]
        assert finder.group(Query(), "agent_name") == {"ada": 1}
    assert not trail.store.disposable("index.sqlite").exists()


def test_trail_that_does_not_exist_is_empty_and_stays_so(tmp_path: Path) -> None:
    trail = FilledTrail(tmp_path / "events")
    with trail.finder() as finder:
        assert finder.count(Query()) == 0
        assert finder.search(Query(text="login")).events == ()
    assert not trail.base.exists()
