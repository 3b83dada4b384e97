"""The lists at the bottom: where the stepper stops, and what is watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class StopList(OptionList):
    """Breakpoints, or watch expressions. Delete takes the chosen one away."""

    DEFAULT_CSS = """
    StopList {
        border: none;
        background: transparent;
        padding: 0;
        & > .option-list--option-highlighted { background: transparent; text-style: none; }
        &:focus > .option-list--option-highlighted { background: $current; }
        & > .option-list--option-hover { background: transparent; }
        & > .option-list--option { padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("delete,backspace,x", "remove", "Remove", show=False)]

    class Removed(Message):
        """Somebody takes this row away."""

        def __init__(self, stops: StopList, place: int) -> None:
            super().__init__()
            self.stops = stops
            self.place = place

    def __init__(self, empty: str, *, widget_id: str) -> None:
        super().__init__(id=widget_id, compact=True)
        self._empty = empty
        self._count = 0

    def show(self, items: Sequence[Text]) -> None:
        """Shows these rows; the chosen place stays where it was."""
        place = self.highlighted
        self._count = len(items)
        self.clear_options()
        if items:
            self.add_options([Option(item) for item in items])
            self.highlighted = min(place or 0, len(items) - 1)
        else:
            self.add_option(Option(Text(self._empty, style="dim"), disabled=True))

    def action_remove(self) -> None:
        """Takes the chosen row away."""
        if self._count and self.highlighted is not None:
            self.post_message(self.Removed(self, self.highlighted))
