"""A person's hand on a run: pause, resume, stop, and the kill switch."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from esaa.agents.base import Answer, Dispatch
from esaa.agents.command import CommandAgent
from esaa.agents.scripted import ScriptedAgent
from esaa.errors import Halted, UsageError
from esaa.runtime.clock import SystemClock
from esaa.runtime.operations.control import Ordered, order
from esaa.runtime.orchestrator import RunReport
from esaa.runtime.workspace import Workspace
from esaa.stores.control import Control, ControlFile, Wish
from esaa.stores.disk import Disk
from tests.operations import gate_of, told, trail_of, work
from tests.workspaces import NO_COOLDOWN, Watcher, assert_sound, make_workspace, new_task, reopen

PAGE = new_task("T-1", outputs=["src/page.html"])
OBEYED_WITHIN_S = 2.0
"""A run obeys within a second; the machine may be busy."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def wish(workspace: Workspace, what: Wish, *, by: str = "ada", reason: str = "", dry_run: bool = False) -> Ordered:
    return order(workspace, trail_of(workspace), what, by=by, reason=reason, dry_run=dry_run)


def file_of(root: Path) -> ControlFile:
    return ControlFile(root / ".roadmap", Disk())


@pytest.mark.parametrize("what", ["pause", "stop", "kill"])
def test_nothing_begins_until_a_person_lets_it(root: Path, what: Wish) -> None:
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN)
    done = wish(workspace, what, reason="it is late")
    assert (done.was, done.is_running, done.stream) == ("run", False, "global")
    with pytest.raises(Halted, match=r"by ada since .*: it is late"):
        asyncio.run(work(reopen(root), ScriptedAgent()))
    assert wish(workspace, what).event_id is None, "what is in force is not recorded twice"
    assert wish(workspace, "run", by="bob").was == what
    assert asyncio.run(work(reopen(root), ScriptedAgent())).outcome == "success"
    paused, resumed = told(root, "OrchestrationPaused")[0], told(root, "OrchestrationResumed")[0]
    assert (paused["blocking_issue"], paused["actor"]) == ("it is late", {"type": "user", "id": "ada"})
    assert resumed["pause_duration_seconds"] == 0
    assert resumed["actor"] == {"type": "user", "id": "bob"}
    assert_sound(root)


def test_trail_counts_where_the_control_file_is_gone(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN)
    wish(workspace, "stop")
    file_of(root).path.unlink()
    with pytest.raises(Halted):
        gate_of(reopen(root)).enter()
    wish(workspace, "run")
    gate_of(reopen(root)).enter()


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"wish":"dance"}', b"[" * 100_000])
def test_control_file_that_cannot_be_read_is_a_pause(root: Path, data: bytes) -> None:
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN)
    path = file_of(root).path
    path.write_bytes(data)
    with pytest.raises(Halted, match="cannot be read"):
        gate_of(workspace).enter()
    wish(workspace, "run")
    gate_of(workspace).enter()


def test_strangers_in_the_place_of_the_control_file_are_a_pause(root: Path) -> None:
    make_workspace(root, [PAGE])
    path = file_of(root).path
    os.mkfifo(path)
    assert file_of(root).read() is not None
    path.unlink()
    path.symlink_to("/dev/zero")
    said = file_of(root).read()
    assert said is not None
    assert said.wish == "pause"


def test_dry_run_and_nameless_orders_change_nothing(root: Path) -> None:
    workspace = make_workspace(root, [PAGE])
    wish(workspace, "stop", dry_run=True)
    with pytest.raises(UsageError):
        wish(workspace, "stop", by="  ")
    assert file_of(root).read() is None
    assert told(root, "Orchestration") == []


async def _until(found: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not found():
        assert time.monotonic() < until, "it did not happen"
        await asyncio.sleep(0.01)


class SlowAgent(ScriptedAgent):
    """Obeys, but only once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.asked = 0

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The answer, when it may be given."""
        self.asked += 1
        await self.free.wait()
        return await super().answer(dispatch)


def test_run_at_work_pauses_and_goes_on(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN, clock=SystemClock())

    async def story() -> RunReport:
        agent, watcher = SlowAgent(), Watcher()
        running = asyncio.ensure_future(work(workspace, agent, watcher=watcher))
        await _until(lambda: agent.asked == 1)
        wish(reopen(root, clock=SystemClock()), "pause")
        agent.free.set()
        await _until(lambda: any("paused by ada" in one for one in watcher.sayings))
        assert agent.asked == 1, "what was in flight is taken, and nothing new is asked"
        assert len(watcher.receipts) == 1
        wish(reopen(root, clock=SystemClock()), "run")
        began = time.monotonic()
        await _until(lambda: agent.asked >= 2)
        assert time.monotonic() - began < OBEYED_WITHIN_S
        return await running

    assert asyncio.run(story()).outcome == "success"
    assert_sound(root)


def test_run_at_work_stops_when_what_is_in_flight_is_taken(root: Path) -> None:
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN, clock=SystemClock())

    async def story() -> RunReport:
        agent = SlowAgent()
        running = asyncio.ensure_future(work(workspace, agent))
        await _until(lambda: agent.asked == 1)
        wish(reopen(root, clock=SystemClock()), "stop", reason="enough")
        await asyncio.sleep(0.6)
        assert not running.done()
        agent.free.set()
        return await running

    report = asyncio.run(story())
    assert (report.outcome, report.results) == ("paused", 1)
    assert "enough" in report.message
    wish(reopen(root, clock=SystemClock()), "run")
    assert asyncio.run(work(reopen(root, clock=SystemClock()), ScriptedAgent())).outcome == "success"
    assert_sound(root)


def test_kill_switch_ends_process_groups_and_records_what_was_running(root: Path, tmp_path: Path) -> None:
    workspace = make_workspace(root, [PAGE], edits=NO_COOLDOWN, clock=SystemClock())
    pids = tmp_path / "pids"
    program = tmp_path / "agent.py"
    program.write_text(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n')\n"
        "time.sleep(600)\n"
    )

    async def story() -> RunReport:
        agent = CommandAgent(f"{sys.executable} {program}", root, 1000)
        running = asyncio.ensure_future(work(workspace, agent))
        await _until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        began = time.monotonic()
        wish(reopen(root, clock=SystemClock()), "kill", reason="wrong place")
        report = await running
        assert time.monotonic() - began < OBEYED_WITHIN_S
        return report

    report = asyncio.run(story())
    assert (report.outcome, report.results) == ("paused", 0)
    for pid in map(int, pids.read_text().split()):
        assert not _lives(pid)
    ordered, obeyed = told(root, "OrchestrationPaused")
    assert ordered["pause_reason"] == obeyed["pause_reason"] == "killed_by_person"
    assert "agent-impl (claim T-1)" in obeyed["blocking_issue"]
    assert [(one["actor"], one["task_id"], one["attempt"]) for one in obeyed["extra"]["running"]] == [
        ("agent-impl", "T-1", 1)
    ]
    with pytest.raises(Halted):
        asyncio.run(work(reopen(root, clock=SystemClock()), ScriptedAgent()))
    wish(reopen(root, clock=SystemClock()), "run")
    assert asyncio.run(work(reopen(root, clock=SystemClock()), ScriptedAgent())).outcome == "success"
    assert_sound(root)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_control_is_read_again_only_where_it_changed(root: Path) -> None:
    make_workspace(root)
    file = file_of(root)
    assert file.read() is None
    file.write(Control(wish="pause", by="ada"))
    first = file.read()
    assert first == Control(wish="pause", by="ada")
    assert file.read() is first
