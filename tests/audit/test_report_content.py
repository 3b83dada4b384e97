"""What a report says of the told story, against figures that were counted by hand."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from esaa.audit.report import Report
from esaa.audit.request import Request, request_of
from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import root as merkle_root
from esaa.runtime.audit.report import Gathered, gather
from esaa.runtime.trail.trail import Trail
from tests.audit.conftest import Render
from tests.audit.stories import FIRST, SECOND, SHA


@pytest.fixture(scope="module")
def report(gathered: Gathered) -> Report:
    return gathered.report


def rows(report: Report, key: str, family: str) -> list[dict[str, Any]]:
    built: list[dict[str, Any]] = msgspec.to_builtins(getattr(report.sections[key], family))
    return built


def test_totals_are_those_of_the_story(report: Report) -> None:
    totals = report.totals
    assert (totals.events, totals.streams, totals.actors, totals.agents) == (45, 2, 5, 3)
    assert (totals.phases_completed, totals.commits) == (3, 2)
    assert (totals.pull_requests, totals.pull_requests_merged) == (1, 1)
    assert (totals.gaps, totals.gaps_open) == (2, 1)
    # The error and the failed tests were overcome; agent, phase and orchestration of the second issue were not.
    assert (totals.errors, totals.errors_open) == (5, 3)
    assert totals.rejections == 2
    assert (totals.tests_passed, totals.tests_failed) == (47 + 49, 1)
    assert (totals.checks_passed, totals.checks_failed) == (1, 0)
    assert (totals.tokens_in, totals.tokens_out, totals.cost_micro_usd) == (52_000, 12_400, 506_000)
    assert totals.first_at == "2026-03-02T09:00:00.000Z"
    assert totals.last_at == "2026-03-03T09:52:30.000Z"


def test_summary_of_an_issue_has_the_keys_of_the_specification(render: Render) -> None:
    issues = json.loads(render("json"))["issues"]
    assert list(issues) == [FIRST, SECOND]
    summary = issues[FIRST]["summary"]
    assert set(summary) == {
        "total_events",
        "orchestration_started",
        "orchestration_completed",
        "phases_completed",
        "agents_spawned",
        "commits_created",
        "prs_created",
        "errors_occurred",
        "timeline",
    }
    counts = {key: value for key, value in summary.items() if isinstance(value, int)}
    assert counts == {
        "total_events": 38,
        "phases_completed": 3,
        "agents_spawned": 3,
        "commits_created": 2,
        "prs_created": 1,
        "errors_occurred": 1,
    }
    assert summary["orchestration_started"]["metadata"]["issue_summary"] == "Add user authentication"
    assert summary["orchestration_completed"]["metadata"]["final_state"] == "success"
    assert issues[SECOND]["summary"]["orchestration_completed"] is None
    assert issues[FIRST]["issue_key"] == FIRST
    assert len(issues[FIRST]["events"]) == 38
    assert [entry["sequence"] for entry in summary["timeline"]] == list(range(1, 39))
    assert summary["timeline"][0]["summary"] == "PROJ-123 starts in PLAN: Add user authentication"
    assert summary["timeline"][0]["actor"] == "ada@example.org"


def test_phases_have_their_durations(report: Report) -> None:
    phases = rows(report, FIRST, "phases")
    assert [(one["phase"], one["status"], one["duration_seconds"]) for one in phases] == [
        ("PLAN", "completed", 430),
        ("CODE", "completed", 391),
        ("TEST", "completed", 365),
    ]
    assert [one["agents"] for one in phases] == [("ui-architect",), ("api-coder",), ("tester",)]
    assert [(one["phase"], one["status"]) for one in rows(report, SECOND, "phases")] == [("CODE", "failed")]


def test_agents_have_their_metrics_with_tokens_and_cost(report: Report) -> None:
    agents = {one["agent"]: one for one in rows(report, FIRST, "agents")}
    assert set(agents) == {"ui-architect", "api-coder", "tester"}
    coder = agents["api-coder"]
    assert (coder["model"], coder["status"], coder["total_seconds"]) == ("sonnet-5", "completed", 380)
    assert (coder["tokens_in"], coder["tokens_out"], coder["cost_micro_usd"]) == (40_000, 9_000, 255_000)
    assert (coder["commits"], coder["rejected_outputs"], coder["tools_denied"]) == (2, 1, 1)
    assert agents["ui-architect"]["quality_score"] == 91.5
    # Nobody told what the tester cost: that is not the same as nothing.
    assert (agents["tester"]["tokens_in"], agents["tester"]["cost_micro_usd"]) == (None, None)


def test_commits_and_pull_requests_are_told(report: Report) -> None:
    first, second = rows(report, FIRST, "commits")
    assert (first["sha"], first["message"], first["author"]) == (SHA, "Add the session endpoint", "api-coder")
    assert (first["files_changed"], first["insertions"], first["deletions"]) == (4, 180, 12)
    assert second["message"] == "Sessions expire"
    (request,) = rows(report, FIRST, "pull_requests")
    assert (request["number"], request["status"], request["ended_by"]) == (41, "merged", "ada@example.org")


def test_gaps_errors_and_recoveries_are_told_with_their_end(report: Report) -> None:
    (closed,) = rows(report, FIRST, "gaps")
    assert (closed["gap_id"], closed["status"], closed["open_seconds"]) == ("GAP-1", "resolved", 275)
    (still_open,) = rows(report, SECOND, "gaps")
    assert (still_open["gap_id"], still_open["severity"], still_open["status"]) == ("GAP-9", "critical", "open")
    error, tests = rows(report, FIRST, "errors")
    assert (error["kind"], error["code"], error["outcome"]) == ("error", "JIRA_API_TIMEOUT", "recovered")
    assert list(error["recoveries"]) == [
        "recovery attempt 1 of 3 for it: retry with backoff",
        "recovered from it after 30 s with attempt 1",
    ]
    assert (tests["kind"], tests["outcome"]) == ("test", "overcome")
    kinds = [(one["kind"], one["outcome"]) for one in rows(report, SECOND, "errors")]
    assert kinds == [("agent", "open"), ("phase", "open"), ("orchestration", "open")]


def test_refused_outputs_say_what_was_asked_and_which_rule_refused(report: Report) -> None:
    tool, output = rows(report, FIRST, "rejections")
    assert (tool["asked"], tool["asked_by"], tool["rule"]) == ("tool Bash", "api-coder", "deny: rm -rf")
    assert tool["message"] == "rm outside of the worktree"
    assert (output["asked"], output["about"], output["rule"]) == ("complete", "T-7", "BOUNDARY_VIOLATION")
    assert (output["reason"], output["layer"]) == ("boundary_violation", "boundary")
    assert output["hint"] == "Write below src/ only"
    assert {tool["outcome"], output["outcome"]} == {"refused"}


def test_tests_checks_approvals_and_budgets_are_told(report: Report) -> None:
    assert [(one["passed"], one["failed"], one["line_coverage"]) for one in rows(report, FIRST, "tests")] == [
        (47, 1, 81.5),
        (49, 0, 86.0),
    ]
    (check,) = rows(report, FIRST, "checks")
    assert (check["check_type"], check["status"], check["score"]) == ("security_scan", "passed", 92)
    (approval,) = rows(report, FIRST, "approvals")
    assert (approval["status"], approval["decided_by"], approval["reason"]) == (
        "granted",
        "ada@example.org",
        "Looks good",
    )
    (budget,) = rows(report, FIRST, "budgets")
    assert (budget["spent"], budget["reserved"], budget["unit"]) == (506_000, 0, "micro_usd")


def test_who_did_what_counts_each_actors_events_by_type(report: Report) -> None:
    by_actor = {one.actor_id: one for one in report.actors}
    assert [one.actor_id for one in report.actors] == [
        "ada@example.org",
        "tester",
        "api-coder",
        "ui-architect",
        "orchestrator",
    ]
    ada = by_actor["ada@example.org"]
    assert ada.event_types == {"OrchestrationStarted": 2, "DecisionMade": 1, "ApprovalGranted": 1, "PRMerged": 1}
    assert (ada.first_at, ada.last_at) == ("2026-03-02T09:00:00.000Z", "2026-03-03T09:50:10.000Z")
    assert sum(one.events for one in report.actors) == 45


def test_chart_has_a_lane_for_each_phase_and_agent(report: Report) -> None:
    chart = report.sections[FIRST].chart
    assert chart is not None
    assert [(lane.kind, lane.name) for lane in chart.lanes] == [
        ("phase", "PLAN"),
        ("phase", "CODE"),
        ("phase", "TEST"),
        ("agent", "ui-architect"),
        ("agent", "api-coder"),
        ("agent", "tester"),
    ]
    (plan,) = chart.lanes[0].spans
    assert (plan.start, plan.end, plan.outcome) == ("2026-03-02T09:00:05.000Z", "2026-03-02T09:07:10.000Z", "completed")
    assert [mark.kind for mark in chart.marks].count("refused") == 2


def test_heads_and_digests_can_be_made_by_hand(told: Trail, report: Report) -> None:
    evidence = report.evidence
    lines = {name: [one.line for one in told.store.stream(name).events()] for name in (FIRST, SECOND)}
    for head in evidence.heads:
        leaves = [leaf_hash(line) for line in lines[head.stream]]
        assert (head.sequence, head.leaf_hash, head.merkle_root) == (len(leaves), leaves[-1], merkle_root(leaves))
    heads = "".join(f"{one.stream} {one.sequence} {one.leaf_hash} {one.timestamp}\n" for one in evidence.heads)
    assert evidence.heads_sha256 == hashlib.sha256(heads.encode()).hexdigest()
    events = "".join(
        f"{name} {number} {leaf_hash(line)}\n" for name in lines for number, line in enumerate(lines[name], 1)
    )
    assert evidence.selection.sha256 == hashlib.sha256(events.encode()).hexdigest()


def test_events_in_the_json_are_the_stored_lines_byte_for_byte(told: Trail, render: Render) -> None:
    # So that whoever has only the report can check the chain with a few lines of their own.
    stored = [one.line for one in told.store.stream(FIRST).events()]
    lines = [line.strip().removesuffix(b",") for line in render("json").split(b"\n")]
    events = [line for line in lines if line.startswith(b'{"event_id"') and b'"issue_key":"PROJ-123"' in line]
    assert events == stored


def test_report_digest_leaves_out_when_it_was_made_and_nothing_else(told: Trail) -> None:
    one = gather(told, request_of(), generated_at="2026-04-01T00:00:00.000Z").report.evidence
    other = gather(told, request_of(), generated_at="2027-04-01T00:00:00.000Z").report.evidence
    narrower = gather(told, request_of(by="user"), generated_at="2027-04-01T00:00:00.000Z").report.evidence
    assert one.report_sha256 == other.report_sha256
    assert narrower.report_sha256 != other.report_sha256
    assert narrower.heads_sha256 == other.heads_sha256


@pytest.mark.parametrize("by", ["issue", "user", "phase"])
def test_sections_share_out_the_events_whatever_they_are_grouped_by(told: Trail, by: str) -> None:
    report = gather(told, request_of(by=by)).report
    assert sum(one.summary.total_events for one in report.sections.values()) == 45
    for family in ("phases", "commits", "pull_requests", "gaps", "errors", "rejections", "tests", "approvals"):
        assert sum(len(getattr(one, family)) for one in report.sections.values()) > 0, family
    # An error of one actor is recovered by another: it is told as recovered, wherever it stands.
    errors = [row for one in report.sections.values() for row in one.errors if row.code == "JIRA_API_TIMEOUT"]
    assert [row.outcome for row in errors] == ["recovered"]
    gaps = {row.gap_id: row.status for one in report.sections.values() for row in one.gaps}
    assert gaps == {"GAP-1": "resolved", "GAP-9": "open"}


def test_sections_by_user_name_every_actor(told: Trail) -> None:
    report = gather(told, request_of(by="user")).report
    assert list(report.sections) == [
        "user:ada@example.org",
        "agent:tester",
        "agent:api-coder",
        "agent:ui-architect",
        "system:orchestrator",
    ]
    assert report.sections["user:ada@example.org"].streams == [FIRST, SECOND]


def test_sections_by_phase_take_the_phase_that_the_issue_is_in(told: Trail) -> None:
    report = gather(told, request_of(by="phase")).report
    assert list(report.sections) == ["PLAN", "CODE", "TEST"]
    # The refusal names no phase; it happened while the issue was in CODE.
    assert [row.rule for row in report.sections["CODE"].rejections] == ["deny: rm -rf", "BOUNDARY_VIOLATION"]
    # After TEST nothing began: what follows still belongs to it.
    assert report.sections["TEST"].event_types["PRMerged"] == 1


def test_selection_by_time_is_inclusive_and_a_date_is_a_whole_day(told: Trail) -> None:
    def events(**asked: Any) -> int:
        return gather(told, request_of(**asked)).report.totals.events

    assert events(from_date="2026-03-02", to_date="2026-03-02") == 38
    assert events(from_date="2026-03-03") == 7
    assert events(to_date="2026-03-01") == 0
    assert events(from_date="2026-03-02T09:00:05Z", to_date="2026-03-02T09:00:05Z") == 1
    assert events(from_date="2026-03-02T10:00:05+01:00", to_date="2026-03-02T09:00:15.000Z") == 2


def test_selection_by_type_keeps_the_context_of_what_it_leaves_out(told: Trail) -> None:
    report = gather(told, request_of(event_types=["ToolDenied", "CommitCreated"], by="phase")).report
    assert report.totals.events == 3
    assert {key: one.summary.total_events for key, one in report.sections.items()} == {"CODE": 2, "TEST": 1}
    assert report.evidence.conformance.unknown_type == 0


def test_a_stream_without_selected_events_is_named_all_the_same(told: Trail) -> None:
    evidence = gather(told, request_of(from_date="2026-03-03")).report.evidence
    assert [(one.stream, one.selected, one.chain) for one in evidence.heads] == [
        (FIRST, 0, "intact"),
        (SECOND, 7, "intact"),
    ]


def test_csv_of_a_selection_names_every_head(told: Trail, render: Render) -> None:
    rows = render("csv", gather(told, request_of(from_date="2026-03-03"))).decode().split("\r\n")
    assert [row.split(",")[0] for row in rows[1:-1]] == ["event"] * 7 + ["head"] * 2 + ["report"]
    assert rows[8].startswith("head,PROJ-123,38,")


def test_request_is_kept_as_data_in_one_form(told: Trail) -> None:
    request = request_of(
        issue_keys=["PROJ-124", "PROJ-123", "PROJ-124"],
        from_date="2026-03-02",
        to_date="2026-03-02T12:00:00+02:00",
        event_types=["PRCreated", "CommitCreated", "PRCreated"],
    )
    assert request == Request(
        by="issue",
        event_types=("CommitCreated", "PRCreated"),
        from_time="2026-03-02T00:00:00.000Z",
        issue_keys=("PROJ-123", "PROJ-124"),
        to_time="2026-03-02T10:00:00.000Z",
    )
    assert gather(told, request).report.request == request
