"""The report as Markdown: for a pull request, a ticket, a wiki.

Every text from an event is escaped, so that it can be no link, no image, no HTML and no column of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from esaa.audit.embedded import KIND, MARKDOWN_CLOSING, MARKDOWN_OPENING
from esaa.audit.lanes import Lane, Lanes
from esaa.audit.render.as_json import EventsOf
from esaa.audit.render.chart import chart_note
from esaa.audit.render.event_table import EVENT_COLUMNS, elsewhere, event_lines, is_listed
from esaa.audit.render.front import CHECK_NOTE, facts_of, figures_of, scope_of, title_of, verdict_of
from esaa.audit.render.json_stream import json_pieces
from esaa.audit.render.tables import (
    Cell,
    Column,
    Table,
    actors_table,
    findings_table,
    heads_table,
    overview_table,
    tables_of,
)
from esaa.audit.render.visible import visible
from esaa.audit.report import Report
from esaa.audit.request import command_of
from esaa.audit.section import Section
from esaa.trail.intake import parse_time

MARKDOWN_ROWS_MAX = 5000

# What opens something inside a line. No text from an event ever begins a line.
_OPENING = re.compile(r"([\\`*_{}\[\]<>#|~&$@!]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_PLAIN_CODE = re.compile(r"[^`|\\]+")
_BARS = 60
_NAME_WIDTH = 26


def markdown_report(report: Report, events_of: EventsOf, *, rows_max: int = MARKDOWN_ROWS_MAX) -> Iterator[bytes]:
    """The pieces of the file."""
    for line in _lines(report, events_of, rows_max):
        yield f"{line}\n".encode()
    yield from _evidence(report)


def markdown_text(value: str) -> str:
    """A text from anywhere as text of a page: every mark that Markdown could read is escaped."""
    return _OPENING.sub(r"\\\1", visible(value))


def _lines(report: Report, events_of: EventsOf, rows_max: int) -> Iterator[str]:
    _, verdict = verdict_of(report)
    yield f"# Audit report: {markdown_text(title_of(report))}"
    yield ""
    yield f"**{markdown_text(verdict)}**"
    yield ""
    yield markdown_text(scope_of(report))
    yield ""
    for fact in facts_of(report, "md"):
        yield f"- {fact.name}: {_code(fact.value) if fact.is_code else markdown_text(fact.value)}"
    yield ""
    yield "| Figure | Value | |"
    yield "|---|--:|---|"
    for figure in figures_of(report):
        yield f"| {figure.name} | {markdown_text(figure.value)} | {markdown_text(figure.remark)} |"
    yield ""
    yield from _table(findings_table(report), 2)
    yield from _table(heads_table(report), 2)
    yield markdown_text(CHECK_NOTE).replace("\\`esaa audit check FILE\\`", "`esaa audit check FILE`")
    yield ""
    if len(report.sections) > 1:
        yield from _table(overview_table(report), 2)
        yield from _chart(report.chart)
    for section in report.sections.values():
        yield from _section(section)
    yield from _table(actors_table(report.actors), 2)
    yield "## All events"
    yield ""
    if is_listed(report, rows_max):
        yield from _rows(EVENT_COLUMNS, (line.cells for line in event_lines(report, events_of)))
    else:
        yield markdown_text(elsewhere(report, rows_max))
        yield ""


def _section(section: Section) -> Iterator[str]:
    title = f": {markdown_text(section.title)}" if section.title else ""
    status = f" ({markdown_text(section.status)})" if section.status else ""
    yield f"## {markdown_text(section.key)}{title}{status}"
    yield ""
    yield from _chart(section.chart)
    for table in tables_of(section):
        yield from _table(table, 3)
    yield from _table(actors_table(section.actors), 3)


def _table(table: Table, level: int) -> Iterator[str]:
    if not table.rows:
        return
    yield f"{'#' * level} {table.title}"
    yield ""
    yield from _rows(table.columns, table.rows)
    if table.left_out:
        yield f"{table.left_out:,} more rows are in the JSON of this report."
        yield ""


def _rows(columns: Iterable[Column], rows: Iterable[tuple[Cell, ...]]) -> Iterator[str]:
    columns = tuple(columns)
    yield "| " + " | ".join(column.title for column in columns) + " |"
    yield "|" + "|".join("--:" if column.kind == "number" else "---" for column in columns) + "|"
    for cells in rows:
        shown = (_cell(column, cell) for column, cell in zip(columns, cells, strict=True))
        yield "| " + " | ".join(shown) + " |"
    yield ""


def _cell(column: Column, cell: Cell) -> str:
    return _code(cell.text) if column.kind in ("code", "event") else markdown_text(cell.text)


def _code(value: str) -> str:
    """A code span where the text can stand in one."""
    shown = visible(value)
    return f"`{shown}`" if shown.strip() and _PLAIN_CODE.fullmatch(shown) else markdown_text(value)


def _chart(lanes: Lanes | None) -> Iterator[str]:
    """The chart in characters."""
    if lanes is None or not lanes.lanes:
        return
    drawn = [_lane(lane, lanes) for lane in lanes.lanes]
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", "\n".join(drawn))), 3)
    yield f"{fence}text"
    yield f"{'':{_NAME_WIDTH}} {visible(lanes.first_at)} to {visible(lanes.last_at)}"
    yield from drawn
    yield fence
    yield ""
    note = chart_note(lanes)
    if note:
        yield markdown_text(note)
        yield ""


def _lane(lane: Lane, lanes: Lanes) -> str:
    bars = ["·"] * _BARS
    for span in lane.spans:
        first, last = _place(span.start, lanes), _place(span.end or lanes.last_at, lanes)
        for place in range(first, last + 1):
            bars[place] = "▒" if span.outcome == "open" else "█"
        if span.outcome == "failed":
            bars[last] = "✗"
    name = visible(lane.name)
    shown = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
    return f"{shown:{_NAME_WIDTH}} {''.join(bars)}"


def _place(ts: str, lanes: Lanes) -> int:
    first, last, moment = parse_time(lanes.first_at), parse_time(lanes.last_at), parse_time(ts)
    if first is None or last is None or moment is None or last <= first:
        return 0
    share = (moment - first) / (last - first)
    return min(max(int(share * _BARS), 0), _BARS - 1)


def _evidence(report: Report) -> Iterator[bytes]:
    told = {
        "command": command_of(report.request, "md"),
        "evidence": msgspec.to_builtins(report.evidence),
        "generated_at": report.generated_at,
        "kind": KIND,
        "request": msgspec.to_builtins(report.request),
    }
    yield b"## Evidence for programs\n\n" + MARKDOWN_OPENING
    # A backtick could end the block; in JSON it can be written as its code.
    yield b"".join(json_pieces(told)).replace(b"`", b"\\u0060")
    yield MARKDOWN_CLOSING
