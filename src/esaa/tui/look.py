"""How the stepper looks: one accent, a dark and a light theme, and JSON values on one line."""

from __future__ import annotations

import json
from typing import Any

from msgspec import UNSET
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import Theme

from esaa.audit.render.visible import visible

DARK = Theme(
    name="esaa-dark",
    primary="#5fb3a1",
    secondary="#8b98a9",
    accent="#5fb3a1",
    foreground="#cfd6df",
    background="#101419",
    surface="#151a21",
    panel="#1e252e",
    success="#7fc98f",
    warning="#d9b25f",
    error="#e5786d",
    dark=True,
    variables={"quiet": "#75818f", "line": "#2a333e", "current": "#1f3a38", "scrollbar": "#2a333e"},
)
LIGHT = Theme(
    name="esaa-light",
    primary="#0f766e",
    secondary="#57606a",
    accent="#0f766e",
    foreground="#1d242c",
    background="#f7f8f9",
    surface="#ffffff",
    panel="#eceff2",
    success="#1a7f37",
    warning="#8a5a00",
    error="#b42318",
    dark=False,
    variables={"quiet": "#626c78", "line": "#d5dae0", "current": "#d5ebe7", "scrollbar": "#c3cad2"},
)

STYLE = """
Screen { background: $background; color: $foreground; }
#top { height: 1; padding: 0 1; }
#where { width: 1fr; }
#when { width: auto; }
#scrubber { padding: 0 1; }
#main { height: 1fr; }
#events { width: 7fr; }
#middle { width: 6fr; }
#state { width: 6fr; }
#card { height: 14; }
#changes { height: 1fr; }
#bottom { height: 6; }
#stops, #watches { width: 1fr; height: 1fr; }
.pane {
    border: round $line; border-title-color: $quiet; border-subtitle-color: $quiet;
    background: $background; padding: 0; scrollbar-size-vertical: 1;
    scrollbar-background: $background; scrollbar-background-hover: $background;
    scrollbar-background-active: $background; scrollbar-corner-color: $background;
    scrollbar-color: $line; scrollbar-color-hover: $quiet; scrollbar-color-active: $accent;
}
.pane:focus { border: round $accent; border-title-color: $accent; border-title-style: bold; }
.text { padding: 0 1; }
#said { height: 1; padding: 0 1; color: $quiet; }
#said.-fault { color: $error; }
Footer { background: $background; }
FooterKey .footer-key--key { color: $accent; background: $background; }
FooterKey .footer-key--description { color: $quiet; background: $background; }
.-narrow #main { layout: grid; grid-size: 2 2; }
.-narrow #events { row-span: 2; width: 1fr; }
.-narrow #middle, .-narrow #state { width: 1fr; height: 1fr; }
.-narrow #card, .-short #card { display: none; }
.-short #bottom { height: 4; }
"""
"""The layout: three panes on a wide screen; on a narrow one the state lies below the changes."""

_SHOWN_MAX = 400


def brief(value: Any) -> str:
    """A JSON value on one line that cannot steer a terminal; a long one is cut. What is not there is a dash."""
    if value is UNSET:
        return "-"
    if isinstance(value, dict):
        return _counted(len(value), "member", "{", "}") if len(value) > 3 else _cut(_as_json(value))
    if isinstance(value, list | tuple):
        return _counted(len(value), "item", "[", "]") if len(value) > 6 else _cut(_as_json(value))
    return _cut(_as_json(value))


def one_line(text: str) -> str:
    """A text from a log on one line, cut where it is long, with everything that hides or steers shown as its code."""
    return visible(_cut(text))


def plural(count: int, noun: str) -> str:
    """`1 change`, `3 changes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def cut_to(strip: Strip, width: int, style: Style) -> Strip:
    """The strip in exactly this width; a dot-dot-dot says where it was cut."""
    if strip.cell_length <= width:
        return strip.extend_cell_length(width, style)
    return Strip.join([strip.crop(0, max(width - 1, 0)), Strip([Segment("…", style)])])


def _as_json(value: Any) -> str:
    # Cut before it is written: a value of megabytes is not printed for the sake of its first line.
    if isinstance(value, str):
        value = _cut(value)
    return visible(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}… ({len(text):,} characters)"


def _counted(count: int, noun: str, opening: str, closing: str) -> str:
    return f"{opening}{plural(count, noun)}{closing}"
