"""`esaa debug`: a walk through a past, on a terminal or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, as_json, exit_with, face_options, pass_face
from esaa.cli.pasts import issue_option, opened
from esaa.errors import UsageError

if TYPE_CHECKING:
    from esaa.history.past import Past
    from esaa.history.stepper import Breakpoint, Stepper, Stop

_STOPS_MAX = 100


@click.command()
@click.argument("moment", metavar="[REF]", required=False)
@issue_option
@click.option("--break", "breaks", multiple=True, metavar="WORDS", help="Stop where: see below. May be given often.")
@click.option("--watch", "watches", multiple=True, metavar="VALUE", help="A JSON pointer or JMESPath. Often.")
@click.option("-n", "count", type=click.IntRange(1), default=_STOPS_MAX, metavar="COUNT", help="With --json: how many.")
@face_options
@pass_face
def debug(
    face: Face, moment: str | None, issue: str | None, breaks: tuple[str, ...], watches: tuple[str, ...], count: int
) -> None:
    """Walk through the events, with the state, what each event changed, stops and watched values.

    WORDS are name=claim, actor=agent-qa, subject=T-1000, refused, changes=/tasks/T-1000/status, or when=JMESPATH last.
    It begins at REF, or after the last event. On the screen `?` tells the keys.

    With --json it needs no terminal: it walks on from REF (or from the first event) and prints each stop on a line.
    It ends with 1 where nothing hits.

    Example: esaa debug HEAD~20 --break "name=review subject=T-1000" --watch /tasks/T-1000/status
    """
    from esaa.tui.stop_words import breakpoint_of

    wanted = [breakpoint_of(text) for text in breaks]
    if face.is_json:
        with opened(face, issue) as machine:
            _print_stops(machine.past, moment, wanted, watches, count)
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        hint = "Give --json to have the stops as lines; `esaa show` and `esaa state --at` answer once."
        raise UsageError("TERMINAL_NEEDED", "`esaa debug` needs a terminal.", hint)
    try:
        from esaa.tui.debugger import Debugger
    except ModuleNotFoundError as error:
        text = "`esaa debug` needs textual, which is not installed."
        raise UsageError("EXTRA_MISSING", text, "Run `pip install 'esaa[tui]'`.") from error
    with opened(face, issue) as machine:
        past = machine.past
        at = past.head() if moment is None else past.seq_of(moment)
        title = face.find_root().resolve().name
        app = Debugger(past, at=at, breakpoints=wanted, watches=watches, title=title)
        app.run()
    if app.return_code:
        exit_with(70)


def _print_stops(
    past: Past, moment: str | None, wanted: list[Breakpoint], watches: tuple[str, ...], count: int
) -> None:
    import msgspec

    from esaa.history.stepper import Stepper

    if not wanted:
        raise UsageError("BREAKPOINT_EMPTY", "With --json there must be a --break.", "Such as --break name=claim.")
    stepper = Stepper(past, 0 if moment is None else past.seq_of(moment))
    for one in wanted:
        stepper.add_breakpoint(one)
    for expression in watches:
        stepper.watch(expression)
    found = 0
    while found < count and (stop := _next_stop(stepper)).reason == "breakpoint":
        found += 1
        click.echo(as_json(msgspec.to_builtins(stop)))
    if not found:
        exit_with(1)


def _next_stop(stepper: Stepper) -> Stop:
    stop = stepper.continue_()
    while stop.reason == "limit":
        stop = stepper.continue_()
    return stop
