"""Real ACP agents, installed from npm in pinned versions, against the loopback fake of their vendors."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("acp", reason="the acp extra is not installed")

from esaa.agents.acp.agent import AcpAgent, AcpSettings
from esaa.agents.acp.session import TESTED
from esaa.agents.base import Answer, Dispatch, Prompt
from esaa.agents.bounds import Bounds
from esaa.agents.sandbox.base import Sandbox
from esaa.agents.sandbox.bubblewrap import Bubblewrap
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.agents.sandbox.none import NoSandbox
from esaa.contracts.load import parse_governance
from esaa.dev.fake_llm.obedience import HandIn
from esaa.dev.fake_llm.script import Rule, Script
from esaa.dev.fake_llm.server import FakeLlm
from esaa.errors import AgentFailed, AgentUnavailable
from esaa.protocol.scheduling import Order
from esaa.protocol.task_table import Task
from esaa.stores.contracts import shipped_files

PROGRAMS = Path(__file__).resolve().parents[2] / "tools" / "agent_clis" / "node_modules" / ".bin"
COMMANDS = {"gemini": "gemini --acp", "claude": "claude-agent-acp"}
VARIABLES = ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY")
TASK = Task(
    task_id="T-1",
    task_kind="impl",
    title="Greet",
    description="",
    status="in_progress",
    depends_on=(),
    targets=(),
    outputs={"files": ["src/greet.py"]},
)
CONTRACT = parse_governance(shipped_files("0.4.0")).agent
TIMEOUT_S = 90.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def need_agent(program: str) -> None:
    """Skips where npm could not install the program; in CI that is a failure."""
    if not (PROGRAMS / program).exists() or shutil.which("node") is None:
        message = f"{program} is not installed (python tools/system_tools.py)"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


def ask(
    which: str, project: Path, fake: FakeLlm, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox | None = None
) -> Answer:
    """One dispatch to a real agent."""
    program, _, arguments = COMMANDS[which].partition(" ")
    need_agent(program)
    for name, value in fake.environment().items():
        monkeypatch.setenv(name, value)
    (project / "src").mkdir(parents=True)
    (project / "src/old.py").write_text("print('old')\n")
    order = Order(task_id="T-1", action="complete", actor="agent-impl", attempt=1, template="impl.core")
    context = {
        "context_version": 1,
        "actor": order.actor,
        "ask": {"action": order.action, "task_id": "T-1", "attempt": 1, "prior_status": "in_progress"},
        "task": {"task_id": "T-1", "title": TASK.title, "outputs": TASK.outputs},
    }
    user = f"The context:\n{json.dumps(context, indent=1)}"
    prompt = Prompt(template="impl.core", template_version="1", system="You write.", user=user, sha256="0" * 64)
    enclosure = Enclosure(sandbox=sandbox or NoSandbox(), root=project, is_networked=True)
    agent = AcpAgent(
        f"{PROGRAMS / program} {arguments}",
        enclosure,
        lambda order: Bounds(task=TASK, contract=CONTRACT, action=order.action),
        AcpSettings(output_bytes_max=4_000_000, env=VARIABLES),
    )
    return asyncio.run(agent.answer(Dispatch(order=order, context=b"", timeout_s=TIMEOUT_S, prompt=prompt)))


@pytest.mark.parametrize("hand_in", ["result", "tools"])
@pytest.mark.parametrize("which", COMMANDS)
def test_a_real_agent_delivers_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str, hand_in: HandIn
) -> None:
    with FakeLlm(Script(hand_in=hand_in)) as fake:
        answer = ask(which, tmp_path / "project", fake, monkeypatch)
    result = json.loads(answer.result)
    assert result["activity_event"]["action"] == "complete"
    assert [one["path"] for one in result["file_updates"]] == ["src/greet.py"]
    assert result["file_updates"][0]["content"].startswith("# Greet")
    assert sorted(path.name for path in (tmp_path / "project").rglob("*.py")) == ["old.py"]
    assert answer.usage.tokens_in
    assert answer.usage.tokens_out
    assert answer.usage.client_version in TESTED[str(answer.usage.client).removeprefix("acp:")]
    assert not [remark for remark in answer.remarks if "never tested" in remark]


@pytest.mark.parametrize("which", COMMANDS)
def test_a_real_agent_delivers_from_inside_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need_tool: Callable[[str], str], which: str
) -> None:
    bubblewrap = Bubblewrap(need_tool("bwrap"))
    with FakeLlm(Script(hand_in="tools")) as fake:
        answer = ask(which, tmp_path / "project", fake, monkeypatch, bubblewrap)
    assert [one["path"] for one in json.loads(answer.result)["file_updates"]] == ["src/greet.py"]
    assert answer.usage.sandbox == "bubblewrap"


@pytest.mark.parametrize("which", COMMANDS)
def test_a_real_agent_whose_key_is_refused_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    with (
        FakeLlm(Script(rules=(Rule(status=401, message="invalid x-api-key"),))) as fake,
        pytest.raises((AgentUnavailable, AgentFailed)) as caught,
    ):
        ask(which, tmp_path / "project", fake, monkeypatch)
    assert caught.value.code in {"AGENT_NOT_LOGGED_IN", "AGENT_CRASHED"}
    assert fake.environment()["GEMINI_API_KEY"] not in caught.value.message


@pytest.mark.parametrize("which", COMMANDS)
def test_the_demo_project_is_finished_over_acp(tmp_path: Path, which: str) -> None:
    program, _, arguments = COMMANDS[which].partition(" ")
    need_agent(program)
    root = tmp_path / "landing"
    root.mkdir()

    def esaa(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "esaa", *words],
            cwd=root,
            env={**os.environ, "ESAA_CONFIG_DIR": str(tmp_path / "config"), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    assert esaa("init", "--demo", "landing").returncode == 0
    swarm = root / ".roadmap/agents_swarm.yaml"
    adapter = f'adapter: "acp:{PROGRAMS / program} {arguments}"\n    env: [{", ".join(VARIABLES)}]'
    swarm.write_text(re.sub(r"adapter: .*", lambda _: adapter, swarm.read_text("utf-8")))
    policy = root / ".roadmap/RUNTIME_POLICY.yaml"
    policy.write_text(
        re.sub(r"(?m)^sandbox:\n(?:[ #].*\n|\n)*", "", policy.read_text("utf-8")) + "\nsandbox:\n  level: none\n"
    )
    with FakeLlm(Script(hand_in="tools")) as fake:
        run = esaa("run", "--parallel", "3", environment=fake.environment())
    assert run.returncode == 0, run.stdout + run.stderr
    assert "9 done" in run.stdout
    assert "0 rejected" in run.stdout
    assert esaa("verify", "--strict", "--files").returncode == 0
    log = (root / ".roadmap/activity.jsonl").read_text()
    clients = [json.loads(line)["payload"]["provenance"]["client"] for line in log.splitlines() if '"client"' in line]
    assert len(clients) == 27
    assert len(set(clients)) == 1
    assert clients[0].startswith("acp:")
