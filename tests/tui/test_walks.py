"""The stepper by its keys: where one gets, what is then shown, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

from esaa.errors import CorruptLog, NotFound, UsageError
from esaa.history.entries import Entry, EntryFilter, EntryPage
from esaa.tui.debugger import Debugger
from esaa.tui.event_list import EventList
from esaa.tui.look import DARK, LIGHT
from esaa.tui.prompt import Prompt
from esaa.tui.scrubber import Scrubber
from esaa.tui.shortcuts import KEYS, Shortcuts
from esaa.tui.state_tree import StateTree
from esaa.tui.stop_words import breakpoint_of
from tests.history.memory_past import MemoryPast, entry
from tests.tui.walks import NARROW, keys, run_of, said, screen_of, walk

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\nfake line\u202egnp.exe\u200b[bold red]markup[/]"


def long_past(count: int, past: MemoryPast | None = None) -> MemoryPast:
    past = past or MemoryPast()
    for seq in range(1, count + 1):
        past.append(entry(seq), {})
    return past


@pytest.mark.parametrize(
    ("pressed", "at", "seq"),
    [
        (["s"], 4, 5),
        (["S"], 4, 3),
        (["right", "right", "left"], 4, 5),
        (["down", "down", "up"], 4, 5),
        (["n"], 4, 5),
        (["n"], 5, 15),
        (["N"], 5, 4),
        (["home"], 4, 0),
        (["end"], 4, 15),
        (["S", "S"], 1, 0),
        (["s"], 15, 15),
        (["e"], 4, 8),
        (["E"], 8, 3),
        (["pagedown"], 0, 15),
        (["pageup"], 15, 0),
    ],
    ids=str,
)
def test_a_key_moves_the_one_cursor(pressed: list[str], at: int, seq: int) -> None:
    left = walk(run_of(), keys(*pressed), at=at)
    assert (left.stop.seq, left.list_at, left.line_at) == (seq, seq, seq)


def test_the_screen_shows_event_changes_and_state() -> None:
    async def look(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        text = "\n".join(screen_of(app))
        assert "#2 of 15" in text
        assert "T-1 claim" in text, "the summary"
        assert "/tasks/T-1/status" in text
        assert '"todo" → "in_progress"' in text
        assert "agent-impl" in text
        assert "#3 output.rejected" in text, "what it led to"
        assert "• " in text, "the state marks what changed"
        assert "▸ T-3" not in text, "which is created later"

    walk(run_of(), look, at=1)


def test_before_the_first_event_and_at_the_end_it_says_so() -> None:
    assert walk(run_of(), keys("S"), at=0).said == "This is before the first event."
    assert walk(run_of(), keys("s"), at=15).said == "This is the end."


def test_continue_and_reverse_continue_find_the_same_events() -> None:
    seen: list[int] = []

    async def there_and_back(app: Debugger, pilot: Pilot[None]) -> None:
        for key in ("c", "c", "c", "c", "C", "C", "C", "C"):
            await pilot.press(key)
            await pilot.pause()
            seen.append(app.stop.seq)

    stops = [breakpoint_of("name=claim"), breakpoint_of("changes=/tasks/T-2/status actor=agent-qa")]
    left = walk(run_of(), there_and_back, breakpoints=stops)
    assert seen == [2, 7, 10, 12, 10, 7, 2, 0]
    assert left.said == "No stop hits back to the start."


def test_a_hit_is_told_and_marked() -> None:
    async def run(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        await pilot.pause()
        assert said(app) == "Stop 2 hit: refused"
        rows = screen_of(app)
        assert any(row.lstrip("│ ").startswith("▶● 3") for row in rows), rows
        assert any("● 2  refused" in row for row in rows)
        assert any("○ 1  name=review" in row for row in rows)

    walk(run_of(), run, breakpoints=[breakpoint_of("name=review"), breakpoint_of("refused")])


def test_without_a_stop_continue_says_what_to_do() -> None:
    left = walk(run_of(), keys("c"), at=3)
    assert left.stop.seq == 3
    assert left.said == "There is no stop yet. b makes one, such as name=claim."


def type_in(key: str, text: str, *then: str) -> Any:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert app.query_one(Prompt).is_asking
        await pilot.press(*text, "enter", *then)
        await pilot.pause()

    return act


def test_a_stop_is_typed_and_hits() -> None:
    left = walk(run_of(), type_in("b", "name=complete subject=T-2", "c"))
    assert left.stop.seq == 9
    assert not left.is_asking


def test_keys_are_letters_while_one_types() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"csq/?dn")
        assert app.query_one(Input).value == "csq/?dn"
        await pilot.press("escape")
        await pilot.press("s")

    left = walk(run_of(), act)
    assert left.stop.seq == 1
    assert not left.is_asking


@pytest.mark.parametrize(
    ("key", "text", "fault"),
    [
        ("b", "colour=red", "is nothing that an event is known by"),
        ("b", "when=][", "EXPRESSION"),
        ("w", "][", "EXPRESSION"),
        ("w", "/a~2", "has a `~` that stands for nothing"),
        ("g", "tomorrow", "names no moment of a log"),
        ("g", "#99", "There is no event #99"),
        ("slash", "nonsense", "No event after this one has 'nonsense'."),
    ],
)
def test_a_wrong_answer_is_told_and_the_line_stays(key: str, text: str, fault: str) -> None:
    left = walk(run_of(), type_in(key, text), at=2)
    assert left.stop.seq == 2
    if fault == "EXPRESSION":
        assert "Write JMESPath" in left.said
    else:
        assert fault in left.said
    assert left.is_fault
    assert left.is_asking


@pytest.mark.parametrize(("text", "seq"), [("#7", 7), ("HEAD~1", 14), ("EV-00000003", 3), ("0", 0)])
def test_one_goes_to_a_moment(text: str, seq: int) -> None:
    assert walk(run_of(), type_in("g", text), at=5).stop.seq == seq


def test_words_are_found_on_and_back() -> None:
    seen: list[int] = []

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"T-2 agent-impl", "enter")
        seen.append(app.stop.seq)
        for key in ("f", "F", "F"):
            await pilot.press(key)
            seen.append(app.stop.seq)

    left = walk(run_of(), act)
    assert seen == [7, 9, 7, 7]
    assert left.said == "No event before this one has 'T-2 agent-impl'."


def test_a_watched_value_shows_what_it_was() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        rows = screen_of(app)
        assert any('/tasks/T-1/status  "in_progress"  was "todo"' in row for row in rows)
        assert any("length(keys(tasks))  1" in row and "was" not in row for row in rows)
        await pilot.press("s")
        assert not any("was" in row for row in screen_of(app))

    walk(run_of(), act, at=1, watches=["/tasks/T-1/status", "length(keys(tasks))"])


def test_a_search_that_takes_long_remembers_what_the_value_was() -> None:
    past = run_of(60)

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        while app.stop.reason == "limit":
            await pilot.pause(0.01)
        rows = screen_of(app)
        assert any("length(keys(tasks))  60  was 1" in row for row in rows), rows

    stops = [breakpoint_of("when=length(keys(tasks)) == `60`")]
    left = walk(past, act, at=1, breakpoints=stops, watches=["length(keys(tasks))"])
    assert left.stop.seq == 296
    assert left.said == "Stop 1 hit: when=length(keys(tasks)) == `60`"


def test_a_search_that_is_halted_stays_where_it_came_to() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        app.action_run(1)
        assert app.stop.reason == "limit"
        await pilot.press("escape")
        await pilot.pause(0.05)

    left = walk(run_of(120), act, breakpoints=[breakpoint_of("when=length(keys(tasks)) > `900`")])
    assert 100 <= left.stop.seq < 600
    assert left.said == f"Halted at #{left.stop.seq}; c and C go on from here."


def test_lists_give_up_their_rows() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        app.query_one("#stops").focus()
        await pilot.press("down", "x")
        app.query_one("#watches").focus()
        await pilot.press("x", "x")
        await pilot.pause()
        rows = screen_of(app)
        assert any("name=claim" in row for row in rows)
        assert not any("name=review" in row for row in rows)
        assert any("none; w makes one" in row for row in rows)
        assert app.stop.watches == ()

    walk(run_of(), act, breakpoints=[breakpoint_of("claim"), breakpoint_of("review")], watches=["run.status"])


def test_the_state_is_walked_and_watched() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        tree = app.query_one(StateTree)
        tree.focus()
        await pilot.press("up", "up", "up", "up", "up", "up")
        assert tree.pointer == "/run"
        await pilot.press("right", "down", "down")
        assert tree.pointer == "/run/status"
        await pilot.press("W", "B", "left")
        assert tree.pointer == "/run"
        await pilot.press("left")
        await pilot.pause()
        assert any("▸ run " in row for row in screen_of(app))
        assert [one.expression for one in app.stop.watches] == ["/run/status"]
        assert any("○ 1  changes=/run/status" in row for row in screen_of(app))

    left = walk(run_of(), act, at=5)
    assert left.stop.seq == 5, "walking in the state moves nothing in time"


def test_a_click_goes_to_a_row_and_to_a_moment() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.click(EventList, offset=(5, 8))
        assert app.stop.seq == 7, "the first row is the border, the second is before the first event"
        await pilot.click(Scrubber, offset=(138, 0))
        assert app.stop.seq == 15

    walk(run_of(), act)


def test_the_list_follows_in_a_long_past() -> None:
    past = long_past(9000)

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        for text, seq in (("#5000", 5000), ("#8990", 8990), ("#12", 12)):
            await pilot.press("g", *text, "enter")
            await pilot.pause()
            assert app.stop.seq == seq
            assert any(f"▶ {seq:>7}".replace(" ", "") in row.replace(" ", "") for row in screen_of(app)), seq

    walk(past, act)


def test_only_the_rows_that_are_seen_are_read() -> None:
    class Counting(MemoryPast):
        read = 0

        def entries(self, first: int, last: int) -> Iterator[Entry]:
            Counting.read += last - first + 1
            return super().entries(first, last)

    past = long_past(20_000, Counting())
    walk(past, keys("end", "home", "end"))
    assert Counting.read < 1000


def test_a_past_that_grows_grows_on_the_screen() -> None:
    past = run_of(1)

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        past.append(entry(6, "run.end", "orchestrator"), past.document(5))
        app._look_again()
        await pilot.press("end")
        assert app.stop.seq == 6
        assert any("run.end" in row for row in screen_of(app))

    walk(past, act, at=5)


def test_a_past_that_is_gone_or_cut_back_is_told_and_followed() -> None:
    class Vanishing(MemoryPast):
        is_gone = False
        length = 9

        def head(self) -> int:
            if self.is_gone:
                raise NotFound("LOG_NOT_FOUND", "There is no log here.", "Put it back.")
            return self.length

        def entries(self, first: int, last: int) -> Iterator[Entry]:
            return super().entries(first, min(last, self.head()))

    past = Vanishing()
    for seq in range(1, 10):
        past.append(entry(seq), {})

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        events = app.query_one(EventList)
        past.is_gone = True
        events._chunks.clear()
        events.refresh()
        app._look_again()
        await pilot.press("s")
        assert said(app) == "There is no log here. Put it back."
        assert any("cannot be read" in row for row in screen_of(app))
        past.is_gone, past.length = False, 4
        events._chunks.clear()
        events.refresh()
        await pilot.pause()
        assert sum("cannot be read" in row for row in screen_of(app)) == 5
        app._look_again()
        await pilot.pause()
        assert not any("cannot be read" in row for row in screen_of(app))

    assert walk(past, act, at=7).stop.seq == 4


def test_a_past_that_breaks_is_told_and_left_alone() -> None:
    class Breaking(MemoryPast):
        is_broken = False

        def entry(self, seq: int) -> Entry:
            if self.is_broken:
                raise CorruptLog("LINE_INVALID", f"The log breaks at line {seq}.", "Run `esaa verify`.", seq)
            return super().entry(seq)

        def find(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EntryPage:
            return super().find(wanted, offset=offset, count=count)

    past = Breaking()
    for seq in range(1, 5):
        past.append(entry(seq), {})

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        past.is_broken = True
        await pilot.press("s")
        assert said(app) == "The log breaks at line 2. Run `esaa verify`."
        past.is_broken = False
        await pilot.press("s")

    assert walk(past, act, at=1).stop.seq == 3


def test_nothing_from_a_log_steers_the_terminal() -> None:
    past = MemoryPast()
    values = {"status": HOSTILE, HOSTILE: {"x": HOSTILE}, "huge": "A" * 1_000_000}
    past.append(
        entry(1, HOSTILE, HOSTILE, HOSTILE, summary=HOSTILE, ts=HOSTILE),
        {"run": {"status": HOSTILE}, "tasks": {HOSTILE: values}},
    )

    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        text = "\n".join(screen_of(app))
        for hidden in ("\x1b", "\x07", "\x9b", "\r", "\u202e", "\u200b"):
            assert hidden not in text
        assert "[U+001B]" in text
        assert "markup" in app.export_screenshot()
        await pilot.press("tab", "tab", "tab", "right", "W", "B")

    left = walk(past, act, at=1, watches=["run.status"], title=HOSTILE)
    assert "\x1b" not in left.said


def test_dark_and_light() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("d")
        assert app.theme == LIGHT.name
        await pilot.press("d")
        assert app.theme == DARK.name

    walk(run_of(), act, at=3)


def test_the_page_of_keys_names_every_binding() -> None:
    async def act(app: Debugger, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Shortcuts)
        await pilot.press("escape")
        assert not isinstance(app.screen, Shortcuts)

    walk(run_of(), act)
    told = {key for _, rows in KEYS for keys_, _ in rows for key in keys_.split()}
    names = {
        "slash": "/",
        "question_mark": "?",
        "left": "←",
        "right": "→",
        "home": "Home",
        "end": "End",
        "escape": "Escape",
    }
    bound = {names.get(one.key, one.key) for one in Debugger.BINDINGS if isinstance(one, Binding)}
    assert bound <= told, bound - told


def test_a_narrow_terminal_has_all_but_the_card() -> None:
    async def look(app: Debugger, pilot: Pilot[None]) -> None:
        text = "\n".join(screen_of(app))
        for title in ("Events", "Changes", "State", "Stops", "Watches"):
            assert title in text
        assert '"todo" → "in_progress"' in text

    walk(run_of(), look, at=2, size=NARROW)


def test_an_empty_past_can_be_looked_at() -> None:
    left = walk(MemoryPast(), keys("s", "S", "n", "N", "e", "E", "end", "home"))
    assert left.stop.seq == 0


def test_a_wrong_beginning_is_refused_before_the_screen_is_taken() -> None:
    with pytest.raises(NotFound):
        Debugger(run_of(1), at=6)
    with pytest.raises(UsageError):
        Debugger(run_of(1), at=1, watches=["]["])
