"""The whole past on one line: where one stands, where something was refused, where a breakpoint was hit."""

from __future__ import annotations

from collections.abc import Collection

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget


class Scrubber(Widget):
    """A line from before the first event to the last. A click goes to a moment."""

    COMPONENT_CLASSES = {"line--past", "line--future", "line--refused", "line--hit"}
    DEFAULT_CSS = """
    Scrubber {
        height: 1;
        & > .line--past { color: $accent; }
        & > .line--future { color: $line; }
        & > .line--refused { color: $error; }
        & > .line--hit { color: $warning; }
    }
    """

    at: reactive[int] = reactive(0)
    """The seq at which the stepper stands."""
    head: reactive[int] = reactive(0)
    """The last seq."""

    class Chosen(Message):
        """Somebody wants to be at this seq."""

        def __init__(self, seq: int) -> None:
            super().__init__()
            self.seq = seq

    def __init__(self, head: int, refused: Collection[int] = (), *, widget_id: str) -> None:
        super().__init__(id=widget_id)
        self.set_reactive(Scrubber.head, head)
        self._refused = tuple(refused)
        self._hits: tuple[int, ...] = ()

    def mark(self, seqs: Collection[int]) -> None:
        """Shows at which events a breakpoint was hit."""
        self._hits = tuple(seqs)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click goes there."""
        place = event.get_content_offset(self)
        if place is not None:
            self.post_message(self.Chosen(round(place.x / max(self.size.width - 1, 1) * self.head)))

    def render_line(self, y: int) -> Strip:
        """The line."""
        width, base = self.size.width, self.rich_style
        here = self._column(self.at)
        refused = {self._column(seq) for seq in self._refused}
        hits = {self._column(seq) for seq in self._hits}

        def cell(column: int) -> Segment:
            if column == here:
                return Segment("●", base + Style(color=self.app.theme_variables["accent"], bold=True))
            kind = "hit" if column in hits else "refused" if column in refused else ""
            shape = "┿" if kind else "━"
            kind = kind or ("past" if column < here else "future")
            return Segment(shape, base + self.get_component_rich_style(f"line--{kind}", partial=True))

        return Strip([cell(column) for column in range(width)])

    def _column(self, seq: int) -> int:
        return round(seq / self.head * (self.size.width - 1)) if self.head else 0
