"""What the keys do, on one page."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Move",
        (
            ("s  →  ↓", "step: the next event"),
            ("S  ←  ↑", "step back"),
            ("n", "next event of the same subject"),
            ("N", "the one before, of the same subject"),
            ("c", "continue to the next stop"),
            ("C", "continue backwards"),
            ("e  E", "next refusal, the one before"),
            ("g", "go to a moment: #12, HEAD~3, a time, an id"),
            ("/  f  F", "find words, then the next event, the one before"),
            ("Home  End", "before the first event, the last one"),
            ("Escape", "end a search that takes long"),
        ),
    ),
    (
        "Stops and watches",
        (
            ("b", "stop where: name=, actor=, subject=, changes=, when="),
            ("B", "in the state: stop where this value changes"),
            ("w", "watch a pointer or a JMESPath expression"),
            ("W", "in the state: watch this value"),
            ("x", "in a list: take the row away"),
        ),
    ),
    (
        "Look",
        (
            ("Tab", "the next part of the screen"),
            ("↑ ↓ → ←", "in the state: walk, open, close"),
            ("d", "dark or light"),
            ("?", "this page"),
            ("q", "leave"),
        ),
    ),
)


class Shortcuts(ModalScreen[None]):
    """The page. Any of its keys closes it."""

    DEFAULT_CSS = """
    Shortcuts {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 66; height: auto; max-height: 100%; padding: 1 2;
            background: $surface; border: round $accent; border-title-color: $accent;
            overflow-y: auto;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False)]

    def compose(self) -> ComposeResult:
        """The keys, group by group."""
        colours = self.app.theme_variables
        box = Vertical()
        box.border_title = "Keys"
        with box:
            for place, (title, rows) in enumerate(KEYS):
                table = Table.grid(padding=(0, 2))
                table.add_column(width=11)
                table.add_column()
                for keys, told in rows:
                    table.add_row(Text(keys, style=f"bold {colours['accent']}"), told)
                yield Static(Text(("\n" if place else "") + title, style=colours["quiet"]), markup=False)
                yield Static(table)
