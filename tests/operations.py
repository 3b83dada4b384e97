"""Workspaces with budgets and approvals, agents that count their calls, and what the trail says of it all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from esaa.agents.base import Answer, Dispatch, Usage
from esaa.agents.scripted import obedient
from esaa.config import Config
from esaa.kernel.canonical import canonical
from esaa.open import open_gate, open_trail
from esaa.protocol.commands import CreateTask
from esaa.runtime.clock import Clock, ManualClock
from esaa.runtime.operations.run_gate import RunGate
from esaa.runtime.orchestrator import Orchestrator, RunReport
from esaa.runtime.trail.trail import Trail
from esaa.runtime.workspace import Workspace
from esaa.stores.disk import Disk
from tests.workspaces import MORNING, Edits, Watcher, make_workspace

END = "unknown_actors:\n"


def with_policy(text: str, *, cooldown: bool = False) -> Edits:
    """The shipped contracts with further keys in RUNTIME_POLICY, and no cooldown."""
    changes = [(END, f"{text}\n{END}")]
    return {"RUNTIME_POLICY.yaml": changes if cooldown else [*changes, ("cooldown: PT2M", "cooldown: PT0S")]}


def governed(root: Path, text: str, tasks: Sequence[CreateTask], clock: Clock | None = None) -> Workspace:
    """A workspace whose RUNTIME_POLICY has further keys."""
    return make_workspace(root, tasks, edits=with_policy(text), clock=clock or ManualClock(MORNING))


def settings(root: Path) -> Config:
    """The user's configuration, beside the project."""
    return Config(config_dir=str(root.parent / "config"))


def gate_of(workspace: Workspace) -> RunGate:
    """The gate that `esaa run` opens."""
    return open_gate(workspace, settings(workspace.root))


def trail_of(workspace: Workspace) -> Trail:
    """The trail beside the workspace, on its clock."""
    return open_trail(workspace.root, settings(workspace.root), clock=workspace.clock, disk=Disk())


def told(root: Path, *prefixes: str, stream: str = "global") -> list[dict[str, Any]]:
    """The metadata of the trail's events whose types begin so, each with its type under `type`."""
    events = [
        json.loads(line)
        for path in sorted((root / ".roadmap" / "events").rglob("events*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    events = [one for one in events if (one["issue_key"] or "global") == stream]
    return [
        {"type": one["event_type"], "actor": one["actor"], **one["metadata"]}
        for one in sorted(events, key=lambda one: int(one["event_sequence"]))
        if one["event_type"].startswith(prefixes)
    ]


Script = Callable[[Dispatch, dict[str, Any]], dict[str, Any] | bytes]


class PaidAgent:
    """Answers for every actor as a script says, costs something each time, and counts how often it was asked."""

    def __init__(
        self, usage: Usage | None = None, script: Script = obedient, *, clock: ManualClock | None = None
    ) -> None:
        self.usage = usage or Usage()
        self.asked: list[tuple[str, str]] = []
        self.timeouts: list[float] = []
        self.takes_s = 0.0
        self._script = script
        self._clock = clock

    async def answer(self, dispatch: Dispatch) -> Answer:
        """One answer, after `takes_s` seconds of the clock."""
        self.asked.append((dispatch.order.task_id, dispatch.order.action))
        self.timeouts.append(dispatch.timeout_s)
        if self._clock is not None:
            await self._clock.sleep(self.takes_s)
        said = self._script(dispatch, json.loads(dispatch.context))
        return Answer(result=said if isinstance(said, bytes) else canonical(said), usage=self.usage)


async def work(
    workspace: Workspace, agent: Any, *, parallel: int = 1, watcher: Watcher | None = None, issue_key: str | None = None
) -> RunReport:
    """One run through the gate."""
    with gate_of(workspace) as gate:
        orchestrator = Orchestrator(workspace, lambda actor: agent, watcher or Watcher(), gate)
        return await orchestrator.run(run_id=None, parallel=parallel, steps=None, issue_key=issue_key)
