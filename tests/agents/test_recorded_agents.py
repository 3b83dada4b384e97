"""Cassettes, recordings, scripts, and the way from an adapter's text to an agent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from esaa.agents.base import Dispatch
from esaa.agents.cassette import CassetteAgent, RecordingAgent, cassette_name
from esaa.agents.command import CommandAgent
from esaa.agents.resolve import make_agent
from esaa.agents.scripted import ScriptedAgent
from esaa.errors import AgentCrashed, AgentError, ConfigError, EsaaError
from esaa.protocol.scheduling import Order


def order(task_id: str = "T-1", action: str = "complete", attempt: int = 1) -> Order:
    return Order(task_id=task_id, action=action, actor="agent-impl", attempt=attempt, template="impl.core")


def dispatch(one: Order, context: bytes = b"{}") -> Dispatch:
    return Dispatch(order=one, context=context, timeout_s=10)


def test_cassette_gives_the_bytes_of_the_asked_task_action_and_attempt(tmp_path: Path) -> None:
    (tmp_path / "T-1.complete.1.json").write_bytes(b"first, and no JSON \xff")
    (tmp_path / "T-1.complete.2.json").write_bytes(b"second")
    (tmp_path / "T-1.claim.1.json").write_bytes(b"claim")
    agent = CassetteAgent(tmp_path)
    assert asyncio.run(agent.answer(dispatch(order(attempt=2)))).result == b"second"
    assert asyncio.run(agent.answer(dispatch(order()))).result == b"first, and no JSON \xff"
    assert asyncio.run(agent.answer(dispatch(order(action="claim")))).result == b"claim"


def test_missing_cassette_says_which_file_and_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"T-1\.complete\.3\.json") as caught:
        asyncio.run(CassetteAgent(tmp_path).answer(dispatch(order(attempt=3))))
    assert caught.value.code == "CASSETTE_MISSING"
    assert caught.value.exit_code == 9
    assert "--actor agent-impl" in caught.value.hint


@pytest.mark.parametrize("task_id", ["../../T-1", "/etc/T-1", "a/b", ".", "..", "T\x00", "Ü 1", "T-1"])
def test_cassette_of_any_task_id_lies_in_its_folder(tmp_path: Path, task_id: str) -> None:
    folder = tmp_path / "deep" / "cassettes"
    agent = RecordingAgent(ScriptedAgent(lambda asked, context: b"answer"), folder)
    asyncio.run(agent.answer(dispatch(order(task_id))))
    assert [path.parent for path in tmp_path.rglob("*.json")] == [folder]
    assert asyncio.run(CassetteAgent(folder).answer(dispatch(order(task_id)))).result == b"answer"


def test_different_tasks_have_different_cassettes() -> None:
    ids = ["a/b", "a%2Fb", "a_b", "a b", "A/b", "a.claim", "a"]
    names = {cassette_name(order(task_id, action)) for task_id in ids for action in ("claim", "complete")}
    assert len(names) == 2 * len(ids)


def test_recording_plays_back_what_was_answered(tmp_path: Path) -> None:
    def script(asked: Dispatch, context: dict[str, Any]) -> bytes:
        return f"{asked.order.task_id} {asked.order.attempt} {context['n']}".encode()

    recorder = RecordingAgent(ScriptedAgent(script), tmp_path / "new" / "folder")
    asked = [dispatch(order(attempt=n), json.dumps({"n": n}).encode()) for n in (1, 2, 3)]
    answers = [asyncio.run(recorder.answer(one)) for one in asked]
    player = CassetteAgent(tmp_path / "new" / "folder")
    assert [asyncio.run(player.answer(one)) for one in asked] == answers


def test_failure_of_the_recorded_agent_is_handed_on_and_not_recorded(tmp_path: Path) -> None:
    def script(asked: Dispatch, context: dict[str, Any]) -> bytes:
        raise AgentCrashed("AGENT_CRASHED", "gone")

    with pytest.raises(AgentCrashed):
        asyncio.run(RecordingAgent(ScriptedAgent(script), tmp_path).answer(dispatch(order())))
    assert list(tmp_path.iterdir()) == []


def test_script_may_answer_with_an_object_or_with_bytes() -> None:
    named = ScriptedAgent(lambda asked, context: {"é": 1})
    assert asyncio.run(named.answer(dispatch(order()))).result == '{"é":1}'.encode()
    raw = ScriptedAgent(lambda asked, context: b"\xff")
    assert asyncio.run(raw.answer(dispatch(order()))).result == b"\xff"


def test_adapter_names_lead_to_their_agents(tmp_path: Path) -> None:
    (tmp_path / "tapes").mkdir()
    assert make_agent("manual", tmp_path, 100) is None
    assert isinstance(make_agent("scripted", tmp_path, 100), ScriptedAgent)
    assert isinstance(make_agent("cassette:tapes", tmp_path, 100), CassetteAgent)
    assert isinstance(make_agent("command:cat --flag", tmp_path, 100), CommandAgent)


@pytest.mark.parametrize(
    "adapter", ["", "robot", "manual:x", "scripted:x", "cassette", "cassette:", "cassette:none", "command", "command:"]
)
def test_adapter_that_means_nothing_is_a_configuration_error(tmp_path: Path, adapter: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_agent(adapter, tmp_path, 100)
    assert caught.value.exit_code == 8
    assert caught.value.hint


def test_command_that_cannot_be_read_is_an_error_of_the_agent(tmp_path: Path) -> None:
    with pytest.raises(EsaaError, match="No closing quotation"):
        make_agent("command:run 'half", tmp_path, 100)
