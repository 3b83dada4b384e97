"""Tables as HTML: headings with their scope, numbers that sort as numbers, states that say what they are in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from esaa.audit.render.markup import Markup, element, joined, text
from esaa.audit.render.moods import mood_of
from esaa.audit.render.tables import Cell, Column, Table

_AFTER_MARK = re.compile(r"(?<=[_/.@:])(?=.)")
_LONG = 28  # above this a name or digest may be broken anywhere


def html_table(table: Table, *, level: int, links: bool) -> Markup:
    """A table under its heading; nothing where it has no rows. `links` says that the page lists the events."""
    if not table.rows:
        return Markup("")
    heading = element(
        f"h{level}", table.title, element("span", f"{len(table.rows) + table.left_out:,}", class_="count")
    )
    body = element("tbody", *(_row(table.columns, cells, links=links) for cells in table.rows))
    note = (
        element("p", f"{table.left_out:,} more rows are in the JSON of this report.", class_="note")
        if table.left_out
        else Markup("")
    )
    return joined([heading, framed(table.title, table.columns, body), note])


def framed(title: str, columns: Iterable[Column], body: Markup, table_id: str | None = None) -> Markup:
    """A table with its head, in a frame that scrolls where the page is narrow."""
    head = element("thead", element("tr", *(element("th", one.title, scope="col", class_=one.kind) for one in columns)))
    table = element("table", head, body, class_="sortable", id=table_id)
    return element("div", table, class_="frame", role="region", tabindex="0", aria_label=title)


def html_cell(column: Column, cell: Cell, *, links: bool, is_first: bool = False) -> Markup:
    """A cell by the kind of its column."""
    content: Markup | str = cell.text
    if column.kind == "status" and cell.text:
        content = badge(cell.text)
    elif cell.anchor and links:
        content = element("a", cell.text, href=f"#{cell.anchor}")
    elif column.kind == "time":
        # A line may end between date and time, and nowhere else.
        content = joined(_spaced(element("span", part) for part in cell.text.split(" ")))
    elif column.kind == "code":
        content = joined(_breakable(cell.text))
    order = None if cell.order is None else str(cell.order)
    return element(
        "th" if is_first else "td",
        content,
        scope="row" if is_first else None,
        class_=f"{column.kind} long" if len(cell.text) > _LONG else column.kind,
        data_order=order,
    )


def badge(word: str) -> Markup:
    """A state as a word on a ground that says how good it is."""
    return element("span", word, class_=f"badge {mood_of(word)}")


def _row(columns: tuple[Column, ...], cells: tuple[Cell, ...], *, links: bool) -> Markup:
    return element(
        "tr",
        *(
            html_cell(column, cell, links=links, is_first=number == 0)
            for number, (column, cell) in enumerate(zip(columns, cells, strict=True))
        ),
    )


def _spaced(parts: Iterable[Markup]) -> Iterator[Markup]:
    for number, part in enumerate(parts):
        if number:
            yield Markup(" ")
        yield part


def _breakable(name: str) -> Iterator[Markup]:
    """A name that may be broken after its marks, which leaves it whole when it is copied."""
    for number, part in enumerate(_AFTER_MARK.split(name)):
        if number:
            yield element("wbr")
        yield text(part)
