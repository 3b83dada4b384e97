"""`esaa doctor agents`: are the agents' programs there, does their sandbox hold, and what do their own tools reach?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from esaa.cli.face import Face, exit_with, face_options, pass_face

if TYPE_CHECKING:
    from esaa.runtime.agent_trials import AgentTrial


@click.command("agents")
@click.option("--sandbox-only", is_flag=True, help="Start no agent: try the sandboxes alone, which takes seconds.")
@face_options
@pass_face
def doctor_agents(face: Face, sandbox_only: bool) -> None:
    """Try each agent and its sandbox: they attempt what is forbidden, and are judged from outside.

    A canary is sent through the sandbox. It tries to write into the project and the log's folder, to read keys,
    contents and the log, to inherit a variable and to reach a port of this machine. Then the agent itself is started
    (claude-code, codex, gemini-cli) as a run starts it, with a model on this machine that asks it to write and to read
    the same with its own tools. That needs no key, and its vendor is asked nothing. It takes a minute at most for each.

    Ends with 0 when every program is there and everything forbidden was stopped, 1 otherwise.

    Example: esaa doctor agents --sandbox-only
    """
    from esaa.agents.sandbox.choose import lacking
    from esaa.config import load_config
    from esaa.dev.fake_llm.tempter import tempting
    from esaa.runtime.agent_trials import try_agents

    tempter = None if sandbox_only else tempting
    tried = list(try_agents(face.workspace(), Path(load_config().config_dir), tempter))
    lacks = lacking()
    lines = [f"no {level} here: {reason}" for level, reason in lacks.items()]
    for one in tried:
        lines += _lines(one)
    if not tried:
        lines.append("no actor has a program of its own, and there are no commands for checks: nothing to try")
    is_well = all(one.is_well for one in tried)
    answer = {
        "is_well": is_well,
        "lacking": dict(lacks),
        "agents": [{**msgspec.to_builtins(one), "is_well": one.is_well} for one in tried],
    }
    face.data(answer, *lines)
    exit_with(0 if is_well else 1)


def _lines(one: AgentTrial) -> list[str]:
    program = " ".join(part for part in (one.program, one.version) if part)
    network = ", network granted" if one.is_networked else ""
    confined = "" if one.sandbox is None else f", sandbox {one.sandbox}{network}"
    lines = [f"{one.name} ({one.adapter}): {program or 'no program'}{confined}"]
    if one.problem is not None:
        lines.append(f"  problem: {one.problem}")
    if one.remark is not None:
        lines.append(f"  {one.remark}")
    failed = [trial for trial in one.trials if not trial.is_well]
    for trial in failed:
        what = "was not stopped" if trial.wanted == "stopped" else "did not work"
        lines.append(f"  FAILED: {trial.attempt} {what} ({trial.detail})")
    stopped = sum(trial.is_well and trial.wanted == "stopped" for trial in one.trials)
    if one.trials:
        lines.append(f"  {stopped} forbidden acts were tried and stopped, {len(failed)} tries ended badly")
    return lines
