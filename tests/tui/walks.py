"""The stepper at work without a terminal: an app, keys, and what then stands on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from textual.pilot import Pilot
from textual.widgets import Static

from esaa.history.past import Past
from esaa.history.stepper import Stop
from esaa.tui.debugger import Debugger
from esaa.tui.event_list import EventList
from esaa.tui.prompt import Prompt
from esaa.tui.scrubber import Scrubber
from tests.history.memory_past import MemoryPast, entry

WIDE = (140, 40)
NARROW = (80, 24)

Act = Callable[[Debugger, Pilot[None]], Awaitable[None]]


class Left(NamedTuple):
    """What stood on the screen in the end."""

    stop: Stop
    said: str
    is_fault: bool
    rows: list[str]
    list_at: int
    line_at: int
    is_asking: bool


def walk(past: Past, act: Act, *, at: int = 0, size: tuple[int, int] = WIDE, **more: Any) -> Left:
    """Opens the stepper over a past, acts, and tells how it was left."""

    async def play() -> Left:
        app = Debugger(past, at=at, **more)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(app, pilot)
            await pilot.pause()
            return Left(
                app.stop,
                said(app),
                app.query_one("#said").has_class("-fault"),
                screen_of(app),
                app.query_one(EventList).at,
                app.query_one(Scrubber).at,
                app.query_one(Prompt).is_asking,
            )

    return asyncio.run(play())


def keys(*names: str) -> Act:
    """Presses keys."""

    async def press(_: Debugger, pilot: Pilot[None]) -> None:
        for name in names:
            await pilot.press(name)
        await pilot.pause()

    return press


def screen_of(app: Debugger) -> list[str]:
    """The characters on the screen, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    assert len(lines) <= height
    return ["".join(segment.text for segment in strip)[:width] for strip in lines]


def said(app: Debugger) -> str:
    """The line in which the stepper speaks."""
    return str(app.query_one("#said", Static).content)


def run_of(tasks: int = 3) -> MemoryPast:
    """A run in which each task is created, claimed, refused once, completed and reviewed: five events a task."""
    past = MemoryPast()
    document: dict[str, Any] = {"run": {"run_id": "RUN-0001", "status": "running"}, "verification": {"status": "ok"}}
    cards: dict[str, Any] = {}
    steps = (
        ("task.create", "orchestrator", "todo", False),
        ("claim", "agent-impl", "in_progress", False),
        ("output.rejected", "orchestrator", "in_progress", True),
        ("complete", "agent-impl", "review", False),
        ("review", "agent-qa", "done", False),
    )
    for number in range(1, tasks + 1):
        name = f"T-{number}"
        for action, actor, status, is_rejection in steps:
            seq = past.head() + 1
            cards = {**cards, name: {"task_id": name, "title": f"Write part {number}", "status": status}}
            cause = f"EV-{seq - 1:08d}" if action != "task.create" else None
            past.append(
                entry(seq, action, actor, name, is_rejection=is_rejection, causation_id=cause),
                {**document, "tasks": cards, "issues": {}, "lessons": {}, "work": {}, "files": {}},
            )
    return past
