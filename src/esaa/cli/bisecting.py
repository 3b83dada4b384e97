"""`esaa bisect`: the first event after which something does not hold."""

from __future__ import annotations

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face
from esaa.cli.pasts import builtins, ends_of, entry_line, issue_option, opened
from esaa.errors import UsageError

_RUN = "--run"


class _WithCommand(click.Command):
    """A command whose last option takes all that follows it, dashes included."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if _RUN in args:
            place = args.index(_RUN)
            given = args[place + 1 :]
            if not given:
                raise click.UsageError(f"{_RUN} needs a command.", ctx)
            args = args[:place] + [f"{_RUN}={word}" for word in given]
        return super().parse_args(ctx, args)


@click.command(cls=_WithCommand)
@click.argument("moments", metavar="[GOOD..BAD]", required=False)
@click.option("--where", metavar="EXPRESSION", help="Holds while all is well: JMESPath over the state.")
@click.option("--timeout", "timeout_s", type=float, default=300.0, show_default=True, help="Seconds for each try.")
@click.option(
    _RUN,
    "arguments",
    multiple=True,
    metavar="COMMAND...",
    help="Runs in the tree as it was: 0 is good, 125 cannot tell, all else is bad. The last option.",
)
@issue_option
@face_options
@pass_face
def bisect(
    face: Face, moments: str | None, where: str | None, timeout_s: float, arguments: tuple[str, ...], issue: str | None
) -> None:
    """Find the first event after which something does not hold any more. Ends with 1 where it still holds.

    Either a predicate over the state, or a command that is run on the files as they were, each time in a fresh folder.

    Example: esaa bisect 1..HEAD --where 'length(issues) == `0`'
    """
    if (where is None) == (not arguments):
        raise UsageError("USAGE", "Name one test: --where EXPRESSION or --run COMMAND.", "See `esaa bisect --help`.")
    good, bad = ends_of(moments)
    with opened(face, issue) as machine:
        if where is not None:
            answer = machine.bisect(where, good=good, bad=bad)
        else:
            answer = machine.bisect_run(arguments, good=good, bad=bad, timeout_s=timeout_s, told=face.say)
    lines = [] if answer.first_bad is None else [f"first bad: {entry_line(answer.first_bad)}"]
    if answer.first_bad is None and len(answer.suspects) > 1:
        lines.append(f"the first bad one is among #{answer.suspects[0]} to #{answer.suspects[-1]}")
    if answer.note:
        lines.append(answer.note)
    face.data(builtins(answer), *lines)
    face.say(f"{len(answer.steps)} moments tried between #{answer.good} and #{answer.bad}")
    exit_with(0 if answer.suspects else 1)
