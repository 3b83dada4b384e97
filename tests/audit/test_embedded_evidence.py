"""What a report says about itself: read from every format, refused where it is damaged, missing, or no report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esaa.audit.embedded import HTML_CLOSING, HTML_OPENING, MARKDOWN_CLOSING, MARKDOWN_OPENING, Unreadable, read_report
from esaa.audit.request import Format
from tests.audit.conftest import Render

TEXT_FORMATS: tuple[Format, ...] = ("json", "csv", "html", "md")


@pytest.mark.parametrize("format_", TEXT_FORMATS)
def test_every_format_says_the_same_about_itself(render: Render, format_: Format) -> None:
    found = read_report(render(format_))
    reference = read_report(render("json"))
    assert found.format == format_
    assert found.embedded.evidence == reference.embedded.evidence
    assert found.embedded.request == reference.embedded.request
    assert (found.data is not None) == (format_ in ("json", "html"))


def test_byte_order_mark_and_blank_lines_before_it_are_passed_over(render: Render) -> None:
    for format_ in TEXT_FORMATS:
        data = b"\xef\xbb\xbf\r\n" + render(format_)
        if format_ == "csv":
            assert read_report(data).embedded == read_report(render(format_)).embedded
        elif format_ in ("html", "md"):
            assert read_report(data).format == format_


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no report in"),
        (b"hello", "is no report in"),
        (b"{", "is damaged"),
        (b"{}", "is damaged"),
        (b"\xff{", "is no report in"),
        (b"<!doctype html><p>nothing", "carries no evidence"),
        (b"<!doctype html>" + HTML_OPENING + b"{}", "carries no evidence"),
        (b"<!DOCTYPE html>" + HTML_OPENING + b"{" + HTML_CLOSING, "is damaged"),
        (b"# Report\n", "carries no evidence"),
        (b"# Report\n" + MARKDOWN_OPENING + b"{}", "carries no evidence"),
        (b"# Report\n" + MARKDOWN_OPENING + b"{}" + MARKDOWN_CLOSING, "is damaged"),
        (b"record,stream\n", "its last record is missing"),
        (b"record,stream\nreport,1\n", "is damaged"),
        (b"record,stream\nhead,,,,,,,,,,,{\n", "is damaged"),
        (b'record,stream\nreport,,,,,,,,,,,"{""kind"":1}"\n', "is damaged"),
        (b"record,stream\n\xff\n", "is damaged"),
        (b"%PDF-1.7\n", "no evidence is attached"),
    ],
)
def test_what_is_no_report_is_refused_with_a_word_why(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_report(data)


def _changed(render: Render, change: Any) -> bytes:
    document = json.loads(render("json"))
    change(document)
    return json.dumps(document).encode()


def test_json_of_another_kind_and_streams_named_twice_are_refused(render: Render) -> None:
    with pytest.raises(Unreadable, match="no audit report"):
        read_report(_changed(render, lambda document: document.update(kind="something else")))

    def twice(document: Any) -> None:
        document["evidence"]["heads"].append(document["evidence"]["heads"][0])

    with pytest.raises(Unreadable, match="names a stream twice"):
        read_report(_changed(render, twice))
