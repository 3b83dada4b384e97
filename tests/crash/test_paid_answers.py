"""A run whose agent costs money, killed at each of its durability steps: what was kept is not paid for twice."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from esaa.agents.base import Answer, Dispatch, Usage
from esaa.agents.scripted import ScriptedAgent
from esaa.runtime.clock import ManualClock
from esaa.stores.secrets import state_key
from tests.crash.disks import CountingDisk, DeadlyDisk, Killed
from tests.crash.stories import answer, begin
from tests.workspaces import MORNING, Watcher, assert_sound, log_lines, payloads, reopen, result, run, submit

Call = tuple[str, str, int]

PARTS = 7
"""The steps are shared out among so many tests, so that each keeps its time limit."""


class Paid:
    """Answers as the story has it, and counts what it is asked; each call says that it cost something."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._inner = ScriptedAgent(answer)

    async def answer(self, dispatch: Dispatch) -> Answer:
        """One paid answer."""
        assert dispatch.prompt is not None, "who does not say otherwise is given a prompt"
        order = dispatch.order
        self.calls.append((order.task_id, order.action, order.attempt))
        given = await self._inner.answer(dispatch)
        return msgspec.structs.replace(given, usage=Usage(model="m-1", cost_micro_usd=1000))


class Reference(msgspec.Struct):
    """The run where nothing fails."""

    start: Path
    steps: list[str]
    calls: list[Call]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("paid")
    begin(folder / "start")
    disk, agent = CountingDisk(), Paid()
    play(folder / "start", folder / "whole", disk, agent)
    assert len(agent.calls) == len(set(agent.calls)) == 11
    assert kept(folder / "whole") == []
    return Reference(folder / "start", disk.steps, agent.calls)


def play(start: Path, root: Path, disk: CountingDisk, agent: Paid) -> None:
    shutil.copytree(start, root)
    state_key(root.parent / "config")
    assert asyncio.run(run(reopen(root, clock=ManualClock(MORNING), disk=disk), agent)).outcome == "success"


def kept(root: Path) -> list[Path]:
    return sorted((root / ".roadmap" / ".esaa" / "answers").glob("*.answer"))


def go_on(root: Path, agent: Paid) -> None:
    assert asyncio.run(run(reopen(root, disk=CountingDisk()), agent)).outcome == "success"


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_step_nothing_that_was_kept_is_paid_twice(
    reference: Reference, tmp_path: Path, part: int
) -> None:
    saved = 0
    for at in range(1 + part, len(reference.steps) + 1, PARTS):
        root, agent = tmp_path / f"at-{at}" / "project", Paid()
        with pytest.raises(Killed):
            play(reference.start, root, DeadlyDisk(at, "after" if at % 2 else "before"), agent)
        was_kept, paid = len(kept(root)), len(agent.calls)
        done = len([one for one in log_lines(root) if "provenance" in one["payload"]])
        go_on(root, agent)

        repeated = [call for call in set(agent.calls) if agent.calls.count(call) > 1]
        # At most the one answer that was in the agent's hands, and of that only if it had not reached the disk.
        assert len(repeated) <= (0 if was_kept else 1), f"step {at}, {reference.steps[at - 1]}: {repeated} paid twice"
        assert set(agent.calls) == set(reference.calls)
        if was_kept and done < paid:
            saved += 1
        assert kept(root) == []
        assert_sound(root)
        shutil.rmtree(root.parent)
    assert saved > len(reference.calls) // PARTS, "the kills in between must be among those that were tried"


def test_answer_of_a_task_that_moved_on_is_dropped_and_said(reference: Reference, tmp_path: Path) -> None:
    root, agent = tmp_path / "project", Paid()
    at = next(number for number, step in enumerate(reference.steps, 1) if step == "sync answers")
    with pytest.raises(Killed):
        play(reference.start, root, DeadlyDisk(at, "after"), agent)
    assert len(kept(root)) == 1
    workspace = reopen(root, disk=CountingDisk())
    submit(workspace, "agent-impl", result("claim", "T-1"))
    watcher = Watcher()
    assert asyncio.run(run(workspace, agent, watcher=watcher)).outcome == "success"
    assert [one for one in watcher.sayings if "never judged" in one]
    assert kept(root) == []
    assert "provenance" not in payloads(root, "claim")[0], "the claim that counts is not the one that was kept"
