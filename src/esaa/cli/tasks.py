"""Tasks: create, list, amend."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from esaa.cli.acts import command_id_option, dry_run_option
from esaa.cli.face import Face, FaceGroup, face_options, pass_face
from esaa.cli.terminal import columns


@click.group(cls=FaceGroup)
@face_options
def task() -> None:
    """Create, list and amend tasks."""


@task.command("create")
@click.argument("task_id", metavar="TASK")
@click.option("--kind", required=True, type=click.Choice(["spec", "impl", "qa"]), help="Decides boundary and agent.")
@click.option("--title", required=True, metavar="TEXT", help="One line.")
@click.option("--description", metavar="TEXT", help="What has to be done (default: the title).")
@click.option("--depends-on", multiple=True, metavar="TASK", help="Must be done before; may be given often.")
@click.option("--output", "outputs", multiple=True, metavar="PATH", help="A file to deliver; may be given often.")
@click.option("--target", "targets", multiple=True, metavar="LABEL", help="A label; may be given often.")
@click.option("--grant", "grants", multiple=True, metavar="GLOB", help="Widens the boundary; may be given often.")
@click.option("--criterion", "criteria", multiple=True, metavar="TEXT", help="An acceptance criterion.")
@click.option("--supersedes", multiple=True, metavar="TASK", help="A task that this one replaces.")
@command_id_option
@dry_run_option
@face_options
@pass_face
def task_create(
    face: Face,
    task_id: str,
    kind: str,
    title: str,
    description: str | None,
    depends_on: tuple[str, ...],
    outputs: tuple[str, ...],
    targets: tuple[str, ...],
    grants: tuple[str, ...],
    criteria: tuple[str, ...],
    supersedes: tuple[str, ...],
    command_id: str | None,
    dry_run: bool,
) -> None:
    """Put a task on the roadmap.

    Example: esaa task create T-1000 --kind spec --title "Define the page" --output docs/spec/T-1000.md
    """
    from esaa.protocol.commands import CreateTask

    command = CreateTask(
        task_id=task_id,
        task_kind=kind,
        title=title,
        description=msgspec.UNSET if description is None else description,
        depends_on=depends_on,
        targets=targets,
        outputs=outputs,
        boundary_grant=grants,
        acceptance_criteria=criteria,
        supersedes=supersedes,
    )
    face.receipt(face.workspace().commit(command, command_id, dry_run=dry_run), f"{task_id} is todo")


@task.command("list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["todo", "in_progress", "review", "done"]),
    help="Only tasks in this status; may be given often.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["spec", "impl", "qa"]),
    help="Only tasks of this kind; may be given often.",
)
@face_options
@pass_face
def task_list(face: Face, statuses: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """List tasks in the order of their creation.

    Example: esaa task list --status todo
    """
    state = face.workspace().state()
    tasks = [
        one for one in state.tasks if (not statuses or one.status in statuses) and (not kinds or one.task_kind in kinds)
    ]
    builtins: list[Any] = [msgspec.to_builtins(one) for one in tasks]
    rows = [(one.task_id, one.task_kind, one.status, str(one.assigned_to or "-"), one.title) for one in tasks]
    face.data(builtins, *columns(rows))
    if not tasks:
        face.say("no task matches; `esaa task create` makes one")


@task.command("amend")
@click.argument("task_id", metavar="TASK")
@click.option("--title", metavar="TEXT", help="The new title.")
@click.option("--description", metavar="TEXT", help="The new description.")
@click.option("--depends-on", multiple=True, metavar="TASK", help="The new dependencies; may be given often.")
@click.option("--output", "outputs", multiple=True, metavar="PATH", help="The new outputs; may be given often.")
@click.option("--grant", "grants", multiple=True, metavar="GLOB", help="The new boundary grants.")
@click.option("--no-grant", is_flag=True, help="Take the boundary grants away.")
@click.option("--criterion", "criteria", multiple=True, metavar="TEXT", help="The new acceptance criteria.")
@command_id_option
@dry_run_option
@face_options
@pass_face
def task_amend(
    face: Face,
    task_id: str,
    title: str | None,
    description: str | None,
    depends_on: tuple[str, ...],
    outputs: tuple[str, ...],
    grants: tuple[str, ...],
    no_grant: bool,
    criteria: tuple[str, ...],
    command_id: str | None,
    dry_run: bool,
) -> None:
    """Change a task that nobody has begun (protocol 0.4.1 only).

    Example: esaa task amend T-1000 --title "Define the start page"
    """
    from esaa.protocol.commands import AmendTask

    if no_grant and grants:
        raise click.UsageError("Give either --grant or --no-grant.")
    command = AmendTask(
        task_id=task_id,
        title=msgspec.UNSET if title is None else title,
        description=msgspec.UNSET if description is None else description,
        depends_on=depends_on or msgspec.UNSET,
        outputs=outputs or msgspec.UNSET,
        boundary_grant=() if no_grant else grants or msgspec.UNSET,
        acceptance_criteria=criteria or msgspec.UNSET,
    )
    face.receipt(face.workspace().commit(command, command_id, dry_run=dry_run), f"{task_id} is amended")
