"""`esaa inbox`: results dropped as files, for tools that cannot run a command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.acts import dry_run_option
from esaa.cli.face import Face, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace


@click.command()
@click.option("--once", is_flag=True, help="Take what lies there and end, instead of watching.")
@click.option(
    "--interval",
    type=click.FloatRange(0.05, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@dry_run_option
@face_options
@pass_face
def inbox(face: Face, once: bool, interval: float, dry_run: bool) -> None:
    """Submit the files in .roadmap/inbox/, named ACTOR__NAME.json.

    An accepted file moves to inbox/accepted/, a refused one to inbox/rejected/. A file is taken when it is complete:
    write it under another name, such as .NAME.tmp, and rename it. Ends with 5 where anything was refused or left.

    Example: esaa inbox --once
    """
    from esaa.kernel.ingest import NotIngested

    workspace = face.workspace()
    directory = workspace.roadmap / "inbox"
    if not dry_run:
        directory.mkdir(exist_ok=True)
    if not once and not dry_run:
        face.say(f"watching {directory} (Ctrl-C ends)")
    refused = 0
    left: set[str] = set()
    while True:
        for path in _waiting(directory):
            fault = _fault(path)
            if fault is None:
                try:
                    refused += not _take(face, workspace, path, dry_run=dry_run)
                    continue
                except FileNotFoundError:  # whoever put it there has taken it away again
                    continue
                except NotIngested as error:
                    fault = f"was left: {error}"
            if path.name not in left:
                face.warn(f"{path.name} {fault}")
                left.add(path.name)
        if once or dry_run:
            break
        time.sleep(interval)
    if refused or left:
        raise SystemExit(5)


def _waiting(directory: Path) -> list[Path]:
    """What lies in the inbox, by name; hidden files are still being written, and folders are its own."""
    entries = directory.iterdir() if directory.is_dir() else ()
    return sorted(
        path for path in entries if not path.name.startswith(".") and (path.is_symlink() or not path.is_dir())
    )


def _fault(path: Path) -> str | None:
    """Why a file cannot be taken, with what to do, or None."""
    actor, mark, name = path.name.partition("__")
    if not (actor and mark and name.endswith(".json") and path.name.isprintable()):
        return "was left: its name is not ACTOR__NAME.json; rename it"
    if path.is_symlink() or not path.is_file():
        return "was left: it is no plain file; put the file itself there"
    return None


def _take(face: Face, workspace: Workspace, path: Path, *, dry_run: bool) -> bool:
    from esaa.kernel.ingest import Limit
    from esaa.protocol.commands import Submit
    from esaa.protocol.result import parse_result
    from esaa.runtime.receipts import receipt_view
    from esaa.stores.outside import read_placed

    actor = path.name.partition("__")[0]
    # After a crash between the record and the move, the same file is not put to the rules a second time.
    command_id = f"inbox:{path.name}:{path.stat().st_mtime_ns}"
    data = read_placed(path, Limit(workspace.rules.agent.output_contract.result_bytes_max), keeps_excess=True)
    command = Submit(actor=actor, result=parse_result(data, workspace.rules))
    receipt = workspace.commit(command, command_id, dry_run=dry_run)
    rejected = receipt.rejected
    if not dry_run:
        target = path.parent / ("accepted" if rejected is None else "rejected")
        target.mkdir(exist_ok=True)
        path.replace(_free(target / path.name))
    for notice in (*receipt.notices, *receipt.warnings):
        face.warn(notice)
    outcome = "accepted" if rejected is None else f"rejected, {rejected.error_code}: {rejected.message} {rejected.hint}"
    face.data({"file": path.name, **receipt_view(receipt)}, f"{path.name}: {'would be ' * dry_run}{outcome}")
    return rejected is None


def _free(path: Path) -> Path:
    number = 1
    candidate = path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return candidate
