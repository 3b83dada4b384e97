"""`esaa inbox`: results dropped as files, for tools that cannot run a command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace


@click.command()
@click.option("--once", is_flag=True, help="Take what lies there and end, instead of watching.")
@click.option("--interval", type=click.FloatRange(0.05, 60), default=1.0, show_default=True, metavar="SECONDS",
              help="How often to look.")
@face_options
@pass_face
def inbox(face: Face, once: bool, interval: float) -> None:
    """Submit the files in .roadmap/inbox/, named ACTOR__NAME.json.

    An accepted file moves to inbox/accepted/, a refused one to inbox/rejected/. A file is taken when it is complete:
    write it under another name and rename it.

    Example: esaa inbox --once
    """
    workspace = face.workspace()
    directory = workspace.roadmap / "inbox"
    directory.mkdir(exist_ok=True)
    if not once:
        face.say(f"watching {directory} (Ctrl-C ends)")
    refused = 0
    while True:
        for path in sorted(directory.glob("*__*.json")):
            refused += not _take(face, workspace, path)
        if once:
            break
        time.sleep(interval)
    if refused:
        raise SystemExit(5)


def _take(face: Face, workspace: Workspace, path: Path) -> bool:
    from esaa.cli.acts import read_input
    from esaa.cli.receipts import receipt_view
    from esaa.protocol.commands import Submit
    from esaa.protocol.result import parse_result

    actor = path.name.partition("__")[0]
    if path.is_symlink() or not path.is_file():
        face.warn(f"{path.name} is no plain file and was left")
        return True
    data = read_input(str(path), workspace.rules.agent.output_contract.result_bytes_max)
    receipt = workspace.commit(Submit(actor=actor, result=parse_result(data, workspace.rules)))
    rejected = receipt.rejected
    target = path.parent / ("accepted" if rejected is None else "rejected")
    target.mkdir(exist_ok=True)
    path.replace(_free(target / path.name))
    outcome = "accepted" if rejected is None else f"rejected, {rejected.error_code}: {rejected.message}"
    face.data({"file": path.name, **receipt_view(receipt)}, f"{path.name}: {outcome}")
    return rejected is None


def _free(path: Path) -> Path:
    number = 1
    candidate = path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return candidate
