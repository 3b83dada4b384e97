"""The report as PDF: PDF/A with its data attached, the same bytes each time, and never stopped by a character."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typst

from esaa.audit.embedded import Unreadable, read_report
from esaa.audit.render import pdf
from esaa.audit.render.pdf import pdf_report
from esaa.audit.request import request_of
from esaa.errors import UsageError
from esaa.runtime.audit.report import Gathered, _asset, gather
from esaa.runtime.trail.recorder import TrailRecorder
from tests.audit.conftest import Render
from tests.trails import ME, a_trail

TEMPLATE = _asset("report.typ")
VERSION: str = vars(typst)["__version__"]


def made(gathered: Gathered, **options: Any) -> pdf.Pdf:
    return pdf_report(gathered.report, gathered.events_of, TEMPLATE, **options)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What typst is given, call by call."""
    seen: list[dict[str, Any]] = []

    class Compiler:
        def __init__(self, **options: Any) -> None:
            self._compiler = typst.Compiler(**options)

        def compile(self, source: bytes, **options: Any) -> Any:
            seen.append({"source": source, **options})
            return self._compiler.compile(source, **options)

    class Spied:
        TypstError = typst.TypstError
        __version__ = VERSION

    Spied.Compiler = Compiler  # type: ignore[attr-defined]  # a fake module
    monkeypatch.setattr(pdf, "_typst", lambda: Spied)
    return seen


def test_pdf_is_archival_accessible_and_tagged(render: Render) -> None:
    data = render("pdf")
    assert data.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>3</pdfaid:part>" in data
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in data
    assert b"<pdfuaid:part>1</pdfuaid:part>" in data
    assert b"/StructTreeRoot" in data
    assert b"/Count 5" in data, "five pages"


def test_pdf_carries_the_data_of_the_report(render: Render, gathered: Gathered) -> None:
    file = read_report(render("pdf"))
    assert file.format == "pdf"
    assert file.embedded.evidence.report_sha256 == gathered.report.evidence.report_sha256
    assert [head.stream for head in file.embedded.evidence.heads] == ["PROJ-123", "PROJ-124"]
    assert file.embedded.options.renderer == f"typst {VERSION}"
    assert file.data is not None
    assert json.loads(bytes(file.data))["issues"]["PROJ-123"]["summary"]["commits_created"] == 2


def test_pdf_is_the_same_file_each_time(gathered: Gathered) -> None:
    assert made(gathered).data == made(gathered).data


def test_pdf_lists_its_events_up_to_a_number(gathered: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spied(monkeypatch)
    made(gathered, rows_max=44)
    pages = json.loads(seen[-1]["sys_inputs"]["report"])
    assert pages["events"]["rows"] == []
    assert pages["elsewhere"].startswith("This report is about 45 events; a page lists at most 44.")
    made(gathered, rows_max=45)
    pages = json.loads(seen[-1]["sys_inputs"]["report"])
    assert len(pages["events"]["rows"]) == 45


def test_first_page_shows_every_digest_whole(gathered: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spied(monkeypatch)
    made(gathered)
    pages = json.loads(seen[-1]["sys_inputs"]["report"])
    evidence = gathered.report.evidence
    values = {fact["name"]: fact["value"] for fact in pages["facts"]}
    assert values["Report digest"] == evidence.report_sha256
    assert values["Digest of all heads"] == evidence.heads_sha256
    assert [head["leaf_hash"] for head in pages["heads"]] == [head.leaf_hash for head in evidence.heads]
    assert pages["verdict"].startswith("Chain intact.")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Grüße, Ж, λ, → ✓ € “quoted”", ""),
        ("中文", "中文"),
        ("done 😀 👩\u200d💻", "😀👩💻"),
        ("한국어", "한국어"),
        ("e\u0301 and \u0e01\u0e34", "\u0e01\u0e34"),
    ],
)
def test_characters_without_a_glyph_are_named_and_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, missing: str
) -> None:
    trail = a_trail(tmp_path)
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        recorder.record("DecisionMade", {"question": text, "choice": text})
    seen = spied(monkeypatch)
    result = made(gather(trail, request_of()))
    assert result.data.startswith(b"%PDF-")
    pages = seen[-1]["sys_inputs"]["report"]
    for character in missing:
        assert f"{character} (U+{ord(character):04X})" in result.warnings[0]
        assert f"[U+{ord(character):04X}]" in pages
        assert character not in pages
    if not missing:
        assert result.warnings == ()
    # The data keeps what the event says.
    said = json.loads(seen[-1]["sys_inputs"]["evidence"])["issues"]["PROJ-1"]["notes"][0]["summary"]
    assert set(missing) <= set(said)


def test_warning_names_twenty_characters_and_counts_the_rest(tmp_path: Path) -> None:
    trail = a_trail(tmp_path)
    many = "".join(chr(0x4E00 + number) for number in range(50))
    with TrailRecorder(trail, actor=ME, issue_key="PROJ-1") as recorder:
        recorder.record("DecisionMade", {"question": many, "choice": "x"})
    (warning,) = made(gather(trail, request_of())).warnings
    assert len(re.findall(r"\(U\+4E[0-9A-F]{2}\)", warning)) == 20
    assert "and 30 more" in warning


def test_missing_extra_says_how_to_install_it(gathered: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(UsageError) as raised:
        made(gathered)
    assert raised.value.code == "EXTRA_MISSING"
    assert "pip install 'esaa[pdf]'" in raised.value.hint


def test_old_typst_is_told_so(gathered: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typst, "__version__", "0.12.1")
    with pytest.raises(UsageError, match=r"typst 0\.12\.1 is too old"):
        made(gathered)


def test_pdf_of_something_else_carries_no_evidence() -> None:
    other = typst.compile(b"= Hello", format="pdf")
    with pytest.raises(Unreadable, match="no evidence is attached"):
        read_report(bytes(other))


def test_attached_evidence_is_found_when_it_is_compressed(render: Render) -> None:
    import zlib

    data = render("pdf")
    found = re.search(rb"<</Length (\d+)([^>]*/EmbeddedFile.*?)>>\s*stream\n", data, re.DOTALL)
    assert found
    text = data[found.end() : found.end() + int(found.group(1))]
    plain = zlib.decompress(text) if b"/FlateDecode" in found.group(0) else text
    for stream, extra in ((plain, b""), (zlib.compress(plain), b"/Filter/FlateDecode")):
        header = b"%%PDF-1.7\n9 0 obj\n<</Length %d%s/Type/EmbeddedFile>>\nstream\n" % (len(stream), extra)
        file = read_report(header + stream + b"\nendstream\nendobj\n")
        assert file.embedded.kind == "esaa-audit-report"


def test_damaged_or_endless_attachment_is_refused() -> None:
    import zlib

    def holding(stream: bytes) -> bytes:
        header = b"%%PDF-1.7\n9 0 obj\n<</Length %d/Filter/FlateDecode/Type/EmbeddedFile>>\nstream\n" % len(stream)
        return header + stream + b"\nendstream\nendobj\n"

    with pytest.raises(Unreadable, match="damaged"):
        read_report(holding(b"no zlib stream"))
    bomb = zlib.compressobj(9)
    packed = b"".join(bomb.compress(b" " * 1024 * 1024) for _ in range(300)) + bomb.flush()
    with pytest.raises(Unreadable, match="too large"):
        read_report(holding(packed))
