"""Audit reports as files of the store: where they lie, what is recorded of them, and what damage does to them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from esaa.audit.request import request_of
from esaa.errors import NotFound, StoreError, UsageError
from esaa.runtime.audit.report import (
    FileOptions,
    Gathered,
    gather,
    generate_audit_trail,
    pieces,
    write_report,
)
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.retention import retire
from esaa.runtime.trail.trail import Trail
from esaa.stores.disk import Disk
from esaa.trail.intake import Proposal
from esaa.trail.wire import metadata_of
from tests.audit.stories import FIRST, SECOND, a_told_trail
from tests.trails import ME, a_trail, settings

HOUR_AFTER = "audit-20260303-105230"


def rendered(gathered: Gathered, format_: Any, **options: Any) -> bytes:
    return b"".join(pieces(gathered, format_, FileOptions(**options), []))


def global_events(trail: Trail) -> list[tuple[str, dict[str, Any]]]:
    return [(one.event.fact.event_type, metadata_of(one.event)) for one in trail.store.stream("global").events()]


def test_example_3_of_the_specification_runs_as_written(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2025, 12, 16, 9, 0, tzinfo=UTC))
    trail = a_trail(tmp_path, clock=clock)
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-123") as recorder:
        recorder.record("OrchestrationStarted", {"issue_key": "PROJ-123", "initial_phase": "EXPLORE"})
    clock.advance(7 * 86_400 - 1)
    report_path = generate_audit_trail(trail, from_date="2025-12-15", to_date="2025-12-22", format="html")
    assert report_path == str(tmp_path / "events" / "reports" / "audit-20251223-085959.html")
    assert Path(report_path).read_bytes().startswith(b"<!doctype html>")


def test_default_format_is_json_as_in_workflow_5(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    path = Path(generate_audit_trail(trail, issue_key=FIRST))
    assert path.name == f"{HOUR_AFTER}.json"
    report = json.loads(path.read_bytes())
    assert list(report["issues"]) == [FIRST]
    assert report["request"]["issue_keys"] == [FIRST]


def test_second_report_of_a_second_gets_a_name_of_its_own(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    names = [Path(generate_audit_trail(trail, format="csv")).name for _ in range(3)]
    assert names == [f"{HOUR_AFTER}.csv", f"{HOUR_AFTER}-2.csv", f"{HOUR_AFTER}-3.csv"]


def test_report_in_the_store_is_recorded_after_its_heads(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    gathered = gather(trail, request_of(from_date="2026-03-02", event_types=["CommitCreated"]))
    written = write_report(trail, gathered, "md", requested_by="user:ada")
    ((event_type, told),) = global_events(trail)
    assert event_type == "ReportGenerated"
    data = Path(written.path).read_bytes()
    assert told == {
        "path": f"reports/{HOUR_AFTER}.md",
        "format": "md",
        "sha256": sha256(data).hexdigest(),
        "size_bytes": len(data),
        "events": 2,
        "grouped_by": "issue",
        "event_types": ["CommitCreated"],
        "from_time": "2026-03-02T00:00:00.000Z",
        "head_leaf_hash": gathered.report.evidence.heads[0].leaf_hash,
        "requested_by": "user:ada",
        "extra": {
            "heads_sha256": gathered.report.evidence.heads_sha256,
            "report_sha256": gathered.report.evidence.report_sha256,
        },
    }
    # The report was made before this event, so it does not name its stream.
    assert [head.stream for head in gathered.report.evidence.heads] == [FIRST, SECOND]


def test_report_elsewhere_and_on_request_is_not_recorded(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    path = generate_audit_trail(trail, output=tmp_path / "mine.csv", format="csv")
    assert path == str(tmp_path / "mine.csv")
    generate_audit_trail(trail, format="csv", record=False)
    assert "global" not in trail.store.names()


def test_output_replaces_a_file_at_once_and_writes_into_a_pipe(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    target = tmp_path / "report.json"
    target.write_text("old")
    generate_audit_trail(trail, output=target)
    assert target.read_bytes().startswith(b"{")
    assert generate_audit_trail(trail, output="/dev/null") == "/dev/null"
    assert Path("/dev/null").is_char_device()
    assert {path.name for path in tmp_path.iterdir()} == {"events", "report.json"}


@pytest.mark.parametrize("format_", ["json", "csv", "html", "md"])
@pytest.mark.parametrize("by", ["issue", "user", "phase"])
def test_equal_trails_give_equal_bytes(tmp_path: Path, format_: Any, by: str) -> None:
    one, _ = a_told_trail(tmp_path / "one")
    other, _ = a_told_trail(tmp_path / "other")
    assert rendered(gather(one, request_of(by=by)), format_) == rendered(gather(other, request_of(by=by)), format_)


def test_report_of_nothing_is_a_report(tmp_path: Path) -> None:
    empty = a_trail(tmp_path)
    gathered = gather(empty, request_of())
    assert gathered.report.evidence.heads == ()
    assert gathered.report.totals.events == 0
    assert json.loads(rendered(gathered, "json"))["issues"] == {}
    assert b"There are no events to check." in rendered(gathered, "html")
    assert b"There are none." in rendered(gathered, "html")
    assert rendered(gathered, "csv").count(b"\r\n") == 2
    assert rendered(gathered, "pdf").startswith(b"%PDF-")
    assert b"There are no events to check" in rendered(gathered, "md")


def test_selection_without_events_still_names_the_heads(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    gathered = gather(trail, request_of(to_date="2020-01-01"))
    assert [head.sequence for head in gathered.report.evidence.heads] == [38, 7]
    page = rendered(gathered, "html").decode()
    assert gathered.report.evidence.heads[0].leaf_hash in page


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"issue_keys": ["../etc"]}, "ISSUE_KEY_INVALID"),
        ({"from_date": "yesterday"}, "TIMESTAMP_INVALID"),
        ({"to_date": "2025-02-30"}, "TIMESTAMP_INVALID"),
        ({"from_date": "2025-12-22T10:00:00"}, "TIMESTAMP_INVALID"),
        ({"from_date": "2025-12-23", "to_date": "2025-12-22"}, "RANGE_INVALID"),
        ({"event_types": ["commit created"]}, "EVENT_TYPE_UNKNOWN"),
        ({"by": "agent"}, "GROUPING_INVALID"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as raised:
        request_of(**asked)
    assert raised.value.code == code


def test_unsupported_format_unknown_issue_and_unknown_type_are_refused(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    with pytest.raises(UsageError, match="Unsupported format: xml"):
        generate_audit_trail(trail, format="xml")
    with pytest.raises(NotFound, match="The trail has no events of PROJ-9"):
        generate_audit_trail(trail, issue_key="PROJ-9")
    with pytest.raises(UsageError, match="'CommitCreate' is no event type") as raised:
        generate_audit_trail(trail, event_types=["CommitCreate"])
    assert raised.value.hint == "Did you mean CommitCreated?"
    assert not (tmp_path / "events" / "reports").exists()


def test_type_that_only_a_lenient_store_knows_can_be_asked_for(tmp_path: Path) -> None:
    trail = a_trail(tmp_path, settings(validation={"strict_mode": False}))
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        recorder.record("TeaBrewed", {"cups": 2})
        recorder.record("PhaseStarted", {"phaze": "PLAN"})
        recorder.record("PhaseStarted", {"phase": "PLAN"})
    report = gather(trail, request_of(event_types=["TeaBrewed"])).report
    assert report.totals.events == 1
    whole = gather(trail, request_of()).report.evidence.conformance
    assert (whole.unknown_type, whole.not_fitting, whole.with_findings) == (1, 1, 2)
    assert b"2 events do not fit their type; 2 recorded with findings" in rendered(gather(trail, request_of()), "html")


def tampered_line(trail: Trail, old: bytes, new: bytes) -> Path:
    """Changes a stored line, as nobody may."""
    for segment in trail.store.stream(FIRST).segments():
        data = segment.path.read_bytes()
        if old in data:
            assert len(old) == len(new)
            segment.path.write_bytes(data.replace(old, new, 1))
            return segment.path
    raise AssertionError(old)


def test_broken_chain_stands_on_the_first_page(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    tampered_line(trail, b'"insertions":180', b'"insertions":900')
    fresh = a_trail(tmp_path)
    gathered = gather(fresh, request_of())
    evidence = gathered.report.evidence
    assert evidence.chain == "broken"
    assert [(one.stream, one.sequence, one.code) for one in evidence.findings] == [(FIRST, 21, "CHAIN_BROKEN")]
    assert [(head.stream, head.chain, bool(head.merkle_root)) for head in evidence.heads] == [
        (FIRST, "broken", False),
        (SECOND, "intact", True),
    ]
    page = rendered(gathered, "html").decode()
    front = page[: page.index('id="overview"')]
    assert "Chain broken." in front
    assert "event 21 names another line before it" in front
    assert b"Chain broken" in rendered(gathered, "md")
    assert rendered(gathered, "pdf").startswith(b"%PDF-")


def test_unreadable_line_is_reported_and_what_is_before_it_told(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    tampered_line(trail, b'"event_type":"GapIdentified"', b'"event_type":GapIdentified" ')
    gathered = gather(a_trail(tmp_path), request_of(issue_keys=[FIRST]))
    evidence = gathered.report.evidence
    assert [head.sequence for head in evidence.heads] == [25]
    assert [(one.sequence, one.code) for one in evidence.findings] == [(26, "JSONL_INVALID")]
    # Where the store lies on this machine is nobody's business.
    assert str(tmp_path) not in evidence.findings[0].message
    assert gathered.report.totals.events == 25
    assert json.loads(rendered(gathered, "json"))["issues"][FIRST]["summary"]["total_events"] == 25


def test_events_that_retention_deleted_are_stood_for_by_their_proof(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 1, 1, 9, 0, tzinfo=UTC))
    trail = a_trail(tmp_path, settings(cleanup={"archive_after_days": 10, "delete_after_days": 20}), clock=clock)
    recorder = TrailRecorder(trail, actor=ME, issue_key="PROJ-1")
    for _ in range(3):
        recorder.record_many(
            [Proposal(event_type="PhaseStarted", metadata={"phase": "PLAN"}, actor=None) for _ in range(5)]
        )
        clock.advance(15 * 86_400)
    recorder.flush()
    whole = gather(trail, request_of(issue_keys=["PROJ-1"])).report.evidence
    retire(recorder)
    recorder.close()
    fresh = a_trail(tmp_path, clock=clock)
    left = gather(fresh, request_of(issue_keys=["PROJ-1"])).report.evidence
    assert left.chain == "intact"
    (head,) = left.heads
    assert head.first_sequence > 1
    assert (head.sequence, head.leaf_hash, head.merkle_root) == (
        whole.heads[0].sequence,
        whole.heads[0].leaf_hash,
        whole.heads[0].merkle_root,
    )
    proofs = list((tmp_path / "events").rglob("proof-*.json"))
    for proof in proofs:
        proof.write_bytes(proof.read_bytes().replace(b'"merkle_root":"', b'"merkle_root":"0'))
    forged = gather(a_trail(tmp_path, clock=clock), request_of(issue_keys=["PROJ-1"])).report.evidence
    assert [one.code for one in forged.findings][:1] == ["EVENT_SEQ_INVALID"], "nothing in global vouches for these"
    for proof in proofs:
        proof.unlink()
    bare = gather(a_trail(tmp_path, clock=clock), request_of(issue_keys=["PROJ-1"])).report.evidence
    assert [one.code for one in bare.findings][:1] == ["EVENT_SEQ_INVALID"]
    assert "are missing" in bare.findings[0].message


def test_more_rows_than_a_page_holds_are_in_the_json_and_the_csv(tmp_path: Path) -> None:
    trail = a_trail(tmp_path, settings(snapshots={"enabled": False}))
    recorder = TrailRecorder(trail, actor=ME, issue_key="PROJ-1")
    error = {"error_type": "flaky", "error_message": "again"}
    batch = [Proposal(event_type="ErrorOccurred", metadata=error, actor=None) for _ in range(1001)]
    for _ in range(5):
        recorder.record_many(batch)
    recorder.close()
    gathered = gather(trail, request_of())
    page = rendered(gathered, "html").decode()
    assert "This report is about 5,005 events; a page lists at most 5,000." in page
    assert "4,505 more rows are in the JSON of this report." in page
    assert page.count("<tr>") < 600
    assert rendered(gathered, "csv").count(b"\r\nevent,") == 5005
    report = json.loads(rendered(gathered, "json"))
    assert len(report["issues"]["PROJ-1"]["events"]) == 5005
    assert len(report["issues"]["PROJ-1"]["errors"]) == 5005
    assert b"4,505 more rows" in rendered(gathered, "md")


def test_csv_can_begin_with_a_mark_for_excel(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    gathered = gather(trail, request_of())
    assert rendered(gathered, "csv", with_bom=True).startswith(b"\xef\xbb\xbfrecord,")
    assert rendered(gathered, "csv").startswith(b"record,")
    assert not re.search(rb"(?<!\r)\n", rendered(gathered, "csv")), "every record ends as RFC 4180 says"


class FullDisk(Disk):
    """A disk that is full after some bytes."""

    left = 20_000

    def write(self, fd: int, data: bytes) -> None:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(28, "No space left on device")
        super().write(fd, data)


def test_report_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    a_told_trail(tmp_path)
    trail = a_trail(tmp_path, disk=FullDisk())
    with pytest.raises(StoreError) as raised:
        generate_audit_trail(trail, format="html")
    assert raised.value.exit_code == 10
    assert list((tmp_path / "events" / "reports").iterdir()) == []
    assert "global" not in a_trail(tmp_path).store.names()


def test_numbers_too_large_for_json_break_no_report(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        for _ in range(2):
            recorder.record("AgentSpawned", {"agent_name": "a"})
            recorder.record("AgentCompleted", {"agent_name": "a", "duration_seconds": 1.7e308, "outputs_created": []})
    gathered = gather(trail, request_of())
    assert gathered.report.sections["PROJ-1"].agents[0].total_seconds is None
    for format_ in ("json", "csv", "html", "md", "pdf"):
        assert rendered(gathered, format_)


def test_report_stands_though_the_trail_cannot_be_told_of_it(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    (tmp_path / "events" / "global").write_text("no folder")
    written = write_report(trail, gather(trail, request_of(issue_keys=[FIRST])), "csv")
    assert Path(written.path).is_file()
    assert written.event_id is None
    assert "the trail could not be told of this report" in written.warnings[0]


def test_reports_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    (tmp_path / "events" / "reports").write_text("no folder")
    with pytest.raises(StoreError) as raised:
        generate_audit_trail(trail)
    assert raised.value.exit_code == 10


def test_interrupted_report_leaves_nothing_behind(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    gathered = gather(trail, request_of())

    def interrupted(stream: str) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(trail, Gathered(report=gathered.report, events_of=interrupted), "json")
    assert list((tmp_path / "events" / "reports").iterdir()) == []


def test_stream_whose_files_cannot_even_be_put_in_order_is_a_finding(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    (segment,) = trail.store.stream(SECOND).segments()
    segment.path.write_bytes(b"rubbish\n" + segment.path.read_bytes())
    evidence = gather(a_trail(tmp_path), request_of()).report.evidence
    assert evidence.chain == "broken"
    assert [(one.stream, one.sequence) for one in evidence.findings] == [(SECOND, 1)]
    assert [head.stream for head in evidence.heads] == [FIRST]
    assert json.loads(rendered(gather(a_trail(tmp_path), request_of()), "json"))["totals"]["streams"] == 1
