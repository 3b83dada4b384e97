"""The stepper: events, one event with its changes, and the state, side by side; one cursor for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import UNSET
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Footer, Static

from esaa.errors import EsaaError
from esaa.history.changes import same
from esaa.history.entries import EntryFilter
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer
from esaa.history.stepper import Breakpoint, Stepper, Stop
from esaa.tui.event_card import card, changes_at, changes_shown, told_at
from esaa.tui.event_list import EventList
from esaa.tui.look import DARK, LIGHT, STYLE, brief, one_line, plural
from esaa.tui.prompt import Prompt, Question
from esaa.tui.scrubber import Scrubber
from esaa.tui.shortcuts import Shortcuts
from esaa.tui.state_tree import StateTree
from esaa.tui.stop_words import breakpoint_of, words_of
from esaa.tui.stops import StopList

_REFUSALS_DRAWN_MAX = 1000
_LOOKS_AT_ONCE = 100
"""How many states a search looks at before the screen may draw and keys are heard."""
_GROWTH_SECONDS = 2.0
_TYPED_OVER = frozenset(("ask", "run", "step", "same_subject", "find", "refusal", "edge", "shade", "shortcuts", "quit"))

W = TypeVar("W", bound=Widget)


class Debugger(App[None]):
    """Walks through a past. Nothing in it can write to a log."""

    TITLE = "esaa debug"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-short"), (32, "-tall")]
    CSS = STYLE
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "step(1)", "Step"),
        Binding("S", "step(-1)", "Back"),
        Binding("right", "step(1)", "Step", show=False),
        Binding("left", "step(-1)", "Back", show=False),
        Binding("n", "same_subject(1)", "Next of subject"),
        Binding("N", "same_subject(-1)", "Previous of subject", show=False),
        Binding("c", "run(1)", "Continue"),
        Binding("C", "run(-1)", "Reverse"),
        Binding("b", "ask('break')", "Stop where"),
        Binding("w", "ask('watch')", "Watch"),
        Binding("g", "ask('go')", "Go to"),
        Binding("slash", "ask('find')", "Find", key_display="/"),
        Binding("f", "find(1)", "Find on", show=False),
        Binding("F", "find(-1)", "Find back", show=False),
        Binding("e", "refusal(1)", "Next refusal", show=False),
        Binding("E", "refusal(-1)", "Refusal before", show=False),
        Binding("home", "edge(-1)", "Start", show=False),
        Binding("end", "edge(1)", "End", show=False),
        Binding("escape", "halt", "Halt", show=False),
        Binding("d", "shade", "Dark or light", show=False),
        Binding("question_mark", "shortcuts", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self,
        past: Past,
        *,
        at: int,
        breakpoints: Sequence[Breakpoint] = (),
        watches: Sequence[str] = (),
        title: str = "",
    ) -> None:
        """Raises `NotFound` for a moment that is not there, `UsageError` for a breakpoint or watch that is none."""
        super().__init__()
        self._past = past
        self._heading = title
        self._stepper = Stepper(past, at, looks_max=_LOOKS_AT_ONCE)
        for one in breakpoints:
            self._stepper.add_breakpoint(one)
        for expression in watches:
            self._stepper.watch(expression)
        self._before: dict[str, Any] = {}
        self._hits: set[int] = set()
        self._searching = 0
        self._words = ""
        self._head = past.head()
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name

    @property
    def stop(self) -> Stop:
        """Where one stands."""
        return self._stepper.here

    def compose(self) -> ComposeResult:
        """The screen, from top to bottom."""
        refused = self._past.find(EntryFilter(rejections_only=True), count=_REFUSALS_DRAWN_MAX)
        drawn = [one.seq for one in refused.entries] if refused.total <= _REFUSALS_DRAWN_MAX else []
        with Horizontal(id="top"):
            yield Static(id="where", markup=False)
            yield Static(id="when", markup=False)
        yield Scrubber(self._head, drawn, widget_id="scrubber")
        with Horizontal(id="main"):
            yield _pane(EventList(self._past, widget_id="events"), "Events")
            with Vertical(id="middle"):
                yield _pane(VerticalScroll(Static(classes="text", markup=False), id="card"), "Event")
                yield _pane(VerticalScroll(Static(classes="text", markup=False), id="changes"), "Changes")
            yield _pane(StateTree(self._past, widget_id="state"), "State")
        with Horizontal(id="bottom"):
            yield _pane(StopList("none; b makes one", widget_id="stops"), "Stops")
            yield _pane(StopList("none; w makes one", widget_id="watches"), "Watches")
        yield Static(id="said", markup=False)
        yield Prompt(widget_id="prompt")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Shows the moment at which one begins."""
        self.query_one(EventList).focus()
        self.theme_changed_signal.subscribe(self, lambda _: self._show())
        self.set_interval(_GROWTH_SECONDS, self._look_again)
        self._show()

    def action_step(self, by: int) -> None:
        """So many events on, or back."""
        self._move(lambda: self._stepper.step(by) if by > 0 else self._stepper.back(-by))

    def action_same_subject(self, by: int) -> None:
        """The next event about the same task, or the one before."""
        self._move(self._stepper.next if by > 0 else self._stepper.previous)

    def action_edge(self, by: int) -> None:
        """The last event, or the moment before the first."""
        self._move(lambda: self._stepper.go(self._past.head() if by > 0 else 0))

    def action_run(self, by: int) -> None:
        """On, or back, to where a breakpoint hits."""
        if not self._stepper.breakpoints:
            self._say("There is no stop yet. b makes one, such as name=claim.", is_fault=True)
            return
        self._before = _values(self.stop)
        self._searching = by
        self._search()

    def action_halt(self) -> None:
        """Ends a search where it is."""
        if self._searching:
            self._searching = 0
            self._say(f"Halted at #{self.stop.seq:,}; c and C go on from here.")

    def action_find(self, by: int) -> None:
        """The next event that has the words, or the one before."""
        if self._words:
            self._seek(EntryFilter(text=self._words), by, f"has {self._words!r}")
        else:
            self.action_ask("find")

    def action_refusal(self, by: int) -> None:
        """The next event by which something was refused, or the one before."""
        self._seek(EntryFilter(rejections_only=True), by, "refuses anything")

    def action_ask(self, question: Question) -> None:
        """Asks for a line of text."""
        self._searching = 0
        self.query_one(Prompt).ask(question)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While somebody types, the keys are letters."""
        return not (action in _TYPED_OVER and self.query(Prompt) and self.query_one(Prompt).is_asking)

    def action_shade(self) -> None:
        """Dark or light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_shortcuts(self) -> None:
        """Tells what the keys do."""
        self.push_screen(Shortcuts())

    def on_event_list_chosen(self, event: EventList.Chosen) -> None:
        """Goes to the chosen event."""
        self._move(lambda: self._stepper.go(event.seq))

    def on_scrubber_chosen(self, event: Scrubber.Chosen) -> None:
        """Goes to the chosen moment."""
        self._move(lambda: self._stepper.go(event.seq))

    def on_state_tree_wanted(self, event: StateTree.Wanted) -> None:
        """Stops where a value changes, or watches it."""
        self._answer(event.purpose, event.pointer)

    def on_stop_list_removed(self, event: StopList.Removed) -> None:
        """Takes a breakpoint or a watch away."""
        if event.stops.id == "stops":
            self._stepper.remove_breakpoint(list(self._stepper.breakpoints)[event.place])
        else:
            self._stepper.unwatch(self.stop.watches[event.place].expression)
        self._show()

    def on_prompt_answered(self, event: Prompt.Answered) -> None:
        """Does what was typed; where that is wrong, the line stays and the fault is told."""
        if self._answer(event.question, event.text):
            self.query_one(Prompt).close()
            self.query_one(EventList).focus()

    def on_prompt_taken_back(self) -> None:
        """Nothing is typed."""
        self._say("")
        self.query_one(EventList).focus()

    def _answer(self, question: Question, text: str) -> bool:
        match question:
            case "break":
                return self._attempt(lambda: self._add_breakpoint(text))
            case "watch":
                return self._attempt(lambda: self._add_watch(text))
            case "go":
                return self._move(lambda: self._stepper.go(self._past.seq_of(text)))
            case "find":
                self._words = text
                return self._seek(EntryFilter(text=text), 1, f"has {text!r}")

    def _add_breakpoint(self, text: str) -> None:
        number = self._stepper.add_breakpoint(breakpoint_of(text))
        self._show()
        self._say(f"Stop {number} is set; c goes on to it, C back.")

    def _add_watch(self, text: str) -> None:
        self._stepper.watch(text)
        self._show()

    def _search(self) -> None:
        """One slice of a search; the rest follows when the screen has drawn and the keys were heard."""
        if not self._searching:
            return
        move = self._stepper.continue_ if self._searching > 0 else self._stepper.reverse_continue
        if not self._attempt(move):
            self._searching = 0
            return
        stop = self.stop
        if stop.reason == "limit":
            self._show_place()
            self._say(f"Searching at #{stop.seq:,}. Escape halts.")
            self.set_timer(0.001, self._search)
            return
        self._searching = 0
        if stop.breakpoint is not None:
            self._hits.add(stop.seq)
        self._show()
        self._say(_why(stop, self._stepper.breakpoints))

    def _seek(self, wanted: EntryFilter, by: int, told: str) -> bool:
        """Goes to the nearest event that fits a filter."""

        found: list[int] = []

        def look() -> None:
            at = self.stop.seq
            bounds = {"first": at + 1} if by > 0 else {"last": at - 1}
            within = msgspec.structs.replace(wanted, **bounds)
            page = self._past.find(within, count=1) if by > 0 or at > 1 else None
            if page is not None and by < 0 and page.total > 1:
                page = self._past.find(within, offset=page.total - 1, count=1)
            if page is not None:
                found.extend(one.seq for one in page.entries)

        if not self._attempt(look):
            return False
        if not found:
            self._say(f"No event {'after' if by > 0 else 'before'} this one {told}.", is_fault=True)
            return False
        return self._move(lambda: self._stepper.go(found[0]))

    def _move(self, move: Callable[[], Stop]) -> bool:
        self._searching = 0
        self._before = _values(self.stop)
        if not self._attempt(move):
            return False
        self._show()
        self._say({"end": "This is the end.", "start": "This is before the first event."}.get(self.stop.reason, ""))
        return True

    def _attempt(self, act: Callable[[], object]) -> bool:
        """Does something with the past; a fault is told and changes nothing."""
        try:
            act()
        except (EsaaError, OSError) as error:
            self._say(str(error), is_fault=True)
            return False
        return True

    def _look_again(self) -> None:
        """The past may have grown, been replaced, or be gone."""
        found: list[int] = []
        if not self._attempt(lambda: found.append(self._past.head())) or found[0] == self._head:
            return
        self._head = found[0]
        self.query_one(Scrubber).head = self._head
        self.query_one(EventList).look_again(self._head)
        if self.stop.seq > self._head:
            self._move(lambda: self._stepper.go(self._head))
        self._show_place()

    def _say(self, text: str, *, is_fault: bool = False) -> None:
        said = self.query_one("#said", Static)
        said.set_class(is_fault, "-fault")
        said.update(one_line(text))

    def _show(self) -> None:
        if self._attempt(self._show_event):
            self._show_place()
            self._show_lists()

    def _show_event(self) -> None:
        at, tones = self.stop.seq, self.theme_variables
        changes, is_cut = changes_at(self._past, at)
        before = Text("Before the first event nothing is there.", style=tones["quiet"])
        self.query_one("#card Static", Static).update(card(told_at(self._past, at), tones) if at else before)
        self.query_one("#changes Static", Static).update(changes_shown(changes, tones, is_cut=is_cut) if at else "")
        more = "more than " if is_cut else ""
        self.query_one("#changes").border_subtitle = f"{more}{plural(len(changes), 'change')}" if at else ""
        names = [parse_pointer(one.pointer) for one in changes]
        subject = None if self.stop.entry is None else self.stop.entry.subject
        self.query_one(StateTree).show(at, names, subject)

    def _show_place(self) -> None:
        stop, tones = self.stop, self.theme_variables
        text = Text("esaa debug", style=f"bold {tones['accent']}")
        text.append(f"  {one_line(self._past.name)}", style=tones["foreground"])
        text.append(f"  {one_line(self._heading)}", style=tones["quiet"])
        self.query_one("#where", Static).update(text)
        when = Text(f"#{stop.seq:,}", style=f"bold {tones['foreground']}")
        ts = "" if stop.entry is None else f"   {one_line(stop.entry.ts)}"
        when.append(f" of {self._head:,}{ts}", style=tones["quiet"])
        self.query_one("#when", Static).update(when)
        self.query_one(Scrubber).at = stop.seq
        self.query_one(EventList).at = stop.seq

    def _show_lists(self) -> None:
        stop, tones = self.stop, self.theme_variables
        self.query_one(EventList).mark(frozenset(self._hits))
        self.query_one(Scrubber).mark(self._hits)
        stops: list[Text] = []
        for number, wanted in self._stepper.breakpoints.items():
            is_here = stop.breakpoint == number
            row = Text("● " if is_here else "○ ", style=tones["warning"], no_wrap=True, overflow="ellipsis")
            row.append(f"{number}  ", style=tones["quiet"])
            stops.append(row.append(one_line(words_of(wanted)), style=tones["foreground"]))
        self.query_one("#stops", StopList).show(stops)
        watches: list[Text] = []
        for watch in stop.watches:
            was = self._before.get(watch.expression, UNSET)
            is_changed = was is not UNSET and not same(was, watch.value)
            row = Text(one_line(watch.expression), style=tones["quiet"], no_wrap=True, overflow="ellipsis")
            if watch.fault:
                row.append("  ").append(one_line(watch.fault), style=tones["error"])
            else:
                row.append("  ").append(brief(watch.value), style=tones["warning" if is_changed else "foreground"])
            watches.append(row.append(f"  was {brief(was)}") if is_changed else row)
        self.query_one("#watches", StopList).show(watches)


def _pane(widget: W, title: str) -> W:
    widget.border_title = title
    widget.add_class("pane")
    return widget


def _values(stop: Stop) -> dict[str, Any]:
    return {one.expression: one.value for one in stop.watches}


def _why(stop: Stop, breakpoints: dict[int, Breakpoint]) -> str:
    if stop.breakpoint is not None:
        return f"Stop {stop.breakpoint} hit: {words_of(breakpoints[stop.breakpoint])}"
    return "No stop hits up to the end." if stop.reason == "end" else "No stop hits back to the start."
