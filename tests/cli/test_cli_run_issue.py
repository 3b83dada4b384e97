"""`esaa run --issue KEY`: a complete trail of the run in the stream of the issue, with no other call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esaa.kernel.chain import leaf_hash
from esaa.open import open_trail
from esaa.runtime.trail.feed import unfed_events
from tests.cli.test_cli_imports import imported
from tests.cli.workbench import SPEC, Workbench, result

ISSUE = "PROJ-123"


def events(esaa: Workbench, stream: str = ISSUE) -> list[dict[str, Any]]:
    """The events of a stream."""
    return [json.loads(one.line) for one in open_trail(esaa.root).store.stream(stream).events()]


def types(esaa: Workbench, stream: str = ISSUE) -> list[str]:
    return [str(event["event_type"]) for event in events(esaa, stream)]


def streams(esaa: Workbench) -> list[str]:
    return open_trail(esaa.root).store.names()


def assert_complete(esaa: Workbench) -> None:
    assert unfed_events(open_trail(esaa.root), esaa.log) == ([], len(esaa.events()))


def test_run_with_an_issue_yields_its_complete_trail(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "landing")
    outcome = esaa.ok("run", "--issue", ISSUE)
    assert "warning" not in outcome.err
    assert streams(esaa) == [ISSUE], "what was before the binding is told there too"
    told = events(esaa)
    assert {event["issue_key"] for event in told} == {ISSUE}
    assert [event["event_sequence"] for event in told] == list(range(1, len(told) + 1))
    leaves = {
        event["event_id"]: leaf_hash(line.rstrip(b"\n"))
        for event, line in zip(esaa.events(), esaa.lines(), strict=True)
    }
    measured = told.pop()
    assert (measured["event_type"], measured["metadata"]["run_id"]) == ("RunMeasured", "RUN-0001")
    assert {(event["source"]["event_id"], event["source"]["leaf_hash"]) for event in told} == set(leaves.items())
    assert told[0]["event_type"] == "SessionStarted"
    assert told[1]["metadata"]["issue_summary"] == "landing-page"
    phases = [event["metadata"]["phase"] for event in told if event["event_type"] == "PhaseCompleted"]
    assert phases == ["PLAN", "CODE", "FIX", "TEST"]
    assert [event["event_type"] for event in told[-3:]] == [
        "OrchestrationCompleted",
        "OrchestrationSummarized",
        "SessionEnded",
    ]
    assert not any("findings" in event for event in told)
    bound = [event for event in esaa.events() if event["payload"].get("target") == "trail"]
    assert [event["payload"] for event in bound] == [
        {"target": "trail", "change": "bound", "detail": {"issue_key": ISSUE}}
    ]
    assert_complete(esaa)
    esaa.assert_sound()


def test_run_without_an_issue_is_told_globally(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    esaa.ok("run", "--quiet")
    assert streams(esaa) == ["global"]
    assert {event["issue_key"] for event in events(esaa, "global")} == {None}
    assert_complete(esaa)


def test_run_that_goes_on_stays_in_its_issue(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    esaa.ok("run", "--issue", ISSUE, "--steps", "2")
    esaa.ok("run", "--steps", "2")
    esaa.ok("run", "--issue", ISSUE)
    assert streams(esaa) == [ISSUE]
    assert types(esaa).count("OrchestrationStarted") == 1
    assert esaa.ok("status", "--json").answer["run"]["issue_key"] == ISSUE
    assert_complete(esaa)


def test_every_command_that_writes_is_told_once_there_is_a_feed(planned: Workbench) -> None:
    planned("run", "--issue", ISSUE)
    planned.ok("claim", "T-1", "--actor", "agent-spec")
    assert types(planned)[-4:] == ["AgentSpawned", "ReadModelUpdated", "QualityCheckStarted", "QualityCheckCompleted"]
    data = result("complete", "T-1", {"docs/spec/page.md": SPEC})
    planned.ok("submit", "-", "--actor", "agent-spec", stdin=data)
    planned.ok("review", "T-1", "--actor", "agent-qa", "--approve")
    planned.ok("task", "create", "T-9", "--kind", "qa", "--title", "More")
    assert planned("submit", "-", "--actor", "agent-impl", stdin=b"no JSON").code == 5
    for told in ("TaskCompleted", "FileWritten", "TaskDone", "PhaseCompleted", "TaskCreated", "OutputRejected"):
        assert told in types(planned), told
    assert_complete(planned)
    summary = json.loads(next(planned.roadmap.glob(f"events/*/{ISSUE}/metadata.json")).read_text())
    assert summary["events"] == len(events(planned))


@pytest.mark.parametrize("key", ["proj-123", "PROJ", "../PROJ-1", "PROJ-123 ", "", "PROJ-1/x", "global"])
def test_text_that_is_no_issue_key_is_refused_before_anything_is_written(planned: Workbench, key: str) -> None:
    before = planned.tree()
    outcome = planned("run", "--issue", key, "--json")
    assert (outcome.code, outcome.error["code"]) == (2, "ISSUE_KEY_INVALID")
    assert planned.tree() == before


def test_dry_run_tells_nothing(planned: Workbench) -> None:
    before = planned.tree()
    planned.ok("run", "--issue", ISSUE, "--dry-run")
    assert planned.tree() == before


def test_wrong_setting_of_the_trail_ends_a_run_before_it_begins(planned: Workbench) -> None:
    (planned.roadmap / "event-sourcing.yaml").write_text("event_sourcing: {storage: {format: xml}}\n")
    before = planned.tree()
    outcome = planned("run", "--issue", ISSUE, "--json")
    assert (outcome.code, outcome.error["code"]) == (8, "CONFIG_INVALID")
    assert planned.tree() == before


def test_trail_that_cannot_be_written_is_a_warning(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    (esaa.roadmap / "events").write_text("in the way")
    outcome = esaa.ok("run", "--issue", ISSUE)
    assert outcome.err.count("the trail could not be told") == 1
    assert outcome.err.count("the times of this run are not in the trail") == 1
    (esaa.roadmap / "events").unlink()
    esaa.ok("task", "create", "T-9", "--kind", "qa", "--title", "More")
    assert types(esaa)[-1] == "SessionEnded"
    assert "TaskCreated" in types(esaa, "global"), "a new run, which belongs to no issue"
    assert_complete(esaa)


def test_finished_project_is_not_bound_and_says_so(landing: Workbench) -> None:
    before = landing.log.read_bytes()
    outcome = landing.ok("run", "--issue", ISSUE)
    assert f"warning: {ISSUE} is not bound: all tasks were done before" in outcome.err
    assert landing.log.read_bytes() == before
    assert_complete(landing)


def test_later_run_belongs_to_its_own_issue(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    esaa.ok("run", "--issue", "ALPHA-1")
    esaa.ok("task", "create", "T-9", "--kind", "qa", "--title", "More", "--output", "docs/qa/more.md")
    esaa.ok("run", "--issue", "BETA-2", "--agent", "scripted")
    assert streams(esaa) == ["global", "ALPHA-1", "BETA-2"]
    assert types(esaa, "BETA-2")[-2:] == ["SessionEnded", "RunMeasured"]
    assert types(esaa, "global")[-2:] == ["OrchestrationPaused", "SessionEnded"]
    assert_complete(esaa)
    esaa.assert_sound()


def test_command_without_a_feed_does_not_load_the_trail(planned: Workbench) -> None:
    loaded = imported(planned, "claim", "T-1", "--actor", "agent-spec")
    assert not [
        name
        for name in loaded
        if name.startswith(("esaa.trail", "esaa.runtime.trail.trail", "esaa.runtime.trail.feed"))
    ]
    assert not (planned.roadmap / "events").exists()


def test_reader_of_a_workspace_with_a_feed_does_not_load_the_trail(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    esaa.ok("run", "--issue", ISSUE)
    loaded = imported(esaa, "status")
    assert not [name for name in loaded if name.startswith("esaa.trail")]


def test_help_names_the_issue(esaa: Workbench) -> None:
    outcome = esaa.ok("run", "--help")
    assert "--issue KEY" in outcome.out
    assert f"esaa run --issue {ISSUE}" in outcome.out


def test_trail_lies_where_the_project_says(esaa: Workbench) -> None:
    esaa.ok("init", "--demo", "calc")
    (esaa.roadmap / "event-sourcing.yaml").write_text(
        "event_sourcing: {storage: {base_path: sessions/events, partition_by: issue}}\n"
    )
    esaa.ok("run", "--issue", ISSUE)
    assert Path(esaa.root, "sessions", "events", ISSUE, "events.jsonl").exists()
    assert_complete(esaa)
