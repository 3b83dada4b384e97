"""The line at the bottom in which one types: a breakpoint, a watch, a moment, words to find."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

Question = Literal["break", "watch", "go", "find"]

LABELS: dict[Question, tuple[str, str]] = {
    "break": ("Stop where", "name=claim  actor=agent-qa  subject=T-1000  changes=/tasks/T-1000/status  when=JMESPATH"),
    "watch": ("Watch", "a JSON pointer such as /tasks/T-1000/status, or a JMESPath expression"),
    "go": ("Go to", "#12, HEAD~3, a time, @{2h}, an event id"),
    "find": ("Find", "words that all stand in the event; n finds the next one"),
}


class Prompt(Horizontal):
    """One question and the line for its answer. Enter answers, Escape takes it back."""

    DEFAULT_CSS = """
    Prompt {
        height: 1;
        display: none;
        background: $panel;
        &.-asking { display: block; }
        & > Static { width: auto; padding: 0 1; color: $accent; text-style: bold; }
        & > Input { border: none; height: 1; padding: 0; background: $panel; width: 1fr; }
        & > Input:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "take_back", "Take back")]

    class Answered(Message):
        """The answer to a question."""

        def __init__(self, question: Question, text: str) -> None:
            super().__init__()
            self.question: Question = question
            self.text = text

    class TakenBack(Message):
        """Nothing is asked any more."""

    def __init__(self, *, widget_id: str) -> None:
        super().__init__(id=widget_id)
        self._question: Question = "go"

    def compose(self) -> ComposeResult:
        """The question, and the line."""
        yield Static("", markup=False)
        yield Input(compact=True, select_on_focus=False)

    def ask(self, question: Question, text: str = "") -> None:
        """Asks; `text` stands in the line already."""
        self._question = question
        label, forms = LABELS[question]
        self.query_one(Static).update(label)
        line = self.query_one(Input)
        line.placeholder = forms
        line.value = text
        self.add_class("-asking")
        line.focus()
        line.cursor_position = len(text)

    @property
    def is_asking(self) -> bool:
        """True while somebody types."""
        return self.has_class("-asking")

    def close(self) -> None:
        """The line is gone."""
        self.remove_class("-asking")

    def action_take_back(self) -> None:
        """The question is taken back."""
        self.close()
        self.post_message(self.TakenBack())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The line is the answer; an empty one takes the question back."""
        event.stop()
        text = event.value.strip()
        if text:
            self.post_message(self.Answered(self._question, text))
        else:
            self.action_take_back()
