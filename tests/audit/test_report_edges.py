"""The rare cases of a report: odd times, too much of everything, events that other writers made."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typst

from esaa.audit.comparison import differences, first_difference
from esaa.audit.embedded import Unreadable, read_report
from esaa.audit.evidence import FINDINGS_MAX, ChainCheck
from esaa.audit.lanes import LANES_MAX, MARKS_MAX, SPANS_MAX, Lane, LaneFold, Lanes, Mark, Span
from esaa.audit.render.as_csv import COLUMNS
from esaa.audit.render.chart import chart, chart_note
from esaa.audit.render.event_table import _indented
from esaa.audit.render.front import figures_of, title_of
from esaa.audit.render.pdf import _without_glyph, pdf_report
from esaa.audit.render.tables import event_cell
from esaa.audit.request import request_of
from esaa.audit.section import SectionFold
from esaa.errors import UsageError
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Recorded
from esaa.runtime.audit.report import FileOptions, Gathered, gather, pieces
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.stores.trail_layout import SCHEMAS
from esaa.trail.event import Actor, TrailEvent, Witnessed
from esaa.trail.facts.base import TrailFact
from esaa.trail.registry import TRAIL_TYPES
from esaa.trail.wire import TrailVocabulary
from tests.trails import ME, a_trail


def an_event(
    sequence: int, event_type: str = "PhaseStarted", *, ts: str = "2026-03-02T09:00:00.000Z", **more: Any
) -> TrailEvent:
    return Recorded(
        version=sequence,
        event_id=f"{sequence:08x}-0000-4000-8000-000000000000",
        ts=ts,
        actor="ada",
        schema_version="1.0.0",
        prev_hash=more.pop("prev_hash", None),
        fact=Witnessed(
            event_type=event_type,
            metadata=msgspec.Raw(more.pop("metadata", b'{"phase":"PLAN"}')),
            issue_key=more.pop("issue_key", "PROJ-1"),
            session_id="s",
            actor=Actor(type="user", id="ada"),
        ),
    )


def a_fact(event_type: str, **fields: Any) -> TrailFact:
    return TRAIL_TYPES[event_type](**fields)


def followed(*events: TrailEvent, stream: str = "PROJ-1") -> ChainCheck:
    check = ChainCheck(stream)
    for event in events:
        check.follow(TrailVocabulary().encode(event), event)
    return check


def test_chain_check_names_what_is_wrong_and_where() -> None:
    first = an_event(1)
    leaf = leaf_hash(TrailVocabulary().encode(first))
    assert followed(first, an_event(2, prev_hash=leaf)).is_intact
    found = {
        "unchained": followed(first, an_event(2)),
        "other": followed(first, an_event(2, prev_hash="0" * 64)),
        "begun": followed(an_event(1, prev_hash="0" * 64)),
        "back": followed(first, an_event(2, prev_hash=leaf, ts="2026-03-02T08:59:59.999Z")),
        "foreign": followed(first, an_event(2, prev_hash=leaf, issue_key="PROJ-2")),
        "global": followed(an_event(1, issue_key=None)),
    }
    assert {name: [(one.sequence, one.code) for one in check.findings] for name, check in found.items()} == {
        "unchained": [(2, "CHAIN_BROKEN")],
        "other": [(2, "CHAIN_BROKEN")],
        "begun": [(1, "CHAIN_BROKEN")],
        "back": [(2, "TIMESTAMP_BACK")],
        "foreign": [(2, "STREAM_INVALID")],
        "global": [(1, "STREAM_INVALID")],
    }
    assert "names no line before it" in found["unchained"].findings[0].message


def test_findings_are_counted_beyond_those_that_are_kept() -> None:
    check = followed(*(an_event(number) for number in range(1, FINDINGS_MAX + 50)))
    assert (len(check.findings), check.findings_count) == (FINDINGS_MAX, FINDINGS_MAX + 48)
    head = check.head(0, "ignored where the chain is broken")
    assert head is not None
    assert (head.chain, head.merkle_root) == ("broken", "")
    assert ChainCheck("PROJ-1").head(0, "") is None


def test_orchestration_event_with_an_unsayable_number_is_told_without_its_metadata() -> None:
    fold = SectionFold("PROJ-1")
    started = an_event(1, "OrchestrationStarted", metadata=b'{"issue_key":"PROJ-1","extra":{"x":1e999}}')
    fold.take("PROJ-1", started, a_fact("OrchestrationStarted", issue_key="PROJ-1", initial_phase="PLAN"))
    kept = fold.finish().summary.orchestration_started
    assert kept is not None
    assert (kept["event_sequence"], kept["metadata"]) == (1, {})


def test_sessions_are_lanes_and_what_is_open_stays_open() -> None:
    fold = LaneFold()
    for number, (event_type, fields) in enumerate(
        (
            ("SessionStarted", {"agent_name": "a"}),
            ("TaskClaimed", {"agent_name": "a", "task_id": "T-1"}),
            ("SessionEnded", {"agent_name": "a", "outcome": "timed_out"}),
            ("SessionStarted", {"agent_name": "b"}),
            ("SessionEnded", {"agent_name": "c"}),
            ("SessionStarted", {}),
        ),
        1,
    ):
        event = an_event(number, event_type, ts=f"2026-03-02T09:00:0{number}.000Z")
        fold.take("PROJ-1", event, a_fact(event_type, **fields))
    lanes = fold.lanes()
    assert lanes is not None
    assert [(lane.name, [(span.start[-6:], span.end and span.end[-6:], span.outcome) for span in lane.spans])
            for lane in lanes.lanes] == [
        ("a", [("1.000Z", "3.000Z", "failed")]),
        ("b", [("4.000Z", None, "open")]),
        ("c", [("5.000Z", "5.000Z", "completed")]),
    ]  # fmt: skip
    assert LaneFold().lanes() is None


def test_chart_says_what_does_not_fit_on_it() -> None:
    fold = LaneFold()
    number = 0
    for round_ in range(SPANS_MAX + 5):
        for event_type in ("PhaseStarted", "PhaseFailed"):
            number += 1
            fields = {"phase": "PLAN"} | ({"failure_reason": "no"} if event_type == "PhaseFailed" else {})
            ts = f"2026-03-02T09:{round_ // 60:02}:{round_ % 60:02}.000Z"
            fold.take("PROJ-1", an_event(number, event_type, ts=ts), a_fact(event_type, **fields))
    for extra in range(LANES_MAX + 2):
        fold.take("PROJ-1", an_event(number + extra), a_fact("PhaseStarted", phase=f"P{extra}"))
    for extra in range(MARKS_MAX):
        event = an_event(number + extra, "CommitCreated")
        fold.take("PROJ-1", event, a_fact("CommitCreated", commit_sha="a", commit_message="b"))
    lanes = fold.lanes()
    assert lanes is not None
    assert (len(lanes.lanes), lanes.lanes_dropped) == (LANES_MAX, 3)
    assert (len(lanes.lanes[0].spans), lanes.lanes[0].spans_dropped) == (SPANS_MAX, 5)
    assert (len(lanes.marks), lanes.marks_dropped) == (MARKS_MAX, SPANS_MAX + 5)
    said = "Not drawn: 3 more lanes, 5 more spans, 205 more marks; the tables have them."
    assert chart_note(lanes) == said


def drawn(first: str, last: str, *spans: Span, marks: tuple[Mark, ...] = ()) -> str:
    lane = Lane(kind="phase", name="A" * 40, spans=list(spans))
    lanes = Lanes(first_at=first, last_at=last, lanes=(lane,), lanes_dropped=0, marks=marks, marks_dropped=0)
    return str(chart(lanes, "a chart"))


def test_chart_of_a_moment_of_years_and_of_no_time_at_all() -> None:
    at = "2026-03-02T09:00:00.500Z"
    moment = drawn(at, at, Span(start=at, end=at, outcome="failed"))
    assert "2026-03-02" in moment
    assert "…</text>" in moment
    assert "09:00:01" in moment
    short = drawn("2026-03-02T09:00:00.100Z", "2026-03-02T09:00:00.200Z", Span(start="2026-03-02T09:00:00.100Z"))
    assert "open" in short
    years = drawn("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", Span(start="2026-03-02T09:00:00.000Z"))
    assert ET.fromstring(years).get("viewBox")
    assert drawn("soon", "later") == ""
    odd = drawn(
        "2026-03-02T09:00:00.000Z",
        "2026-03-02T10:00:00.000Z",
        Span(start="soon"),
        Span(start="2026-03-02T09:30:00.000Z", end="later"),
        marks=(
            Mark(at="someday", kind="gap", sequence=1, stream="PROJ-1"),
            Mark(at="2026-03-02T09:30:00.000Z", kind="gap", sequence=2, stream="PROJ-1"),
        ),
    )
    assert odd.count("<rect") == 0
    assert odd.count('class="mark gap"') == 2, "one, and its place in the legend"


def test_tick_stands_even_where_no_round_time_lies_between() -> None:
    drawing = drawn("2026-03-02T09:00:00.200Z", "2026-03-02T09:00:00.900Z")
    assert "09:00:01" in drawing
    nothing = drawn("2026-03-02T09:00:00.000Z", "2026-03-02T09:00:00.000Z")
    assert "09:00:00" in nothing


def test_metadata_that_is_nested_endlessly_is_shown_as_it_is() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    assert _indented(msgspec.Raw(nested)) == nested.decode()


def test_title_names_six_issues_and_tokens_stand_for_themselves_without_a_price(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME) as recorder:
        for number in range(1, 9):
            told = {"agent_name": "a", "tokens_in": 10, "tokens_out": 5}
            recorder.record("ResponseReceived", told, issue_key=f"PROJ-{number}")
    report = gather(trail, request_of(issue_keys=[f"PROJ-{number}" for number in range(1, 9)])).report
    assert title_of(report) == "PROJ-1, PROJ-2, PROJ-3, PROJ-4, PROJ-5, PROJ-6 and others"
    figures = {one.name: (one.value, one.remark) for one in figures_of(report)}
    assert figures["Tokens"] == ("120", "80 tokens in, 40 out")
    assert title_of(gather(trail, request_of()).report) == "All issues"
    assert title_of(gather(trail, request_of(from_date="2026-01-01")).report) == "Selected events"


def test_type_of_the_projects_own_is_held_to_its_schema(tmp_path: Path) -> None:
    folder = tmp_path / "events" / SCHEMAS / "custom"
    folder.mkdir(parents=True)
    schema = {
        "title": "LicenceChecked",
        "type": "object",
        "properties": {"package": {"type": "string"}},
        "required": ["package"],
        "x-esaa": {"summary": "licence of {package}"},
    }
    for place in (folder, folder.parent):
        (place / "LicenceChecked.json").write_bytes(msgspec.json.encode(schema))
    trail = a_trail(tmp_path)
    if not trail.types.knows("LicenceChecked"):
        pytest.fail(f"the store looks for own types elsewhere than in {folder}")
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        recorder.record("LicenceChecked", {"package": "left-pad"})
    assert gather(trail, request_of()).report.evidence.conformance.not_fitting == 0
    (log,) = (tmp_path / "events").glob("*/PROJ-1/events.jsonl")
    whole = log.read_bytes()
    for other in (b'{"package":5}', b'{"package":1e999}'):
        log.write_bytes(whole.replace(b'{"package":"left-pad"}', other))
        assert gather(a_trail(tmp_path), request_of()).report.evidence.conformance.not_fitting == 1


def test_recovery_without_its_error_and_a_resumed_phase_have_their_place(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        recorder.record("OrchestrationResumed", {"issue_key": "PROJ-1", "resume_phase": "FIX"})
        recorder.record("RecoverySucceeded", {"recovery_from": "an event that nobody has"})
        recorder.record("PRMerged", {"pr_number": 7})
        recorder.record("GapResolved", {"gap_id": "G"})
    report = gather(trail, request_of(by="phase")).report
    section = report.sections["FIX"]
    assert [(row.sequence, row.kind, row.outcome) for row in section.errors] == [(2, "unknown", "recovered")]
    assert [(row.sequence, row.number, row.status) for row in section.pull_requests] == [(3, 7, "merged")]
    assert [(row.sequence, row.gap_id, row.status) for row in section.gaps] == [(4, "G", "resolved")]
    assert list(report.sections) == ["FIX"]


def test_cell_of_an_event_leads_to_it_and_says_its_stream_where_there_are_several() -> None:
    assert event_cell("PROJ-1", 7, with_stream=False) == ("#7", 7, "e-PROJ-1-7")
    assert event_cell("PROJ-1", 7, with_stream=True) == ("PROJ-1 #7", 7, "e-PROJ-1-7")
    assert event_cell("PROJ-1", 0, with_stream=True) == ("", None, "")


def test_csv_names_its_columns_once_for_all() -> None:
    assert len(COLUMNS) == 20
    assert COLUMNS.index("summary") == 11, "where the evidence is looked for"


def test_differences_are_named_by_their_place() -> None:
    said = {"a": {"b": [1, 2]}, "gone": 1, "kind": True, "text": "x" * 200}
    true = {"a": {"b": [1, 3, 4]}, "new": 2, "kind": 1, "text": "y"}
    assert list(differences(said, true)) == [
        "a.b has 2 entries; the trail says 3",
        "a.b[1] is 2; the trail says 3",
        "gone is there; the trail says nothing of it",
        "kind is True; the trail says 1",
        "new is missing; the trail says 2",
        f"text is '{'x' * 100}…'; the trail says 'y'",
    ]


def test_first_difference_names_the_line_and_both_texts() -> None:
    right = b"one\ntwo\nthree\n"
    assert first_difference(right, [b"one\n", b"two\nth", b"ree\n"]) is None
    assert first_difference(b"one\ntwx\nthree\n", [b"one\n", b"two\n"]) == "line 2 is `twx`; it should be `two`"
    cut = "the file ends in line 2; it should go on with"
    assert first_difference(b"one\ntw", [b"one\n", b"two\nthree\n"]) == f"{cut} `o`"
    assert first_difference(b"one\n", [right]) == f"{cut} `two`"
    assert first_difference(b"one\n\nthree", [right]) == "line 2 is empty; it should be `two`"
    assert first_difference(right + b"four", [right]) == "line 4 and what follows should not be there"
    assert first_difference(b"\xff\x1b[2J", [b"x"]) == "line 1 is `\ufffd[U+001B][2J`; it should be `x`"


def test_other_attachments_of_a_pdf_are_passed_over() -> None:
    def attached(stream: bytes, head: bytes) -> bytes:
        return b"1 0 obj\n<<" + head + b"/Type/EmbeddedFile>>\nstream\n" + stream + b"\nendstream\nendobj\n"

    with pytest.raises(Unreadable, match="no evidence"):
        read_report(b"%PDF-1.7\n" + attached(b"hello", b"/Length 5") + attached(b"hello", b"/Length 9 0 R"))


class StubbornCompiler:
    """A typesetter that refuses a character without naming it."""

    def compile(self, source: bytes, *, sys_inputs: dict[str, str], **options: Any) -> bytes:
        if "x" in sys_inputs["report"]:
            error = typst.TypstError("refused", "refused")
            error.message = error.diagnostic = "I would rather not"
            raise error
        return b""


def test_character_that_is_refused_without_its_name_is_found_by_halving() -> None:
    assert _without_glyph(StubbornCompiler(), typst, list("abcdxefg")) == ["x"]
    assert _without_glyph(StubbornCompiler(), typst, list("abc")) == []


def test_pdf_that_cannot_be_made_points_to_the_page(gathered: Gathered) -> None:
    with pytest.raises(UsageError) as raised:
        pdf_report(gathered.report, gathered.events_of, "#panic()")
    assert raised.value.code == "PDF_FAILED"
    assert "html" in raised.value.hint


def test_fonts_that_are_given_are_used(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        recorder.record("DecisionMade", {"question": "中", "choice": "x"})
    warnings: list[str] = []
    options = FileOptions(font_paths=(str(tmp_path),))
    data = b"".join(pieces(gather(trail, request_of()), "pdf", options, warnings))
    assert read_report(data).embedded.options.fonts == "given"
    assert len(warnings) == 1, "there is no font in that folder"
