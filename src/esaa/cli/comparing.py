"""`esaa diff` and `esaa blame`: what changed, and what made it so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face
from esaa.cli.pasts import (
    at_option,
    behind_lines,
    builtins,
    change_lines,
    ends_of,
    entry_line,
    issue_option,
    opened,
    short,
)
from esaa.errors import NotFound, UsageError

if TYPE_CHECKING:
    from esaa.runtime.history.machine import TimeMachine
    from esaa.runtime.history.views import BlameView, DiffView, DivergenceView

_PARTS_AT_ONCE = 500


@click.command()
@click.argument("moments", metavar="[A..B]", required=False)
@click.option(
    "--path",
    "pointer",
    metavar="POINTER",
    default="",
    help="Only there and below: /tasks/T-1000. With --files: one file.",
)
@click.option("--files", is_flag=True, help="The files instead of the state, as a patch that `git apply` takes.")
@click.option(
    "--against",
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    help="Where another log (or a workspace, or a read model) parts from this one.",
)
@click.option("--by-meaning", is_flag=True, help="With --against: two runs are alike that did the same at other times.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many changed parts.")
@click.option("--count", type=click.IntRange(1), help="Show so many changed parts at most (default: all).")
@issue_option
@face_options
@pass_face
def diff(
    face: Face,
    moments: str | None,
    pointer: str,
    files: bool,
    against: Path | None,
    by_meaning: bool,
    offset: int,
    count: int | None,
    issue: str | None,
) -> None:
    """Compare two moments: every value that changed, at its JSON pointer. Ends with 1 where they differ.

    A and B are 12, HEAD~3, a time, @{2h} or an event id; `A` alone means from A until now.

    Example: esaa diff HEAD~20..HEAD --path /tasks
    """
    if against is not None and (moments or files):
        raise UsageError("USAGE", "--against compares whole logs.", "Leave out A..B and --files.")
    since, until = ends_of(moments)
    with opened(face, issue) as machine:
        if against is not None:
            _divergence(face, machine, against, by_meaning)
        elif files:
            _patch(face, machine, since, until, pointer or None)
        else:
            _changes(face, machine, since, until, pointer, offset, count)


@click.command()
@click.argument("pointer", metavar="POINTER")
@at_option
@issue_option
@face_options
@pass_face
def blame(face: Face, pointer: str, at: str, issue: str | None) -> None:
    """Say which events made a value what it is, what led to the last one, and which rules that one passed.

    POINTER is a JSON pointer into the state (`esaa state` shows what there is).

    Example: esaa blame /tasks/T-1000/status
    """
    with opened(face, issue) as machine:
        answer = machine.blame(pointer, at)
        face.data(builtins(answer), *_blame_lines(answer))


def _changes(
    face: Face, machine: TimeMachine, since: str, until: str, pointer: str, offset: int, count: int | None
) -> None:
    import msgspec

    page = _PARTS_AT_ONCE if count is None else count
    found: DiffView = machine.diff(since, until, pointer=pointer, offset=offset, count=page)
    changes = list(found.changes)
    reached = offset + page
    # A part that was changed and changed back has no changes; so all pages are asked for, unless one was.
    while count is None and reached < found.total:
        changes += machine.diff(str(found.a), str(found.b), pointer=pointer, offset=reached, count=page).changes
        reached += page
    answer = msgspec.structs.replace(found, changes=tuple(changes))
    face.data(builtins(answer), *change_lines(changes))
    left = f", {found.total - reached} more changed parts" if reached < found.total else ""
    if not changes and not any(_has(machine, pointer, moment) for moment in (found.a, found.b)):
        face.warn(f"there is nothing at {pointer}, neither at #{found.a} nor at #{found.b}")
    face.say(f"#{found.a} to #{found.b}: {len(changes)} {'change' if len(changes) == 1 else 'changes'}{left}")
    exit_with(1 if changes else 0)


def _has(machine: TimeMachine, pointer: str, moment: int) -> bool:
    try:
        machine.state(str(moment), pointer=pointer, count=1)
    except NotFound:
        return False
    return True


def _patch(face: Face, machine: TimeMachine, since: str, until: str, path: str | None) -> None:
    first, last = machine.seq(since), machine.seq(until)
    text = machine.patch(str(first), str(last), path=path)
    if face.is_json:
        face.data({"past": machine.past.name, "a": first, "b": last, "patch": text})
    else:
        _print_patch(text)
    exit_with(1 if text else 0)


def _print_patch(text: str) -> None:
    import sys

    from esaa.cli.terminal import for_screen

    # Piped, it is what `git apply` takes, byte for byte; on a screen nothing in it may steer the terminal.
    click.echo(for_screen(text) if sys.stdout.isatty() else text.encode("utf-8", "surrogateescape"), nl=False)


def _divergence(face: Face, machine: TimeMachine, against: Path, by_meaning: bool) -> None:
    from esaa.open import open_divergence

    answer = open_divergence(machine, against, by_meaning=by_meaning)
    face.data(builtins(answer), *_divergence_lines(answer))
    exit_with(0 if answer.first is None else 1)


def _divergence_lines(answer: DivergenceView) -> list[str]:
    if answer.first is None:
        return [f"the same, up to event #{answer.same_until}"]
    first = answer.first
    same = "never the same" if answer.same_until is None else f"the same up to #{answer.same_until}"
    lines = [f"{same}, and they part at #{first.seq}"]
    lines.append(f"here:  {'it has ended' if first.ours is None else entry_line(first.ours)}")
    lines.append(f"there: {'it has ended' if first.theirs is None else entry_line(first.theirs)}")
    return lines + change_lines(first.changes)


def _blame_lines(answer: BlameView) -> list[str]:
    lines = [f"{answer.pointer} at #{answer.at}: {short(answer.value)}"]
    for step in answer.history:
        lines.append(f"  {short(step.before)} -> {short(step.after)}")
        lines.append(f"    {entry_line(step.entry)}")
    if answer.is_cut:
        lines.append("older changes are left out")
    if answer.cause:
        lines.append("because of")
        lines += [f"  {entry_line(one)}" for one in answer.cause]
    return lines + behind_lines(answer.output, answer.rules)
