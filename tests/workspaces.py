"""Workspaces for tests: made in a temporary folder, on a clock that stands still, with agents that play a script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from esaa.agents.base import Agent
from esaa.agents.scripted import Script, ScriptedAgent
from esaa.config import Config
from esaa.contracts.load import parse_governance
from esaa.kernel.canonical import compact
from esaa.open import open_workspace
from esaa.protocol.commands import CreateTask, Submit
from esaa.protocol.result import parse_result
from esaa.protocol.scheduling import Order
from esaa.protocol.wire import action_of
from esaa.runtime.clock import Clock, ManualClock
from esaa.runtime.initialise import write_contracts, write_first_log
from esaa.runtime.orchestrator import Orchestrator, RunReport
from esaa.runtime.verification.verify import Verdict, find_target, verify
from esaa.runtime.workspace import Receipt, Workspace
from esaa.stores.contracts import shipped_files
from esaa.stores.disk import Disk

MORNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

Edits = Mapping[str, Sequence[tuple[str, str]]]
"""Changes to the shipped contracts: by file name, texts and what replaces them."""

NO_COOLDOWN: Edits = {"RUNTIME_POLICY.yaml": [("cooldown: PT2M", "cooldown: PT0S")]}

TWO_IMPLEMENTERS: Edits = {
    "agents_swarm.yaml": [
        ("  agent-qa:\n", "  agent-impl-2:\n    roles: [impl]\n    adapter: manual\n  agent-qa:\n"),
        (
            "impl: {agent: agent-impl, template: impl.core}",
            "impl: {agent: [agent-impl, agent-impl-2], template: impl.core}",
        ),
    ]
}


def new_task(task_id: str, kind: str = "impl", *, outputs: Iterable[str] = (), after: Iterable[str] = ()) -> CreateTask:
    """A task for a plan."""
    return CreateTask(
        task_id=task_id, task_kind=kind, title=f"Make {task_id}", outputs=tuple(outputs), depends_on=tuple(after)
    )


def contract_files(edits: Edits | None = None) -> dict[str, bytes]:
    """The shipped contracts with some texts replaced; each text must be there."""
    files = shipped_files("0.4.0")
    for name, changes in (edits or {}).items():
        text = files[name].decode()
        for old, new in changes:
            assert old in text, f"{name} does not hold {old!r}"
            text = text.replace(old, new)
        files[name] = text.encode()
    return files


def make_workspace(
    root: Path,
    tasks: Sequence[CreateTask] = (),
    *,
    edits: Edits | None = None,
    clock: Clock | None = None,
    disk: Disk | None = None,
) -> Workspace:
    """A new workspace in `root` with a plan, opened."""
    clock = clock or ManualClock(MORNING)
    files = contract_files(edits)
    write_contracts(root / ".roadmap", files, Disk())
    write_first_log(root / ".roadmap", parse_governance(files), clock, Disk(), tasks)
    return reopen(root, clock=clock, disk=disk)


def reopen(
    root: Path, *, clock: Clock | None = None, disk: Disk | None = None, lock_timeout_s: float = 10.0
) -> Workspace:
    """The workspace again, as another process would open it. The user's configuration lies beside the project."""
    return open_workspace(
        root,
        Config(config_dir=str(root.parent / "config"), lock_timeout_s=lock_timeout_s),
        clock=clock or ManualClock(MORNING),
        disk=disk or Disk(),
    )


def verdict(root: Path) -> Verdict:
    """The strictest verification there is."""
    return verify(find_target(root), strict=True, hash_all=True, files=True)


def assert_sound(root: Path) -> None:
    """Nothing at all is wrong with the workspace."""
    found = verdict(root)
    assert found.verify_status == "ok", found.findings
    assert found.findings == ()


def log_bytes(root: Path) -> bytes:
    """The log as it lies on the disk."""
    return (root / ".roadmap" / "activity.jsonl").read_bytes()


def log_lines(root: Path) -> list[dict[str, Any]]:
    """The log's events as plain JSON."""
    return [json.loads(line) for line in log_bytes(root).splitlines()]


def actions(root: Path) -> list[str]:
    """The log's actions in order."""
    return [str(event["action"]) for event in log_lines(root)]


def payloads(root: Path, action: str) -> list[dict[str, Any]]:
    """The payloads of the events of one action."""
    return [event["payload"] for event in log_lines(root) if event["action"] == action]


def actions_of(receipt: Receipt) -> list[str]:
    """The actions that a command led to."""
    return [action_of(event.fact) for event in receipt.events]


def result(action: str, task_id: str, *, files: Mapping[str, str] | None = None, **fields: Any) -> bytes:
    """The bytes of an agent result; a `complete` has a check, a `review` approves, where nothing else is said."""
    event: dict[str, Any] = {"action": action, "task_id": task_id}
    if action == "complete":
        event["verification"] = {"checks": [f"{task_id} was read line by line"]}
    if action == "review":
        event |= {"decision": "approve", "tasks": [task_id]}
    value: dict[str, Any] = {"activity_event": event | fields}
    if files:
        value["file_updates"] = [{"path": path, "content": content} for path, content in files.items()]
    return compact(value)


def issue(task_id: str, issue_id: str, severity: str, **fields: Any) -> bytes:
    """The bytes of an issue report."""
    evidence = {"symptom": "it is wrong", "repro_steps": ["look at it"]}
    return result(
        "issue.report", task_id, issue_id=issue_id, severity=severity, title="A defect", evidence=evidence, **fields
    )


def submit(workspace: Workspace, actor: str, data: bytes, command_id: str | None = None) -> Receipt:
    """Puts an agent result to the workspace."""
    return workspace.commit(Submit(actor=actor, result=parse_result(data, workspace.rules)), command_id)


class Watcher:
    """An observer that keeps what it was told, and how many dispatches were in flight at the most."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.receipts: list[tuple[Order, Receipt]] = []
        self.sayings: list[str] = []
        self.in_flight: list[Order] = []
        self.most_in_flight = 0
        self.claims_at_once = 0

    def dispatched(self, order: Order) -> None:
        """An agent was asked."""
        self.orders.append(order)
        self.in_flight.append(order)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        claims = sum(one.action == "claim" for one in self.in_flight)
        self.claims_at_once = max(self.claims_at_once, claims)

    def settled(self, order: Order, receipt: Receipt) -> None:
        """Its answer was taken."""
        self.receipts.append((order, receipt))
        self.in_flight.remove(order)

    def said(self, text: str) -> None:
        """Something else."""
        self.sayings.append(text)


async def run(
    workspace: Workspace,
    agent: Agent | Script | None = None,
    *,
    watcher: Watcher | None = None,
    parallel: int = 1,
    steps: int | None = None,
    run_id: str | None = None,
) -> RunReport:
    """One run in which a single agent, or a script, answers for every actor. Without one, all obey."""
    answering: Agent = ScriptedAgent(agent) if agent is None or callable(agent) else agent
    orchestrator = Orchestrator(workspace, lambda actor: answering, watcher or Watcher())
    return await orchestrator.run(run_id=run_id, parallel=parallel, steps=steps)
