"""The report as one HTML page that needs nothing else: no network, no font, no framework.

Its content security policy forbids everything but its own style and script, by their digests. Without scripts it reads
the same; with them its tables sort and its events can be filtered.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from esaa.audit.embedded import HTML_CLOSING, HTML_OPENING, script_json
from esaa.audit.lanes import Lanes
from esaa.audit.render.as_json import EventsOf
from esaa.audit.render.chart import chart, chart_note
from esaa.audit.render.event_table import EVENT_COLUMNS, EventLine, details_of, elsewhere, event_lines, is_listed
from esaa.audit.render.front import CHECK_NOTE, facts_of, figures_of, scope_of, title_of, verdict_of
from esaa.audit.render.html_tables import badge, framed, html_cell, html_table
from esaa.audit.render.markup import Markup, element, joined, text
from esaa.audit.render.tables import (
    Cell,
    Table,
    actors_table,
    findings_table,
    heads_table,
    overview_table,
    tables_of,
    time_text,
)
from esaa.audit.report import SECTIONS_NAME, Report, as_data
from esaa.audit.request import command_of
from esaa.audit.section import Section
from esaa.kernel.canonical import canonical
from esaa.trail.facts.wording import counted, seconds
from esaa.trail.views.durations import seconds_between

HTML_ROWS_MAX = 5000
SECTIONS_SHOWN = 100
"""A page tells of at most so many sections in full; the overview has more of them, the JSON all."""

HEADS_ON_FRONT = 8
_DETAILS_MAX = 4000


class HtmlAssets(NamedTuple):
    """The style and the script of the page."""

    css: str
    js: str


def html_report(
    report: Report, events_of: EventsOf, assets: HtmlAssets, *, rows_max: int = HTML_ROWS_MAX
) -> Iterator[bytes]:
    """The pieces of the file."""
    links = is_listed(report, rows_max)
    yield from _encoded(_head(report, assets))
    yield from _encoded(_front(report))
    if len(report.sections) > 1:
        yield from _encoded(_overview(report))
    shown = list(report.sections.values())[:SECTIONS_SHOWN]
    for number, section in enumerate(shown, 1):
        yield from _encoded(_section(section, number, links=links))
    yield from _encoded(_people(report, links=links))
    yield b'<section id="events"><h2>All events'
    yield f'<span class="count">{report.evidence.selection.events:,}</span></h2>\n'.encode()
    if links and report.evidence.selection.events:
        yield from _events(report, events_of)
    else:
        said = elsewhere(report, rows_max) if report.evidence.selection.events else "There are none."
        yield from _encoded(element("p", said))
    yield b"</section>\n"
    yield from _encoded(_appendix(report))
    yield b"</main>\n"
    yield HTML_OPENING + script_json(canonical(_data(report))) + HTML_CLOSING + b"\n"
    yield b"<script>" + assets.js.encode() + b"</script>\n</body>\n</html>\n"


def _encoded(markup: Markup) -> Iterator[bytes]:
    yield markup.encode()
    yield b"\n"


def _data(report: Report) -> dict[str, Any]:
    data: dict[str, Any] = as_data(report) | {"command": command_of(report.request, "html")}
    if len(report.sections) > SECTIONS_SHOWN:
        del data[SECTIONS_NAME[report.request.by]]
    return data


def _head(report: Report, assets: HtmlAssets) -> Markup:
    policy = (
        f"default-src 'none'; style-src '{_digest(assets.css)}'; script-src '{_digest(assets.js)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"Audit report: {title_of(report)}"
    head = joined([
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"esaa {report.evidence.generator.version}"),
        element("title", title),
        element("style", Markup(assets.css)),
    ])  # fmt: skip
    is_intact, _ = verdict_of(report)
    links = [("summary", "Summary"), ("evidence", "Evidence")]
    links += [("overview", "Overview")] if len(report.sections) > 1 else []
    links += [("s1", _sections_word(report))] if report.sections else []
    links += [("people", "Who did what"), ("events", "Events")]
    bar = element(
        "header",
        element("span", badge("intact" if is_intact else "broken"), class_="bar-verdict"),
        element("a", title_of(report), href="#summary", class_="bar-title"),
        element("code", report.evidence.report_sha256[:12], class_="bar-digest", title="the report digest begins so"),
        element("nav", *(element("a", name, href=f"#{target}") for target, name in links), aria_label="Contents"),
        class_="bar",
    )
    return Markup(
        f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n'
        f'<a class="skip" href="#summary">To the summary</a>\n{bar}\n<main>'
    )


def _digest(asset: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode()


def _sections_word(report: Report) -> str:
    return SECTIONS_NAME[report.request.by].capitalize() if len(report.sections) > 1 else "Details"


def _front(report: Report) -> Markup:
    is_intact, verdict = verdict_of(report)
    figures = [
        element(
            "div",
            element("dt", figure.name),
            element("dd", element("b", figure.value), element("span", figure.remark)),
            class_="figure alarming" if figure.is_alarming else "figure",
        )
        for figure in figures_of(report)
    ]
    facts = [
        joined([element("dt", fact.name), element("dd", element("code", fact.value) if fact.is_code else fact.value)])
        for fact in facts_of(report, "html")
    ]
    heads = heads_table(report)
    rows = [cells for cells, head in zip(heads.rows, report.evidence.heads, strict=True) if head.selected]
    on_front = Table("heads", "Heads of the streams", heads.columns, rows[:HEADS_ON_FRONT])
    more = len(heads.rows) - len(on_front.rows)
    return element(
        "section",
        element("p", "Audit report", class_="kicker"),
        element("h1", title_of(report)),
        element("p", scope_of(report), class_="scope"),
        element(
            "p",
            *_with_lead(verdict),
            class_="verdict good" if is_intact else "verdict bad",
            role="status",
        ),
        html_table(findings_table(report), level=2, links=False),
        element("dl", *figures, class_="figures"),
        element(
            "div",
            element("h2", "Evidence"),
            element("dl", *facts, class_="facts"),
            html_table(on_front, level=3, links=False),
            element("p", element("a", f"{counted(more, 'more head')} in the appendix", href="#heads"), class_="note")
            if more
            else Markup(""),
            element("p", *_with_code(CHECK_NOTE), class_="note"),
            id="evidence",
            class_="evidence",
        ),
        id="summary",
        class_="front",
    )


def _with_lead(sentences: str) -> list[Markup]:
    """Sentences of ours, the first of them strong."""
    lead, dot, rest = sentences.partition(". ")
    return [element("strong", lead + dot.strip()), text(f" {rest}" if dot else "")]


def _with_code(sentence: str) -> list[Markup]:
    """A sentence of ours, with what stands between backticks as code."""
    return [element("code", part) if number % 2 else text(part) for number, part in enumerate(sentence.split("`"))]


def _overview(report: Report) -> Markup:
    table = overview_table(report)
    rows = [
        (Cell(cells[0].text, anchor=f"s{number}" if number <= SECTIONS_SHOWN else ""), *cells[1:])
        for number, cells in enumerate(table.rows, 1)
    ]
    note = ""
    if len(report.sections) > SECTIONS_SHOWN:
        note = f"The first {SECTIONS_SHOWN} are told of below; the JSON of this report has all of them."
    return element(
        "section",
        html_table(table._replace(rows=rows), level=2, links=True),
        element("p", note, class_="note") if note else Markup(""),
        _drawn(report.chart, "When each was worked on"),
        id="overview",
    )


def _section(section: Section, number: int, *, links: bool) -> Markup:
    title = element("span", section.title, class_="about") if section.title else Markup("")
    status = badge(section.status) if section.status else Markup("")
    took = seconds_between(section.first_at, section.last_at)
    span = f" ({seconds(round(took))})" if took else ""
    when = (
        f"{counted(section.summary.total_events, 'event')} from {time_text(section.first_at)} "
        f"to {time_text(section.last_at)} UTC{span}"
    )
    return element(
        "section",
        element("h2", section.key, title, status),
        element("p", when, class_="scope"),
        _drawn(section.chart, f"Timeline of {section.key}"),
        *(html_table(table, level=3, links=links) for table in tables_of(section)),
        html_table(actors_table(section.actors), level=3, links=links),
        id=f"s{number}",
        class_="part",
    )


def _drawn(lanes: Lanes | None, label: str) -> Markup:
    if lanes is None or not (lanes.lanes or lanes.marks):
        return Markup("")
    note = chart_note(lanes)
    return element(
        "figure",
        element("div", chart(lanes, label), class_="frame", role="region", tabindex="0", aria_label=label),
        element("figcaption", label, element("span", note, class_="note") if note else Markup("")),
    )


def _people(report: Report, *, links: bool) -> Markup:
    table = actors_table(report.actors)
    if not table.rows or len(report.sections) == 1:
        return Markup('<span id="people"></span>')
    return element("section", html_table(table, level=2, links=links), id="people")


def _events(report: Report, events_of: EventsOf) -> Iterator[bytes]:
    opening = framed("All events", EVENT_COLUMNS, Markup("\x00"), "event-table")
    before, _, after = opening.partition("\x00")
    search = element(
        "input",
        type="search",
        id="filter",
        autocomplete="off",
        spellcheck="false",
        placeholder="words, a type, an actor, an id",
    )
    shown = element("output", id="shown", aria_live="polite")
    yield from _encoded(element("div", element("label", "Filter ", search), " ", shown, class_="tools", hidden=True))
    yield before.encode() + b"<tbody>\n"
    for line in event_lines(report, events_of):
        yield from _encoded(_event(report, line))
    yield b"</tbody>" + after.encode() + b"\n"


def _event(report: Report, line: EventLine) -> Markup:
    cells: list[Markup] = []
    for number, (column, cell) in enumerate(zip(EVENT_COLUMNS, line.cells, strict=True)):
        if column.title == "What happened":
            details = element("pre", Markup(_lines(details_of(report, line.seen, _DETAILS_MAX))))
            cells.append(element("td", element("details", element("summary", cell.text), details), class_="text"))
        else:
            cells.append(html_cell(column, cell, links=True, is_first=number == 0))
    return element("tr", *cells, id=line.cells[0].anchor)


def _lines(value: str) -> str:
    """A text of several lines, for `pre`."""
    return "\n".join(text(one) for one in value.split("\n"))


def _appendix(report: Report) -> Markup:
    table = heads_table(report)
    shown = sum(1 for head in report.evidence.heads if head.selected)
    if len(table.rows) <= HEADS_ON_FRONT and shown == len(table.rows):
        return Markup("")
    return element("section", html_table(table, level=2, links=False), id="heads")
