"""What waits for a person: `esaa approvals`, `approve`, `deny`."""

from __future__ import annotations

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face

_decision_options = (
    click.option("--as", "name", required=True, metavar="NAME", help="Who answers. Never the author."),
    click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded, and told to the agent."),
    click.option("--sha256", metavar="DIGEST", help="Only where it is about this content."),
    click.option("--dry-run", is_flag=True, help="Say what would be recorded, record nothing."),
)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also those that are decided or expired.")
@click.option("--show", metavar="ID", help="Print what this request is about: the agent's answer, as it came.")
@face_options
@pass_face
def approvals(face: Face, everything: bool, show: str | None) -> None:
    """Name what waits for a person's answer. Ends with 1 where something does.

    Example: esaa approvals
    """
    from esaa.cli.terminal import columns
    from esaa.open import open_trail
    from esaa.runtime.operations.approvals import request_view, requests

    if show is not None:
        _show(face, show)
        return
    found = list(requests(open_trail(face.find_root()), everything=everything))
    rows = [
        (
            one.approval_id,
            one.status,
            one.approval.risk or "-",
            f"until {one.approval.expires_at}" if one.approval.expires_at else "-",
            one.approval.subject or "-",
        )
        for one in found
    ]
    face.data([request_view(one) for one in found], *columns(rows))
    waiting = [one for one in found if one.status == "open"]
    if waiting:
        face.say(f"next: esaa approve {waiting[0].approval_id} --as NAME")
    exit_with(1 if waiting else 0)


@click.command()
@click.argument("approval_id", metavar="ID")
@face_options
@pass_face
def approve(face: Face, approval_id: str, name: str, reason: str, sha256: str | None, dry_run: bool) -> None:
    """Allow what a request asks for. The next run commits it, without asking the agent again.

    Example: esaa approve AP-0123456789 --as ada --reason "read it line by line"
    """
    _decide(face, approval_id, name, reason, sha256, grant=True, dry_run=dry_run)


@click.command()
@click.argument("approval_id", metavar="ID")
@face_options
@pass_face
def deny(face: Face, approval_id: str, name: str, reason: str, sha256: str | None, dry_run: bool) -> None:
    """Refuse what a request asks for. The agent is told the reason, and may do better.

    Example: esaa deny AP-0123456789 --as ada --reason "it drops the index"
    """
    _decide(face, approval_id, name, reason, sha256, grant=False, dry_run=dry_run)


for _option in _decision_options:
    approve, deny = _option(approve), _option(deny)


def _decide(
    face: Face, approval_id: str, name: str, reason: str, sha256: str | None, *, grant: bool, dry_run: bool
) -> None:
    from esaa.open import open_trail
    from esaa.runtime.operations.approvals import decide, request_view

    workspace = face.workspace()
    done = decide(
        open_trail(workspace.root),
        workspace.rules,
        approval_id,
        grant=grant,
        by=name,
        reason=reason,
        content_sha256=sha256,
        dry_run=dry_run,
    )
    prefix = "would be: " if done.is_dry_run else "already done: " if done.is_repeat else ""
    verb = "allowed" if grant else "denied"
    answer = {"dry_run": dry_run, "repeat": done.is_repeat, "event_id": done.event_id, **request_view(done.request)}
    face.data(answer, f"{prefix}{approval_id} is {verb} by {name}: {done.request.approval.subject}")
    face.say("next: esaa run")


def _show(face: Face, approval_id: str) -> None:
    from esaa.errors import NotFound
    from esaa.open import open_trail
    from esaa.runtime.operations.approvals import content_of, find, request_view

    workspace = face.workspace()
    request = find(open_trail(workspace.root), approval_id)
    content = content_of(workspace, request)
    if content is None:
        raise NotFound(
            "ANSWER_NOT_FOUND",
            f"The answer that {approval_id} is about is not kept here.",
            "It was settled, or it lies on the machine that asked; the digest in the request names it.",
        )
    text = content.decode("utf-8", "replace")
    face.data({**request_view(request), "content": text}, text)
