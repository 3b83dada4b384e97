"""A person's hand on the runs: `esaa pause`, `resume`, `stop`."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace
    from esaa.stores.control import Wish

_ENDS_WITHIN_S = 15.0
_LOOK_S = 0.1

_as = click.option("--as", "name", metavar="NAME", help="Who says so (default: the user's name).")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded.")
_dry = click.option("--dry-run", is_flag=True, help="Say what would happen, change nothing.")


@click.command()
@_as
@_reason
@_dry
@face_options
@pass_face
def pause(face: Face, name: str | None, reason: str, dry_run: bool) -> None:
    """Let no new work be dispatched. A run at work takes what is in flight, and waits for `esaa resume`.

    Runs that begin later refuse to until then. The pause is recorded in the trail.

    Example: esaa pause --reason "the budget is being discussed"
    """
    _order(face, "pause", name, reason, dry_run)


@click.command()
@_as
@_reason
@_dry
@face_options
@pass_face
def resume(face: Face, name: str | None, reason: str, dry_run: bool) -> None:
    """Let the runs go on after a pause or a stop.

    Example: esaa resume
    """
    _order(face, "run", name, reason, dry_run)


@click.command()
@click.option("--now", is_flag=True, help="End the agents at once, with all their processes.")
@_as
@_reason
@_dry
@face_options
@pass_face
def stop(face: Face, now: bool, name: str | None, reason: str, dry_run: bool) -> None:
    """End the run that is at work: when what is in flight is taken, or --now. Nothing begins until `esaa resume`.

    What was running is recorded. Ends with 1 where the run has not ended within 15 seconds after --now.

    Example: esaa stop --now --reason "it writes to the wrong place"
    """
    workspace = _order(face, "kill" if now else "stop", name, reason, dry_run)
    if not now or dry_run:
        return
    from esaa.runtime.operations.control import is_running

    until = time.monotonic() + _ENDS_WITHIN_S
    while is_running(workspace):
        if time.monotonic() > until:
            face.warn("the run is still there; end its process by hand")
            exit_with(1)
        time.sleep(_LOOK_S)
    face.say("no run is at work")


def _order(face: Face, wish: Wish, name: str | None, reason: str, dry_run: bool) -> Workspace:
    import msgspec

    from esaa.open import open_trail
    from esaa.runtime.operations.control import order

    workspace = face.workspace()
    trail = open_trail(workspace.root)
    done = order(workspace, trail, wish, by=name or getpass.getuser(), reason=reason, dry_run=dry_run)
    words = {
        "run": "runs may go on",
        "pause": "runs are paused",
        "stop": "runs are stopped",
        "kill": "runs are stopped",
    }
    what = "nothing changes: " if done.was == wish else "would be: " if dry_run else ""
    at_work = "a run is at work" if done.is_running else "no run is at work"
    face.data(
        {"dry_run": dry_run, **msgspec.to_builtins(done)}, f"{what}{words.get(wish, 'runs are stopped')} ({at_work})"
    )
    face.say("next: esaa run" if wish == "run" and not done.is_running else "next: esaa status")
    if wish != "run":
        face.say("`esaa resume` lets them go on")
    return workspace
