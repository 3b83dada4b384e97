"""The state as a tree that is walked with the arrow keys; what the event changed stands out."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from esaa.history.past import Past
from esaa.history.pointers import pointer_of
from esaa.tui.look import brief, cut_to, one_line
from esaa.tui.state_rows import Names, Parts, StateRow, state_rows

_LABEL_MAX = 40


class StateTree(ScrollView, can_focus=True):
    """The document after an event. Up and down walk, right opens, left closes or goes to the branch."""

    COMPONENT_CLASSES = {"tree--name", "tree--value", "tree--text", "tree--changed", "tree--twig"}
    DEFAULT_CSS = """
    StateTree {
        overflow-x: hidden;
        & > .tree--name { color: $foreground; }
        & > .tree--value { color: $secondary; }
        & > .tree--text { color: $success; }
        & > .tree--changed { color: $warning; text-style: bold; }
        & > .tree--twig { color: $quiet; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "walk(-1)", "Up", show=False),
        Binding("down", "walk(1)", "Down", show=False),
        Binding("pageup", "walk(-10)", "Ten up", show=False),
        Binding("pagedown", "walk(10)", "Ten down", show=False),
        Binding("home", "walk(-1_000_000)", "First", show=False),
        Binding("end", "walk(1_000_000)", "Last", show=False),
        Binding("right", "open", "Open", show=False),
        Binding("left", "close", "Close", show=False),
        Binding("enter,space", "turn", "Open or close", show=False),
        Binding("B", "want('break')", "Stop where it changes", show=False),
        Binding("W", "want('watch')", "Watch it", show=False),
    ]

    class Wanted(Message):
        """Somebody wants to stop where the value at a pointer changes, or to watch it."""

        def __init__(self, purpose: Literal["break", "watch"], pointer: str) -> None:
            super().__init__()
            self.purpose: Literal["break", "watch"] = purpose
            self.pointer = pointer

    def __init__(self, past: Past, *, widget_id: str) -> None:
        super().__init__(id=widget_id)
        self._past = past
        self._seq = 0
        self._changed: tuple[Names, ...] = ()
        self._opened: set[Names] = {("tasks",)}
        # What an event changed is open by itself; what is closed by hand stays closed until the next event.
        self._shut: set[Names] = set()
        self._cursor: Names | None = None
        self._rows: list[StateRow] = []

    @property
    def pointer(self) -> str | None:
        """The JSON pointer of the row that is walked to, if there is one."""
        return None if self._cursor is None else pointer_of(self._cursor)

    def show(self, seq: int, changed: Collection[Names], subject: str | None = None) -> None:
        """Shows the state after an event; the branches of what it changed are open, that of its subject is in sight."""
        self._seq, self._changed = seq, tuple(changed)
        self._shut.clear()
        self._read()
        places = [place for place, row in enumerate(self._rows) if row.is_changed and row.depth > 0]
        named = [place for place in places if self._rows[place].label == subject]
        if places:
            self._bring_into_sight((named or places)[0])

    def action_walk(self, by: int) -> None:
        """Goes so many rows down."""
        named = [place for place, row in enumerate(self._rows) if row.names is not None]
        if not named:
            return
        here = self._place()
        place = named[0]
        if here is not None:
            place = named[min(max(named.index(here) + by, 0), len(named) - 1)]
        self._walk_to(place)

    def action_open(self) -> None:
        """Opens the branch, or goes into it."""
        row = self._row()
        if row is not None and row.is_open:
            self.action_walk(1)
        elif row is not None and row.is_branch:
            self._set_open(row, is_open=True)

    def action_close(self) -> None:
        """Closes the branch, or goes to the one that this value is in."""
        row = self._row()
        if row is not None and row.is_open:
            self._set_open(row, is_open=False)
        elif row is not None and row.names is not None and len(row.names) > 1:
            self._walk_to(next(place for place, one in enumerate(self._rows) if one.names == row.names[:-1]))

    def action_turn(self) -> None:
        """Opens the branch, or closes it."""
        row = self._row()
        if row is not None and row.is_branch:
            self._set_open(row, is_open=not row.is_open)

    def action_want(self, purpose: Literal["break", "watch"]) -> None:
        """Asks for a stop where this value changes, or to watch it."""
        if self.pointer is not None:
            self.post_message(self.Wanted(purpose, self.pointer))

    def on_click(self, event: events.Click) -> None:
        """A click walks to a row; on the row that is walked to it opens or closes."""
        content = event.get_content_offset(self)
        if content is None:
            return
        place = self.scroll_offset.y + content.y
        if place < len(self._rows) and self._rows[place].names is not None:
            if self._rows[place].names == self._cursor or event.chain > 1:
                self.action_turn()
            else:
                self._walk_to(place)

    def on_focus(self) -> None:
        """The first row, where none was walked to yet."""
        if self._cursor is None and self._rows:
            changed = set(self._changed)
            self._cursor = next((row.names for row in self._rows if row.names in changed), self._rows[0].names)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the tree, by its place on the screen."""
        place = self.scroll_offset.y + y
        width = self.scrollable_content_region.width or self.size.width
        base = self.rich_style
        if place >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[place]
        if row.names is not None and row.names == self._cursor and self.has_focus:
            base += Style(bgcolor=self.app.theme_variables["current"])
        return cut_to(Strip(self._segments(row, base)), width, base)

    def _segments(self, row: StateRow, base: Style) -> list[Segment]:
        def part(name: str) -> Style:
            return base + self.get_component_rich_style(f"tree--{name}", partial=True)

        indent = Segment("  " * row.depth, base)
        if row.names is None:
            return [Segment(" ", base), indent, Segment(f"  … {one_line(str(row.value))}", part("twig"))]
        mark = Segment("•" if row.is_changed else " ", part("changed"))
        twig = Segment(("▾ " if row.is_open else "▸ ") if row.is_branch else "  ", part("twig"))
        label = Segment(one_line(row.label)[:_LABEL_MAX], part("changed" if row.is_changed else "name"))
        if row.is_open:
            return [mark, indent, twig, label]
        shown = f"{row.value.size:,}" if isinstance(row.value, Parts) else brief(row.value)
        style = part("text") if isinstance(row.value, str) else part("value")
        return [mark, indent, twig, label, Segment("  " if shown else "", base), Segment(shown, style)]

    def _read(self) -> None:
        branches = {names[:length] for names in self._changed for length in range(1, len(names))}
        opened = {names for names in self._opened | branches if not any(names[: len(one)] == one for one in self._shut)}
        self._rows = list(state_rows(self._past, self._seq, opened, self._changed))
        self.virtual_size = Size(0, len(self._rows))
        self.refresh()

    def _set_open(self, row: StateRow, *, is_open: bool) -> None:
        assert row.names is not None, "a branch has a place"
        if is_open:
            self._opened.add(row.names)
            self._shut.discard(row.names)
        else:
            self._opened = {one for one in self._opened if one[: len(row.names)] != row.names}
            self._shut.add(row.names)
        self._read()

    def _row(self) -> StateRow | None:
        place = self._place()
        return None if place is None else self._rows[place]

    def _place(self) -> int | None:
        return next((place for place, row in enumerate(self._rows) if row.names == self._cursor and row.names), None)

    def _walk_to(self, place: int) -> None:
        self._cursor = self._rows[place].names
        self._bring_into_sight(place)
        self.refresh()

    def _bring_into_sight(self, place: int) -> None:
        height = self.scrollable_content_region.height or self.size.height
        top = self.scroll_offset.y
        if not top <= place < top + height - 1:
            self.scroll_to(y=max(place - height // 3, 0), animate=False, force=True)
