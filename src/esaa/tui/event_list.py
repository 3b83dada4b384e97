"""The events of a past as a list of any length: only the rows that are seen are read."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from esaa.errors import EsaaError
from esaa.history.entries import Entry
from esaa.history.past import Past
from esaa.tui.look import cut_to, one_line

_CHUNK = 64
_CHUNKS_KEPT = 64
_NAME_WIDTH = 13
_WIDTH_FOR_TIMES = 42
_WIDTH_FOR_ACTORS = 76


class EventList(ScrollView, can_focus=True):
    """One row for each event, and one for the moment before the first. The current row is where the stepper stands."""

    COMPONENT_CLASSES = {"list--seq", "list--time", "list--name", "list--text", "list--refused", "list--mark"}
    DEFAULT_CSS = """
    EventList {
        overflow-x: hidden;
        & > .list--seq { color: $quiet; }
        & > .list--time { color: $quiet; }
        & > .list--name { color: $foreground; }
        & > .list--text { color: $foreground 75%; }
        & > .list--refused { color: $error; }
        & > .list--mark { color: $warning; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "Back", show=False),
        Binding("down", "choose(1)", "Step", show=False),
        Binding("pageup", "choose_page(-1)", "Page up", show=False),
        Binding("pagedown", "choose_page(1)", "Page down", show=False),
        Binding("home", "choose_edge(-1)", "Start", show=False),
        Binding("end", "choose_edge(1)", "End", show=False),
        Binding("left", "choose(-1)", "Back", show=False),
        Binding("right", "choose(1)", "Step", show=False),
    ]

    at: reactive[int] = reactive(0)
    """The seq at which the stepper stands."""

    class Chosen(Message):
        """Somebody wants to be at this seq."""

        def __init__(self, seq: int) -> None:
            super().__init__()
            self.seq = seq

    def __init__(self, past: Past, *, widget_id: str) -> None:
        super().__init__(id=widget_id)
        self._past = past
        self._head = past.head()
        self._chunks: dict[int, list[Entry]] = {}
        self._marked: frozenset[int] = frozenset()

    def on_mount(self) -> None:
        """The list is as long as the past."""
        self._lengthen()

    def look_again(self, head: int) -> None:
        """The past has another end."""
        self._head = head
        self._chunks.clear()
        self._lengthen()

    def mark(self, seqs: frozenset[int]) -> None:
        """Shows at which events a breakpoint was hit."""
        self._marked = seqs
        self.refresh()

    def watch_at(self, before: int, after: int) -> None:
        """The current row is kept in sight, with some rows around it."""
        height = self.scrollable_content_region.height or self.size.height
        top = self.scroll_offset.y
        margin = min(3, height // 4)
        if after - margin < top or after + margin >= top + height:
            is_near = abs(after - before) <= height
            first = after - margin if after < before and is_near else after + margin - height + 1
            self.scroll_to(y=max(first if is_near else after - height // 2, 0), animate=False, force=True)
        self.refresh()

    def action_choose(self, by: int) -> None:
        """So many events on."""
        self.post_message(self.Chosen(min(max(self.at + by, 0), self._head)))

    def action_choose_page(self, by: int) -> None:
        """So many pages on."""
        self.action_choose(by * max(self.scrollable_content_region.height - 1, 1))

    def action_choose_edge(self, by: int) -> None:
        """The last event, or the moment before the first."""
        self.post_message(self.Chosen(self._head if by > 0 else 0))

    def on_resize(self) -> None:
        """The current row stays in sight."""
        self.watch_at(self.at, self.at)

    def on_click(self, event: events.Click) -> None:
        """A click on a row goes there."""
        place = event.get_content_offset(self)
        seq = -1 if place is None else self.scroll_offset.y + place.y
        if 0 <= seq <= self._head:
            self.post_message(self.Chosen(seq))

    def render_line(self, y: int) -> Strip:
        """One row of the list, by its place on the screen."""
        seq = self.scroll_offset.y + y
        width = self.scrollable_content_region.width or self.size.width
        base = self.rich_style
        if seq > self._head:
            return Strip.blank(width, base)
        is_here = seq == self.at
        if is_here:
            base += Style(bgcolor=self._current_colour(), bold=True)
        strip = Strip(self._segments(seq, base, is_here=is_here))
        return cut_to(strip, width, base)

    def _segments(self, seq: int, base: Style, *, is_here: bool) -> list[Segment]:
        def part(name: str) -> Style:
            return base + self.get_component_rich_style(f"list--{name}", partial=True)

        digits = len(str(self._head))
        arrow = Segment("▶" if is_here else " ", base + self._accent())
        mark = Segment("●" if seq in self._marked else " ", part("mark"))
        number = Segment(f"{seq:>{digits}}  ", part("seq"))
        if seq == 0:
            return [arrow, mark, number, Segment("before the first event", part("time"))]
        entry = self._entry(seq)
        if entry is None:
            return [arrow, mark, number, Segment("cannot be read", part("refused"))]
        told = part("refused") if entry.is_rejection else part("text")
        name = one_line(entry.name.removeprefix("orchestrator."))
        cells = [arrow, mark, number]
        if self.size.width >= _WIDTH_FOR_TIMES:
            cells.append(Segment(f"{_fit(one_line(entry.ts[11:19]), 8)}  ", part("time")))
        if self.size.width >= _WIDTH_FOR_ACTORS:
            cells.append(Segment(f"{_fit(one_line(entry.actor), 14)}  ", part("time")))
        named = part("refused") if entry.is_rejection else part("name")
        cells.append(Segment(f"{_fit(name, _NAME_WIDTH)}  ", named))
        cells.append(Segment(one_line(entry.summary), told))
        return cells

    def _entry(self, seq: int) -> Entry | None:
        """An event; None where it cannot be read (any more). Why, whoever asks for it alone is told."""
        number, place = divmod(seq - 1, _CHUNK)
        chunk = self._chunks.get(number)
        if chunk is None or len(chunk) <= place:
            if len(self._chunks) >= _CHUNKS_KEPT:
                self._chunks.pop(next(iter(self._chunks)))
            first = number * _CHUNK + 1
            try:
                chunk = list(self._past.entries(first, min(first + _CHUNK - 1, self._head)))
            except (EsaaError, OSError):
                return None
            self._chunks[number] = chunk
        return chunk[place] if place < len(chunk) else None

    def _lengthen(self) -> None:
        self.virtual_size = Size(0, self._head + 1)
        self.refresh()

    def _accent(self) -> Style:
        return Style(color=self.app.theme_variables["accent"])

    def _current_colour(self) -> str:
        return self.app.theme_variables["current"]


def _fit(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
