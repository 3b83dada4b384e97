"""`esaa record`, `state`, `time-travel`, `snapshot` and `trail` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.workbench import Workbench

KEY = "PROJ-123"


@pytest.fixture
def bench(esaa: Workbench) -> Workbench:
    """A folder with a trail to be, and no governed run."""
    esaa.roadmap.mkdir()
    return esaa


@pytest.fixture
def story(bench: Workbench) -> Workbench:
    """An issue in its second phase."""
    events = [
        ("OrchestrationStarted", {"issue_key": KEY, "initial_phase": "PLAN", "issue_summary": "Add login"}),
        ("PhaseCompleted", {"phase": "PLAN", "next_phase": "CODE"}),
        ("AgentSpawned", {"agent_name": "coder"}),
        ("CommitCreated", {"commit_sha": "abc123", "commit_message": "feat: login"}),
    ]
    lines = [
        json.dumps(
            {
                "event_type": name,
                "metadata": metadata,
                "issue_key": KEY,
                "timestamp": f"2026-02-01T1{number}:00:00Z",
                "actor": {"type": "agent", "id": "orchestrator"},
            }
        )
        for number, (name, metadata) in enumerate(events)
    ]
    (bench.root / "events.ndjson").write_text("\n".join(lines) + "\n\n")
    bench.ok("record", "--batch", "events.ndjson")
    return bench


def stored(bench: Workbench, stream: str = KEY) -> list[dict[str, Any]]:
    found = sorted((bench.roadmap / "events").rglob(f"{stream}/events.jsonl"))
    return [json.loads(line) for path in found for line in path.read_bytes().splitlines()]


def test_record_takes_pairs_json_and_both(bench: Workbench) -> None:
    first = bench.ok(
        "record", "PhaseStarted", "--issue", KEY, "phase=PLAN", "expected_agents=2", "phase_objective=7 up"
    )
    assert first.out.startswith("PROJ-123 #1 PhaseStarted: PLAN begins: 7 up (")
    bench.ok("record", "AgentSpawned", "--issue", KEY, "--data", '{"agent_name": "a"}', 'assigned_files=["x.py"]')
    bench.ok("record", "AgentSpawned", "--issue", KEY, "--data", "-", stdin=b'{"agent_name": "b"}')
    (bench.root / "c.json").write_text('{"agent_name": "c"}')
    bench.ok("record", "AgentSpawned", "--issue", KEY, "--data", "@c.json", "--actor", "agent:c", "--model", "opus")
    events = stored(bench)
    assert events[0]["metadata"] == {"phase": "PLAN", "expected_agents": 2, "phase_objective": "7 up"}
    assert [event["metadata"]["agent_name"] for event in events[1:]] == ["a", "b", "c"]
    assert events[3]["actor"] == {"type": "agent", "id": "c", "model": "opus"}
    assert events[1]["metadata"]["assigned_files"] == ["x.py"]
    assert len({event["session_id"] for event in events}) == 1


def test_record_without_an_issue_is_global(bench: Workbench) -> None:
    answer = bench.ok("record", "ConfigurationChanged", "key=x", "--json").answer
    assert answer["issue_key"] is None
    assert len(stored(bench, "global")) == 1


def test_record_is_idempotent_by_id(bench: Workbench) -> None:
    chosen = "0195c0de-0000-7000-8000-000000000001"
    line = ("record", "PhaseStarted", "--issue", KEY, "phase=PLAN", "--id", chosen)
    bench.ok(*line)
    assert bench.ok(*line).out.startswith("already recorded: ")
    other = bench("record", "PhaseStarted", "--issue", KEY, "phase=CODE", "--id", chosen, "--json")
    assert (other.code, other.error["code"]) == (6, "EVENT_ID_CONFLICT")
    assert len(stored(bench)) == 1


def test_dry_run_records_nothing_and_examines_all(bench: Workbench) -> None:
    assert bench.ok("record", "PhaseStarted", "--issue", KEY, "phase=PLAN", "--dry-run").out == (
        "would be: PhaseStarted in PROJ-123\n"
    )
    assert bench("record", "PhaseStarted", "--issue", KEY, "--dry-run").code == 5
    assert not (bench.roadmap / "events").exists()


BAD: list[tuple[tuple[str, ...], int, str, str]] = [
    (("PhaseStartd", "phase=x"), 5, "EVENT_TYPE_UNKNOWN", "Did you mean PhaseStarted?"),
    (("PhaseStarted",), 5, "FIELD_MISSING", "metadata.phase: the field is required"),
    (("PhaseStarted", "phase=7"), 5, "SCHEMA_INVALID", "metadata.phase"),
    (("PhaseStarted", "phase=x", "nothing=1"), 5, "SCHEMA_INVALID", "metadata.nothing"),
    (("PRMerged", "pr_number=1", "merge_method=glue"), 5, "SCHEMA_INVALID", "metadata.merge_method"),
    (("PhaseStarted", "phase=x", "--at", "noon"), 5, "TIMESTAMP_INVALID", "ISO-8601"),
    (("PhaseStarted", "phase=x", "--at", "2999-01-01T00:00:00Z"), 5, "TIMESTAMP_AHEAD", "24 hours"),
    (("PhaseStarted", "phase=x", "--issue", "../../etc"), 5, "ISSUE_KEY_INVALID", "issue_key"),
    (("PhaseStarted", "phase=x", "--session", "now"), 5, "SESSION_INVALID", "session_id"),
    (
        ("PhaseStarted", "phase=x", "--session", "0195c0de-0000-7000-8000-000000000009"),
        5,
        "SESSION_UNKNOWN",
        "SessionStarted",
    ),
    (("PhaseStarted", "phase=x", "--actor", "robot:x"), 5, "ACTOR_INVALID", "user, system and agent"),
    (("PhaseStarted", "phase=x", "--actor", "ada"), 2, "ACTOR_INVALID", "agent:NAME"),
    (("PhaseStarted", "phase=x", "--id", "7"), 5, "EVENT_ID_INVALID", "UUID"),
    (("PhaseStarted", "--data", "{"), 2, "METADATA_INVALID", "strict JSON"),
    (("PhaseStarted", "--data", '{"phase": "a", "phase": "b"}'), 2, "METADATA_INVALID", "twice"),
    (("PhaseStarted", "--data", "[1]"), 2, "METADATA_INVALID", "no JSON object"),
    (("PhaseStarted", "--data", "@missing.json"), 7, "FILE_NOT_FOUND", "missing.json"),
    (("PhaseStarted", "phase"), 2, "USAGE", "KEY=VALUE"),
    ((), 2, "USAGE", "Which event"),
]


@pytest.mark.parametrize(("arguments", "code", "error", "said"), BAD)
def test_bad_input_is_named_and_nothing_is_lost(
    bench: Workbench, arguments: tuple[str, ...], code: int, error: str, said: str
) -> None:
    outcome = bench("record", *arguments, "--json")
    assert (outcome.code, outcome.error["code"]) == (code, error), outcome
    assert said in f"{outcome.error['message']} {outcome.error['hint']}"
    assert not list((bench.roadmap / "events").rglob("events.jsonl"))


def test_too_large_and_too_deep_are_refused(bench: Workbench) -> None:
    large = json.dumps({"phase": "x", "extra": {"text": "y" * 1_100_000}}).encode()
    assert bench("record", "PhaseStarted", "--data", "-", "--json", stdin=large).error["code"] == "METADATA_TOO_LARGE"
    deep = b'{"phase": "x", "extra": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}"
    assert bench("record", "PhaseStarted", "--data", "-", "--json", stdin=deep).error["code"] == "METADATA_TOO_DEEP"
    bomb = b'{"phase": "x", "extra": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}"
    assert bench("record", "PhaseStarted", "--data", "-", stdin=bomb).code == 2


def test_batch_names_the_line_that_is_no_event(bench: Workbench) -> None:
    (bench.root / "batch").write_text('{"event_type":"SessionStarted"}\n{"event_type":7}\n')
    outcome = bench("record", "--batch", "batch", "--json")
    assert (outcome.code, outcome.error["code"]) == (2, "BATCH_INVALID")
    assert "Line 2" in outcome.error["message"]


def test_types_are_listed_and_described(bench: Workbench) -> None:
    listed = bench.ok("record", "--list").out
    assert "PhaseStarted" in listed
    assert len(listed.splitlines()) >= 92
    described = bench.ok("record", "PRMerged", "--describe").out
    assert "merge_method" in described
    assert "required" in described
    assert bench("record", "Nothing", "--describe").code == 2
    assert bench.ok("record", "PRMerged", "--describe", "--json").answer["type"] == "object"


def test_state_at_moments(story: Workbench) -> None:
    now = story.ok("state", "--issue", KEY, "--json").answer
    assert (now["status"], now["current_phase"], now["active_agents"]) == ("in_progress", "CODE", ["coder"])
    before = story.ok("state", "--issue", KEY, "--at", "2026-02-01T10:30:00Z", "--json").answer
    assert (before["current_phase"], before["commits"]) == ("PLAN", [])
    assert story.ok("state", "--issue", KEY, "--at", "#2", "--json").answer["current_phase"] == "CODE"
    assert story.ok("state", "--issue", KEY, "--at", "HEAD~1", "--json").answer["active_agents"] == ["coder"]
    event = stored(story)[1]["event_id"]
    assert story.ok("state", "--issue", KEY, "--at", event, "--json").answer["last_sequence"] == 2
    assert story.ok("state", "--issue", KEY, "--select", "commits[0].sha").out == "abc123\n"
    assert "current phase" in story.ok("state", "--issue", KEY).out


@pytest.mark.parametrize("projection", ["agents", "timeline", "phases", "quality", "gaps", "failures"])
def test_projections_answer(story: Workbench, projection: str) -> None:
    story.ok("state", "--issue", KEY, "--projection", projection)
    story.ok("state", "--issue", KEY, "--projection", projection, "--json")


def test_timeline_has_a_readable_line_for_every_event(story: Workbench) -> None:
    lines = story.ok("state", "--issue", KEY, "--projection", "timeline").out.splitlines()
    assert len(lines) == 4
    assert lines[0] == (
        "2026-02-01T10:00:00.000Z  #1  OrchestrationStarted  orchestrator  PROJ-123 starts in PLAN: Add login"
    )


def test_time_travel_shows_state_and_surroundings(story: Workbench) -> None:
    found = story.ok("time-travel", KEY, "2026-02-01T12:00:00Z", "--json").answer
    assert found["state_summary"]["active_agents"] == ["coder"]
    assert [event["event_type"] for event in found["surrounding_events"]] == ["AgentSpawned"]
    wide = story.ok("time-travel", KEY, "2026-02-01T12:00:00Z", "--window", "120")
    assert "AgentSpawned" in wide.out
    assert len(wide.out.splitlines()) == 10


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("state", "--issue", "proj-1"), 2, "ISSUE_KEY_INVALID"),
        (("state", "--issue", "ABC-1"), 7, "ISSUE_NOT_FOUND"),
        (("state", "--issue", KEY, "--at", "sometime"), 2, "REF_INVALID"),
        (("state", "--issue", KEY, "--at", "#99"), 7, "EVENT_NOT_FOUND"),
        (("state", "--issue", KEY, "--select", "a["), 2, "EXPRESSION_INVALID"),
        (("state", "--issue", KEY, "--select", "keys(@)[::0]"), 2, "EXPRESSION_INVALID"),
        (("time-travel", KEY, "14:00"), 2, "TIMESTAMP_INVALID"),
        (("time-travel", "../x", "2026-02-01T12:00:00Z"), 2, "ISSUE_KEY_INVALID"),
        (("snapshot", "create", "--issue", "ABC-1"), 7, "ISSUE_NOT_FOUND"),
    ],
)
def test_questions_that_cannot_be_answered(story: Workbench, arguments: tuple[str, ...], code: int, error: str) -> None:
    outcome = story(*arguments, "--json")
    assert (outcome.code, outcome.error["code"]) == (code, error), outcome


def test_snapshots_are_made_listed_discarded_and_collected(story: Workbench) -> None:
    made = story.ok("snapshot", "create", "--issue", KEY, "--json").answer
    assert (made["snapshot_id"], made["event_sequence"]) == ("snap-4", 4)
    assert stored(story)[-1]["event_type"] == "SnapshotCreated"
    assert "holds" in story.ok("snapshot", "list", "--issue", KEY).out
    path = story.roadmap / "events" / made["path"]
    path.write_bytes(b"poison")
    outcome = story.ok("state", "--issue", KEY, "--json")
    assert "snapshot-4" in outcome.err
    assert not path.exists()
    story.ok("snapshot", "gc", "--dry-run")


def test_trail_lists_its_streams(story: Workbench) -> None:
    story.ok("record", "SessionStarted")
    rows = story.ok("trail", "list").out.splitlines()
    assert [row.split()[:2] for row in rows] == [["global", "1"], ["PROJ-123", "4"]]


def test_trail_check_prints_the_six_metrics(story: Workbench) -> None:
    answer = story.ok("trail", "check", "--json").answer
    assert [metric["name"] for metric in answer["metrics"]] == [
        "event completeness",
        "schema compliance",
        "reconstruction accuracy",
        "query performance",
        "audit trail coverage",
        "replay success rate",
    ]
    assert all(metric["is_met"] for metric in answer["metrics"])
    assert answer["streams"][0]["head_sequence"] == 4
    assert "schema compliance" in story.ok("trail", "check").out


def test_trail_check_finds_what_was_changed(story: Workbench) -> None:
    (log,) = (story.roadmap / "events").rglob("PROJ-123/events.jsonl")
    log.write_bytes(log.read_bytes().replace(b"feat: login", b"feat: logon", 1).replace(b'"coder"', b'"codes"', 1))
    outcome = story("trail", "check", "--json")
    assert outcome.code == 4
    errors = outcome.answer["streams"][0]["errors"]
    assert [(one["code"], one["line"]) for one in errors] == [("CHAIN_BROKEN", 3)]


def test_missing_partition_is_found_and_told(story: Workbench, tmp_path: Path) -> None:
    story.ok("record", "PhaseStarted", "--issue", KEY, "phase=TEST")
    (story.roadmap / "events" / "2026-02-01" / KEY / "events.jsonl").unlink()
    assert story("trail", "check").code == 4
    outcome = story("state", "--issue", KEY, "--json")
    assert (outcome.code, outcome.error["code"]) == (7, "EVENTS_DELETED")


def test_archive_says_what_it_would_do(story: Workbench) -> None:
    planned = story.ok("trail", "archive", "--dry-run", "--json").answer
    assert {one["act"] for one in planned["segments"]} <= {"archive", "delete"}
    assert len(stored(story)) == 4


def test_wrong_setting_names_key_and_values(bench: Workbench) -> None:
    (bench.roadmap / "event-sourcing.yaml").write_text("event_sourcing:\n  storage:\n    format: xml\n")
    outcome = bench("record", "SessionStarted", "--json")
    assert (outcome.code, outcome.error["code"]) == (8, "CONFIG_INVALID")
    assert "storage.format" in outcome.error["message"]
