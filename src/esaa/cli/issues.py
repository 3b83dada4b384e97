"""Issues and hotfixes."""

from __future__ import annotations

import click

from esaa.cli.acts import actor_option, command_id_option, dry_run_option, encoded, notes_option, submit_bytes
from esaa.cli.face import Face, FaceGroup, face_options, pass_face


@click.group(cls=FaceGroup)
@face_options
def issue() -> None:
    """Report and resolve issues."""


@issue.command("report")
@click.argument("task")
@actor_option
@click.option("--id", "issue_id", required=True, metavar="ID", help="The issue's id, such as ISS-0001.")
@click.option(
    "--severity",
    required=True,
    type=click.Choice(["low", "medium", "high", "critical"]),
    help="low is logged, medium flags, high blocks the task, critical halts the pipeline.",
)
@click.option("--title", required=True, metavar="TEXT", help="One sentence.")
@click.option("--symptom", required=True, metavar="TEXT", help="What is seen.")
@click.option(
    "--step", "steps", required=True, multiple=True, metavar="TEXT", help="A step that shows it; may be given often."
)
@click.option("--fixes", metavar="TASK", help="The done task that has to be mended; a hotfix task is created.")
@click.option("--affects", "paths", multiple=True, metavar="PATH", help="A file that is affected; may be given often.")
@notes_option
@command_id_option
@dry_run_option
@face_options
@pass_face
def issue_report(
    face: Face,
    task: str,
    actor: str,
    issue_id: str,
    severity: str,
    title: str,
    symptom: str,
    steps: tuple[str, ...],
    fixes: str | None,
    paths: tuple[str, ...],
    notes: str | None,
    command_id: str | None,
    dry_run: bool,
) -> None:
    """Report an issue on a task (also on a done one).

    Example: esaa issue report T-2000 --actor agent-qa --id ISS-0001 --severity medium
    --title "Menu stays open" --symptom "Escape does nothing" --step "Open the menu, press Escape" --fixes T-2000
    """
    workspace = face.workspace() if dry_run else face.writable()
    found = workspace.state().task(task)
    event: dict[str, object] = {
        "action": "issue.report",
        "task_id": task,
        "issue_id": issue_id,
        "severity": severity,
        "title": title,
        "evidence": {"symptom": symptom, "repro_steps": list(steps)},
    }
    optional: dict[str, object] = {
        "prior_status": None if found is None else found.status,
        "affected": {"paths": list(paths)} if paths else None,
        "fixes": fixes,
        "notes": notes,
    }
    event |= {key: value for key, value in optional.items() if value is not None}
    data = encoded(event)
    submit_bytes(face, workspace, data, actor, f"{issue_id} is open", command_id=command_id, dry_run=dry_run)


@issue.command("resolve")
@click.argument("issue_id", metavar="ISSUE")
@click.option("--note", metavar="TEXT", help="How it was resolved.")
@command_id_option
@dry_run_option
@face_options
@pass_face
def issue_resolve(face: Face, issue_id: str, note: str | None, command_id: str | None, dry_run: bool) -> None:
    """Close an issue by a person's word: frees what it blocked, and the task's attempts begin anew.

    Example: esaa issue resolve ISS-0001 --note "not reproducible"
    """
    from esaa.protocol.commands import ResolveIssue

    receipt = face.workspace().commit(ResolveIssue(issue_id=issue_id, note=note), command_id, dry_run=dry_run)
    face.receipt(receipt, f"{issue_id} is resolved")


@click.group(cls=FaceGroup)
@face_options
def hotfix() -> None:
    """Mend what is done, without touching it."""


@hotfix.command("create")
@click.argument("issue_id", metavar="ISSUE")
@click.option("--fixes", metavar="TASK", help="The done task to mend (default: the one that the issue is about).")
@click.option(
    "--scope",
    multiple=True,
    metavar="PATH",
    help="What the hotfix may write (default: the affected paths, else the task's outputs).",
)
@click.option("--id", "task_id", metavar="ID", help="The new task's id (default: HF-ISSUE).")
@command_id_option
@dry_run_option
@face_options
@pass_face
def hotfix_create(
    face: Face,
    issue_id: str,
    fixes: str | None,
    scope: tuple[str, ...],
    task_id: str | None,
    command_id: str | None,
    dry_run: bool,
) -> None:
    """Create the hotfix task of an open issue.

    Example: esaa hotfix create ISS-0001 --scope src/main.js
    """
    from esaa.protocol.commands import CreateHotfix

    command = CreateHotfix(issue_id=issue_id, fixes=fixes, scope_patch=scope, task_id=task_id)
    receipt = face.workspace().commit(command, command_id, dry_run=dry_run)
    face.receipt(receipt, f"{task_id or f'a hotfix of {issue_id}'} is todo")
