"""The report as PDF/A, typeset by typst from data. No text from an event is ever typst source.

The fonts are those that come with typst, so that the same report is the same file on every machine. What they have no
glyph for is written as its code, and named in a warning; further fonts can be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import ModuleType
from typing import Any, NamedTuple

from esaa.audit.embedded import ATTACHMENT
from esaa.audit.lanes import Lanes
from esaa.audit.render.as_html import HEADS_ON_FRONT, SECTIONS_SHOWN
from esaa.audit.render.as_json import EventsOf
from esaa.audit.render.chart import chart, chart_note
from esaa.audit.render.event_table import EVENT_COLUMNS, elsewhere, event_lines, is_listed
from esaa.audit.render.front import CHECK_NOTE, facts_of, figures_of, scope_of, title_of, verdict_of
from esaa.audit.render.moods import mood_of
from esaa.audit.render.tables import (
    Cell,
    Column,
    Table,
    actors_table,
    findings_table,
    overview_table,
    tables_of,
    time_text,
)
from esaa.audit.render.visible import visible
from esaa.audit.report import SECTIONS_NAME, Report, as_data
from esaa.audit.request import command_of
from esaa.audit.section import Section
from esaa.errors import UsageError
from esaa.kernel.canonical import canonical
from esaa.trail.facts.wording import counted
from esaa.trail.intake import parse_time

PDF_ROWS_MAX = 2000
BUILT_IN = "built-in"
GIVEN = "given"

_VERSION_MIN = (0, 15)  # the first that attaches files and takes inputs for each compilation
_VERSION = re.compile(r"[0-9]+")
_STANDARDS = ["a-3a", "ua-1"]
_MISSING = re.compile(r"the text `?\"(.*?)\"`? could not be displayed", re.DOTALL)
_ORDINARY = re.compile("[ -~]")
_WORDS = re.compile(r"(\s+)")
_AFTER_MARK = re.compile(r"(?<=[_/.@:;,=&?-])(?=\S)")
_EVERY = re.compile(r"\S{12}(?=\S)")
_BREAK = "\u200b"
_PROBE = b"""#set document(date: datetime(year: 2020, month: 1, day: 1))
#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"))
#for one in json(bytes(sys.inputs.report)) [#one \\ ]
"""
_TITLE_MAX = 60
_CHART_WIDTH = 740
_SHORT = 13
_LONG = 32
_COLUMNS_MANY = 8
_NONE = Table("", "", (), ())
_EVENT_COLUMNS = tuple(one for one in EVENT_COLUMNS if one.title != "Phase")
_NAMED_MAX = 20


class Pdf(NamedTuple):
    """The file, and what its reader should be told."""

    data: bytes
    warnings: tuple[str, ...]


def pdf_report(
    report: Report,
    events_of: EventsOf,
    template: str,
    *,
    font_paths: Sequence[str] = (),
    rows_max: int = PDF_ROWS_MAX,
) -> Pdf:
    """The file. Raises `UsageError` with EXTRA_MISSING where typst is not installed."""
    typst = _typst()
    pages = canonical(_pages(report, events_of, rows_max)).decode()
    evidence = canonical(_evidence(report, typst, font_paths)).decode()
    compiler = typst.Compiler(font_paths=list(font_paths), ignore_system_fonts=True)
    missing = _without_glyph(compiler, typst, sorted({one for one in pages if not _ORDINARY.match(one)}))
    pages = pages.translate({ord(one): f"[U+{ord(one):04X}]" for one in missing})
    try:
        data = compiler.compile(
            template.encode(),
            format="pdf",
            sys_inputs={"report": pages, "evidence": evidence},
            pdf_standards=_STANDARDS,
            timestamp=int(_moment(report).timestamp()),
        )
    except typst.TypstError as error:
        raise UsageError(
            "PDF_FAILED", f"typst could not make the PDF: {error.message}.", "Use --format html and print it."
        ) from error
    return Pdf(bytes(data), _warnings(missing))


def _typst() -> ModuleType:
    hint = "Install it: pip install 'esaa[pdf]'. Or use --format html, and print the page."
    try:
        import typst
    except ImportError as error:
        raise UsageError("EXTRA_MISSING", "A report as PDF needs the `pdf` extra.", hint) from error
    version: str = getattr(typst, "__version__", "0")
    if tuple(int(part) for part in _VERSION.findall(version)) < _VERSION_MIN:
        raise UsageError("EXTRA_MISSING", f"typst {version} is too old for a report as PDF.", hint)
    return typst


def renderer_of() -> str:
    """What typesets here. Raises `UsageError` as `pdf_report`."""
    return f"typst {_typst().__version__}"


def _without_glyph(compiler: Any, typst: ModuleType, characters: Sequence[str]) -> list[str]:
    """Those of the characters that no font has. PDF/A refuses them by name, so one attempt mostly tells all."""
    missing: list[str] = []
    left = list(characters)
    while left:
        refused = _refused(compiler, typst, left)
        if refused is None:
            return missing
        found = [one for one in left if one in refused]
        if not found:  # refused without a name we know: halve until it is alone
            half = len(left) // 2
            if half == 0:
                return [*missing, *left]
            return [
                *missing,
                *_without_glyph(compiler, typst, left[:half]),
                *_without_glyph(compiler, typst, left[half:]),
            ]
        missing += found
        left = [one for one in left if one not in refused]
    return missing


def _refused(compiler: Any, typst: ModuleType, characters: Sequence[str]) -> str | None:
    """What the typesetter says it cannot show, all in one text; None where it shows everything."""
    try:
        compiler.compile(
            _PROBE, format="pdf", sys_inputs={"report": canonical(list(characters)).decode()}, pdf_standards=["a-3b"],
            timestamp=0,
        )  # fmt: skip
    except typst.TypstError as error:
        return "".join(_MISSING.findall(f"{error.message}\n{error.diagnostic}"))
    return None


def _warnings(missing: Sequence[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    named = " ".join(f"{one} (U+{ord(one):04X})" for one in missing[:_NAMED_MAX])
    more = f" and {len(missing) - _NAMED_MAX} more" if len(missing) > _NAMED_MAX else ""
    return (f"the fonts have no glyph for {named}{more}; their codes stand in the PDF (--font-path adds fonts)",)


def _moment(report: Report) -> datetime:
    moment = parse_time(report.generated_at)
    assert moment is not None, "a report is made at a time"
    return moment


def _evidence(report: Report, typst: ModuleType, font_paths: Sequence[str]) -> dict[str, Any]:
    data = as_data(report) | {
        "command": command_of(report.request, "pdf"),
        "options": {"fonts": GIVEN if font_paths else BUILT_IN, "renderer": f"typst {typst.__version__}"},
    }
    if len(report.sections) > SECTIONS_SHOWN:
        del data[SECTIONS_NAME[report.request.by]]
    return data


def _pages(report: Report, events_of: EventsOf, rows_max: int) -> dict[str, Any]:
    """What the template shows. Strings, whole numbers and lists of them; every text is made visible."""
    is_intact, verdict = verdict_of(report)
    heads = [
        {
            "stream": _cut(head.stream),
            "told": f"events {head.first_sequence:,} to {head.sequence:,}, {head.selected:,} of them in this report;"
            f" the last of {time_text(head.timestamp)}",
            "chain": {"text": head.chain, "mood": mood_of(head.chain)},
            "leaf_hash": visible(head.leaf_hash),
            "merkle_root": head.merkle_root,
        }
        for head in sorted(report.evidence.heads, key=lambda head: head.selected == 0)
    ]
    title = visible(title_of(report))
    lines = event_lines(report, events_of) if is_listed(report, rows_max) else iter(())
    is_many = len(report.sections) > 1
    return {
        "title": title,
        "short_title": title if len(title) < _TITLE_MAX else f"{title[:_TITLE_MAX]}…",
        "made_by": f"esaa {report.evidence.generator.version}",
        "date": list(_moment(report).timetuple()[:6]),
        "digest": report.evidence.report_sha256,
        "scope": _cut(scope_of(report)),
        "is_intact": is_intact,
        "verdict": verdict,
        "findings": _table(findings_table(report)),
        "figures": [
            {"name": one.name, "value": one.value, "remark": one.remark, "is_alarming": one.is_alarming}
            for one in figures_of(report)
        ],
        "facts": [
            {"name": one.name, "value": _cut(one.value, 64), "is_code": one.is_code} for one in facts_of(report, "pdf")
        ],
        "heads": heads,
        "heads_on_front": HEADS_ON_FRONT,
        "note": CHECK_NOTE.replace("`", ""),
        "overview": _table(overview_table(report)) if is_many else _table(_NONE),
        "chart": _chart(report.chart, "When each was worked on"),
        "sections": [_section(one) for one in list(report.sections.values())[:SECTIONS_SHOWN]],
        "sections_left_out": max(len(report.sections) - SECTIONS_SHOWN, 0),
        "people": _table(actors_table(report.actors)) if is_many else _table(_NONE),
        "events": _rows("All events", _EVENT_COLUMNS, (_without_phase(line.cells) for line in lines)),
        "elsewhere": elsewhere(report, rows_max) if report.totals.events else "There are none.",
        "attachment": ATTACHMENT,
    }


def _section(section: Section) -> dict[str, Any]:
    events = counted(section.summary.total_events, "event")
    return {
        "key": _cut(section.key),
        "about": _cut(section.title or ""),
        "status": {"text": section.status or "", "mood": mood_of(section.status or "")},
        "when": f"{events} from {time_text(section.first_at)} to {time_text(section.last_at)} UTC",
        "chart": _chart(section.chart, f"Timeline of {visible(section.key)}"),
        "tables": [_table(one) for one in (*tables_of(section), actors_table(section.actors))],
    }


def _chart(lanes: Lanes | None, label: str) -> dict[str, str] | None:
    if lanes is None or not (lanes.lanes or lanes.marks):
        return None
    return {"svg": str(chart(lanes, label, _CHART_WIDTH)), "label": label, "note": chart_note(lanes)}


def _table(table: Table) -> dict[str, Any]:
    return _rows(table.title, table.columns, table.rows) | {"left_out": table.left_out}


def _rows(title: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> dict[str, Any]:
    found = list(rows)
    longest = [max((len(cells[number].text) for cells in found), default=0) for number in range(len(columns))]
    return {
        "title": title,
        "columns": [
            {"title": one.title, "kind": one.kind, "weight": _weight(one, length, len(columns))}
            for one, length in zip(columns, longest, strict=True)
        ],
        "rows": [[{"text": _cut(cell.text), "mood": mood_of(cell.text)} for cell in cells] for cells in found],
        "left_out": 0,
    }


def _weight(column: Column, length: int, columns: int) -> int:
    """How much of the room that is left a column gets; 0 where it gets what it needs. Long texts share the rest, and
    in a wide table long names, too."""
    if column.kind == "text" and length > _SHORT:
        return min(max(length, 30), 80)
    if column.kind == "code" and length > (_SHORT if columns > _COLUMNS_MANY else _LONG):
        return 32
    return 0


def _without_phase(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for column, cell in zip(EVENT_COLUMNS, cells, strict=True) if column.title != "Phase"]


def _cut(text: str, word_max: int = 12) -> str:
    """A visible text in which long words may be broken: a column of a page is narrow."""
    return "".join(_broken(word) if len(word) > word_max else word for word in _WORDS.split(visible(text)))


def _broken(word: str) -> str:
    parts = _AFTER_MARK.split(word)
    return _BREAK.join(_EVERY.sub(lambda found: found.group() + _BREAK, part) for part in parts)
