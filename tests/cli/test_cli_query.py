"""`esaa query` and `esaa index` on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.workbench import Workbench

EVENTS = (
    ("PROJ-1", "user:ada", "PhaseStarted", "phase=PLAN"),
    ("PROJ-1", "agent:api-agent", "AgentSpawned", "agent_name=api-agent", "assigned_task=Build the café page"),
    ("PROJ-1", "agent:api-agent", "AgentFailed", "agent_name=api-agent", "failure_reason=login token expired"),
    ("PROJ-2", "user:grace", "PhaseStarted", "phase=CODE"),
    ("PROJ-2", "user:grace", "ErrorOccurred", "error_type=network", "error_message=no answer to login"),
    (None, "user:ada", "NotificationSent", "channel=mail", "subject=login"),
)


@pytest.fixture
def story(esaa: Workbench, make_template: Callable[[str, list[list[str]]], Path]) -> Workbench:
    """A workspace with a few recorded events of two issues and of none."""
    lines = [["init", "--name", "tide"]]
    for issue, actor, event_type, *fields in EVENTS:
        lines.append(["record", event_type, "--actor", actor, *([] if issue is None else ["--issue", issue]), *fields])
    esaa.fill_from(make_template("trail-of-two-issues", lines))
    return esaa


def index_of(esaa: Workbench) -> Path:
    return esaa.roadmap / "events" / ".esaa" / "index.sqlite"


def found(esaa: Workbench, *arguments: str) -> list[str]:
    """The events that a query finds, by stream and sequence; index and scan must agree."""
    answer = esaa.ok("query", "--json", *arguments).answer
    assert answer == esaa.ok("query", "--json", "--scan", *arguments).answer
    return [f"{event['issue_key'] or 'global'}#{event['event_sequence']}" for event in answer["events"]]


def test_events_are_told_one_a_line(story: Workbench) -> None:
    told = story.ok("query", "token", "--issue", "PROJ-1")
    (line,) = told.out.splitlines()
    assert re.fullmatch(r"20\S+Z  PROJ-1 #3  AgentFailed  api-agent  .*login token expired.*", line)
    assert told.err == ""


def test_whole_envelopes_come_in_json(story: Workbench) -> None:
    answer = story.ok("query", "token", "--json").answer
    assert answer["next_cursor"] is None
    (event,) = answer["events"]
    paths = list((story.roadmap / "events").glob("*/PROJ-1/events.jsonl"))
    assert event == json.loads(paths[0].read_bytes().splitlines()[2])


@pytest.mark.parametrize(
    ("arguments", "events"),
    [
        ((), ["global#1", "PROJ-2#2", "PROJ-2#1", "PROJ-1#3", "PROJ-1#2", "PROJ-1#1"]),
        (("--sort", "oldest", "--limit", "2"), ["PROJ-1#1", "PROJ-1#2"]),
        (("--issue", "PROJ-2"), ["PROJ-2#2", "PROJ-2#1"]),
        (("--issue", "global", "--issue", "PROJ-2", "--type", "PhaseStarted"), ["PROJ-2#1"]),
        (("--type", "AgentFailed", "--type", "ErrorOccurred"), ["PROJ-2#2", "PROJ-1#3"]),
        (("--phase", "CODE"), ["PROJ-2#1"]),
        (("--agent", "api-agent"), ["PROJ-1#3", "PROJ-1#2"]),
        (("--actor", "ada"), ["global#1", "PROJ-1#1"]),
        (("login",), ["global#1", "PROJ-2#2", "PROJ-1#3"]),
        (("login -token", "--issue", "PROJ-1"), []),
        (('"cafe page" OR "no answer"',), ["PROJ-2#2", "PROJ-1#2"]),
        (("exp*",), ["PROJ-1#3"]),
        (("--since", "@{1h}"), ["global#1", "PROJ-2#2", "PROJ-2#1", "PROJ-1#3", "PROJ-1#2", "PROJ-1#1"]),
        (("--until", "2020-01-01"), []),
        (("--session", "5e551000-0000-4000-8000-000000000009"), []),
        (("--correlation", "none"), []),
        (("--causation", "none"), []),
    ],
)
def test_filters_find_the_same_with_and_without_the_index(
    story: Workbench, arguments: tuple[str, ...], events: list[str]
) -> None:
    assert found(story, *arguments) == events


def test_event_is_found_by_its_id(story: Workbench) -> None:
    event_id = story.ok("query", "token", "--json").answer["events"][0]["event_id"]
    assert found(story, "--id", event_id.upper()) == ["PROJ-1#3"]


def test_pages_follow_each_other(story: Workbench) -> None:
    lines: list[str] = []
    cursor: list[str] = []
    for size in (4, 2):
        page = story.ok("query", "--limit", "4", *cursor)
        lines += page.out.splitlines()
        assert len(page.out.splitlines()) == size
        more = re.findall(r"more: (--cursor) (\S+)\n", page.err)
        cursor = list(more[0]) if more else []
    assert not cursor
    assert lines == story.ok("query").out.splitlines()
    first = story.ok("query", "--limit", "1", "--json").answer
    refused = story("query", "--limit", "1", "--cursor", first["next_cursor"], "--actor", "ada", "--json")
    assert (refused.code, refused.error["code"]) == (2, "CURSOR_INVALID")


def test_events_are_counted_and_grouped(story: Workbench) -> None:
    assert story.ok("query", "--count").out == "6\n"
    assert story.ok("query", "login", "--count", "--json").answer == {"count": 3}
    assert story.ok("query", "--count", "--scan").out == "6\n"
    assert story.ok("query", "--group-by", "phase", "--json").answer == {"": 4, "CODE": 1, "PLAN": 1}
    told = story.ok("query", "login", "--group-by", "issue_key").out
    assert told == "       1  PROJ-1\n       1  PROJ-2\n       1  global\n"
    assert story.ok("query", "--group-by", "agent_name").out == "       4  -\n       2  api-agent\n"


def test_nothing_found_is_said_on_stderr(story: Workbench) -> None:
    nothing = story.ok("query", "nowhere")
    assert nothing.out == ""
    assert "no event matches" in nothing.err
    assert story.ok("query", "nowhere", "--quiet").err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--type", "AgentFaild"), "EVENT_TYPE_UNKNOWN", "AgentFailed?"),
        (("--issue", "../../etc"), "ISSUE_KEY_INVALID", "'../../etc'"),
        (("--since", "yesterday"), "QUERY_INVALID", "since is 'yesterday'"),
        (("--id", "17"), "QUERY_INVALID", "no UUID"),
        (('login "token',), "QUERY_INVALID", "character 7"),
        (("--limit", "0"), "USAGE", "0 is not in the range"),
        (("--group-by", "colour"), "USAGE", "colour"),
        (("--cursor", "abc"), "CURSOR_INVALID", "not one that a query gave"),
    ],
)
def test_bad_queries_are_refused_in_one_line(
    story: Workbench, arguments: tuple[str, ...], code: str, words: str
) -> None:
    refused = story("query", *arguments, "--json")
    assert (refused.code, refused.out) == (2, "")
    assert refused.error["code"] == code
    assert words in refused.error["message"] + refused.error["hint"]
    # A word that is to be left out is no option.
    assert story("query", "--", "-token").code == 2


def test_index_is_told_of_and_made_again(story: Workbench) -> None:
    assert story.ok("index", "status").out == "there is no index; the next query makes it\n"
    assert story.ok("index", "status", "--json").answer == {"exists": False}
    story.ok("query")
    assert re.fullmatch(r"6 events of 3 streams, \d+ KiB\n", story.ok("index", "status").out)
    story.ok("record", "PhaseStarted", "--issue", "PROJ-9", "--actor", "user:ada", "phase=TEST")
    assert story.ok("index", "status").out.endswith("; to be looked at: PROJ-9\n")
    answer = story.ok("index", "status", "--json").answer
    assert (answer["events"], answer["streams"], answer["behind"]) == (6, 3, ["PROJ-9"])
    assert re.fullmatch(r"7 events of 4 streams in \d+\.\d s \(\d+ events/s\)\n", story.ok("index", "rebuild").out)
    answer = story.ok("index", "rebuild", "--json").answer
    assert (answer["events"], answer["streams"], answer["damaged"]) == (7, 4, [])


def test_broken_index_is_made_again_and_that_is_said(story: Workbench) -> None:
    story.ok("query")
    index_of(story).write_bytes(b"no index" * 2000)
    healed = story.ok("query", "token")
    assert len(healed.out.splitlines()) == 1
    assert healed.err.startswith("the index is made again: SQLite says:")
    assert story.ok("query", "token").err == ""


def test_damaged_stream_ends_with_4_and_the_others_answer(story: Workbench) -> None:
    (path,) = (story.roadmap / "events").glob("*/PROJ-1/events.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"event_sequence":2', b'"event_sequence":7'))
    for scan in ((), ("--scan",)):
        damaged = story("query", *scan, "--json")
        assert (damaged.code, damaged.error["code"]) == (4, "EVENT_SEQ_INVALID")
    assert found(story, "--issue", "PROJ-2") == ["PROJ-2#2", "PROJ-2#1"]
    rebuilt = story("index", "rebuild", "--json")
    assert rebuilt.code == 4
    assert "PROJ-1 breaks" in rebuilt.answer["damaged"][0]


def test_trail_without_indexing_is_read(story: Workbench) -> None:
    (story.roadmap / "event-sourcing.yaml").write_text("event_sourcing:\n  indexing:\n    enabled: false\n")
    assert len(story.ok("query", "login").out.splitlines()) == 3
    assert not index_of(story).exists()
    for command in ("rebuild", "status"):
        refused = story("index", command, "--json")
        assert (refused.code, refused.error["code"]) == (2, "INDEX_DISABLED")


def test_workspace_without_a_trail_has_no_events(esaa: Workbench) -> None:
    esaa.ok("init", "--name", "tide")
    before = esaa.tree()
    assert esaa.ok("query", "--json").answer == {"events": [], "next_cursor": None}
    assert esaa.ok("query", "--count").out == "0\n"
    assert esaa.tree() == before


def test_nothing_of_an_event_steers_the_terminal(story: Workbench) -> None:
    story.ok("record", "ErrorOccurred", "--issue", "PROJ-1", "error_type=x", "error_message=\x1b[2Jgone\u202e")
    told = story.ok("query", "gone").out
    assert "\x1b" not in told
    assert "\u202e" not in told
