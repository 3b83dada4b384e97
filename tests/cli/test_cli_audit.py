"""`esaa audit` and `esaa audit check` on the command line."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.cli.workbench import Outcome, Workbench


@pytest.fixture
def story(esaa: Workbench) -> Workbench:
    """A workspace with a few recorded events of two issues."""
    esaa.ok("init", "--name", "tide")
    esaa.ok("record", "OrchestrationStarted", "--issue", "PROJ-1", "issue_key=PROJ-1", "initial_phase=PLAN")
    for issue, event_type, *fields in (
        ("PROJ-1", "PhaseStarted", "phase=PLAN"),
        ("PROJ-1", "CommitCreated", "commit_sha=abc1234", "commit_message==cmd|' /C calc'!A0"),
        ("PROJ-1", "PhaseCompleted", "phase=PLAN", "duration_seconds=12"),
        ("PROJ-2", "ErrorOccurred", "error_type=network", "error_message=no answer"),
    ):
        esaa.ok("record", event_type, "--issue", issue, "--actor", "user:ada", *fields)
    return esaa


def reports(esaa: Workbench) -> list[Path]:
    return sorted((esaa.roadmap / "events" / "reports").iterdir())


def test_report_lands_in_the_trail_and_is_proved(story: Workbench) -> None:
    made = story.ok("audit")
    (path,) = reports(story)
    assert made.out == f"{path}\n"
    assert re.fullmatch(r"audit-\d{8}-\d{6}\.html", path.name)
    assert "5 events, chain intact, report digest " in made.err
    assert f"esaa audit check {path}" in made.err
    checked = story.ok("audit", "check", str(path))
    assert checked.out.startswith("ok: html report of 5 events in 2 streams, made 20")
    assert checked.out.endswith(", recorded in the trail when it was made\n")


@pytest.mark.parametrize("format_", ["json", "csv", "html", "md", "pdf"])
def test_every_format_is_written_and_proved(story: Workbench, format_: str) -> None:
    story.ok("audit", "--format", format_, "--output", f"report.{format_}", "--quiet")
    answer = story.ok("audit", "check", f"report.{format_}", "--json").answer
    assert (answer["status"], answer["format"], answer["events"]) == ("ok", format_, 5)
    assert not (story.roadmap / "events" / "reports").exists()


def test_answer_in_json_names_file_and_digests(story: Workbench) -> None:
    answer = story.ok("audit", "--json", "--issue", "PROJ-1", "--by", "phase", "--format", "csv").answer
    assert answer["path"] == str(reports(story)[0])
    assert (answer["format"], answer["events"], answer["chain"]) == ("csv", 4, "intact")
    assert re.fullmatch("[0-9a-f]{64}", answer["report_sha256"])
    (line,) = (story.roadmap / "events" / "global" / "events.jsonl").read_bytes().splitlines()
    told = json.loads(line)
    assert (told["event_id"], told["metadata"]["issue_keys"]) == (answer["event_id"], ["PROJ-1"])
    assert told["metadata"]["requested_by"].startswith("user:")


def test_report_goes_to_standard_output(story: Workbench) -> None:
    done = story.process("audit", "--format", "csv", "--output", "-", "--types", "CommitCreated,ErrorOccurred")
    assert (done.code, done.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [row["event_type"] for row in rows if row["record"] == "event"] == ["CommitCreated", "ErrorOccurred"]
    data = done.out.replace("\n", "\r\n").encode()  # the test's pipe has made one character of the two
    assert story.ok("audit", "check", "-", stdin=data).out.startswith("ok: csv report of 2 events")


def test_pdf_is_not_poured_into_a_terminal(story: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    outcome = story("audit", "--format", "pdf", "--output", "-", "--json")
    assert (outcome.code, outcome.error["code"]) == (2, "OUTPUT_INVALID")


def test_csv_guards_cells_unless_it_is_asked_not_to(story: Workbench) -> None:
    story.ok("record", "ErrorOccurred", "--issue", "PROJ-3", "--actor", "agent:=1+1", "error_type=x", "error_message=y")
    guarded = story.process("audit", "--format", "csv", "--output", "-", "--issue", "PROJ-3").out
    assert ",agent,'=1+1," in guarded
    raw = story.process("audit", "--format", "csv", "--output", "-", "--issue", "PROJ-3", "--raw", "--bom").out
    assert ",agent,=1+1," in raw
    assert raw.startswith("\ufeffrecord,")


def test_tampered_report_ends_with_1_and_says_what(story: Workbench) -> None:
    story.ok("audit", "--format", "html", "--output", "report.html")
    page = (story.root / "report.html").read_text("utf-8")
    assert "<dt>Errors</dt><dd><b>1</b>" in page
    changed = page.replace("<dt>Errors</dt><dd><b>1</b>", "<dt>Errors</dt><dd><b>0</b>")
    (story.root / "report.html").write_text(changed, "utf-8")
    outcome = story("audit", "check", "report.html")
    assert outcome.code == 1
    said, answer = outcome.out.splitlines()
    assert said.startswith("differs: line ")
    assert "it should be" in said
    assert answer.startswith("differs: html report of 5 events")


def test_changed_trail_ends_with_4(story: Workbench) -> None:
    story.ok("audit", "--format", "md", "--output", "report.md")
    (log,) = (story.roadmap / "events").glob("*/PROJ-1/events.jsonl")
    whole = log.read_bytes()
    log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    outcome = story("audit", "check", "report.md", "--json")
    assert (outcome.code, outcome.error["code"]) == (4, "HEAD_GONE")
    assert "event 4 of PROJ-1 is not there" in outcome.error["message"]
    log.write_bytes(whole.replace(b'"phase":"PLAN"', b'"phase":"CODE"', 1))
    damaged = story("audit", "--format", "md", "--output", "damaged.md")
    assert damaged.code == 4
    assert "warning: PROJ-1 3 CHAIN_BROKEN: event 3 names another line before it" in damaged.err
    assert "Chain broken" in (story.root / "damaged.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["audit", "--from", "soon"], 2, "TIMESTAMP_INVALID"),
        (["audit", "--from", "2026-02-02", "--to", "2026-02-01"], 2, "RANGE_INVALID"),
        (["audit", "--issue", "nope"], 2, "ISSUE_KEY_INVALID"),
        (["audit", "--issue", "PROJ-99"], 7, "ISSUE_NOT_FOUND"),
        (["audit", "--types", "CommitCreate"], 2, "EVENT_TYPE_UNKNOWN"),
        (["audit", "--format", "xml"], 2, "USAGE"),
        (["audit", "--by", "agent"], 2, "USAGE"),
        (["audit", "check", "nothing.html"], 2, "USAGE"),
        (["audit", "check", ".roadmap/roadmap.json"], 2, "REPORT_UNREADABLE"),
        (["audit", "--output", "no/such/folder/report.html"], 10, "STORAGE_FAILED"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(story: Workbench, arguments: list[str], code: int, said: str) -> None:
    outcome: Outcome = story(*arguments, "--json")
    assert (outcome.code, outcome.error["code"]) == (code, said)
    assert outcome.out == ""
    assert not (story.roadmap / "events" / "reports").exists()


def test_audit_of_a_governed_run_is_a_whole_report(landing: Workbench) -> None:
    landing.ok("audit", "--format", "json", "--output", "report.json")
    report = json.loads((landing.root / "report.json").read_bytes())
    assert report["evidence"]["chain"] == "intact"
    assert report["totals"]["tasks"] == report["totals"]["tasks_done"] > 5
    assert report["totals"]["rejections"] >= 1
    assert landing.ok("audit", "check", "report.json").out.startswith("ok: json report")
