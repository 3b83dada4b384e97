"""An agent behind the Agent Client Protocol: one process and one session for each dispatch, and we are the client.

The session works in a private copy, never in the project, under a sandbox where there is one. What the agent writes
through us stays there, what it writes by itself too; what has changed there in the end is proposed with its answer.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from esaa.agents.acp.conversation import Conversation
from esaa.agents.acp.outcome import the_json_in
from esaa.agents.acp.tree import SessionTree
from esaa.agents.base import Answer, Dispatch
from esaa.agents.bounds import Bounds
from esaa.agents.clis.agent import in_thread
from esaa.agents.clis.environment import handed_on, without_secrets
from esaa.agents.clis.versions import Installed
from esaa.agents.private_tree import PrivateTree, private_tree
from esaa.agents.process import Program
from esaa.agents.proposals import proposed
from esaa.agents.sandbox.enclosure import Cell, Enclosure
from esaa.errors import AgentError, AgentTimedOut, AgentUnavailable
from esaa.protocol.answer_schema import without_nulls
from esaa.protocol.scheduling import Order

RULES = """How to work here:
- Your working directory is a private copy of what you may read of the project. Change files only in it, with your \
file tools, and only where the boundary in the context allows it. What you change there is added to `file_updates` of \
your answer; do not repeat it. A removed file cannot be proposed.
- Your last message is your answer: exactly one JSON object, with nothing before or after it.
"""
"""What an agent with hands of its own is told beside the prompt, which is the same for every adapter."""

_STEERING = {
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}
"""What Claude Code needs to hear, which would ask with a bad key for minutes. It says nothing to the others."""


class AcpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the swarm's registry says about one actor's ACP agent.

    `env` names the variables that are handed on; all of them count as secrets. `timeout_s` shortens the time of a
    dispatch. `model` is chosen where the agent offers the choice.
    """

    output_bytes_max: int
    model: str | None = None
    timeout_s: float | None = None
    env: tuple[str, ...] = ()

    @property
    def credentials(self) -> tuple[str, ...]:
        """The variables whose values must come back in no answer."""
        return self.env

    @property
    def variables(self) -> tuple[str, ...]:
        """Further variables that are handed on: none."""
        return ()


class AcpAgent:
    """Starts `command` for each dispatch and speaks ACP with it. `bounds_of` says what an order may touch of the
    enclosure's project.

    Without a variable of `env` that is set, the program uses the login of the person whose machine this is, and so that
    person's home. `environment` stands in for that of this process, for who leads the program elsewhere than its user
    would.
    """

    def __init__(
        self,
        command: str,
        enclosure: Enclosure,
        bounds_of: Callable[[Order], Bounds],
        settings: AcpSettings,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        try:
            arguments = shlex.split(command)
        except ValueError as error:
            raise AgentError("COMMAND_INVALID", f"The agent command {command!r}: {error}.", "Quote it anew.") from error
        if not arguments:
            raise AgentError("COMMAND_INVALID", "The agent command is empty.", "Write `acp:PROGRAM [ARGUMENTS]`.")
        self._arguments = arguments
        self._enclosure = enclosure
        self._bounds_of = bounds_of
        self._settings = settings
        self._environment = os.environ if environment is None else environment

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The agent's last message, with what it changed as file updates.

        Raises `AgentUnavailable` where no session can be had, `AgentTimedOut` and `AgentCrashed` where the agent was
        asked and gave no answer.
        """
        name = self._arguments[0]
        try:
            from esaa.agents.acp.session import Ordered, Session
        except ImportError as error:
            raise AgentUnavailable(
                "EXTRA_MISSING", "ACP agents need the `acp` extra.", "Install it: pip install 'esaa[acp]'."
            ) from error
        if self._is_confined and not self._enclosure.is_networked:
            raise AgentUnavailable(
                "NETWORK_NOT_GRANTED",
                f"{name} calls its vendor, and the sandbox grants {dispatch.order.actor} no network.",
                f"Add {dispatch.order.actor} to `sandbox.network` in RUNTIME_POLICY.yaml.",
            )
        bounds = self._bounds_of(dispatch.order)
        variables = handed_on(self._settings, self._settings.env, self._environment)
        with ExitStack() as stack:
            private = await in_thread(lambda: stack.enter_context(private_tree(self._enclosure.root, bounds.readable)))
            cell = await in_thread(lambda: stack.enter_context(self._enclosure.opened()))
            program = self._program(private, cell, variables)
            conversation = await Conversation.start(program, self._settings.output_bytes_max)
            try:
                session = Session(
                    Ordered(
                        name=name,
                        environment=variables,
                        model=self._settings.model,
                        sandbox=self._enclosure.level,
                        # A command of its own can reach whatever this user can, where nothing confines it.
                        granted=("execute",) if self._is_confined and bounds.action != "claim" else (),
                        hides=lambda text: self._without_secrets(text.encode(), variables).decode("utf-8", "replace"),
                    ),
                    conversation,
                    bounds,
                    SessionTree(private.root),
                )
                timeout_s = min(dispatch.timeout_s, self._settings.timeout_s or dispatch.timeout_s)
                try:
                    async with asyncio.timeout(timeout_s):
                        await session.run(private.root.resolve(), _texts(dispatch))
                except TimeoutError as error:
                    raise AgentTimedOut(
                        "AGENT_TIMED_OUT",
                        f"{name} gave no answer within {timeout_s:.0f} s.",
                        "It was ended; the task stays with its owner.",
                        usage=session.usage(),
                    ) from error
            finally:
                await conversation.end()
            # Read only now that nothing writes in the folder any more.
            changes = await in_thread(private.changes)
            proposal = proposed(without_nulls(the_json_in(session.said())), changes.files, bounds.task.output_files)
        return Answer(
            result=self._without_secrets(proposal.result, variables),
            usage=session.usage(),
            remarks=(*session.remarks(), *changes.remarks, *proposal.remarks),
        )

    @property
    def _is_confined(self) -> bool:
        return self._enclosure.level != "none"

    def _program(self, tree: PrivateTree, cell: Cell, variables: Mapping[str, str]) -> Program:
        found = shutil.which(self._arguments[0], path=variables["PATH"])
        if found is None:
            raise AgentUnavailable(
                "AGENT_NOT_INSTALLED",
                f"The ACP agent {self._arguments[0]!r} is not on the PATH.",
                "Install it, or correct the adapter `acp:PROGRAM` in agents_swarm.yaml.",
            )
        has_key = any(variables.get(name) for name in self._settings.env)
        home = cell.private / "home" if has_key else Path(os.path.expanduser("~"))
        return cell.program(
            (found, *self._arguments[1:]),
            directory=tree.root,
            sees_project=False,
            readable=Installed(path=Path(found), version="").folders,
            writable=(tree.root,),
            environment={**_STEERING, **variables, "HOME": str(home)},
        )

    def _without_secrets(self, data: bytes, variables: Mapping[str, str]) -> bytes:
        return without_secrets(data, self._settings, variables)


def _texts(dispatch: Dispatch) -> tuple[str, ...]:
    """What is said in the one turn: the prompt as every adapter says it, then what is special here."""
    prompt = dispatch.prompt
    texts = [dispatch.context.decode()] if prompt is None else [prompt.system, prompt.user]
    if dispatch.schema:
        texts.append(f"The JSON Schema of your answer:\n{dispatch.schema.decode()}")
    return (*texts, RULES)
