"""What the commands of the time machine share: which past is asked, how moments are named, how answers look."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.errors import NotFound

if TYPE_CHECKING:
    from esaa.history.changes import Change
    from esaa.history.entries import Entry
    from esaa.history.rules import RuleMet
    from esaa.runtime.history.machine import TimeMachine

C = TypeVar("C", bound=Callable[..., Any])

_VALUE_SHOWN = 160
_MARKS = {"add": "+", "remove": "-", "replace": "~"}

issue_option = click.option(
    "--issue", metavar="KEY", help="A stream of the trail: an issue, or global (default: the governed log)."
)
"""Which past is asked."""

at_option = click.option(
    "--at", "at", metavar="REF", default="HEAD", help="12, HEAD~3, a time, @{2h} or an event id (default: now)."
)
"""At which moment."""


@contextmanager
def opened(face: Face, issue: str | None) -> Generator[TimeMachine, None, None]:
    """The time machine of a stream, or of the governed log; without a log, of the stream `global`.

    Where the index of a long log is made first, that is told.
    """
    from esaa.open import open_machine

    with _indexing(face) as told:
        machine = open_machine(face.find_root(), past_named(face, issue), told, say=face.warn)
    if machine.damage is not None:
        face.warn(f"{machine.damage} What lies before is answered for.")
    try:
        yield machine
    finally:
        machine.close()


def past_named(face: Face, issue: str | None) -> str:
    """The name of the past that is meant."""
    from esaa.open import find_log
    from esaa.runtime.history.opening import LOG
    from esaa.trail.event import GLOBAL

    if issue is not None:
        return issue
    try:
        find_log(face.find_root())
    except NotFound:
        return GLOBAL
    return LOG


def ends_of(moments: str | None) -> tuple[str, str]:
    """The two moments of `A..B`; without A it is the beginning, without B now, and `A` alone means `A..`."""
    if not moments:
        return "0", "HEAD"
    first, _, last = moments.partition("..")
    return first or "0", last or "HEAD"


def builtins(answer: Any) -> Any:
    """An answer of the time machine as `--json` prints it."""
    import msgspec

    return msgspec.to_builtins(answer)


def short(value: Any) -> str:
    """A value on one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _VALUE_SHOWN else text[: _VALUE_SHOWN - 1] + "…"


def pretty(value: Any) -> list[str]:
    """A whole value, on as many lines as it needs."""
    return value.split("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2).splitlines()


def entry_line(entry: Entry) -> str:
    """An event on one line."""
    return f"#{entry.seq}  {entry.ts}  {entry.actor}  {entry.name}  {entry.summary}"


def change_lines(changes: Iterable[Change]) -> list[str]:
    """Changes, one on each line: `+` for what came, `-` for what went, `~` for what became something else."""
    lines: list[str] = []
    for change in changes:
        if change.op == "replace":
            told = f"{short(change.before)} -> {short(change.after)}"
        else:
            told = short(change.after if change.op == "add" else change.before)
        lines.append(f"{_MARKS[change.op]} {change.pointer or '/'}  {told}")
    return lines


def behind_lines(output: Mapping[str, Any] | None, rules: Iterable[RuleMet]) -> list[str]:
    """The output behind an event, and the rules that it met; those that nobody asked are left out."""
    lines: list[str] = []
    if output is not None:
        lines.append("the output behind it")
        lines += [f"  {name.replace('_', ' ')}: {short(value)}" for name, value in output.items() if value]
    if rules:
        lines.append("the rules that it met")
        lines += [f"  {one.outcome}  {one.layer}: {one.text}" for one in rules if one.outcome != "not_asked"]
    return lines


@contextmanager
def _indexing(face: Face) -> Generator[Callable[[int, int], None], None, None]:
    """Shows how far the index is, on a terminal, and says once that it is made elsewhere."""
    if face.is_quiet or not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("indexing the log (once)", total=None)

    def told(done: int, total: int) -> None:
        # Where the index is there, nothing is told, and the terminal is left as it is.
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield told
    finally:
        if bar.live.is_started:
            bar.stop()


def _nothing(_done: int, _total: int) -> None:
    pass


@click.command()
@face_options
@pass_face
def pasts(face: Face) -> None:
    """Name everything that has a past: the governed log, the streams of the trail, and the runs.

    Example: esaa pasts
    """
    from esaa.cli.terminal import columns
    from esaa.open import open_overview

    found = open_overview(face.find_root())
    rows = [(one.name, f"{one.head} events", one.last_ts or "-", short(one.summary)) for one in found.pasts]
    runs = [
        (one.run_id, f"#{one.first_seq} to #{one.last_seq}", one.status or "open", one.issue_key or "-")
        for one in found.runs
    ]
    face.data(builtins(found), *columns(rows), *columns(runs))
