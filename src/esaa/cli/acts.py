"""The acts of agents and people on tasks: submit, claim, complete, review, reject."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from esaa.cli.face import Face, face_options, pass_face
from esaa.errors import NotFound, UsageError

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace

actor_option = click.option("--actor", required=True, metavar="NAME", help="Who acts: an actor of agents_swarm.yaml.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Decide and say it, but record nothing.")
command_id_option = click.option(
    "--command-id", metavar="ID", help="Makes a repeated command harmless: the first receipt is given again."
)
notes_option = click.option("--notes", metavar="TEXT", help="A remark for the record.")


def submit_bytes(
    face: Face,
    workspace: Workspace,
    data: bytes,
    actor: str,
    done: str,
    *,
    command_id: str | None = None,
    dry_run: bool = False,
    is_composed_here: bool = True,
) -> None:
    """Puts an agent result to the rules, on the same road as every other entrance.

    What was composed from the options of a command is signed here, where the workspace asks for it and this machine
    has the actor's key; what came as a file is taken as it is.
    """
    from esaa.protocol.commands import Submit
    from esaa.protocol.result import parse_result

    if is_composed_here and workspace.rules.swarm.identity == "signed":
        from esaa.cli.identity import signed_if_possible

        data = signed_if_possible(workspace, data, actor)
    command = Submit(actor=actor, result=parse_result(data, workspace.rules))
    face.receipt(workspace.commit(command, command_id, dry_run=dry_run), done)


def read_input(name: str, bytes_max: int) -> bytes:
    """A file's bytes, or standard input's for `-`; at most one more than `bytes_max`, so that too much is seen."""
    from esaa.kernel.ingest import Limit, NotIngested
    from esaa.stores.outside import read_named

    try:
        return read_named(name, Limit(bytes_max), keeps_excess=True)
    except NotIngested as error:
        raise NotFound("FILE_NOT_READ", f"{name}: {error}.", "Name a readable file, or - for input.") from error


def _act(workspace: Workspace, action: str, task_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    task = workspace.state().task(task_id)
    event: dict[str, Any] = {"action": action, "task_id": task_id}
    if task is not None:
        event["prior_status"] = task.status
    return event | {key: value for key, value in fields.items() if value not in (None, ())}


def encoded(event: dict[str, Any], updates: list[dict[str, str]] | None = None) -> bytes:
    """An agent result as bytes."""
    result: dict[str, Any] = {"activity_event": event}
    if updates:
        result["file_updates"] = updates
    return json.dumps(result, ensure_ascii=False).encode()


@click.command()
@click.argument("file", metavar="FILE|-")
@actor_option
@command_id_option
@dry_run_option
@face_options
@pass_face
def submit(face: Face, file: str, actor: str, command_id: str | None, dry_run: bool) -> None:
    """Put an agent result (JSON) to the rules.

    Accepted or refused, it is recorded; a refusal ends with exit code 5 and says why.

    Example: esaa submit result.json --actor agent-spec
    """
    workspace = face.workspace()
    data = read_input(file, workspace.rules.agent.output_contract.result_bytes_max)
    submit_bytes(
        face,
        workspace,
        data,
        actor,
        f"{actor}'s result is accepted",
        command_id=command_id,
        dry_run=dry_run,
        is_composed_here=False,
    )


@click.command()
@click.argument("task")
@actor_option
@notes_option
@command_id_option
@dry_run_option
@face_options
@pass_face
def claim(face: Face, task: str, actor: str, notes: str | None, command_id: str | None, dry_run: bool) -> None:
    """Take a task: todo becomes in_progress.

    Example: esaa claim T-1000 --actor agent-spec
    """
    workspace = face.workspace() if dry_run else face.writable()
    data = encoded(_act(workspace, "claim", task, {"notes": notes}))
    done = f"{task} is in_progress, owned by {actor}"
    submit_bytes(face, workspace, data, actor, done, command_id=command_id, dry_run=dry_run)


@click.command()
@click.argument("task")
@actor_option
@click.option("--check", "checks", multiple=True, metavar="TEXT", help="A verification check; may be given often.")
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="PATH[=SOURCE]",
    help="A file to deliver, with the content of SOURCE (default: of PATH itself); may be given often.",
)
@click.option("--issue-id", metavar="ID", help="For a hotfix: the issue.")
@click.option("--fixes", metavar="TASK", help="For a hotfix: the done task that it mends.")
@notes_option
@command_id_option
@dry_run_option
@face_options
@pass_face
def complete(
    face: Face,
    task: str,
    actor: str,
    checks: tuple[str, ...],
    files: tuple[str, ...],
    issue_id: str | None,
    fixes: str | None,
    notes: str | None,
    command_id: str | None,
    dry_run: bool,
) -> None:
    """Deliver a task: in_progress becomes review, the files are written by the orchestrator.

    Example: esaa complete T-1000 --actor agent-spec --file docs/spec/T-1000.md --check "all headings are there"
    """
    workspace = face.workspace() if dry_run else face.writable()
    verification = {"checks": list(checks)} if checks else None
    fields = {"notes": notes, "verification": verification, "issue_id": issue_id, "fixes": fixes}
    updates = [_file_update(item, workspace) for item in files]
    data = encoded(_act(workspace, "complete", task, fields), updates)
    submit_bytes(face, workspace, data, actor, f"{task} is in review", command_id=command_id, dry_run=dry_run)


def _file_update(item: str, workspace: Workspace) -> dict[str, str]:
    path, has_source, source = item.partition("=")
    origin = source if has_source else str(workspace.root / path)
    content = read_input(origin, workspace.rules.agent.output_contract.file_bytes_max)
    try:
        return {"path": path, "content": content.decode()}
    except UnicodeDecodeError as error:
        raise UsageError("TEXT_INVALID", f"{origin} is not UTF-8 text.", "Only text files can be delivered.") from error


@click.command()
@click.argument("task")
@actor_option
@click.option("--approve", is_flag=True, help="The task becomes done, for good.")
@click.option(
    "--request-changes",
    "changes",
    multiple=True,
    metavar="ITEM",
    help="What has to change; the task goes back. May be given often.",
)
@notes_option
@command_id_option
@dry_run_option
@face_options
@pass_face
def review(
    face: Face,
    task: str,
    actor: str,
    approve: bool,
    changes: tuple[str, ...],
    notes: str | None,
    command_id: str | None,
    dry_run: bool,
) -> None:
    """Decide on a task in review.

    Example: esaa review T-1000 --actor agent-qa --approve
    """
    if approve == bool(changes):
        raise click.UsageError("Give either --approve or --request-changes.")
    workspace = face.workspace() if dry_run else face.writable()
    decision = "approve" if approve else "request_changes"
    fields = {"decision": decision, "tasks": [task] if approve else list(changes), "notes": notes}
    data = encoded(_act(workspace, "review", task, fields))
    done = f"{task} is done" if approve else f"{task} goes back to its owner"
    submit_bytes(face, workspace, data, actor, done, command_id=command_id, dry_run=dry_run)


@click.command()
@click.argument("task")
@click.option("--actor", required=True, metavar="NAME", help="Whose output is refused.")
@click.option("--message", required=True, metavar="TEXT", help="Why.")
@click.option("--code", default="SCHEMA_INVALID", show_default=True, metavar="CODE", help="The error code to record.")
@command_id_option
@dry_run_option
@face_options
@pass_face
def reject(face: Face, task: str, actor: str, message: str, code: str, command_id: str | None, dry_run: bool) -> None:
    """Refuse, as a person, what an agent did on a task; it costs the task an attempt.

    Example: esaa reject T-1000 --actor agent-spec --message "answers another question"
    """
    from esaa.protocol.commands import RejectOutput
    from esaa.protocol.rejections import CODES

    if code not in CODES:
        raise click.UsageError(f"{code!r} is no error code; docs/reference/error-codes.md lists them.")
    command = RejectOutput(task_id=task, actor=actor, error_code=code, message=message)
    receipt = face.workspace().commit(command, command_id, dry_run=dry_run)
    face.receipt(receipt, f"the attempt on {task} is refused")
