"""`esaa run`: the orchestrator's loop, watched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.face import Face, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.agents.base import Agent
    from esaa.runtime.orchestrator import RunReport
    from esaa.runtime.workspace import Workspace

_EXIT = {"success": 0, "paused": 0, "waiting": 1, "failed": 1, "halted": 1}


@click.command()
@click.option("--run-id", metavar="ID", help="The run to go on with, or the id of a new one.")
@click.option(
    "--issue",
    metavar="KEY",
    help="The tracker issue that the run belongs to, such as PROJ-123: the trail is told there (default: globally).",
)
@click.option(
    "--agent",
    "adapter",
    metavar="ADAPTER[:ARG]",
    help="Answers for every actor: scripted, cassette:DIR, command:PROGRAM (default: agents_swarm.yaml).",
)
@click.option("--parallel", type=click.IntRange(1, 64), metavar="N", help="How many agents work at once (default: 1).")
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Stop after N results; the run stays open.")
@click.option(
    "--record",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep every answer in DIR, playable as a cassette.",
)
@click.option("--dry-run", is_flag=True, help="Say who would be asked what, ask nobody.")
@face_options
@pass_face
def run(
    face: Face,
    run_id: str | None,
    issue: str | None,
    adapter: str | None,
    parallel: int | None,
    steps: int | None,
    record: Path | None,
    dry_run: bool,
) -> None:
    """Run the project: dispatch agents, validate what they send, apply what is accepted, until no way leads on.

    Interrupted at any point, the next `esaa run` goes on. Ends with 0 when all tasks are done (or after --steps),
    1 when the run failed, halted or waits for a person.

    Example: esaa run --issue PROJ-123 --parallel 2
    """
    import asyncio

    from esaa.agents.marks import end_abandoned
    from esaa.cli.progress import make_observer
    from esaa.open import open_feed, open_gate
    from esaa.runtime.orchestrator import Orchestrator
    from esaa.stores.lock import writer_lock

    if issue is not None:
        from esaa.runtime.trail.feed import require_issue_key

        require_issue_key(issue)
    if dry_run:
        _show_plan(face, face.workspace())
        return
    workspace = face.workspace()
    feed = open_feed(workspace.root, rules=workspace.rules)
    workspace.subscribers[:] = [feed.follow]
    agents = _agents(workspace, adapter, record)
    limit = workspace.rules.runtime.dispatch.parallel_max
    lock = workspace.roadmap / ".esaa" / "run.lock"
    with writer_lock(lock, timeout_s=0, what="another `esaa run`"):
        end_abandoned()
        feed.begin()
        face.mend(workspace)
        first = workspace.state().seq
        with open_gate(workspace) as gate, make_observer(face, workspace) as observer:
            orchestrator = Orchestrator(workspace, agents.get, observer, gate, () if record is None else (record,))
            running = orchestrator.run(run_id=run_id, parallel=min(parallel or 1, limit), steps=steps, issue_key=issue)
            report = asyncio.run(running)
        for notice in (*gate.notices, *feed.finish()):
            face.warn(notice)
    if issue is not None and workspace.state().header.run.issue_key != issue:
        face.warn(f"{issue} is not bound: {report.message}")
    _tell(face, workspace, report, workspace.state().seq - first)
    exit_with(_EXIT[report.outcome])


def _agents(workspace: Workspace, adapter: str | None, record: Path | None) -> dict[str, Agent | None]:
    from functools import partial

    from esaa.agents.bounds import Bounds
    from esaa.agents.cassette import RecordingAgent
    from esaa.agents.resolve import Ground, make_agent
    from esaa.contracts.swarm import MONITOR
    from esaa.protocol.scheduling import Order

    def bounds_of(order: Order) -> Bounds:
        task = workspace.state().task(order.task_id)
        assert task is not None, "an order is about a task of the state"
        return Bounds(task=task, contract=workspace.rules.agent, action=order.action)

    agents: dict[str, Agent | None] = {}
    output_bytes_max = workspace.rules.runtime.dispatch.output_bytes_max
    for name, actor in workspace.rules.swarm.actors.items():
        if name == MONITOR:
            continue
        ground = Ground(
            enclosure_of=partial(workspace.enclosure_of, name),
            bounds_of=bounds_of,
            confines_commands=workspace.rules.runtime.sandbox is not None or actor.sandbox is not None,
        )
        agent = make_agent(adapter or actor.adapter, workspace.root, output_bytes_max, actor, ground)
        agents[name] = RecordingAgent(agent, record) if agent is not None and record is not None else agent
    return agents


def _show_plan(face: Face, workspace: Workspace) -> None:
    import msgspec

    from esaa.cli.terminal import columns
    from esaa.protocol.scheduling import plan

    current = plan(workspace.state(), workspace.rules, workspace.now())
    rows = [("ask", one.actor, one.action, one.task_id, f"attempt {one.attempt}") for one in current.orders]
    lines = columns(rows) + columns([("waits", one.task_id, one.reason) for one in current.waiting])
    face.data(msgspec.to_builtins(current), *(lines or ["nothing to do"]))


def _tell(face: Face, workspace: Workspace, report: RunReport, events: int) -> None:
    import msgspec

    from esaa.protocol.blocking import escalation

    state = workspace.state()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(state.tasks.by_status.items())) or "no tasks"
    lines = [f"run {report.run_id}: {report.outcome} ({report.message})"]
    lines.append(f"{report.results} results, {events} events, {len(report.rejections)} rejected; tasks: {counts}")
    for order, rejected in report.rejections:
        lines.append(f"rejected: {order.actor} on {order.task_id} ({order.action}), {rejected.error_code}")
        lines.append(f"  {rejected.message}")
    flagged = [issue for issue in state.open_issues() if escalation(issue, workspace.rules) != "log_only"]
    lines += [f"open issue: {one.issue_id} ({one.severity}) on {one.about_task_id}: {one.title}" for one in flagged]
    if report.outcome != "success":
        lines += [f"waits: {one.task_id} {one.reason}" for one in report.waiting]
    answer = {
        "outcome": report.outcome,
        "run_id": report.run_id,
        "message": report.message,
        "results": report.results,
        "events": events,
        "rejections": [
            {"order": msgspec.to_builtins(order), "rejected": msgspec.to_builtins(rejected)}
            for order, rejected in report.rejections
        ],
        "waiting": [msgspec.to_builtins(one) for one in report.waiting],
        "tasks": {"by_status": state.tasks.by_status},
        "flagged_issues": [issue.issue_id for issue in flagged],
    }
    face.data(answer, *lines)
    following = {
        "success": "esaa verify --strict --files",
        "paused": "esaa run",
        "waiting": "esaa status",
        "failed": "esaa status",
        "halted": "esaa status",
    }
    face.say(f"next: {following[report.outcome]}")
