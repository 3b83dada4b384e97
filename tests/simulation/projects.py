"""One simulation: a drawn project, drawn faults, kills and people who resolve issues, until the run has an end.

The same seed gives the same log, byte for byte. Nothing here reads the machine's clock, and no write waits for a disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from pathlib import Path

import msgspec

from esaa.errors import Halted
from esaa.protocol.commands import CreateTask, ResolveIssue
from esaa.runtime.orchestrator import RunReport
from esaa.runtime.workspace import Workspace
from esaa.stores.disk import Disk
from tests.simulation.faulty_agents import AdapterBroken, FaultyAgent
from tests.simulation.virtual_time import VirtualClock, run_virtually
from tests.workspaces import MORNING, TWO_IMPLEMENTERS, Edits, log_bytes, make_workspace, new_task, reopen, run, verdict

ENDS = ("success", "failed", "halted")
CALLS_MAX = 2_000
"""Who asks more often does not come to an end."""

_FOLDERS = {"spec": "docs/spec", "impl": "src", "qa": "tests"}


class DoesNotEnd(AssertionError):
    """A simulation goes on and on."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulation ended, and a digest of everything that it left in the project."""

    outcome: str
    digest: str
    events: int
    calls: int
    kills: int
    findings: tuple[str, ...]
    faults: dict[str, int]


class NoWaitingDisk(Disk):
    """The real disk, without waiting for it: a simulation cuts no power."""

    def fsync(self, fd: int) -> None:
        """Nothing."""

    def fdatasync(self, fd: int) -> None:
        """Nothing."""


def simulate(seed: int, folder: Path) -> Ended:
    """Plays the simulation of a seed in an empty folder."""
    return run_virtually(_Play(seed, folder).play())


class _Play:
    def __init__(self, seed: int, folder: Path) -> None:
        self._draw = random.Random(f"play {seed}")
        self._root = folder / "project"
        self._clock = VirtualClock(MORNING)
        self._disk = NoWaitingDisk()
        self._agent = FaultyAgent(seed, self._draw.choice((0.0, 0.05, 0.2, 0.5, 0.9)), self._clock)
        self._parallel = self._draw.choice((1, 2, 4, 8))
        self._kill_rate = self._draw.choice((0.0, 0.0, 0.3, 0.6))
        self._kills = 0

    async def play(self) -> Ended:
        """The whole of it."""
        make_workspace(self._root, _plan(self._draw), edits=_policy(self._draw), clock=self._clock, disk=self._disk)
        outcome = ""
        for _ in range(self._draw.randrange(1, 5)):
            outcome = await self._run_to_an_end()
            if outcome == "success" or not self._people_resolve():
                break
        found = verdict(self._root)
        findings = [f"{one.code} {one.where}:{one.line} {one.message}" for one in found.findings]
        if found.verify_status != "ok":
            findings.append(f"verify says {found.verify_status}")
        return Ended(
            outcome=outcome,
            digest=_digest(self._root),
            events=len(log_bytes(self._root).splitlines()),
            calls=self._agent.calls,
            kills=self._kills,
            findings=tuple(findings),
            faults=dict(sorted(self._agent.faults.items())),
        )

    async def _run_to_an_end(self) -> str:
        while True:
            if self._agent.calls > CALLS_MAX:
                raise DoesNotEnd(f"{self._agent.calls} calls")
            try:
                report = await self._run_until_killed()
            except Halted:
                return "halted"
            except AdapterBroken:
                self._kills += 1
                continue
            if report is None:
                self._kills += 1
                continue
            return report.outcome

    async def _run_until_killed(self) -> RunReport | None:
        self._agent.workspace = self._open()
        running = asyncio.ensure_future(run(self._agent.workspace, self._agent, parallel=self._parallel))
        patience_s = self._draw.choice((0.1, 5.0, 700.0)) if self._draw.random() < self._kill_rate else None
        done, _ = await asyncio.wait([running], timeout=patience_s)
        if not done:
            running.cancel()
            await asyncio.wait([running])
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a run that has ended leaves nobody behind"
        return None if running.cancelled() else running.result()

    def _people_resolve(self) -> bool:
        """A person looks at the open issues and resolves some; False where there is nothing to do."""
        workspace = self._open()
        issues = [issue.issue_id for issue in workspace.state().open_issues()]
        for issue_id in issues:
            if self._draw.random() < 0.8:
                workspace.commit(ResolveIssue(issue_id=issue_id))
        return bool(issues)

    def _open(self) -> Workspace:
        return reopen(self._root, clock=self._clock, disk=self._disk)


def _plan(draw: random.Random) -> list[CreateTask]:
    tasks: list[CreateTask] = []
    for number in range(draw.randrange(1, 8)):
        kind = draw.choice(("spec", "impl", "impl", "qa"))
        outputs = [] if draw.random() < 0.1 else [f"{_FOLDERS[kind]}/{draw.choice(('shared', f'T-{number}'))}.md"]
        if draw.random() < 0.2:
            outputs.append(f"{_FOLDERS[kind]}/more/{draw.randrange(3)}.md")
        after = [task.task_id for task in tasks if draw.random() < 0.25]
        tasks.append(new_task(f"T-{number}", kind, outputs=outputs, after=after))
    return tasks


def _policy(draw: random.Random) -> Edits:
    policy = [
        ("cooldown: PT2M", f"cooldown: {draw.choice(('PT0S', 'PT2M'))}"),
        ("  max: 3  #", f"  max: {draw.choice((1, 2, 3, 3))}  #"),
        ("conflicts: serialise", f"conflicts: {draw.choice(('serialise', 'reject', 'merge'))}"),
        ("cadence: adaptive", f"cadence: {draw.choice(('adaptive', 'every_result', 'run_end'))}"),
    ]
    edits: dict[str, list[tuple[str, str]]] = {"RUNTIME_POLICY.yaml": policy}
    if draw.random() < 0.5:
        edits["agents_swarm.yaml"] = list(TWO_IMPLEMENTERS["agents_swarm.yaml"])
    return edits


def _digest(root: Path) -> str:
    """Of the log, the read models and every file of the project; what is disposable is left out."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith((".roadmap/.esaa/", ".roadmap/checkpoints")):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def tally(ends: list[Ended]) -> dict[str, float | int | str]:
    """What a number of simulations did, for a report."""
    outcomes = Counter(one.outcome for one in ends)
    faults = sum((Counter(one.faults) for one in ends), Counter[str]())
    return {
        "simulations": len(ends),
        **{name: outcomes[name] for name in ENDS},
        "events": sum(one.events for one in ends),
        "calls": sum(one.calls for one in ends),
        "kills": sum(one.kills for one in ends),
        "faults": sum(faults.values()),
        "kinds_of_fault": len(faults),
    }
