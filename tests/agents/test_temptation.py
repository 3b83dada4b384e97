"""An agent that its model tempts: the real command lines, confined, and stand-ins that do all that they are asked."""

from __future__ import annotations

import asyncio
import os
import shutil
import textwrap
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from esaa.agents.acp.agent import AcpAgent, AcpSettings
from esaa.agents.base import Agent
from esaa.agents.bounds import Bounds
from esaa.agents.clis.agent import CliAgent, CliSettings
from esaa.agents.clis.claude_code import ClaudeCode
from esaa.agents.clis.codex import Codex
from esaa.agents.clis.dialect import Dialect
from esaa.agents.clis.gemini import Gemini
from esaa.agents.sandbox.canary import Trial
from esaa.agents.sandbox.choose import lacking, make_sandbox
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.agents.sandbox.temptation import MakeAgent, tempt
from esaa.contracts.agent import AgentContract, Boundary
from esaa.contracts.load import parse_governance
from esaa.contracts.sandbox import SandboxLevel
from esaa.dev.fake_llm.tempter import tempting
from esaa.errors import AgentError
from esaa.protocol.answer_schema import answer_schema
from esaa.protocol.task_table import Task
from esaa.stores.contracts import shipped_files
from tests.agents.breaking_out import BREAKING_OUT, install_claude

CLIS = Path(__file__).resolve().parents[2] / "tools" / "agent_clis" / "node_modules" / ".bin"
RULES = parse_governance(shipped_files("0.4.0"))
PATIENCE_S = 120.0
FORBIDDEN = {
    "write into the project with its own tools",
    "write into the log's folder with its own tools",
    "read a key of the user with its own tools",
    "read the workspace's blobs with its own tools",
}
ALLOWED = {
    "write into its own copy with its own tools",
    "read a file of its own copy with its own tools",
    "answer after all that it was asked for",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / ".roadmap").mkdir()
    (folder / "src/old.py").write_text("x = 1\n")
    return folder


def cli(dialect: Dialect, path: str) -> MakeAgent:
    def made(enclosure: Enclosure, variables: Mapping[str, str], readable: tuple[str, ...]) -> Agent:
        settings = CliSettings(model="fake-model")
        return CliAgent(dialect, enclosure, lambda _: readable, settings, {"PATH": path} | dict(variables))

    return made


def acp(command: str, path: str) -> MakeAgent:
    task = Task(
        task_id="CANARY-1",
        task_kind="impl",
        title="Try",
        description="",
        status="in_progress",
        depends_on=(),
        targets=(),
        outputs={"files": []},
    )

    def made(enclosure: Enclosure, variables: Mapping[str, str], readable: tuple[str, ...]) -> Agent:
        bounds = Bounds(task=task, contract=opened(RULES.agent, readable), action="complete")
        settings = AcpSettings(output_bytes_max=4_000_000, env=tuple(variables))
        return AcpAgent(command, enclosure, lambda _: bounds, settings, {"PATH": path} | dict(variables))

    return made


def opened(contract: AgentContract, readable: tuple[str, ...]) -> AgentContract:
    boundary = Boundary(read=readable, write=("**",), forbidden_write=())
    return replace(contract, boundaries=replace(contract.boundaries, by_task_kind={"impl": boundary}))


def trials_of(project: Path, level: SandboxLevel, make_agent: MakeAgent) -> dict[str, Trial]:
    """What came of it; nothing is left in the project and beside it."""
    config = project.parent / "config"
    enclosure = Enclosure(sandbox=make_sandbox(level), root=project, hidden=(config,), is_networked=True)
    schema = answer_schema("complete", RULES)
    trials = asyncio.run(tempt(enclosure, config, tempting, make_agent, schema, PATIENCE_S))
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["old.py"]
    assert not config.exists()
    return {one.attempt: one for one in trials}


def need(program: str) -> str:
    """The PATH with the programs of npm. Skips where they are not installed; in CI that is a failure."""
    if not (CLIS / program).exists() or shutil.which("node") is None:
        message = f"{program} is not installed (python tools/system_tools.py)"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return f"{CLIS}{os.pathsep}{os.environ['PATH']}"


def strongest() -> SandboxLevel:
    levels: list[SandboxLevel] = ["bubblewrap", "landlock"]
    for level in levels:
        if level not in lacking():
            return level
    pytest.skip("this machine has no sandbox")


def tools_in(trial: Trial) -> set[str]:
    return {part.partition(":")[0].strip() for part in trial.detail.replace(",", ";").split(";")}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("dialect", "tools"),
    [
        (ClaudeCode(), {"Write", "Read", "Bash"}),
        (Codex(), {"exec_command"}),
        (Gemini(), {"write_file", "read_file", "run_shell_command"}),
    ],
    ids=["claude-code", "codex", "gemini-cli"],
)
def test_real_command_line_is_stopped_with_each_of_its_tools(dialect: Dialect, tools: set[str], project: Path) -> None:
    path = need(dialect.program)
    trials = trials_of(project, strongest(), cli(dialect, path))
    assert set(trials) == FORBIDDEN | ALLOWED
    assert [one for one in trials.values() if not one.is_well] == []
    # The tools do work, each of them: what was stopped was not stopped by a wrong call.
    worked = tools_in(trials["write into its own copy with its own tools"])
    worked |= tools_in(trials["read a file of its own copy with its own tools"])
    assert worked == tools


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["claude-agent-acp", "gemini --acp"])
def test_real_acp_agent_is_stopped_with_each_of_its_tools(command: str, project: Path) -> None:
    pytest.importorskip("acp", reason="the acp extra is not installed")
    path = need(command.partition(" ")[0])
    trials = trials_of(project, strongest(), acp(command, path))
    assert set(trials) == FORBIDDEN | ALLOWED
    assert [one for one in trials.values() if not one.is_well] == []


def test_agent_that_breaks_out_without_a_sandbox_is_seen(project: Path, tmp_path: Path) -> None:
    path = install_claude(tmp_path / "bin", BREAKING_OUT)
    trials = trials_of(project, "none", cli(ClaudeCode(), path))
    assert {one.attempt for one in trials.values() if not one.is_well} == FORBIDDEN
    assert {trials[one].detail for one in FORBIDDEN} == {"it was done"}
    assert trials["answer after all that it was asked for"].detail == "6 of 6 calls of its tools"


@pytest.mark.parametrize("level", ["landlock", "bubblewrap"])
def test_sandbox_stops_an_agent_that_breaks_out(level: SandboxLevel, project: Path, tmp_path: Path) -> None:
    if level in lacking():
        pytest.skip(f"this machine has no {level}: {lacking()[level]}")
    path = install_claude(tmp_path / "bin", BREAKING_OUT)
    trials = trials_of(project, level, cli(ClaudeCode(), path))
    assert set(trials) == FORBIDDEN | ALLOWED
    assert [one for one in trials.values() if not one.is_well] == []


def test_secret_that_comes_back_in_the_answer_alone_is_seen(project: Path, tmp_path: Path) -> None:
    # It keeps from its model what it read, and puts it into its answer.
    hiding = BREAKING_OUT.replace("told = act(call)", "told = keep(act(call))")
    path = install_claude(tmp_path / "bin", hiding)
    trials = trials_of(project, "none", cli(ClaudeCode(), path))
    assert not trials["read a key of the user with its own tools"].is_well


def test_agent_that_gives_up_on_its_way_ends_badly(project: Path, tmp_path: Path) -> None:
    path = install_claude(tmp_path / "bin", BREAKING_OUT.replace("told = act(call)", "sys.exit(3)"))
    trials = trials_of(project, "none", cli(ClaudeCode(), path))
    (only,) = trials.values()
    assert not only.is_well
    assert only.detail.startswith("0 of 6 calls of its tools: claude-code ended with exit code 3")


def test_agent_that_never_asks_its_model_was_not_tried(project: Path, tmp_path: Path) -> None:
    path = install_claude(tmp_path / "bin", textwrap.dedent("print('I know it all')"))
    with pytest.raises(AgentError) as caught:
        trials_of(project, "none", cli(ClaudeCode(), path))
    assert caught.value.code == "CANARY_FAILED"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("dialect", "let_through"),
    [
        (ClaudeCode(), set[str]()),
        (Codex(), {"read a key of the user with its own tools", "read the workspace's blobs with its own tools"}),
        (Gemini(), set[str]()),
    ],
    ids=["claude-code", "codex", "gemini-cli"],
)
def test_without_a_sandbox_the_rules_of_the_real_command_line_hold_so_far(
    dialect: Dialect, let_through: set[str], project: Path
) -> None:
    # The how-to says so; a version that does otherwise is to be noticed.
    trials = trials_of(project, "none", cli(dialect, need(dialect.program)))
    assert set(trials) >= FORBIDDEN
    assert {one for one in FORBIDDEN if not trials[one].is_well} == let_through


def test_what_is_asked_of_elsewhere_is_passed_on_to_nobody() -> None:
    with tempting(()) as model:
        where = urlsplit(model.variables["HTTPS_PROXY"])
        assert (where.hostname, model.variables["NO_PROXY"]) == ("127.0.0.1", "127.0.0.1")
        connection = HTTPConnection(str(where.hostname), where.port or 0)
        connection.set_tunnel("vendor.invalid", 443)
        with pytest.raises(OSError, match="501"):
            connection.connect()
        connection.close()
