"""`esaa what-if`: what would have happened, had some of it been otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.acts import read_input
from esaa.cli.face import Face, exit_with, face_options, pass_face
from esaa.cli.pasts import at_option, builtins, change_lines, issue_option, opened

if TYPE_CHECKING:
    from esaa.history.what_if import Outcome
    from esaa.runtime.history.machine import TimeMachine
    from esaa.runtime.history.what_if import WhatIfView

_OUTPUT_BYTES_MAX = 4 * 1024 * 1024
_PROGRESS_EVERY = 1000


@click.command(name="what-if")
@click.option("--drop", multiple=True, metavar="REF", help="Leave this event out, with what followed from it.")
@click.option("--edit", multiple=True, metavar="REF:POINTER=JSON", help="Another value in this event's line.")
@click.option("--insert", multiple=True, metavar="FILE@REF", help="An actor's result, or an event, after this one.")
@click.option("--contracts", metavar="DIR", type=click.Path(path_type=Path), help="Other contracts for the whole log.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Begin with this outcome.")
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="So many outcomes and changes.")
@at_option
@issue_option
@face_options
@pass_face
def what_if(
    face: Face,
    drop: tuple[str, ...],
    edit: tuple[str, ...],
    insert: tuple[str, ...],
    contracts: Path | None,
    offset: int,
    count: int,
    at: str,
    issue: str | None,
) -> None:
    """Say what would have happened: a copy of the log is changed, and all later decisions are made again.

    What agents sent stays as it was; whether it would have been taken is asked anew. Edits are of an event's line
    (/payload/..., /actor, /ts), or of a refused output that was kept (/output/...). What cannot be decided again is
    named. Nothing is written. Ends with 1 where the story would have been another one.

    Example: esaa what-if --drop 14
    """
    from esaa.runtime.history.what_if import InsertedFile, Wishes, parse_insert

    files = [parse_insert(one) for one in insert]
    wishes = Wishes(
        drop=drop,
        edit=edit,
        insert=tuple(InsertedFile(data=read_input(name, _OUTPUT_BYTES_MAX), name=name, ref=ref) for name, ref in files),
        contracts=contracts,
    )
    with opened(face, issue) as machine, _deciding(face, machine) as progress:
        answer = machine.what_if(wishes, at, offset=offset, count=count, progress=progress)
    face.data(builtins(answer), *_lines(answer))
    if answer.first_divergence is not None or answer.changes_total:
        exit_with(1)


def _lines(answer: WhatIfView) -> list[str]:
    told = [f"{number} {name.replace('_', ' ')}" for name, number in answer.counts.items() if number]
    lines = [f"hypothetical: {', '.join(told) or 'nothing to decide'}"]
    if answer.note:
        lines.append(answer.note)
    lines += [f"not judged, {number}: {why}" for why, number in answer.not_judged.items()]
    if answer.first_divergence is None:
        lines.append("nothing would have been otherwise")
    else:
        lines.append(f"the stories part at #{answer.first_divergence}")
    lines += [_outcome(one) for one in answer.outcomes]
    lines += _more(answer.total, answer.offset + len(answer.outcomes), "outcomes")
    if answer.changes:
        lines += ["in the end:", *change_lines(answer.changes)]
        lines += _more(answer.changes_total, len(answer.changes), "changes")
    return lines


def _outcome(one: Outcome) -> str:
    what = f"#{one.seq}  {one.actor}  {one.name}  {one.subject or '-'}"
    was = one.was if one.was_error_code is None else f"{one.was} ({one.was_error_code})"
    if one.is_ == "not_judged":
        return f"{what}  {was} -> not judged: {one.note}"
    verdict = one.is_ if one.error_code is None else f"{one.is_}, {one.error_code}: {one.message}"
    return f"{what}  {was} -> {verdict}"


def _more(total: int, shown: int, what: str) -> list[str]:
    return [f"... and {total - shown} more {what} (--count)"] if total > shown else []


@contextmanager
def _deciding(face: Face, machine: TimeMachine) -> Generator[Callable[[int], None] | None, None, None]:
    """Shows how far it is, on a terminal."""
    if face.is_quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("deciding again", total=machine.past.head())

        def told(done: int) -> None:
            if done % _PROGRESS_EVERY == 0:
                bar.update(task, completed=done)

        yield told
