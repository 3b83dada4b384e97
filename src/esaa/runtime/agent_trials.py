"""`esaa doctor agents`: whether the program behind each actor is there, and whether its sandbox really holds.

A canary is sent through the sandbox of each actor that has a program, and through that of the checks. It tries what is
forbidden; what it did is judged from outside.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from esaa.agents.clis.claude_code import ClaudeCode
from esaa.agents.clis.codex import Codex
from esaa.agents.clis.dialect import Dialect
from esaa.agents.clis.environment import handed_on
from esaa.agents.clis.gemini import Gemini
from esaa.agents.clis.versions import find_installed
from esaa.agents.sandbox.canary import Trial, fire
from esaa.contracts.sandbox import CHECKS
from esaa.errors import AgentError
from esaa.runtime.workspace import Workspace

_DIALECTS: tuple[Dialect, ...] = (ClaudeCode(), Codex(), Gemini())


class AgentTrial(msgspec.Struct, frozen=True, kw_only=True):
    """One actor, or the checks, or a command line that is installed and serves nobody yet.

    - `program`: where it lies; None where it is not there. `version`: as it says it, where it was asked.
    - `sandbox`: the level in force; None where nothing confines it, or it could not be tried.
    - `trials`: what the canary tried. `problem`: why it is not as it should be, where that is so. `remark`: what is
      worth knowing all the same.
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


def try_agents(workspace: Workspace, config_dir: Path) -> list[AgentTrial]:
    """Tries all of them, in the order of the registry. Never raises for what is wrong with one."""
    return [_tried(workspace, config_dir, one) for one in _found(workspace)]


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
    policy, actor = workspace.rules.runtime.sandbox, workspace.rules.swarm.actors.get(tried.name)
    is_meant = (policy is not None and policy.level == "none") or (actor is not None and actor.sandbox == "none")
    if not is_meant:
        return tried
    return msgspec.structs.replace(tried, trials=(), remark="nothing confines it, as the contracts say")


def _confines_commands(workspace: Workspace, name: str) -> bool:
    actor = workspace.rules.swarm.actors.get(name)
    return workspace.rules.runtime.sandbox is not None or (actor is not None and actor.sandbox is not None)
