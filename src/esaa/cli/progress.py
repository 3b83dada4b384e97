"""The progress of a run: a live board on a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from esaa.cli.terminal import plain
from esaa.protocol.summary import summary

if TYPE_CHECKING:
    from rich.console import Group

    from esaa.cli.face import Face
    from esaa.protocol.scheduling import Order
    from esaa.runtime.orchestrator import Observer
    from esaa.runtime.workspace import Receipt, Workspace

_EVENTS_SHOWN = 8
_BAR_FROM_BYTES = 32 * 1024 * 1024
_STATUSES = ("todo", "in_progress", "review", "done")


@contextmanager
def make_observer(face: Face, workspace: Workspace) -> Generator[Observer, None, None]:
    """The observer that fits where stderr goes."""
    if face.is_quiet:
        yield _Silent()
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _Board(workspace) as board:
            yield board
    else:
        yield _Lines()


@contextmanager
def byte_progress(face: Face, what: str, path: Path) -> Generator[Callable[[int], None] | None, None, None]:
    """A bar on a terminal for what takes longer than a second; None where nobody would see it."""
    if face.is_quiet or not sys.stderr.isatty() or path.stat().st_size < _BAR_FROM_BYTES:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=path.stat().st_size)
        yield lambda done: bar.update(task, completed=done)


class _Silent:
    def dispatched(self, order: Order) -> None:
        """Nothing."""

    def settled(self, order: Order, receipt: Receipt) -> None:
        """Nothing."""

    def said(self, text: str) -> None:
        """Nothing."""


class _Lines:
    """One line for each question and each answer."""

    def dispatched(self, order: Order) -> None:
        """Who is asked what."""
        again = f" (attempt {order.attempt})" if order.attempt > 1 else ""
        self.said(f"ask {order.actor}: {order.action} {order.task_id}{again}")

    def settled(self, order: Order, receipt: Receipt) -> None:
        """What came of it."""
        for line in outcome_lines(order, receipt):
            self.said(line)

    def said(self, text: str) -> None:
        """A remark."""
        try:
            print(plain(text), file=sys.stderr, flush=True)
        except BrokenPipeError:
            # Nobody reads the progress any more; the run goes on.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def outcome_lines(order: Order, receipt: Receipt) -> list[str]:
    """An answer's outcome: the act, or the refusal with its reason, and warnings."""
    lines: list[str] = []
    if receipt.rejected is not None:
        lines.append(f"REJECTED {order.task_id} {order.action}: {receipt.rejected.error_code}")
        lines.append(f"  {receipt.rejected.message}")
        lines.append(f"  hint: {receipt.rejected.hint}")
    elif receipt.events:
        lines.append(f"#{receipt.events[0].version} {summary(receipt.events[0].fact)}")
    lines += [f"  warning: {text}" for text in (*receipt.warnings, *receipt.notices)]
    return lines + [f"  remark: {text}" for text in _remarks(receipt)]


def _remarks(receipt: Receipt) -> list[str]:
    """What the adapter saw beside the result; it is recorded with the act or the refusal."""
    for event in receipt.events:
        provenance = getattr(event.fact, "provenance", None)
        if isinstance(provenance, dict):
            return [str(remark) for remark in provenance.get("remarks", ())]
    return []


class _Board:
    """Tasks by state, who works on what, the last events; drawn with rich."""

    def __init__(self, workspace: Workspace) -> None:
        from rich.console import Console
        from rich.live import Live

        self._workspace = workspace
        self._working: dict[str, Order] = {}
        self._last: deque[tuple[str, str]] = deque(maxlen=_EVENTS_SHOWN)
        self._live = Live(console=Console(stderr=True), refresh_per_second=8, transient=True)

    def __enter__(self) -> _Board:
        self._live.__enter__()
        self._draw()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def dispatched(self, order: Order) -> None:
        """Who is asked what."""
        self._working[order.task_id] = order
        self._draw()

    def settled(self, order: Order, receipt: Receipt) -> None:
        """What came of it."""
        self._working.pop(order.task_id, None)
        style = "red" if receipt.rejected is not None else "default"
        for line in outcome_lines(order, receipt):
            self._last.append((plain(line), style))
        self._draw()

    def said(self, text: str) -> None:
        """A remark."""
        self._last.append((plain(text), "dim"))
        self._draw()

    def _draw(self) -> None:
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        state = self._workspace.log.known()
        counts = {} if state is None else state.tasks.by_status
        total = max(sum(counts.values()), 1)
        head = Text(" ".join(f"{name} {counts.get(name, 0)}" for name in _STATUSES), style="bold")
        done = round(40 * counts.get("done", 0) / total)
        bar = Text("█" * done, style="green") + Text("░" * (40 - done), style="dim")
        working = Table.grid(padding=(0, 2))
        for order in self._working.values():
            working.add_row(Text(plain(order.actor), style="cyan"), Text(order.action), Text(plain(order.task_id)))
        events = [Text(line, style=style, no_wrap=True, overflow="ellipsis") for line, style in self._last]
        return Group(head, bar, working, *events)
