"""The tables of a report, once for every format: which columns a family has, and how a value is written.

HTML, Markdown and PDF show these; the JSON has the rows themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

from esaa.audit.render.families import FAMILIES, CellKind, Field
from esaa.audit.report import Report
from esaa.audit.rows import ActorRow, Row
from esaa.audit.section import Section
from esaa.trail.facts.wording import dollars, quantity, seconds

ROWS_SHOWN = 500
"""A page shows at most so many rows of a family; the JSON has all of them."""

_LISTED_MAX = 8
_TEXT_MAX = 300
_DIGEST_SHOWN = 12


class Column(NamedTuple):
    """A column: its title, and what its cells are."""

    title: str
    kind: CellKind = "text"


class Cell(NamedTuple):
    """A cell: its text, the value that it is sorted by where that is not the text, and the event that it leads to."""

    text: str
    order: int | float | None = None
    anchor: str = ""


class Table(NamedTuple):
    """A table: a name for links, a title, what it is about, columns, rows, and how many rows were left out."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    left_out: int = 0


def tables_of(section: Section) -> list[Table]:
    """The tables of a section that have rows. Columns in which nothing stands are left out."""
    found: list[Table] = []
    has_streams = len(section.streams) > 1
    for name, title, fields in FAMILIES:
        rows: Sequence[Row] = getattr(section, name)
        if rows:
            table = _table(name, title, fields, rows, with_stream=has_streams)
            found.append(table)
    return found


def event_cell(stream: str, sequence: int, *, with_stream: bool) -> Cell:
    """A cell that leads to an event."""
    if sequence == 0:
        return Cell("")
    shown = f"{stream} #{sequence}" if with_stream else f"#{sequence}"
    return Cell(shown, sequence, f"e-{stream}-{sequence}")


def actors_table(actors: Sequence[ActorRow], name: str = "actors") -> Table:
    """Who did what."""
    rows = [
        (
            Cell(one.actor_id),
            Cell(one.actor_type),
            Cell(one.model or ""),
            Cell(f"{one.events:,}", one.events),
            Cell(_counts(one.event_types)),
            Cell(time_text(one.first_at)),
            Cell(time_text(one.last_at)),
        )
        for one in actors[:ROWS_SHOWN]
    ]
    columns = (
        Column("Actor", "code"),
        Column("Kind"),
        Column("Model", "code"),
        Column("Events", "number"),
        Column("What"),
        Column("First", "time"),
        Column("Last", "time"),
    )
    return Table(name, "Who did what", *_without_empty(columns, rows), max(len(actors) - ROWS_SHOWN, 0))


def overview_table(report: Report) -> Table:
    """One row for each section: the specification's summary."""
    what = {"issue": "Issue", "user": "Actor", "phase": "Phase"}[report.request.by]
    rows = [
        (
            Cell(_shortened(one.key)),
            Cell(_shortened(one.title or "")),
            Cell(one.status or ""),
            Cell(time_text(one.first_at)),
            Cell(time_text(one.last_at)),
            *(
                Cell(f"{number:,}", number)
                for number in (
                    one.summary.total_events,
                    one.summary.phases_completed,
                    one.summary.agents_spawned,
                    one.summary.commits_created,
                    one.summary.prs_created,
                    one.summary.errors_occurred,
                    sum(row.count for row in one.rejections),
                )
            ),
        )
        for one in list(report.sections.values())[:ROWS_SHOWN]
    ]
    columns = (
        Column(what, "code"),
        Column("Summary"),
        Column("Status", "status"),
        Column("First event", "time"),
        Column("Last event", "time"),
        *(Column(title, "number") for title in ("Events", "Phases", "Agents", "Commits", "PRs", "Errors", "Refused")),
    )
    left_out = max(len(report.sections) - ROWS_SHOWN, 0)
    return Table("overview", "Overview", *_without_empty(columns, rows), left_out)


def heads_table(report: Report) -> Table:
    """The heads of the streams, which are the evidence."""
    rows = [
        (
            Cell(one.stream),
            Cell(f"{one.selected:,}", one.selected),
            Cell(f"{one.first_sequence:,}-{one.sequence:,}", one.sequence),
            Cell(time_text(one.timestamp)),
            Cell(one.chain),
            Cell(one.leaf_hash),
            Cell(one.merkle_root),
        )
        for one in report.evidence.heads
    ]
    columns = (
        Column("Stream", "code"),
        Column("In this report", "number"),
        Column("Events checked", "number"),
        Column("Last event", "time"),
        Column("Chain", "status"),
        Column("Leaf hash of the last line", "code"),
        Column("Merkle root", "code"),
    )
    return Table("heads", "Heads of the streams", columns, rows)


def findings_table(report: Report) -> Table:
    """Where a chain does not hold."""
    evidence = report.evidence
    rows = [
        (Cell(one.stream), Cell(f"{one.sequence:,}", one.sequence), Cell(one.code), Cell(one.message))
        for one in evidence.findings
    ]
    columns = (Column("Stream", "code"), Column("Event", "number"), Column("Code", "code"), Column("Finding"))
    return Table("findings", "Findings", columns, rows, evidence.findings_count - len(rows))


def _table(name: str, title: str, fields: Sequence[Field], rows: Sequence[Row], *, with_stream: bool) -> Table:
    columns = [Column(one.title, one.kind) for one in fields]
    shown = [tuple(_cell(one, row) for one in fields) for row in rows[:ROWS_SHOWN]]
    if with_stream:
        columns.insert(0, Column("Issue", "code"))
        shown = [(Cell(row.stream), *cells) for row, cells in zip(rows, shown, strict=False)]
    columns.append(Column("Event", "event"))
    shown = [
        (*cells, event_cell(row.stream, row.sequence, with_stream=with_stream))
        for row, cells in zip(rows, shown, strict=False)
    ]
    return Table(name, title, *_without_empty(tuple(columns), shown, or_zero=True), max(len(rows) - ROWS_SHOWN, 0))


def _cell(field: Field, row: Row) -> Cell:
    value: Any = getattr(row, field.attribute)
    if value is None or value == "":
        return Cell("")
    match field.form:
        case "duration":
            return Cell(seconds(round(value, 3)), value)
        case "money":
            return Cell(dollars(value), value)
        case "percent":
            return Cell(f"{value:g} %", value)
        case "unit":
            return Cell(quantity(value, getattr(row, "unit", "")), value)
        case "list":
            return Cell(_shortened(_listed(value)))
        case "words":
            return Cell(_shortened(str(value).replace("_", " ")))
        case "digest":
            return Cell(str(value)[:_DIGEST_SHOWN])
        case "plain":
            return _plain(field, value)
        case _:
            assert_never(field.form)


def _plain(field: Field, value: Any) -> Cell:
    if field.kind == "time":
        return Cell(time_text(value))
    if isinstance(value, int | float):
        return Cell(f"{value:,}" if isinstance(value, int) else f"{value:g}", value)
    text = _shortened(str(value))
    return Cell(text.replace("_", " ") if field.kind == "status" else text)


def _without_empty(
    columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]], *, or_zero: bool = False
) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
    """Without the columns in which nothing stands; with `or_zero` also without those that count nothing at all."""

    def says_something(number: int, column: Column) -> bool:
        cells = (row[number] for row in rows)
        if or_zero and column.kind == "number":
            return any(cell.order for cell in cells)
        return any(cell.text for cell in cells)

    kept = [number for number, column in enumerate(columns) if says_something(number, column)]
    return tuple(columns[number] for number in kept), [tuple(row[number] for number in kept) for row in rows]


def _counts(counts: dict[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {number:,}" if number > 1 else name for name, number in ranked)


def _shortened(text: str) -> str:
    """A cell is no place for a text of any length; the event has all of it."""
    return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 1]}…"


def _listed(items: Sequence[str]) -> str:
    more = f"; and {len(items) - _LISTED_MAX} more" if len(items) > _LISTED_MAX else ""
    return "; ".join(items[:_LISTED_MAX]) + more


def time_text(ts: str | None) -> str:
    """A time of the trail for people; all are UTC, and the page says so."""
    return "" if ts is None else ts.replace("T", " ").removesuffix("Z").removesuffix(".000")
