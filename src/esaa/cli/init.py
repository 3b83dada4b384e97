"""`esaa init`: a new workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.errors import EsaaError, UsageError

if TYPE_CHECKING:
    from esaa.config import Config
    from esaa.runtime.workspace import Workspace


@click.command()
@click.option(
    "--protocol",
    type=click.Choice(["0.4.0", "0.4.1"]),
    default="0.4.0",
    show_default=True,
    help="The protocol version that the log carries for the rest of its life.",
)
@click.option("--demo", metavar="NAME", help="Begin with a demo project: landing or calc.")
@click.option("--name", metavar="NAME", help="The project's name (default: the demo's, else the folder's).")
@click.option("--no-key", is_flag=True, help="Do not name the log, and make no key that signs it.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, write nothing.")
@face_options
@pass_face
def init(face: Face, protocol: str, demo: str | None, name: str | None, no_key: bool, dry_run: bool) -> None:
    """Make a workspace: contracts, an empty plan (or a demo's), and the first verified events.

    The log gets a name, and this machine a key that signs its checkpoints (outside the workspace).
    An existing log is never overwritten; contracts that are there already are kept.

    Example: esaa init --demo landing
    """
    from typing import cast

    from esaa.config import load_config
    from esaa.contracts.load import parse_governance
    from esaa.contracts.values import ProtocolVersion
    from esaa.open import compose
    from esaa.protocol.commands import CreateTask
    from esaa.runtime.clock import SystemClock
    from esaa.runtime.initialise import refuse_existing, write_contracts, write_first_log
    from esaa.stores.contracts import read_governance, shipped_files
    from esaa.stores.demos import demo_files, read_demo
    from esaa.stores.disk import Disk
    from esaa.stores.layout import ROADMAP

    root = Path(face.root or ".").resolve()
    if not root.is_dir():
        raise UsageError("FOLDER_NOT_FOUND", f"There is no folder {root}.", "Make it first.")
    roadmap = root / ROADMAP
    refuse_existing(roadmap)
    files = shipped_files(cast("ProtocolVersion", protocol))
    tasks: list[CreateTask] = []
    project_name = name or root.name or "project"
    if demo is not None:
        plan = read_demo(demo)
        files |= demo_files(demo, protocol)
        project_name = name or plan.name
        tasks = [
            CreateTask(
                task_id=task.task_id,
                task_kind=task.task_kind,
                title=task.title,
                description=task.description,
                depends_on=task.depends_on,
                targets=task.targets,
                outputs=task.outputs.get("files", ()),
            )
            for task in plan.tasks
        ]
    parse_governance(files)
    if dry_run:
        answer = {"root": str(root), "protocol": protocol, "files": sorted(files), "tasks": len(tasks)}
        face.data(answer, f"would write {len(files)} files and {len(tasks)} tasks to {roadmap}")
        return
    disk, clock, config = Disk(), SystemClock(), load_config()
    kept = write_contracts(roadmap, files, disk)
    rules = read_governance(roadmap)
    write_first_log(roadmap, rules, clock, disk, tasks, project_name=project_name)
    workspace = compose(root, rules, config, clock, disk)
    notice = None if no_key else _make_key(workspace, config)
    receipt = workspace.verify_now()
    for text in (*((notice,) if notice else ()), *receipt.notices):
        face.warn(text)
    for path in kept:
        face.say(f"kept {path} as it was")
    state = workspace.state()
    following = "esaa run --run-id RUN-0001" if demo else "esaa task create T-1000 --kind spec --title '...'"
    face.data(
        {"root": str(root), "protocol": protocol, "project": project_name, "tasks": len(tasks), "events": state.seq},
        f"{project_name}: {len(tasks)} tasks, {state.seq} events, verified, in {roadmap}",
    )
    face.say(f"next: {following}")


def _make_key(workspace: Workspace, config: Config) -> str | None:
    """Names the log and makes its key. Why there is none is a notice: a workspace works without one."""
    from esaa.open import open_checkpoints

    try:
        checkpoints = open_checkpoints(workspace, config)
        checkpoints.begin(is_new_log=True)
    except EsaaError as error:
        return f"checkpoints are not signed: {error}"
    workspace.open_checkpoints = lambda: checkpoints
    return None
