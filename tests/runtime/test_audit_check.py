"""`esaa audit check`: a report is proved by making it again, and whatever was changed in it is found."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esaa.audit.embedded import read_report
from esaa.audit.request import FORMATS, Format, request_of
from esaa.errors import CorruptLog, UsageError
from esaa.runtime.audit.check import Answer, check_report
from esaa.runtime.audit.report import FileOptions, gather, pieces, write_report
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.retention import retire
from esaa.runtime.trail.trail import Trail
from tests.audit.stories import FIRST, SECOND, a_told_trail
from tests.trails import ME, MORNING, a_trail, phase, settings


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    return a_told_trail(tmp_path_factory.mktemp("checked"))[0]


def made(
    trail: Trail, format_: Format, by: str = "issue", *, options: FileOptions | None = None, **asked: Any
) -> bytes:
    return b"".join(pieces(gather(trail, request_of(by=by, **asked)), format_, options or FileOptions(), []))


def changed(data: bytes, old: bytes, new: bytes, count: int = 1) -> bytes:
    assert old in data, old
    return data.replace(old, new, count)


def reattached(pdf: bytes, tamper: Callable[[bytes], bytes]) -> bytes:
    """A PDF with other data attached to it."""
    found = re.search(rb"<</Length (\d+)(/Type/EmbeddedFile/Filter/FlateDecode.*?)stream\n", pdf, re.DOTALL)
    assert found
    end = found.end() + int(found.group(1))
    stream = zlib.compress(tamper(zlib.decompress(pdf[found.end() : end])))
    header = b"<</Length %d%sstream\n" % (len(stream), found.group(2))
    return pdf[: found.start()] + header + stream + pdf[end:]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("by", ["issue", "user", "phase"])
def test_untouched_report_is_proved(told: Trail, format_: Format, by: str) -> None:
    answer = check_report(told, made(told, format_, by))
    assert answer.differences == ()
    assert (answer.status, answer.format, answer.events, answer.streams) == ("ok", format_, 45, 2)
    assert (answer.events_since, answer.is_recorded) == (0, False)


@pytest.mark.parametrize("format_", FORMATS)
def test_filters_are_read_back_from_the_file(told: Trail, format_: Format) -> None:
    asked: dict[str, Any] = {
        "issue_keys": [FIRST],
        "from_date": "2026-03-02",
        "event_types": ["CommitCreated", "ToolDenied"],
    }
    answer = check_report(told, made(told, format_, **asked))
    assert (answer.status, answer.events, answer.streams) == ("ok", 3, 1)


def test_options_of_the_csv_are_read_back_from_the_file(told: Trail) -> None:
    for options in (FileOptions(is_raw=True), FileOptions(with_bom=True), FileOptions(is_raw=True, with_bom=True)):
        assert check_report(told, made(told, "csv", options=options)).status == "ok"


def test_later_events_do_not_matter(tmp_path: Path) -> None:
    trail, clock = a_told_trail(tmp_path)
    files = {format_: made(trail, format_) for format_ in FORMATS}
    clock.advance(60)
    with TrailRecorder(trail, actor=ME) as recorder:
        recorder.record("ErrorOccurred", {"error_type": "late", "error_message": "much later"}, issue_key=FIRST)
        recorder.record("PhaseStarted", {"phase": "PLAN"}, issue_key="PROJ-999")
        recorder.record("NotificationSent", {"channel": "mail", "subject": "hello"})
    for format_, data in files.items():
        answer = check_report(a_trail(tmp_path), data)
        assert (answer.status, answer.events_since) == ("ok", 1), format_


def test_recorded_report_is_known_to_the_trail(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    written = write_report(trail, gather(trail, request_of()), "html")
    data = Path(written.path).read_bytes()
    assert check_report(trail, data).is_recorded
    assert not check_report(trail, made(trail, "html")).is_recorded


TAMPERED: dict[str, tuple[Format, Callable[[bytes], bytes], str]] = {
    "a figure of the JSON": (
        "json",
        lambda data: changed(data, b'"commits_created": 2', b'"commits_created": 3'),
        "issues.PROJ-123.summary.commits_created is 3; the trail says 2",
    ),
    "a row of the JSON": (
        "json",
        lambda data: changed(data, b'"rule":"BOUNDARY_VIOLATION"', b'"rule":"SCHEMA_VIOLATION"'),
        "issues.PROJ-123.rejections[1].rule is 'SCHEMA_VIOLATION'; the trail says 'BOUNDARY_VIOLATION'",
    ),
    "an event of the JSON": (
        "json",
        lambda data: changed(data, b'"insertions":180,"deletions"', b'"insertions":181,"deletions"'),
        "line ",
    ),
    "a line of the timeline": (
        "json",
        lambda data: changed(data, b"PROJ-123 starts in PLAN: Add", b"PROJ-123 starts in CODE: Add"),
        "PROJ-123 starts in CODE",
    ),
    "an event left out": (
        "json",
        lambda data: re.sub(rb'\n +\{"event_id"[^\n]*"event_type":"ToolDenied"[^\n]*', b"", data, count=1),
        "line ",
    ),
    "something added at the end": ("json", lambda data: data + b" \n", "should not be there"),
    "the report digest": (
        "json",
        lambda data: re.sub(rb'"report_sha256": "[0-9a-f]{4}', b'"report_sha256": "0000', data),
        "evidence.report_sha256 is '0000",
    ),
    "the command": ("json", lambda data: changed(data, b'"command": "esaa', b'"command": "rm -rf'), "line "),
    "a figure that the page shows": (
        "html",
        lambda data: changed(data, b"<dt>Errors</dt><dd><b>5</b>", b"<dt>Errors</dt><dd><b>0</b>"),
        "<dt>Errors</dt><dd><b>0</b>",
    ),
    "a cell of a table of the page": (
        "html",
        lambda data: changed(data, b">The font could not be loaded</td>", b">All went well in the end</td>"),
        "All went well in the end",
    ),
    "a row of the page taken away": (
        "html",
        lambda data: re.sub(rb'<tr id="e-PROJ-123-13">.*?</tr>\n', b"", data, flags=re.DOTALL),
        "line ",
    ),
    "the data in the page": (
        "html",
        lambda data: changed(data, b'"gaps_open":1', b'"gaps_open":0'),
        "totals.gaps_open is 0; the trail says 1",
    ),
    "the end of the page cut off": ("html", lambda data: data[:-9], "it should go on with `</html>`"),
    "the script of the page": (
        "html",
        lambda data: changed(data, b"row.hidden = !words", b"row.hidden = words"),
        "line ",
    ),
    "a figure of the markdown": (
        "md",
        lambda data: changed(data, b"| Errors | 5 |", b"| Errors | 1 |"),
        "`| Errors | 1 | 3 not settled |`; it should be `| Errors | 5 | 3 not settled |`",
    ),
    "a cell of the CSV": (
        "csv",
        lambda data: changed(data, b"Bash is denied", b"Bash is allow"),
        "Bash is allow",
    ),
    "a record of the CSV taken away": (
        "csv",
        lambda data: re.sub(rb"event,PROJ-123,13,[^\r]*\r\n", b"", data),
        "line 14",
    ),
    "a head's count in the CSV": (
        "csv",
        lambda data: changed(data, b'""selected"":38', b'""selected"":37'),
        "selected",
    ),
    "the data in the PDF": (
        "pdf",
        lambda pdf: reattached(pdf, lambda data: changed(data, b'"commits_created":2', b'"commits_created":3')),
        "issues.PROJ-123.summary.commits_created is 3; the trail says 2",
    ),
    "a letter of a page of the PDF": (
        "pdf",
        lambda data: changed(data, b"<dc:title>", b"<dc:titlE>"),
        "its pages are not those that its data gives",
    ),
    "who made the PDF": (
        "pdf",
        lambda pdf: reattached(pdf, lambda data: changed(data, b'"renderer":"typst', b'"renderer":"other')),
        "its pages could not be compared: they were typeset by other",
    ),
    "the fonts of the PDF": (
        "pdf",
        lambda pdf: reattached(pdf, lambda data: changed(data, b'"fonts":"built-in"', b'"fonts":"given"')),
        "its pages could not be compared: they were typeset with other fonts",
    ),
}
"""What was changed, in which format, how, and what the answer says of it."""


@pytest.mark.parametrize("what", TAMPERED)
def test_tampered_report_is_found_out(told: Trail, what: str) -> None:
    format_, tamper, said = TAMPERED[what]
    data = made(told, format_)
    other = tamper(data)
    assert other != data
    answer = check_report(told, other)
    assert answer.status == "differs"
    assert any(said in one for one in answer.differences), answer.differences


@pytest.mark.parametrize("format_", ["json", "html", "md", "csv"])
def test_any_changed_byte_is_found(told: Trail, format_: Format) -> None:
    data = made(told, format_, issue_keys=[SECOND])
    unseen: list[int] = []
    for at in range(0, len(data), max(len(data) // 150, 1)):
        other = bytearray(data)
        other[at] ^= 1
        try:
            answer: Answer | None = check_report(told, bytes(other))
        except (UsageError, CorruptLog):
            answer = None
        if answer is not None and answer.status == "ok":
            unseen.append(at)
    # Nothing but the moment of its making can be changed unseen; in no format is that more than a few bytes.
    told_at = [found.start() for found in re.finditer(rb"2026-03-03T10:52:30\.000Z", data)]
    assert [at for at in unseen if not any(start <= at < start + 24 for start in told_at)] == []


def test_moment_of_its_making_is_not_vouched_for_by_the_chain_but_must_agree_with_itself(told: Trail) -> None:
    data = made(told, "html")
    # In the data alone it differs from what the page shows; everywhere at once it is another, equal report.
    assert (
        check_report(told, changed(data, b"2026-03-03T10:52:30.000Z", b"2026-03-03T11:52:30.000Z")).status == "differs"
    )


def test_head_that_the_trail_no_longer_holds_is_named(tmp_path: Path, told: Trail) -> None:
    other, _ = a_told_trail(tmp_path)
    data = made(other, "json")
    (segment,) = other.store.stream(FIRST).segments()
    lines = segment.path.read_bytes().splitlines(keepends=True)
    segment.path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(CorruptLog) as raised:
        check_report(a_trail(tmp_path), data)
    assert raised.value.exit_code == 4
    assert raised.value.code == "HEAD_GONE"
    assert "event 38 of PROJ-123 is not there" in raised.value.message
    # The same place, another event: the trail was written anew.
    segment.path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b'"success"', b'"failure"')]))
    with pytest.raises(CorruptLog, match="event 38 of PROJ-123 is another one"):
        check_report(a_trail(tmp_path), data)


def test_changed_past_of_the_trail_is_found_though_the_head_is_there(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    data = made(trail, "md")
    (segment,) = trail.store.stream(FIRST).segments()
    segment.path.write_bytes(segment.path.read_bytes().replace(b'"insertions":180', b'"insertions":900'))
    answer = check_report(a_trail(tmp_path), data)
    assert answer.status == "differs"


def test_report_of_a_damaged_trail_is_proved_too(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    (segment,) = trail.store.stream(FIRST).segments()
    whole = segment.path.read_bytes()
    for old, new in (
        (b'"insertions":180', b'"insertions":900'),
        (b'"event_type":"GapIdentified"', b'"event_type":GapIdentified" '),
        (b'{"event_id"', b'["event_id"'),
    ):
        segment.path.write_bytes(whole.replace(old, new, 1))
        for format_ in FORMATS:
            data = made(a_trail(tmp_path), format_)
            answer = check_report(a_trail(tmp_path), data)
            assert answer.differences == (), (old, format_)


def test_stream_left_out_of_a_report_of_all_is_missed(told: Trail, tmp_path: Path) -> None:
    # Someone makes the report in a copy of the trail without the issue that failed.
    shutil.copytree(told.store.base, tmp_path / "events")
    shutil.rmtree(tmp_path / "events" / "2026-03-03")
    data = made(a_trail(tmp_path, clock=ManualClock(told.clock.now())), "html")
    answer = check_report(told, data)
    assert answer.status == "differs"
    assert answer.differences == ("PROJ-124 is not named, though its first event is of 2026-03-03T09:50:10.000Z",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is no report in JSON, CSV, HTML, Markdown or PDF"),
        (b"hello", "it is no report"),
        (b"{}", "damaged"),
        (b'{"kind": "other"}', "damaged"),
        (b"{", "damaged"),
        (b"<!doctype html><p>hello", "it carries no evidence"),
        (b"# Hello\n", "it carries no evidence"),
        (b"record,stream\r\n", "it carries no evidence"),
        (b"%PDF-1.7\n", "no evidence is attached"),
        (b"\xff\xfe{", "it is no report"),
    ],
)
def test_file_that_is_no_report_is_refused(told: Trail, data: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as raised:
        check_report(told, data)
    assert (raised.value.code, raised.value.exit_code) == ("REPORT_UNREADABLE", 2)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"stream":"PROJ-123"', b'"stream":"../../.."', "names a stream that cannot be one"),
        (b'"stream":"PROJ-123"', b'"stream":"PROJ-124"', "names a stream twice"),
        (b'"sequence":38', b'"sequence":-3', "names a head that cannot be one"),
        (b'"first_sequence":1,', b'"first_sequence":0,', "names a head that cannot be one"),
        (b'"generated_at": "2026', b'"generated_at": "soon', "does not say when it was made"),
        (b'"from_time": null', b'"from_time": "soon"', "what it was asked makes no sense"),
        (b'"from_time": null', b'"from_time": "2026-03-01"', "not written as esaa writes it"),
        (b'"by": "issue"', b'"by": "agent"', "damaged"),
        (b'"kind": "esaa-audit-report"', b'"kind": "other"', "no audit report"),
    ],
)
def test_evidence_that_cannot_be_is_refused(told: Trail, old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        check_report(told, changed(made(told, "json"), old, new))


def test_csv_cut_in_the_middle_is_refused(told: Trail) -> None:
    data = made(told, "csv")
    with pytest.raises(UsageError, match="carries no evidence"):
        check_report(told, data[: len(data) // 2])


def test_file_of_another_version_is_compared_and_its_version_named(told: Trail) -> None:
    gathered = gather(told, request_of(), generator_version="9.9.9")
    data = b"".join(pieces(gathered, "html", FileOptions(), []))
    assert check_report(told, data).status == "ok"
    answer = check_report(told, changed(data, b"<dd><b>45</b>", b"<dd><b>46</b>"))
    assert answer.status == "differs"
    assert "made by esaa 9.9.9" in answer.differences[-1]


def test_pages_with_other_fonts_are_proved_with_the_same(told: Trail, tmp_path: Path) -> None:
    fonts = (str(tmp_path),)
    data = made(told, "pdf", options=FileOptions(font_paths=fonts))
    assert check_report(told, data, font_paths=fonts).status == "ok"
    answer = check_report(told, data)
    assert answer.status == "differs"
    assert "name the same with --font-path" in answer.differences[0]


def test_events_that_retention_has_deleted_are_missed_by_name(tmp_path: Path) -> None:
    clock = ManualClock(MORNING)
    trail = a_trail(tmp_path, settings(cleanup={"archive_after_days": 10, "delete_after_days": 20}), clock=clock)
    recorder = TrailRecorder(trail, actor=ME, issue_key="PROJ-1")
    for _ in range(2):
        recorder.record_many([phase(), phase("CODE")])
        clock.advance(15 * 86_400)
    recorder.flush()
    data = made(trail, "json")
    assert check_report(trail, data).status == "ok"
    retire(recorder)
    recorder.close()
    with pytest.raises(CorruptLog, match="no longer the events from 1 to 2 before it") as raised:
        check_report(a_trail(tmp_path, clock=clock), data)
    assert (raised.value.code, raised.value.exit_code) == ("EVENTS_RETIRED", 4)
    # A report that was made since names what is there, and is proved.
    assert check_report(a_trail(tmp_path, clock=clock), made(a_trail(tmp_path, clock=clock), "json")).status == "ok"


def test_stream_that_cannot_be_read_any_more_ends_the_check(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    data = made(trail, "json")
    only_first = made(trail, "json", issue_keys=[FIRST])
    (segment,) = trail.store.stream(SECOND).segments()
    segment.path.write_bytes(b"rubbish\n" + segment.path.read_bytes())
    with pytest.raises(CorruptLog):
        check_report(a_trail(tmp_path), data)
    assert check_report(a_trail(tmp_path), only_first).status == "ok"
    # A report of all streams that does not name it cannot have been of all streams.
    shorter = made(a_trail(tmp_path), "json").replace(b'"stream":"PROJ-124"', b'"stream":"PROJ-125"')
    answer = check_report(a_trail(tmp_path), shorter)
    assert "PROJ-124 is not named, and cannot be read" in answer.differences


def test_unreadable_global_stream_does_not_keep_a_report_of_an_issue_from_its_proof(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    written = write_report(trail, gather(trail, request_of(issue_keys=[FIRST])), "md")
    (log,) = (tmp_path / "events" / "global").glob("events*")
    log.write_bytes(log.read_bytes().replace(b'"event_type"', b"'event_type'"))
    answer = check_report(a_trail(tmp_path), Path(written.path).read_bytes())
    assert (answer.status, answer.is_recorded) == ("ok", False)


def test_report_of_a_damaged_trail_that_was_damaged_further_differs(tmp_path: Path) -> None:
    trail, _ = a_told_trail(tmp_path)
    (segment,) = trail.store.stream(FIRST).segments()
    broken = segment.path.read_bytes().replace(b'"insertions":180', b'"insertions":900')
    segment.path.write_bytes(broken)
    data = made(a_trail(tmp_path), "json")
    segment.path.write_bytes(b"rubbish\n" + broken)
    answer = check_report(a_trail(tmp_path), data)
    assert answer.status == "differs"
    assert answer.events == 7, "of the damaged stream nothing can be read any more"


def test_report_of_more_issues_than_a_page_tells_of_is_proved(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME) as recorder:
        recorder.record_many([phase(issue_key=f"BIG-{number}") for number in range(1, 111)])
    for format_ in ("html", "pdf"):
        data = made(trail, format_)
        assert check_report(trail, data).status == "ok"
        assert read_report(data).data is not None
        assert b'"issues"' not in bytes(read_report(data).data or b"")
    tampered = changed(made(trail, "html"), b'"events":110', b'"events":111')
    assert check_report(trail, tampered).differences[0] == "actors[0].events is 111; the trail says 110"
