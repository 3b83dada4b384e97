"""The readers: status, log, show, dispatch-context."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from esaa.cli.face import Face, face_options, pass_face
from esaa.cli.terminal import columns, for_screen, plain
from esaa.errors import NotFound, UsageError

if TYPE_CHECKING:
    from esaa.kernel.recorded import Recorded
    from esaa.protocol.facts import Fact
    from esaa.protocol.state import State
    from esaa.runtime.workspace import Workspace


_ROWS_SHOWN = 20


@click.command()
@click.argument("task", required=False)
@click.option("--at", "moment", metavar="REF", help="Where it stood then: 12, HEAD~3, a time, @{2h} or an event id.")
@face_options
@pass_face
def status(face: Face, task: str | None, moment: str | None) -> None:
    """Say where the project stands, or where one task does; with --at, where it stood.

    Example: esaa status T-1000 --at HEAD~20
    """
    if moment is not None:
        from esaa.cli.earlier import project_then, task_then

        if task is None:
            project_then(face, moment)
        else:
            task_then(face, task, moment)
        return
    workspace = face.workspace()
    if task is None:
        _project_status(face, workspace)
    else:
        _task_status(face, workspace, task)


def _project_status(face: Face, workspace: Workspace) -> None:
    from esaa.protocol.blocking import escalation
    from esaa.protocol.scheduling import plan

    state = workspace.state()
    header = state.header
    current = plan(state, workspace.rules, workspace.now())
    issues = state.open_issues()
    # `log_only` means just that; from `log_and_flag` on an open issue is put before everyone who looks.
    flagged = [issue for issue in issues if escalation(issue, workspace.rules) != "log_only"]
    answer: dict[str, Any] = {
        "project": header.project_name,
        "run": msgspec.to_builtins(header.run),
        "last_event_seq": state.seq,
        "updated_at": header.last_ts,
        "verify_status": header.verify_status,
        "tasks": {"total": len(state.tasks), "by_status": state.tasks.by_status, "by_kind": state.tasks.by_kind},
        "next": [msgspec.to_builtins(order) for order in current.orders],
        "waiting": [msgspec.to_builtins(one) for one in current.waiting],
        "open_issues": [issue.issue_id for issue in issues],
        "flagged_issues": [issue.issue_id for issue in flagged],
    }
    counts = ", ".join(f"{count} {name}" for name, count in sorted(state.tasks.by_status.items())) or "no tasks"
    run = header.run
    lines = [
        f"{header.project_name}: {counts}",
        f"run {run.run_id or '-'}: {run.status}{'' if run.is_open else ' (ended)'}, event #{state.seq},"
        f" {header.last_ts or '-'}, verify_status={header.verify_status}",
    ]
    lines += [f"issue {one.issue_id} ({one.severity}) on {one.about_task_id}: {one.title}" for one in flagged]
    lines += _few([("next", order.task_id, f"{order.action} by {order.actor}") for order in current.orders])
    lines += _few([("waits", one.task_id, one.reason) for one in current.waiting])
    face.data(answer, *lines)


def _few(rows: list[tuple[str, str, str]]) -> list[str]:
    """The first rows as lines, and how many more there are."""
    lines = columns(rows[:_ROWS_SHOWN])
    if len(rows) > _ROWS_SHOWN:
        lines.append(f"... and {len(rows) - _ROWS_SHOWN} more (`esaa task list`, or --json for all)")
    return lines


def _task_status(face: Face, workspace: Workspace, task_id: str) -> None:
    state = workspace.state()
    task = state.task(task_id)
    if task is None:
        raise NotFound("TASK_NOT_FOUND", f"There is no task {task_id!r}.", near_task(task_id, state))
    issues = state.open_issues(task_id)
    work = state.work(task_id)
    answer = {
        "task": msgspec.to_builtins(task),
        "work": msgspec.to_builtins(work),
        "open_issues": [issue.issue_id for issue in issues],
    }
    lines = [
        f"{task.task_id} ({task.task_kind}): {task.title}",
        f"status {task.status}, owner {task.assigned_to or '-'}, attempts used {work.attempts}",
    ]
    if task.depends_on:
        waits = [f"{name} ({found.status if (found := state.task(name)) else 'unknown'})" for name in task.depends_on]
        lines.append(f"depends on {', '.join(waits)}")
    if task.output_files:
        lines.append(f"outputs {', '.join(task.output_files)}")
    lines += [f"issue {issue.issue_id} ({issue.severity}): {issue.title}" for issue in issues]
    if work.last_rejection is not None:
        lines.append(f"last rejection {work.last_rejection['error_code']}: {work.last_rejection['message']}")
    face.data(answer, *lines)


@click.command()
@click.argument("moments", metavar="[REF|A..B]", required=False)
@click.option("--action", "actions", multiple=True, metavar="NAME", help="Only this action; may be given often.")
@click.option("--actor", "actors", multiple=True, metavar="NAME", help="Only this actor; may be given often.")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this task; may be given often.")
@click.option("--text", metavar="WORDS", default="", help="Only events that hold all these words.")
@click.option("--rejections", is_flag=True, help="Only what was refused.")
@click.option("-n", "count", type=click.IntRange(1), help="Only the last COUNT that match.", metavar="COUNT")
@face_options
@pass_face
def log(
    face: Face,
    moments: str | None,
    actions: tuple[str, ...],
    actors: tuple[str, ...],
    tasks: tuple[str, ...],
    text: str,
    rejections: bool,
    count: int | None,
) -> None:
    """Print events, the oldest first; with --json the stored lines as they are.

    REF is #12, EV-00000012, HEAD~3, a time such as 2026-02-27T01:25:22Z, or @{2h}.

    Example: esaa log HEAD~20.. --task T-1000
    """
    from collections import deque

    from esaa.protocol.facts import OutputRejected
    from esaa.protocol.summary import summary, task_of
    from esaa.protocol.wire import action_of

    words = text.casefold().split()

    def wanted(line: bytes, recorded: Recorded[Fact]) -> bool:
        return (
            (not actions or action_of(recorded.fact) in actions)
            and (not actors or recorded.actor in actors)
            and (not tasks or task_of(recorded.fact) in tasks)
            and (not rejections or isinstance(recorded.fact, OutputRejected))
            and (not words or _holds(words, f"{line.decode('utf-8', 'replace')} {summary(recorded.fact)}"))
        )

    found: Iterator[tuple[bytes, Recorded[Fact]]] = (one for one in _events(face, moments) if wanted(*one))
    is_empty = True
    for line, recorded in deque(found, maxlen=count) if count is not None else found:
        is_empty = False
        if face.is_json:
            click.echo(plain(line.decode("utf-8", "replace")) if sys.stdout.isatty() else line)
        else:
            head = f"#{recorded.version}  {recorded.ts}  {recorded.actor}  {action_of(recorded.fact)}"
            click.echo(plain(f"{head}  {summary(recorded.fact)}"))
    if is_empty:
        face.say("no event matches; `esaa log -n 5` shows the last ones")


@click.command()
@click.argument("event", metavar="REF")
@click.option("--issue", metavar="KEY", help="An event of this stream of the trail (default: of the governed log).")
@face_options
@pass_face
def show(face: Face, event: str, issue: str | None) -> None:
    """Print one event in full, with the hash of its line; `esaa why` says what led to it.

    Example: esaa show EV-00000012
    """
    if issue is not None:
        from esaa.cli.earlier import show_of_stream

        show_of_stream(face, event, issue)
        return
    from esaa.kernel.chain import leaf_hash
    from esaa.protocol.summary import summary

    if ".." in event:
        raise UsageError("REF_INVALID", f"{event!r} names more than one event.", "Use `esaa log A..B`.")
    for line, recorded in _events(face, event):
        stored: dict[str, Any] = json.loads(line)
        answer = {"event": stored, "leaf_hash": leaf_hash(line), "summary": summary(recorded.fact)}
        head = f"#{recorded.version} {recorded.ts} {recorded.actor}: {summary(recorded.fact)}"
        body = json.dumps(stored, ensure_ascii=False, indent=2).splitlines()
        face.data(answer, head, *body, f"leaf hash {leaf_hash(line)}")
        return
    raise NotFound("EVENT_NOT_FOUND", f"There is no event {event!r}.", "`esaa log -n 5` shows the last ones.")


@click.command("dispatch-context")
@click.argument("task")
@face_options
@pass_face
def dispatch_context(face: Face, task: str) -> None:
    """Print what an agent gets with a task: the purified view as JSON, never raw history.

    Example: esaa dispatch-context T-1000
    """
    from esaa.protocol.scheduling import order_for
    from esaa.runtime.briefing import brief

    workspace = face.workspace()
    state = workspace.state()
    found = state.task(task)
    if found is None:
        raise NotFound("TASK_NOT_FOUND", f"There is no task {task!r}.", near_task(task, state))
    order = order_for(found, state, workspace.rules)
    if order is None:
        raise UsageError("NOTHING_TO_ASK", f"{task} is {found.status}: nobody is asked about it.", "See `esaa status`.")
    context = brief(workspace, order).decode()
    click.echo(for_screen(context) if sys.stdout.isatty() else context, nl=False)


def _holds(words: list[str], text: str) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def _events(face: Face, moments: str | None) -> Iterator[tuple[bytes, Recorded[Fact]]]:
    """The stored lines and events of the log. History can be read whatever became of the contracts."""
    from esaa.open import find_log
    from esaa.runtime.clock import SystemClock
    from esaa.runtime.timeline import events_in

    return events_in(find_log(face.find_root()), moments, SystemClock().now())


def near_task(task_id: str, state: State) -> str:
    """A hint at the task that was meant, for who named one that is not there."""
    from difflib import get_close_matches

    near = get_close_matches(task_id, state.tasks.ids(), n=1)
    return f"Did you mean {near[0]}?" if near else "`esaa task list` names all tasks."
