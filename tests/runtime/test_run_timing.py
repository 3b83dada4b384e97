"""What a run waits for, on virtual time: agents that keep no limit, cooldowns beside work, clocks that are set."""

from __future__ import annotations

import asyncio
from pathlib import Path

from esaa.agents.base import Answer, Dispatch
from esaa.agents.scripted import ScriptedAgent
from esaa.protocol.scheduling import Order
from tests.simulation.virtual_time import VirtualClock, run_virtually
from tests.workspaces import MORNING, Edits, Watcher, assert_sound, make_workspace, new_task, payloads, run

TTL_S = 1800
ONE_ATTEMPT: Edits = {"RUNTIME_POLICY.yaml": [("  max: 3  #", "  max: 1  #")]}


class Told(Watcher):
    """Keeps the virtual second of every dispatch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[tuple[str, str, float]] = []

    def dispatched(self, order: Order) -> None:
        super().dispatched(order)
        self.seconds.append((order.task_id, order.action, asyncio.get_running_loop().time()))


def test_agent_that_keeps_no_time_limit_is_cancelled_and_recorded(tmp_path: Path) -> None:
    root = tmp_path / "project"
    cancelled: list[str] = []

    class Deaf(ScriptedAgent):
        async def answer(self, dispatch: Dispatch) -> Answer:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(dispatch.order.task_id)
            raise AssertionError

    async def work() -> tuple[str, float]:
        workspace = make_workspace(root, [new_task("T-1")], edits=ONE_ATTEMPT, clock=VirtualClock(MORNING))
        report = await run(workspace, Deaf())
        return report.outcome, asyncio.get_running_loop().time()

    outcome, seconds = run_virtually(work())
    assert outcome == "failed"
    assert cancelled == ["T-1"]
    assert TTL_S < seconds < TTL_S + 60
    [refusal] = payloads(root, "output.rejected")
    assert refusal["error_code"] == "ATTEMPT_TIMEOUT"
    assert "kept no time limit" in refusal["message"]
    assert_sound(root)


def test_cooldown_ends_while_another_agent_is_at_work(tmp_path: Path) -> None:
    root = tmp_path / "project"

    class Slow(ScriptedAgent):
        async def answer(self, dispatch: Dispatch) -> Answer:
            if dispatch.order.task_id == "T-1":
                await asyncio.sleep(1200)
            elif dispatch.order.action == "claim" and dispatch.order.attempt == 1:
                return Answer(result=b"no JSON")
            return await super().answer(dispatch)

    async def work() -> Told:
        tasks = [new_task("T-1", outputs=["src/1"]), new_task("T-2", outputs=["src/2"])]
        told = Told()
        await run(make_workspace(root, tasks, clock=VirtualClock(MORNING)), Slow(), watcher=told, parallel=2)
        return told

    told = run_virtually(work())
    again = [second for task_id, action, second in told.seconds if (task_id, action) == ("T-2", "claim")]
    assert len(again) == 2
    assert again[0] == 0
    assert 120 <= again[1] < 125, "the pause of two minutes is over, whoever else is at work"
    assert_sound(root)


def test_clock_that_is_set_back_gives_no_attempt_more_time(tmp_path: Path) -> None:
    limits: list[float] = []
    clock = VirtualClock(MORNING)

    class Noting(ScriptedAgent):
        async def answer(self, dispatch: Dispatch) -> Answer:
            limits.append(dispatch.timeout_s)
            if dispatch.order.action == "claim":
                clock.jump(-7200)
            return await super().answer(dispatch)

    async def work() -> str:
        return (await run(make_workspace(tmp_path / "project", [new_task("T-1")], clock=clock), Noting())).outcome

    assert run_virtually(work()) == "success"
    assert len(limits) == 3
    assert max(limits) == TTL_S
    assert_sound(tmp_path / "project")
