"""Restore points: create, list, restore."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from esaa.cli.face import Face, FaceGroup, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.replay.going_back import Return


@click.group("restore-point", cls=FaceGroup)
@face_options
def restore_point() -> None:
    """States of the work that one can go back to.

    Example: esaa restore-point list
    """


@restore_point.command()
@click.option("--issue", required=True, metavar="KEY", help="The tracker issue, or global.")
@click.option("--phase", metavar="NAME", help="The phase that it belongs to (default: the one that the work is in).")
@click.option("--reason", default="manual", metavar="TEXT", help="Why, such as major_milestone_completed.")
@click.option("--dry-run", is_flag=True, help="Say what would be saved, save nothing.")
@face_options
@pass_face
def create(face: Face, issue: str, phase: str | None, reason: str, dry_run: bool) -> None:
    """Save the state of an issue, so that the work can go back to it.

    Example: esaa restore-point create --issue PROJ-123 --phase CODE --reason major_milestone_completed
    """
    from esaa.open import open_trail
    from esaa.runtime.replay.restore_points import create_restore_point

    trail = open_trail(face.find_root())
    metadata, event = create_restore_point(trail, issue, phase=phase, reason=reason, actor=_user(), dry_run=dry_run)
    if not metadata["can_rollback"]:
        face.warn("the contents of some files are not in .roadmap/blobs; going back will leave those as they are")
    place = metadata["state_snapshot"]
    sequence = metadata["extra"]["event_sequence"]
    # The name of a dry run is never used again.
    name = "a restore point" if dry_run else metadata["checkpoint_id"]
    verb = "would be made" if dry_run else "is made"
    face.data(
        {"dry_run": dry_run, "issue_key": issue, **metadata, "event_id": None if event is None else event.event_id},
        f"{name} of {issue} {verb}: the state after event #{sequence}" + ("" if dry_run else f", in {place}"),
    )


@restore_point.command(name="list")
@click.option("--issue", metavar="KEY", help="The tracker issue, or global (default: every stream).")
@face_options
@pass_face
def list_(face: Face, issue: str | None) -> None:
    """Name the restore points, oldest first.

    Example: esaa restore-point list --issue PROJ-123
    """
    from esaa.cli.terminal import columns
    from esaa.open import open_trail
    from esaa.runtime.replay.restore_points import restore_points, state_path

    trail = open_trail(face.find_root())
    found = list(restore_points(trail, issue))
    answer: list[dict[str, Any]] = []
    for point in found:
        fact = point.fact
        answer.append(
            {
                "checkpoint_id": point.checkpoint_id,
                "issue_key": point.stream,
                "event_sequence": point.event.version,
                "created_at": point.event.ts,
                "phase": fact.checkpoint_phase or None,
                "reason": fact.checkpoint_reason or None,
                "git_sha": point.git_sha,
                "has_file": state_path(trail, point) is not None,
            }
        )
    rows = [
        (
            str(one["checkpoint_id"]),
            str(one["issue_key"]),
            f"#{one['event_sequence']}",
            str(one["created_at"]),
            str(one["phase"] or "-"),
            str(one["git_sha"] or "-")[:12],
            str(one["reason"] or "-") + ("" if one["has_file"] else " (its file is missing)"),
        )
        for one in answer
    ]
    face.data(answer, *columns(rows))
    if not rows:
        face.say("there are no restore points; `esaa restore-point create` makes one")


@restore_point.command()
@click.argument("checkpoint_id", metavar="ID")
@click.option("--issue", metavar="KEY", help="The tracker issue, where several have a restore point of that name.")
@click.option("--execute", "--yes", "execute", is_flag=True, help="Do it. Without this nothing is done or recorded.")
@click.option("--git", is_flag=True, help="Also reset the branch to the commit of the restore point.")
@click.option("--force", is_flag=True, help="Restore files also where someone changed them since.")
@click.option("--reason", default="", metavar="TEXT", help="Why, such as test_failure_rollback.")
@face_options
@pass_face
def restore(
    face: Face, checkpoint_id: str, issue: str | None, execute: bool, git: bool, force: bool, reason: str
) -> None:
    """Go back to a restore point: files that changed since get the content that they had.

    Without --execute it only says what would be done. A file that someone else changed is left alone, nothing is
    deleted, and git is not asked unless you say --git. Ends with 1 where something is not as it was.

    Example: esaa restore-point restore ckpt-123456 --execute
    """
    import msgspec

    from esaa.open import open_trail
    from esaa.runtime.replay.going_back import go_back
    from esaa.runtime.replay.restore_points import find_restore_point

    trail = open_trail(face.find_root())
    point = find_restore_point(trail, checkpoint_id, issue)
    found = go_back(trail, point, dry_run=not execute, git=git, force=force, reason=reason, actor=_user())
    if found.state_fault:
        face.warn(f"{checkpoint_id}: {found.state_fault}; the events decide")
    face.data(msgspec.to_builtins(found), *_lines(found))
    exit_with(0 if found.is_complete else 1)


def _lines(found: Return) -> list[str]:
    from esaa.trail.facts.wording import counted

    verb = "would be " if found.dry_run else ""
    fates = {"restored": f"{verb}restored", "as_it_was": "is as it was", "left": "left alone"}
    lines: list[str] = []
    if found.git_reset_to is not None:
        back = counted(found.git_commits_back or 0, "commit")
        lines.append(f"the branch {verb or 'is '}reset to {found.git_reset_to[:12]}, {back} back")
    lines += [f"{one.path}: {fates[one.fate]}" + (f", {one.detail}" if one.detail else "") for one in found.files]
    state = "the state is the recorded one" if found.state_validated else "the state could not be validated"
    lines.append(f"{found.checkpoint_id}: {counted(found.files_restored, 'file')} {verb}restored; {state}")
    if found.dry_run:
        lines.append("dry run, nothing was done; --execute does it")
    return lines


def _user() -> dict[str, str]:
    return {"type": "user", "id": getpass.getuser()}
