"""`esaa checkout` and `esaa tail`: the files as they were, and the events as they come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, as_json, exit_with, face_options, pass_face
from esaa.cli.pasts import at_option, builtins, entry_line, issue_option, opened
from esaa.cli.terminal import plain

if TYPE_CHECKING:
    from esaa.runtime.history.machine import TimeMachine

_POLL_S = 0.3
_SHOWN_FIRST = 10


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@at_option
@click.option("--dry-run", is_flag=True, help="Say what would be written, write nothing.")
@issue_option
@face_options
@pass_face
def checkout(face: Face, folder: Path, at: str, dry_run: bool, issue: str | None) -> None:
    """Write the files that the log tells of, as they were, into DIR: a new or an empty folder.

    Nothing else is touched. Ends with 1 where a content is not there any more; each such file is named.

    Example: esaa checkout --at HEAD~10 ../before
    """
    with opened(face, issue) as machine:
        answer = machine.checkout(folder, at, dry_run=dry_run)
    verb = "would be written: " if dry_run else ""
    face.data({**builtins(answer), "dry_run": dry_run}, *(f"{verb}{path}" for path in answer.written))
    for one in answer.missing:
        face.warn(f"{one.path} was not written: {one.reason}")
    did = "would be" if dry_run else "are"
    face.say(f"{len(answer.written)} files as of #{answer.at} {did} in {folder}")
    exit_with(1 if answer.missing else 0)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with every event that comes, until it is interrupted.")
@click.option("--since", metavar="REF", help=f"The events after this one (default: the last {_SHOWN_FIRST}).")
@issue_option
@face_options
@pass_face
def tail(face: Face, follow: bool, since: str | None, issue: str | None) -> None:
    """Print the last events, one on each line, and with -f those that come. With --json one JSON object on each line.

    Example: esaa tail -f
    """
    with opened(face, issue) as machine:
        after = max(machine.past.head() - _SHOWN_FIRST, 0) if since is None else machine.seq(since)
        after = _print_after(face, machine, after)
        while follow:
            time.sleep(_POLL_S)
            after = _print_after(face, machine, after)


def _print_after(face: Face, machine: TimeMachine, after: int) -> int:
    while entries := machine.tail(after):
        for entry in entries:
            click.echo(as_json(builtins(entry)) if face.is_json else plain(entry_line(entry)))
        after = entries[-1].seq
    return after
