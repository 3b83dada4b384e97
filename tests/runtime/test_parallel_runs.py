"""Several agents at once (the specification's third case study): fifty tasks, fifteen phases, four agents."""

from __future__ import annotations

import asyncio
import random
import sys
import textwrap
from itertools import combinations
from pathlib import Path

import pytest

from esaa.agents.base import Answer, Dispatch
from esaa.agents.command import CommandAgent
from esaa.agents.scripted import ScriptedAgent
from esaa.errors import AgentError
from esaa.protocol.commands import CreateTask
from esaa.protocol.scheduling import Order
from tests.workspaces import (
    TWO_IMPLEMENTERS,
    Watcher,
    actions,
    assert_sound,
    log_bytes,
    log_lines,
    make_workspace,
    new_task,
    reopen,
    result,
    run,
)

PHASES = [6, 4, 4, *[3] * 12]
SHARED = "src/shared.txt"


def case_study() -> list[CreateTask]:
    """Each phase waits for the one before; two tasks of each but the first write the same file."""
    tasks: list[CreateTask] = []
    before: list[str] = []
    for phase, size in enumerate(PHASES, start=1):
        names = [f"P{phase:02d}-{number}" for number in range(1, size + 1)]
        for number, name in enumerate(names):
            kind = ("impl", "impl", "spec", "qa", "impl", "impl")[number]
            folder = {"impl": "src", "spec": "docs/notes", "qa": "tests"}[kind]
            path = SHARED if phase > 1 and number < 2 else f"{folder}/{name}.txt"
            tasks.append(new_task(name, kind, outputs=[path], after=before))
        before = names
    assert len(tasks) == 50
    return tasks


class Unhurried:
    """An obedient agent that takes a random, repeatable number of turns for each answer."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._obedient = ScriptedAgent()

    async def answer(self, dispatch: Dispatch) -> Answer:
        for _ in range(self._random.randrange(12)):
            await asyncio.sleep(0)
        return await self._obedient.answer(dispatch)


class Gate:
    """Holds its answers back until so many are asked for at once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting = 0
        self._open = asyncio.Event()
        self._obedient = ScriptedAgent()

    async def answer(self, dispatch: Dispatch) -> Answer:
        self._waiting += 1
        if self._waiting == self._count:
            self._open.set()
        await self._open.wait()
        return await self._obedient.answer(dispatch)


def spans(root: Path) -> dict[str, tuple[int, int]]:
    """When each task was in work: the seq of its claim and of its approval."""
    begun: dict[str, int] = {}
    ended: dict[str, int] = {}
    for event in log_lines(root):
        if event["action"] == "claim":
            begun[event["payload"]["task_id"]] = event["event_seq"]
        if event["action"] == "review" and event["payload"]["decision"] == "approve":
            ended[event["payload"]["task_id"]] = event["event_seq"]
    assert begun.keys() == ended.keys()
    return {task_id: (begun[task_id], ended[task_id]) for task_id in begun}


@pytest.mark.parametrize("seed", range(4))
def test_fifty_tasks_of_four_agents_are_done_in_order_and_without_conflict(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "project"
    plan = case_study()
    watcher = Watcher()
    workspace = make_workspace(root, plan, edits=TWO_IMPLEMENTERS)
    report = asyncio.run(run(workspace, Unhurried(seed), watcher=watcher, parallel=6))
    assert report.outcome == "success"
    assert (report.results, report.rejections) == (150, ())
    assert watcher.most_in_flight == watcher.claims_at_once == 6
    assert {order.actor for order in watcher.orders} == {"agent-spec", "agent-impl", "agent-impl-2", "agent-qa"}
    found = spans(root)
    for task in plan:
        for name in task.depends_on:
            assert found[name][1] < found[task.task_id][0]
    shared = [task.task_id for task in plan if task.outputs == (SHARED,)]
    assert len(shared) == 28
    for one, other in combinations(shared, 2):
        assert found[one][1] < found[other][0] or found[other][1] < found[one][0], f"{one} and {other} met"
    assert "output.rejected" not in actions(root)
    assert_sound(root)


def test_six_claims_come_in_one_wave(tmp_path: Path) -> None:
    root = tmp_path / "project"
    watcher = Watcher()
    workspace = make_workspace(root, case_study(), edits=TWO_IMPLEMENTERS)

    async def first_wave() -> None:
        await run(workspace, Gate(6), watcher=watcher, parallel=6, steps=6)

    asyncio.run(first_wave())
    assert watcher.claims_at_once == 6
    claims = [event for event in log_lines(root) if event["action"] == "claim"]
    assert [event["payload"]["task_id"] for event in claims] == [f"P01-{number}" for number in range(1, 7)]
    assert {event["ts"] for event in claims} == {"2026-01-05T09:00:00Z"}
    owners = {event["payload"]["task_id"]: event["actor"] for event in claims}
    assert owners["P01-1"] == "agent-impl"
    assert owners["P01-2"] == "agent-impl-2", "two agents of one kind share its tasks"
    assert_sound(root)


def test_no_more_are_in_flight_than_asked_for(tmp_path: Path) -> None:
    for parallel in (1, 3):
        watcher = Watcher()
        workspace = make_workspace(tmp_path / str(parallel), case_study()[:10], edits=TWO_IMPLEMENTERS)
        asyncio.run(run(workspace, Unhurried(1), watcher=watcher, parallel=parallel))
        assert watcher.most_in_flight == parallel
    watcher = Watcher()
    workspace = make_workspace(tmp_path / "steps", case_study()[:10], edits=TWO_IMPLEMENTERS)
    report = asyncio.run(run(workspace, Unhurried(1), watcher=watcher, parallel=6, steps=4))
    assert report.results == len(watcher.orders) == 4, "nobody is asked in vain"


def test_task_is_in_flight_once(tmp_path: Path) -> None:
    asked: list[Order] = []

    class Counting(Unhurried):
        async def answer(self, dispatch: Dispatch) -> Answer:
            assert dispatch.order.task_id not in [order.task_id for order in asked]
            asked.append(dispatch.order)
            answer = await super().answer(dispatch)
            asked.remove(dispatch.order)
            return answer

    workspace = make_workspace(tmp_path / "project", case_study(), edits=TWO_IMPLEMENTERS)
    assert asyncio.run(run(workspace, Counting(7), parallel=8)).outcome == "success"


@pytest.mark.parametrize("seed", range(3))
def test_run_that_is_cancelled_again_and_again_comes_to_its_end(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "project"
    make_workspace(root, case_study(), edits=TWO_IMPLEMENTERS)
    chance = random.Random(seed)
    cancelled = 0

    async def some_of_it() -> str:
        running = asyncio.ensure_future(run(reopen(root), Unhurried(seed + cancelled), parallel=6))
        for _ in range(chance.randrange(10, 120)):
            await asyncio.sleep(0)
        if not running.done():
            running.cancel()
        try:
            return (await running).outcome
        except asyncio.CancelledError:
            assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
            return "cancelled"

    before = log_bytes(root)
    while (outcome := asyncio.run(some_of_it())) == "cancelled":
        cancelled += 1
        assert cancelled < 200
        assert log_bytes(root).startswith(before)
        before = log_bytes(root)
        with reopen(root).writing() as notices:
            assert notices == []
        assert_sound(root)
    assert outcome == "success"
    assert cancelled > 3
    assert actions(root).count("run.start") == 1
    assert len(spans(root)) == 50
    assert_sound(root)


def test_agent_that_cannot_be_asked_ends_the_others_too(tmp_path: Path) -> None:
    root = tmp_path / "project"
    ended: list[str] = []

    class Absent:
        async def answer(self, dispatch: Dispatch) -> Answer:
            if dispatch.order.task_id == "P01-3":
                await asyncio.sleep(0)
                raise AgentError("AGENT_MISSING", "no such agent")
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(dispatch.order.task_id)
            return Answer(result=b"")

    workspace = make_workspace(root, case_study(), edits=TWO_IMPLEMENTERS)
    with pytest.raises(AgentError, match="no such agent"):
        asyncio.run(run(workspace, Absent(), parallel=6))
    assert sorted(ended) == ["P01-1", "P01-2", "P01-4", "P01-5", "P01-6"]
    assert asyncio.run(run(reopen(root), Unhurried(0), parallel=6)).outcome == "success"
    assert_sound(root)


def test_result_that_lost_a_race_is_refused_and_asked_for_again(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(root, [new_task("T-1", outputs=["src/a.txt"]), new_task("T-2")])
    answers = {
        "T-1": result("complete", "T-1", files={"src/a.txt": "one\n"}),
        "T-2": result("complete", "T-2", files={"src/a.txt": "two\n"}),
    }

    class Grabbing(ScriptedAgent):
        async def answer(self, dispatch: Dispatch) -> Answer:
            order = dispatch.order
            if order.action == "complete":
                return Answer(result=answers[order.task_id])
            return await super().answer(dispatch)

    # T-2 declares nothing, so it may write all of src/ and is not in flight beside T-1.
    report = asyncio.run(run(workspace, Grabbing(), parallel=2))
    assert report.outcome == "success"
    found = spans(root)
    assert found["T-1"][1] < found["T-2"][0]
    assert (root / "src" / "a.txt").read_text() == "two\n"
    assert_sound(root)


def test_real_programs_work_side_by_side(tmp_path: Path) -> None:
    root = tmp_path / "project"
    plan = [new_task(f"T-{number}", outputs=[f"src/{number}.txt"]) for number in range(1, 5)]
    workspace = make_workspace(root, plan)
    program = tmp_path / "agent.py"
    program.write_text(
        textwrap.dedent(
            """
            import json, sys
            context = json.load(sys.stdin)
            ask = context["ask"]
            event = {"action": ask["action"], "task_id": ask["task_id"], "prior_status": ask["prior_status"]}
            answer = {"activity_event": event}
            if ask["action"] == "complete":
                event["verification"] = {"checks": ["the file has one line"]}
                paths = context["task"]["outputs"]["files"]
                answer["file_updates"] = [{"path": path, "content": ask["task_id"] + "\\n"} for path in paths]
            if ask["action"] == "review":
                event |= {"decision": "approve", "tasks": [ask["task_id"]]}
            print(json.dumps(answer))
            """
        )
    )
    watcher = Watcher()
    agent = CommandAgent(f"{sys.executable} {program}", root, 10_000)
    report = asyncio.run(run(workspace, agent, watcher=watcher, parallel=4))
    assert (report.outcome, report.rejections) == ("success", ())
    assert watcher.most_in_flight == 4
    assert [(root / f"src/{number}.txt").read_text() for number in range(1, 5)] == [f"T-{n}\n" for n in range(1, 5)]
    assert_sound(root)
