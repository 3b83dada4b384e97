"""No text from an event is ever obeyed by a report, in whichever format it stands."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from esaa.audit.lanes import Lane, Lanes, Span
from esaa.audit.render import pdf
from esaa.audit.render.as_csv import COLUMNS, safe_cell
from esaa.audit.render.chart import chart
from esaa.audit.render.visible import visible
from esaa.audit.request import request_of
from esaa.runtime.audit.report import FileOptions, Gathered, gather, pieces
from esaa.runtime.trail.trail import Trail
from tests.audit.hostile import HOSTILE, PLAIN, a_hostile_trail

# fmt: off
ELEMENTS = frozenset((
    "a", "b", "body", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "g", "h1", "h2", "h3",
    "head", "header", "html", "input", "label", "line", "main", "meta", "nav", "output", "p", "path", "pre", "rect",
    "script", "section", "span", "strong", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead",
    "title", "tr",
))
# fmt: on


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    return a_hostile_trail(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def benign(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    return a_hostile_trail(tmp_path_factory.mktemp("benign"), PLAIN)


def made(trail: Trail, format_: Any, by: str = "issue", **options: Any) -> str:
    content = pieces(gather(trail, request_of(by=by)), format_, FileOptions(**options), [])
    return b"".join(content).decode()


class Shape(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.closed: list[str] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute stands twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.closed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:  # what stands in a script or style is not shown
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@pytest.mark.parametrize("by", ["issue", "user", "phase"])
def test_html_has_no_element_and_no_attribute_from_a_text(hostile: Trail, by: str) -> None:
    shape = Shape(made(hostile, "html", by))
    assert {tag for tag, _ in shape.elements} - {"wbr"} <= ELEMENTS
    assert [tag for tag, _ in shape.elements].count("script") == 2
    assert shape.comments == []
    for tag, attributes in shape.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "action")], tag
        assert attributes.get("href", "#").startswith("#"), attributes  # type: ignore[union-attr]
    ids = [attributes["id"] for _, attributes in shape.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_html_has_the_shape_that_it_has_with_plain_words(hostile: Trail, benign: Trail) -> None:
    # A text that opened or closed anything, anywhere, would change the sequence of the elements.
    shapes = [Shape(made(trail, "html")) for trail in (hostile, benign)]
    sequences = [[(tag, sorted(names)) for tag, names in one.elements if tag != "wbr"] for one in shapes]
    assert sequences[0] == sequences[1]
    assert shapes[0].closed == shapes[1].closed


def test_html_shows_every_hostile_text_as_it_is(hostile: Trail) -> None:
    shown = "".join(Shape(made(hostile, "html")).texts)
    for text in HOSTILE[:-1]:
        assert visible(text.split("\n")[0].strip())[:90] in shown, text
    assert "\u202e" not in shown
    assert "[U+202E]gnp.exe" in shown
    assert not {one for one in shown if ord(one) < 32 and one != "\n"}


def test_script_data_of_the_page_cannot_end_its_element(hostile: Trail) -> None:
    page = made(hostile, "html")
    _, _, rest = page.partition('<script type="application/json" id="esaa-audit">')
    data, _, after = rest.partition("</script>")
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(data)
    assert json.loads(data)["kind"] == "esaa-audit-report"
    assert after.startswith("\n<script>")


def test_markdown_has_no_link_no_image_no_html_and_no_column_from_a_text(hostile: Trail, benign: Trail) -> None:
    reader = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    tokens = [reader.parse(made(trail, "md")) for trail in (hostile, benign)]
    blocks = [[token.type for token in one] for one in tokens]
    assert blocks[0] == blocks[1]
    inline = {child.type for token in tokens[0] for child in token.children or ()}
    assert inline <= {"text", "code_inline", "strong_open", "strong_close"}


def test_markdown_has_no_address_that_a_forge_would_link(hostile: Trail) -> None:
    text = made(hostile, "md").partition("## Evidence for programs")[0]
    outside_of_code = re.sub(r"^(`{3,})text\n.*?^\1$|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"https?://|(?<!\\)www\.|(?<!\\)@", outside_of_code, re.IGNORECASE) == []


def test_markdown_shows_the_text_itself(hostile: Trail) -> None:
    reader = MarkdownIt("commonmark").enable("table")
    shown = "\n".join(
        "".join(child.content for child in token.children or ()) for token in reader.parse(made(hostile, "md"))
    )
    for text in ("<script>alert(1)</script>", "[text](https://evil.example)", '"><img src=x onerror=alert(1)>'):
        assert text in shown


def records(text: str) -> list[dict[str, str]]:
    csv.field_size_limit(10_000_000)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_csv_has_no_cell_that_a_spreadsheet_would_run(hostile: Trail) -> None:
    found = records(made(hostile, "csv"))
    assert {len(one) for one in found} == {len(COLUMNS)}
    assert all(None not in one and None not in one.values() for one in found)
    for record in found:
        for name, cell in record.items():
            bare = cell.lstrip(" \u00a0\t\r\n\u200b")
            assert not bare or bare[0] not in "=+-@\uff1d\uff0b\uff0d\uff20", (name, cell)


def test_csv_keeps_every_text_behind_its_guard(hostile: Trail) -> None:
    guarded, raw = records(made(hostile, "csv")), records(made(hostile, "csv", is_raw=True))
    assert len(guarded) == len(raw)
    changed = 0
    for one, other in zip(guarded, raw, strict=True):
        if one["record"] != "event":
            continue  # the last record says which of the two it is
        for name in COLUMNS:
            changed += one[name] != other[name]
            assert one[name] == other[name] or one[name] == f"'{other[name]}", (name, one[name])
    assert changed > 5


@pytest.mark.parametrize(
    ("cell", "is_guarded"),
    [
        ("=1+1", True),
        ("+1+1", True),
        ("-2+3", True),
        ("@A1", True),
        ("\t=1", True),
        ("\r=1", True),
        ("\n=1", True),
        ("\x00=1", True),
        ("   =1", True),
        ("\u00a0@x", True),
        ("\u200b=1", True),
        ("\uff1d1", True),
        ("\uff0b1", True),
        ("\uff0d1", True),
        ("\uff20x", True),
        ("-", True),
        ("-5", False),
        ("+5.25", False),
        ("-1e-9", False),
        ("5", False),
        ("", False),
        ("a=1", False),
        ("PROJ-1", False),
        ("2026-03-02T09:00:00.000Z", False),
        (" text", False),
    ],
)
def test_cell_is_guarded_where_a_spreadsheet_would_run_it(cell: str, is_guarded: bool) -> None:
    assert safe_cell(cell) == (f"'{cell}" if is_guarded else cell)


def test_json_holds_the_texts_as_they_were_sent(hostile: Trail) -> None:
    events = json.loads(made(hostile, "json"))["issues"]["PROJ-1"]["events"]
    sent = {text for event in events for text in strings(event["metadata"])}
    assert set(HOSTILE) <= sent


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def test_chart_is_xml_in_which_a_name_is_a_text() -> None:
    lanes = Lanes(
        first_at="2026-03-02T09:00:00.000Z",
        last_at="2026-03-02T10:00:00.000Z",
        lanes=tuple(
            Lane(
                kind="agent", name=text, spans=[Span(start="2026-03-02T09:10:00.000Z", end="2026-03-02T09:40:00.000Z")]
            )
            for text in HOSTILE
        ),
        lanes_dropped=0,
        marks=(),
        marks_dropped=0,
    )
    drawing = ET.fromstring(chart(lanes, HOSTILE[1]))
    names = {element.tag.rpartition("}")[2] for element in drawing.iter()}
    assert names == {"svg", "g", "line", "rect", "text", "title"}
    assert drawing.get("aria-label") == HOSTILE[1]
    titles = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}title")}
    assert {visible(text) for text in HOSTILE} <= titles


class SpiedCompiler:
    """typst's compiler, that keeps what it was given."""

    seen: list[dict[str, Any]] = []

    def __init__(self, **options: Any) -> None:
        import typst

        self._compiler = typst.Compiler(**options)

    def compile(self, source: bytes, **options: Any) -> Any:
        self.seen.append({"source": source, **options})
        return self._compiler.compile(source, **options)


def test_pdf_gets_texts_as_data_and_never_as_source(hostile: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    import typst

    class Spied:
        Compiler = SpiedCompiler
        TypstError = typst.TypstError
        __version__ = vars(typst)["__version__"]

    monkeypatch.setattr(pdf, "_typst", lambda: Spied)
    SpiedCompiler.seen.clear()
    gathered: Gathered = gather(hostile, request_of())
    template = Path(pdf.__file__).with_name("assets").joinpath("report.typ").read_text("utf-8")
    made_pdf = pdf.pdf_report(gathered.report, gathered.events_of, template)
    assert made_pdf.data.startswith(b"%PDF-")
    sources = {one["source"] for one in SpiedCompiler.seen}
    assert sources == {template.encode(), pdf._PROBE}
    pages = json.loads(SpiedCompiler.seen[-1]["sys_inputs"]["report"])
    assert '#eval("panic()")' in json.dumps(pages, ensure_ascii=False).replace("\u200b", "").replace('\\"', '"')


def test_characters_that_cannot_be_seen_are_shown_by_their_code() -> None:
    assert visible("a\u202eb\u200bc\x00d\x1be") == "a[U+202E]b[U+200B]c[U+0000]d[U+001B]e"
    assert visible("one\ntwo\tthree\r") == "one⏎two⇥three[U+000D]"
    assert visible("\U000e0041\ufeff\u2066\u061c") == "[U+E0041][U+FEFF][U+2066][U+061C]"
    # A variation selector is how an emoji is written; elsewhere it hides something.
    assert visible("⚠\ufe0f a\ufe0f") == "⚠\ufe0f a[U+FE0F]"
    assert visible("⚠\ufe0f\ufe0f") == "⚠\ufe0f[U+FE0F]"
    assert visible("Grüße, Ж, 中文, 😀, 12\u202f000 €") == "Grüße, Ж, 中文, 😀, 12\u202f000 €"
