"""Thirty-two agents at once that all change the same few files: every accepted change is in the final files."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Agent, Answer, Dispatch
from esaa.agents.command import CommandAgent
from esaa.agents.scripted import obedient
from esaa.kernel.canonical import compact
from esaa.runtime.orchestrator import RunReport
from esaa.runtime.workspace import Workspace
from tests.simulation.projects import NoWaitingDisk
from tests.simulation.virtual_time import VirtualClock, run_virtually
from tests.workspaces import MORNING, Watcher, assert_sound, make_workspace, new_task, payloads, run

AGENTS = 32
FILES = ("src/a.txt", "src/b.txt", "src/c.txt", "src/d.txt")
SLOTS = 8
"""Fewer than agents for each file: some change the very same line."""

PAGE = "".join(f"slot {slot}:\n\n\n\n" for slot in range(SLOTS))


def number_of(task_id: str) -> int:
    return int(task_id.removeprefix("T-"))


def files_of(number: int) -> tuple[str, str]:
    return FILES[number % 4], FILES[(number + 1) % 4]


class Editor:
    """Adds its task's name to one line of two files, as contents or as edits, some time after it has read them."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    async def answer(self, dispatch: Dispatch) -> Answer:
        context = json.loads(dispatch.context)
        result = obedient(dispatch, context)
        await asyncio.sleep(self._draw.random() * 100)
        if dispatch.order.action == "complete":
            number = number_of(dispatch.order.task_id)
            result["file_updates"] = [_change(file, number, as_edits=number % 3 == 0) for file in context["files"]]
        return Answer(result=compact(result))


def _change(file: dict[str, Any], number: int, *, as_edits: bool) -> dict[str, Any]:
    slot = f"slot {number % SLOTS}:"
    if as_edits:
        edits = [{"old_string": slot, "new_string": f"{slot} T-{number}."}]
        return {"path": file["path"], "base_sha256": file["sha256"], "edits": edits}
    return {"path": file["path"], "content": file["text"].replace(slot, f"{slot} T-{number}.")}


def make(root: Path, conflicts: str, clock: VirtualClock | None = None) -> Workspace:
    tasks = [new_task(f"T-{number}", outputs=files_of(number)) for number in range(AGENTS)]
    edits = {"RUNTIME_POLICY.yaml": [("conflicts: serialise", f"conflicts: {conflicts}")]}
    workspace = make_workspace(root, tasks, edits=edits, clock=clock, disk=None if clock is None else NoWaitingDisk())
    for path in FILES:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(PAGE)
    return workspace


def assert_nothing_lost(root: Path, report: RunReport) -> None:
    """Every change is there once, in its line, and nothing else changed."""
    assert report.outcome == "success", report.message
    for path in FILES:
        writers = [number for number in range(AGENTS) if path in files_of(number)]
        text = (root / path).read_text()
        for number in writers:
            assert text.count(f" T-{number}.") == 1, f"{path} lost or doubled the change of T-{number}"
            (line,) = [one for one in text.splitlines() if f" T-{number}." in one]
            assert line.startswith(f"slot {number % SLOTS}:")
        assert len(text.splitlines()) == len(PAGE.splitlines())
    assert_sound(root)


def refusals(root: Path) -> Counter[str]:
    return Counter(payload["error_code"] for payload in payloads(root, "output.rejected"))


@pytest.mark.parametrize("conflicts", ["serialise", "reject", "merge"])
def test_every_accepted_change_of_32_agents_is_in_the_files(tmp_path: Path, conflicts: str) -> None:
    root = tmp_path / "project"
    watcher = Watcher()

    async def work() -> RunReport:
        workspace = make(root, conflicts, VirtualClock(MORNING))
        return await run(workspace, Editor(1), watcher=watcher, parallel=AGENTS)

    report = run_virtually(work())
    assert_nothing_lost(root, report)
    found = refusals(root)
    merges = [one for one in payloads(root, "orchestrator.file.write") if "merge" in one["effects"][0]]
    if conflicts == "serialise":
        assert found == {}
        assert merges == []
        return
    assert watcher.most_in_flight == AGENTS
    assert set(found) == {"WRITE_CONFLICT"}, "a conflict costs no attempt, however often it comes"
    assert found["WRITE_CONFLICT"] > AGENTS / 4
    assert bool(merges) == (conflicts == "merge")


@pytest.mark.slow
def test_32_real_programs_at_once_lose_nothing(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make(root, "merge")
    program = tmp_path / "agent.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import json, sys, time
            context = json.load(sys.stdin)
            ask = context["ask"]
            event = {{"action": ask["action"], "task_id": ask["task_id"], "prior_status": ask["prior_status"]}}
            answer = {{"activity_event": event}}
            number = int(ask["task_id"].removeprefix("T-"))
            if ask["action"] == "complete":
                time.sleep(0.3)
                event["verification"] = {{"checks": ["the line has the task's name"]}}
                slot = f"slot {{number % {SLOTS}}}:"
                answer["file_updates"] = [
                    {{"path": file["path"], "content": file["text"].replace(slot, f"{{slot}} T-{{number}}.")}}
                    for file in context["files"]
                ]
            if ask["action"] == "review":
                event |= {{"decision": "approve", "tasks": [ask["task_id"]]}}
            print(json.dumps(answer))
            """
        )
    )
    watcher = Watcher()
    agent: Agent = CommandAgent(f"{sys.executable} -I -S {program}", root, 100_000)
    report = asyncio.run(run(workspace, agent, watcher=watcher, parallel=AGENTS))
    assert_nothing_lost(root, report)
    assert watcher.most_in_flight == AGENTS
    assert set(refusals(root)) <= {"WRITE_CONFLICT"}
