"""What the commands for now say of another moment: `esaa status --at`, `esaa verify --at`, `esaa show --issue`."""

from __future__ import annotations

import json

from esaa.cli.face import Face, exit_with
from esaa.cli.pasts import builtins, change_lines, entry_line, opened, short
from esaa.cli.terminal import columns
from esaa.runtime.history.opening import LOG


def project_then(face: Face, at: str) -> None:
    """Where the project stood at a moment."""
    with opened(face, LOG) as machine:
        board = machine.board(at)
        run = machine.state(str(board.at), pointer="/run").value or {}
        verification = machine.state(str(board.at), pointer="/verification").value or {}
    counts = ", ".join(f"{count} {name}" for name, count in sorted(board.counts.items())) or "no tasks"
    lines = [
        f"at #{board.at}: {counts}",
        f"run {run.get('run_id') or '-'}: {run.get('status')}, verify_status={verification.get('status')}",
    ]
    rows = [
        (card.task_id, card.status, card.owner or "-", card.title) for column in board.columns for card in column.cards
    ]
    more = [one for one in board.columns if one.next is not None]
    face.data({**builtins(board), "run": run, "verification": verification}, *lines, *columns(rows))
    for column in more:
        face.say(f"{column.total - len(column.cards)} more {column.status}")


def task_then(face: Face, task_id: str, at: str) -> None:
    """Where a task stood at a moment, and everything that had changed it by then."""
    with opened(face, LOG) as machine:
        answer = machine.task(task_id, at)
    task = answer.task
    lines = [
        f"{task_id} ({task.get('task_kind')}): {task.get('title')}",
        f"at #{answer.at}: {task.get('status')}, owner {task.get('assigned_to') or '-'}",
    ]
    lines += [f"issue {one.get('issue_id')} ({one.get('severity')}): {one.get('title')}" for one in answer.issues]
    lines += columns([(f"#{one.seq}", one.ts, one.actor, one.status, one.summary) for one in answer.versions])
    lines += [f"file {one.path}, written at #{one.seq}" for one in answer.files]
    face.data(builtins(answer), *lines)


def show_of_stream(face: Face, event: str, issue: str) -> None:
    """One event of the trail in full."""
    with opened(face, issue) as machine:
        answer = machine.event(event)
    body = json.dumps(answer.payload, ensure_ascii=False, indent=2).splitlines()
    lines = [entry_line(answer.entry), *body, f"leaf hash {answer.entry.leaf_hash}"]
    lines += [f"because of  {entry_line(one)}" for one in answer.causes]
    face.data(builtins(answer), *lines, *change_lines(answer.changes))


def proof_then(face: Face, at: str) -> None:
    """How well a moment is proved. Ends with 4 where it lies behind damage."""
    with opened(face, LOG) as machine:
        answer = machine.proof(at)
    lines = [f"#{answer.at}: leaf hash {answer.hash_at or '-'}, Merkle root {answer.root_at or 'not computed'}"]
    lines += [f"#{one.from_} to #{one.to}  {one.kind}  {one.text}" for one in answer.rail]
    lines += [f"checkpoint of #{one.seq}  {one.root}  {short(', '.join(one.signed_by))}" for one in answer.checkpoints]
    face.data(builtins(answer), *lines)
    is_broken = any(one.kind == "broken" and one.from_ <= answer.at for one in answer.rail)
    exit_with(4 if is_broken else 0)
