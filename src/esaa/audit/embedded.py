"""The part of a report file that a program reads: what was asked, what it rests on, when it was made.

Every format carries it: JSON as itself, HTML in a script element, Markdown in its last block, CSV in its last records,
PDF as an attached file. What is read here was written by anyone; it is only believed where the trail says the same.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from esaa.audit.evidence import ChainFinding, Generator, StreamHead
from esaa.audit.request import Format, Request

KIND = "esaa-audit-report"
HTML_OPENING = b'<script type="application/json" id="esaa-audit">'
HTML_CLOSING = b"</script>"
MARKDOWN_OPENING = b"```json esaa-audit\n"
MARKDOWN_CLOSING = b"\n```\n"
ATTACHMENT = "esaa-audit.json"
SIZE_MAX = 256 * 1024 * 1024

_CSV_CELL = re.compile(r'(?:^|(?<=,))("((?:[^"]|"")*)"|[^,]*)')
_CSV_SUMMARY = 11
_PDF_STREAM = re.compile(
    rb"\bobj\s*(<<(?:(?!endobj).){0,600}?/EmbeddedFile\b(?:(?!endobj).){0,600}?>>)\s*stream\r?\n", re.DOTALL
)
_PDF_LENGTH = re.compile(rb"/Length\s+([0-9]{1,10})\b(?!\s+[0-9]+\s+R)")


class Unreadable(ValueError):
    """The file is no report, or what is embedded in it is damaged."""


class EmbeddedEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of the evidence to ask again."""

    findings: tuple[ChainFinding, ...]
    generator: Generator
    heads: tuple[StreamHead, ...]
    report_sha256: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the file was written, where there is a choice."""

    bom: bool = False
    fonts: str = "built-in"
    raw: bool = False
    renderer: str = ""


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says about itself."""

    evidence: EmbeddedEvidence
    generated_at: str
    kind: str
    request: Request
    options: Options = Options()


class ReportFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was read: its format, what it says about itself, and its data where it carries all of it."""

    format: Format
    embedded: Embedded
    data: msgspec.Raw | None = None


def script_json(text: bytes) -> bytes:
    """JSON that can stand in a script element: no `<`, no `>`, no `&`, no line separator."""
    for character, code in (
        (b"<", b"\\u003c"),
        (b">", b"\\u003e"),
        (b"&", b"\\u0026"),
        (b"\xe2\x80\xa8", b"\\u2028"),
        (b"\xe2\x80\xa9", b"\\u2029"),
    ):
        text = text.replace(character, code)
    return text


def read_report(data: bytes) -> ReportFile:
    """What a file says about itself, by its own format. Raises `Unreadable`."""
    start = data[:512].lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"%PDF-"):
        return _whole("pdf", _attached(data))
    if start.startswith(b"{"):
        return _whole("json", data, keep=True)
    if start[:15].lower() == b"<!doctype html>":
        return _whole("html", _between(data, HTML_OPENING, HTML_CLOSING))
    if start.startswith(b"# "):
        return _whole("md", _last_block(data), keep=False)
    if start.startswith(b"record,"):
        return _from_csv(data)
    raise Unreadable("it is no report in JSON, CSV, HTML, Markdown or PDF")


def _whole(format_: Format, text: bytes, *, keep: bool = True) -> ReportFile:
    try:
        embedded = msgspec.json.decode(text, type=Embedded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"what it says about itself is damaged ({error})") from error
    return ReportFile(format=format_, embedded=_known(embedded), data=msgspec.Raw(text) if keep else None)


def _known(embedded: Embedded) -> Embedded:
    if embedded.kind != KIND:
        raise Unreadable("it is JSON, and no audit report")
    if len({head.stream for head in embedded.evidence.heads}) != len(embedded.evidence.heads):
        raise Unreadable("it names a stream twice")
    return embedded


def _between(data: bytes, opening: bytes, closing: bytes) -> bytes:
    _, found, rest = data.partition(opening)
    text, closed, _ = rest.partition(closing)
    if not found or not closed:
        raise Unreadable("it carries no evidence")
    return text


def _last_block(data: bytes) -> bytes:
    _, found, rest = data.rpartition(MARKDOWN_OPENING)
    if not found or not rest.endswith(MARKDOWN_CLOSING):
        raise Unreadable("it carries no evidence")
    return rest.removesuffix(MARKDOWN_CLOSING)


def _from_csv(data: bytes) -> ReportFile:
    heads: list[Any] = []
    told: dict[str, Any] | None = None
    try:
        for line in _lines_backwards(data):
            cells = _cells(line)
            if cells[0] == "head":
                heads.append(msgspec.json.decode(cells[_CSV_SUMMARY]))
            elif cells[0] == "report":
                told = msgspec.json.decode(cells[_CSV_SUMMARY])
        if told is None:
            raise Unreadable("it carries no evidence: its last record is missing")
        embedded = msgspec.convert(told | {"evidence": told["evidence"] | {"heads": heads[::-1]}}, Embedded)
    except (UnicodeDecodeError, msgspec.MsgspecError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise Unreadable(f"what it says about itself is damaged ({error})") from error
    return ReportFile(format="csv", embedded=_known(embedded))


def _lines_backwards(data: bytes) -> Iterator[str]:
    """The records after the last event, the last one first. They hold no line feeds; those of events may."""
    for line in reversed(data[data.rfind(b"\nevent,") + 1 :].rstrip(b"\r\n").split(b"\n")):
        yield line.removesuffix(b"\r").decode()


def _cells(line: str) -> list[str]:
    """The cells of one record. The standard parser would refuse a cell above 128 KiB."""
    return [quoted.replace('""', '"') if whole.startswith('"') else whole for whole, quoted in _CSV_CELL.findall(line)]


def _attached(data: bytes) -> bytes:
    """The attached file of a PDF as typst writes it. Another writer's PDF need not be readable here."""
    for found in _PDF_STREAM.finditer(data):
        length = _PDF_LENGTH.search(found.group(1))
        if length is None:
            continue
        stream = data[found.end() : found.end() + int(length.group(1))]
        if b"/FlateDecode" in found.group(1):
            stream = _inflated(stream)
        if b'"' + KIND.encode() + b'"' in stream:
            return stream
    raise Unreadable("no evidence is attached to it")


def _inflated(stream: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        data = decompressor.decompress(stream, SIZE_MAX)
    except zlib.error as error:
        raise Unreadable(f"the attached evidence is damaged ({error})") from error
    if decompressor.unconsumed_tail:
        raise Unreadable("the attached evidence is too large")
    return data
