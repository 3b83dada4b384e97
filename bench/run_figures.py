"""What a run costs beside its agents: the CPU of the orchestrator for each accepted result, its children not counted.

Started as a program it makes one run in a folder and prints what it took: the figure is that of a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import textwrap
from pathlib import Path

from bench.figure import Figure
from bench.measure import cpu_of
from esaa.agents.command import CommandAgent
from esaa.config import Config
from esaa.contracts.load import parse_governance
from esaa.open import open_workspace
from esaa.protocol.commands import CreateTask
from esaa.protocol.scheduling import Order
from esaa.runtime.clock import SystemClock
from esaa.runtime.initialise import write_contracts, write_first_log
from esaa.runtime.orchestrator import Orchestrator
from esaa.runtime.workspace import Receipt
from esaa.stores.contracts import shipped_files
from esaa.stores.disk import Disk

BAR_MS = 50
"""Milliseconds of CPU for each accepted result."""

_AGENT = textwrap.dedent(
    """
    import json, sys
    context = json.load(sys.stdin)
    ask = context["ask"]
    event = {"action": ask["action"], "task_id": ask["task_id"], "prior_status": ask["prior_status"]}
    answer = {"activity_event": event}
    if ask["action"] == "complete":
        event["verification"] = {"checks": ["the file has a hundred lines"]}
        paths = context["task"]["outputs"]["files"]
        answer["file_updates"] = [{"path": path, "content": 100 * (ask["task_id"] + "\\n")} for path in paths]
    if ask["action"] == "review":
        event.update(decision="approve", tasks=[ask["task_id"]])
    print(json.dumps(answer))
    """
)


def overhead(scratch: Path, tasks: int, repeats: int) -> list[Figure]:
    """The figure, as the median of `repeats` runs of `tasks` tasks with four agents at once."""
    taken: list[dict[str, float]] = []
    for repeat in range(repeats):
        folder = scratch / f"overhead-{repeat}"
        folder.mkdir(parents=True)
        taken.append(_in_a_process(folder, tasks))
    taken.sort(key=lambda one: one["cpu_ms_per_result"])
    middle = taken[len(taken) // 2]
    return [
        Figure(
            name="run: CPU of the orchestrator per accepted result (command adapter, no sandbox, children not counted)",
            ratio=middle["cpu_ms_per_result"],
            bar=BAR_MS,
            unit=" ms",
            detail={
                **middle,
                "tasks": tasks,
                "runs": " ".join(f"{one['cpu_ms_per_result']:.1f}" for one in taken),
                "json_yardstick_ms": 1000 * cpu_of(_yardstick, 5),
            },
        )
    ]


def _in_a_process(folder: Path, tasks: int) -> dict[str, float]:
    import subprocess

    command = [sys.executable, "-m", "bench.run_figures", str(folder), str(tasks)]
    done = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).resolve().parents[1])
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _yardstick() -> None:
    """Something of this machine to compare with: a megabyte of JSON, there and back."""
    value = [{"number": number, "text": "x" * 80} for number in range(10_000)]
    json.loads(json.dumps(value))


def _run_once(folder: Path, count: int) -> dict[str, float]:
    root = folder / "project"
    files = shipped_files("0.4.0")
    disk, clock = Disk(), SystemClock()
    plan = [
        CreateTask(task_id=f"T-{number}", task_kind="impl", title=f"File {number}", outputs=(f"src/{number}.txt",))
        for number in range(count)
    ]
    write_contracts(root / ".roadmap", files, disk)
    write_first_log(root / ".roadmap", parse_governance(files), clock, disk, plan)
    workspace = open_workspace(root, Config(config_dir=str(folder / "config")), clock=clock, disk=disk)
    program = folder / "agent.py"
    program.write_text(_AGENT)
    agent = CommandAgent(f"{sys.executable} -I -S {program}", root, workspace.rules.runtime.dispatch.output_bytes_max)
    orchestrator = Orchestrator(workspace, lambda _: agent, _Silent())
    before = resource.getrusage(resource.RUSAGE_SELF)
    report = asyncio.run(orchestrator.run(run_id=None, parallel=4, steps=None))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert report.outcome == "success"
    assert report.rejections == ()
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return {
        "results": report.results,
        "cpu_ms_per_result": 1000 * (user + system) / report.results,
        "user_ms_per_result": 1000 * user / report.results,
        "system_ms_per_result": 1000 * system / report.results,
    }


class _Silent:
    def dispatched(self, order: Order) -> None:
        """Nothing."""

    def settled(self, order: Order, receipt: Receipt) -> None:
        """Nothing."""

    def said(self, text: str) -> None:
        """Nothing."""


if __name__ == "__main__":
    place, number = sys.argv[1:]
    print(json.dumps(_run_once(Path(place), int(number))))
