"""The timeline chart as SVG: one for the page, for print and for PDF.

Colours stand in attributes, which a page's own style overrides (light and dark); a shape or a word says the same, so
that nothing hangs on colour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from esaa.audit.lanes import Lane, Lanes, Mark, MarkKind, Span
from esaa.audit.render.markup import Markup, element, joined
from esaa.audit.render.tables import time_text
from esaa.trail.facts.wording import seconds
from esaa.trail.intake import parse_time

WIDTH = 1000
_LABELS = 190
_RIGHT = 14
_TOP = 34
_LANE = 24
_BAR = 14
_TICK_WIDTH = 110
_NAME_MAX = 26
_CHAR_WIDTH = 6.4

_STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
    1209600, 2592000, 7776000, 15552000, 31536000, 94608000, 315360000, 946080000,
)  # fmt: skip
_DAY_S = 86400
_FILLS = {"section": "#5b6b8c", "phase": "#4063a8", "agent": "#2f7f74", "event": "#5b6b8c"}
_FAILED = "#b3362b"
_MARKS: dict[MarkKind, tuple[str, str, str]] = {
    "commit": ("commit", "#4063a8", "M0,-5 A5,5 0 1,0 0,5 A5,5 0 1,0 0,-5 Z"),
    "pull_request": ("pull request", "#2f7f74", "M-5,-5 H5 V5 H-5 Z"),
    "gap": ("gap found", "#9a6700", "M0,-6 L6,5 L-6,5 Z"),
    "recovery": ("recovered, closed", "#2f7f74", "M-6,0 L-2,4 L6,-5 L7,-3 L-2,7 L-7,2 Z"),
    "approval": ("approval", "#6b4fa0", "M0,-6 L6,0 L0,6 L-6,0 Z"),
    "refused": (
        "refused",
        "#b3362b",
        "M-2,-6 H2 V-2 H6 V2 H2 V6 H-2 V2 H-6 V-2 H-2 Z",
    ),
    "error": ("error", "#b3362b", "M-6,-4 L-4,-6 L0,-2 L4,-6 L6,-4 L2,0 L6,4 L4,6 L0,2 L-4,6 L-6,4 L-2,0 Z"),
}
"""The marks: their word in the legend, colour, and shape around the origin."""


class _Axis(NamedTuple):
    start: datetime
    length_s: float
    width: int

    def x(self, ts: str) -> float | None:
        """Where a time lies; None for a text that is none."""
        moment = parse_time(ts)
        if moment is None:
            return None
        share = (moment - self.start).total_seconds() / self.length_s
        return round(_LABELS + min(max(share, 0.0), 1.0) * (self.width - _LABELS - _RIGHT), 1)


def chart(lanes: Lanes, label: str, width: int = WIDTH) -> Markup:
    """The chart as one `svg` element, described by `label`; empty where its times are none.

    On narrow paper a smaller `width` leaves the letters large.
    """
    first, last = parse_time(lanes.first_at), parse_time(lanes.last_at)
    if first is None or last is None:
        return Markup("")
    axis = _Axis(first, max((last - first).total_seconds(), 1.0), width)
    kinds: list[MarkKind] = [kind for kind in _MARKS if any(mark.kind == kind for mark in lanes.marks)]
    rows = len(lanes.lanes) + (1 if kinds else 0)
    bottom = _TOP + rows * _LANE
    height = bottom + (30 if kinds else 8)
    parts = [_ticks(axis, bottom)]
    for number, lane in enumerate(lanes.lanes):
        parts.append(_lane(lane, axis, _TOP + number * _LANE, lanes.last_at))
    if kinds:
        parts.append(_events(lanes.marks, axis, _TOP + len(lanes.lanes) * _LANE))
        parts.append(_legend(kinds, bottom + 20, width))
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        viewBox=f"0 0 {width} {height}",
        width=str(width),
        height=str(height),
        role="img",
        aria_label=label,
        font_family="Libertinus Serif, DejaVu Sans Mono, serif",
        font_size="12",
    )


def chart_note(lanes: Lanes) -> str:
    """What the chart could not show, in a sentence; empty where it shows everything."""
    spans = sum(lane.spans_dropped for lane in lanes.lanes)
    dropped = [(lanes.lanes_dropped, "lane"), (spans, "span"), (lanes.marks_dropped, "mark")]
    told = [f"{number:,} more {noun}{'' if number == 1 else 's'}" for number, noun in dropped if number]
    return f"Not drawn: {', '.join(told)}; the tables have them." if told else ""


def _ticks(axis: _Axis, bottom: float) -> Markup:
    # At least one tick lies between: no step is longer than what is drawn.
    step = next((one for one in _STEPS_S if axis.length_s / one <= axis.width / _TICK_WIDTH), _STEPS_S[-1])
    epoch = axis.start.timestamp()
    at = -(-epoch // step) * step
    parts: list[Markup] = []
    day = ""
    while at <= epoch + axis.length_s + 0.0005:
        moment = datetime.fromtimestamp(at, UTC)
        x = axis.x(moment.isoformat())
        assert x is not None, "a time of ours is one"
        parts.append(element("line", class_="tick", x1=x, x2=x, y1=_TOP - 6, y2=bottom, stroke="#d5d9e2"))
        clock = moment.strftime("%H:%M:%S" if step < 60 else "%H:%M") if step < _DAY_S else ""
        date = moment.strftime("%Y-%m-%d")
        anchor = "end" if x > axis.width - 50 else "middle"
        if date != day:
            parts.append(_label(date, x, _TOP - 22 if clock else _TOP - 10, anchor))
            day = date
        if clock:
            parts.append(_label(clock, x, _TOP - 10, anchor))
        at += step
    return element("g", *parts, class_="axis")


def _label(shown: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", shown, class_="tick-label", x=x, y=y, text_anchor=anchor, fill="#5a6072", font_size="10.5")


def _lane(lane: Lane, axis: _Axis, y: float, last_at: str) -> Markup:
    spans = [_span(lane, span, axis, y, last_at) for span in lane.spans]
    return element("g", _name(lane.name, y, axis.width), *spans, class_=f"lane {lane.kind}")


def _name(name: str, y: float, width: int) -> Markup:
    shown = name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 1] + "…"
    rule = element("line", class_="rule", x1=0, x2=width, y1=y, y2=y, stroke="#e8eaf0")
    label = element("text", element("title", name), shown, class_="lane-name", x=0, y=y + _LANE / 2 + 4, fill="#1d2230")
    return joined([rule, label])


def _span(lane: Lane, span: Span, axis: _Axis, y: float, last_at: str) -> Markup:
    left, right = axis.x(span.start), axis.x(span.end or last_at)
    if left is None or right is None:
        return Markup("")
    width = max(right - left, 3.0)
    top = y + (_LANE - _BAR) / 2
    fill = _FAILED if span.outcome == "failed" else _FILLS[lane.kind]
    took = _took(span)
    until = _clock(span.end) or "the last event"
    told = f"{lane.name}: {_clock(span.start)} to {until}, {span.outcome}{', ' if took else ''}{took}"
    bar = element(
        "rect",
        element("title", told),
        class_=f"span {span.outcome}",
        x=left,
        y=top,
        width=width,
        height=_BAR,
        rx=3,
        fill=fill,
        fill_opacity="0.45" if span.outcome == "open" else None,
        stroke=fill,
        stroke_dasharray="3 2" if span.outcome == "open" else None,
    )
    inside = {"failed": f"failed {took}", "open": "open", "completed": took}[span.outcome].strip()
    if len(inside) * _CHAR_WIDTH + 8 > width:
        return bar
    label = element(
        "text",
        inside,
        class_=f"span-label {span.outcome}",
        x=left + 5,
        y=top + _BAR - 3.5,
        # What is open is drawn thinly, and white letters would be lost on it.
        fill="#1a1f2b" if span.outcome == "open" else "#ffffff",
        font_size="10.5",
    )
    return joined((bar, label))


def _events(marks: tuple[Mark, ...], axis: _Axis, y: float) -> Markup:
    parts = [_name("events", y, axis.width)]
    for mark in marks:
        x = axis.x(mark.at)
        if x is None:
            continue
        word = _MARKS[mark.kind][0]
        told = element("title", f"{word}: {mark.stream} {mark.sequence}, {_clock(mark.at)}")
        parts.append(_shape(mark.kind, x, y + _LANE / 2, told))
    return element("g", *parts, class_="lane marks")


def _legend(kinds: list[MarkKind], y: float, width: int) -> Markup:
    parts: list[Markup] = []
    needed = sum(34 + len(_MARKS[kind][0]) * 5.8 for kind in kinds)
    x = float(max(min(_LABELS, width - needed), 0))
    for kind in kinds:
        word = _MARKS[kind][0]
        parts.append(_shape(kind, x + 6, y - 4, Markup("")))
        parts.append(element("text", word, class_="tick-label", x=x + 16, y=y, fill="#5a6072", font_size="10.5"))
        x += 34 + len(word) * 5.8
    return element("g", *parts, class_="legend")


def _shape(kind: MarkKind, x: float, y: float, inside: Markup) -> Markup:
    _, fill, path = _MARKS[kind]
    return element(
        "path", inside, class_=f"mark {kind}", d=path, transform=f"translate({x:g} {y:g}) scale(0.9)", fill=fill
    )


def _clock(ts: str | None) -> str:
    return time_text(ts)


def _took(span: Span) -> str:
    start, end = parse_time(span.start), parse_time(span.end or "")
    if start is None or end is None:
        return ""
    return seconds(round((end - start).total_seconds(), 3))
