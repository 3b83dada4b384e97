"""`esaa doctor agents`: whether the program behind each actor is there, and whether its sandbox really holds.

A canary is sent through the sandbox of each actor that has a program, and through that of the checks. It tries what is
forbidden; what it did is judged from outside. Then the program itself is started, as a run starts it, with a model that
asks it for the same.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from esaa.agents.acp.agent import AcpAgent, AcpSettings
from esaa.agents.base import Agent
from esaa.agents.bounds import Bounds
from esaa.agents.clis.agent import CliAgent, CliSettings
from esaa.agents.clis.claude_code import ClaudeCode
from esaa.agents.clis.codex import Codex
from esaa.agents.clis.dialect import Dialect
from esaa.agents.clis.environment import handed_on
from esaa.agents.clis.gemini import Gemini
from esaa.agents.clis.versions import find_installed
from esaa.agents.sandbox.canary import Trial, fire
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.agents.sandbox.temptation import MakeAgent, Tempter, tempt
from esaa.contracts.agent import AgentContract, Boundary
from esaa.contracts.sandbox import CHECKS
from esaa.errors import AgentError
from esaa.protocol.answer_schema import answer_schema
from esaa.protocol.task_table import Task
from esaa.runtime.workspace import Workspace

_MODEL = "fake-model"
"""What an agent asks for whose actor names no model: it may need a choice to be made before it asks anything."""

_TASK = Task(
    task_id="CANARY-1",
    task_kind="impl",
    title="Try the tools",
    description="",
    status="in_progress",
    depends_on=(),
    targets=(),
    outputs={"files": []},
)
_DIALECTS: tuple[Dialect, ...] = (ClaudeCode(), Codex(), Gemini())


class AgentTrial(msgspec.Struct, frozen=True, kw_only=True):
    """One actor, or the checks, or a command line that is installed and serves nobody yet.

    - `program`: where it lies; None where it is not there. `version`: as it says it, where it was asked.
    - `sandbox`: the level in force; None where nothing confines it, or it could not be tried.
    - `trials`: what the canary tried, and then the agent with its own tools. `problem`: why it is not as it should be,
      where that is so. `remark`: what is worth knowing all the same.
    """

    name: str
    adapter: str
    program: str | None = None
    version: str | None = None
    sandbox: str | None = None
    is_networked: bool = False
    trials: tuple[Trial, ...] = ()
    problem: str | None = None
    remark: str | None = None

    @property
    def is_well(self) -> bool:
        """True where the program is there and nothing forbidden was done."""
        return self.problem is None and all(one.is_well for one in self.trials)


def try_agents(workspace: Workspace, config_dir: Path, tempter: Tempter | None = None) -> Iterator[AgentTrial]:
    """Tries all of them, in the order of the registry. Never raises for what is wrong with one.

    Without a `tempter`, which serves the model that tempts, the sandboxes are tried and no agent is started.
    """
    for found in _found(workspace):
        tried = _tried(workspace, config_dir, found)
        if tempter is not None and tried.problem is None:
            tried = _tempted(workspace, config_dir, tried, tempter)
        yield tried


def _found(workspace: Workspace) -> Iterator[AgentTrial]:
    """Who has a program, and whether it is there."""
    adapters: set[str] = set()
    for name, actor in workspace.rules.swarm.actors.items():
        adapter, _, argument = actor.adapter.partition(":")
        adapters.add(adapter)
        dialect = next((one for one in _DIALECTS if one.name == adapter), None)
        if dialect is not None:
            yield _of_dialect(dialect, name, workspace, actor.env)
        elif adapter in ("command", "acp"):
            yield _of_command(name, actor.adapter, argument, workspace)
    for dialect in _DIALECTS:
        if dialect.name not in adapters and shutil.which(dialect.program) is not None:
            yield _of_dialect(dialect, dialect.name, workspace, ())
    commands = workspace.rules.agent.executable_checks.commands
    if commands:
        yield AgentTrial(name=CHECKS, adapter=CHECKS, program=", ".join(commands))


def _of_dialect(dialect: Dialect, name: str, workspace: Workspace, env: tuple[str, ...]) -> AgentTrial:
    variables = handed_on(dialect, env, os.environ) | {"HOME": os.path.expanduser("~")}
    try:
        installed = asyncio.run(find_installed(dialect, workspace.root, variables))
    except AgentError as error:
        return AgentTrial(name=name, adapter=dialect.name, problem=str(error))
    return AgentTrial(
        name=name,
        adapter=dialect.name,
        program=str(installed.path),
        version=installed.version,
        remark=installed.remark,
    )


def _of_command(name: str, adapter: str, argument: str, workspace: Workspace) -> AgentTrial:
    try:
        words = shlex.split(argument)
    except ValueError:
        words = []
    if not words:
        return AgentTrial(name=name, adapter=adapter, problem="The adapter names no program.")
    where = str(workspace.root / words[0]) if "/" in words[0] else words[0]
    program = shutil.which(where)
    problem = None if program is not None else f"The program {words[0]!r} is not there, or cannot be started."
    return AgentTrial(name=name, adapter=adapter, program=program, problem=problem)


def _tried(workspace: Workspace, config_dir: Path, found: AgentTrial) -> AgentTrial:
    if found.problem is not None:
        return found
    if found.adapter.startswith("command:") and not _confines_commands(workspace, found.name):
        remark = "nothing confines it: neither RUNTIME_POLICY nor the actor has a `sandbox`"
        return msgspec.structs.replace(found, sandbox="none", is_networked=True, remark=remark)
    try:
        enclosure = workspace.enclosure_of(found.name)
        # Only a command sees the project itself; all others work in a copy of what they may read.
        trials = fire(enclosure, config_dir, sees_project=found.adapter.startswith("command:"))
    except AgentError as error:
        return msgspec.structs.replace(found, problem=str(error))
    tried = msgspec.structs.replace(found, sandbox=enclosure.level, is_networked=enclosure.is_networked, trials=trials)
    return tried if tried.sandbox != "none" else _unconfined(tried, workspace)


def _unconfined(tried: AgentTrial, workspace: Workspace) -> AgentTrial:
    """Where there is no sandbox because somebody said so, what it lets through is no surprise, but it is told."""
    if not _is_meant(tried.name, workspace):
        return tried
    return _remarked(msgspec.structs.replace(tried, trials=()), "nothing confines it, as the contracts say")


def _is_meant(name: str, workspace: Workspace) -> bool:
    policy, actor = workspace.rules.runtime.sandbox, workspace.rules.swarm.actors.get(name)
    return (policy is not None and policy.level == "none") or (actor is not None and actor.sandbox == "none")


def _remarked(tried: AgentTrial, remark: str) -> AgentTrial:
    return msgspec.structs.replace(tried, remark=f"{tried.remark}; {remark}" if tried.remark else remark)


def _tempted(workspace: Workspace, config_dir: Path, tried: AgentTrial, tempter: Tempter) -> AgentTrial:
    """The trial with what the agent did with its own tools, where it has any that are known."""
    make_agent = _maker(workspace, tried)
    if make_agent is None:
        return tried
    enclosure = workspace.enclosure_of(tried.name)
    # No variable of the actor: it may hold a key, or lead elsewhere than to the model that tempts.
    opened = msgspec.structs.replace(enclosure, is_networked=True, variables=())
    schema = answer_schema("complete", workspace.rules)
    try:
        trials = asyncio.run(tempt(opened, config_dir, tempter, make_agent, schema))
    except AgentError as error:
        if tried.adapter.startswith("acp:"):  # it may ask a vendor that nothing here stands in for
            return _remarked(tried, f"its own tools were not tried: {error.message}")
        return msgspec.structs.replace(tried, problem=str(error))
    if not enclosure.is_networked and enclosure.level != "none":
        tried = _remarked(tried, "its own tools were tried with the network, which its sandbox does not grant")
    if enclosure.level == "none" and _is_meant(tried.name, workspace):
        let_through = [one.attempt for one in trials if one.wanted == "stopped" and not one.is_well]
        trials = tuple(one for one in trials if one.attempt not in let_through)
        if let_through:
            tried = _remarked(tried, f"nothing stopped it when it was asked to {', to '.join(let_through)}")
    return msgspec.structs.replace(tried, trials=(*tried.trials, *trials))


def _maker(workspace: Workspace, tried: AgentTrial) -> MakeAgent | None:
    """How the agent is made, as for a run but with other variables; None where it has no tools of its own."""
    actor = workspace.rules.swarm.actors.get(tried.name)
    model = None if actor is None else actor.model
    adapter, _, command = tried.adapter.partition(":")
    path = {"PATH": os.environ.get("PATH", os.defpath)}
    dialect = next((one for one in _DIALECTS if one.name == adapter), None)

    def make_cli(enclosure: Enclosure, variables: Mapping[str, str], readable: tuple[str, ...]) -> Agent:
        assert dialect is not None, "it is made for a command line alone"
        settings = CliSettings(model=model or _MODEL)
        return CliAgent(dialect, enclosure, lambda _: readable, settings, path | dict(variables))

    def make_acp(enclosure: Enclosure, variables: Mapping[str, str], readable: tuple[str, ...]) -> Agent:
        contract = _reading(workspace.rules.agent, readable)
        output_bytes_max = workspace.rules.runtime.dispatch.output_bytes_max
        settings = AcpSettings(output_bytes_max=output_bytes_max, model=model, env=tuple(variables))
        bounds = Bounds(task=_TASK, contract=contract, action="complete")
        return AcpAgent(command, enclosure, lambda _: bounds, settings, path | dict(variables))

    return make_cli if dialect is not None else make_acp if adapter == "acp" else None


def _reading(contract: AgentContract, readable: tuple[str, ...]) -> AgentContract:
    """The contract, but that the task of the trial may read these files and write every file of its copy."""
    boundary = Boundary(read=readable, write=("**",), forbidden_write=())
    boundaries = msgspec.structs.replace(contract.boundaries, by_task_kind={_TASK.task_kind: boundary})
    return msgspec.structs.replace(contract, boundaries=boundaries)


def _confines_commands(workspace: Workspace, name: str) -> bool:
    actor = workspace.rules.swarm.actors.get(name)
    return workspace.rules.runtime.sandbox is not None or (actor is not None and actor.sandbox is not None)
