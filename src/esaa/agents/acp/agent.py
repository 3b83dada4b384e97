"""An agent behind the Agent Client Protocol: one process and one session for each dispatch, and we are the client.

The session works in a private copy, never in the project. What the agent writes through us stays there, what it writes
by itself too; what has changed there in the end becomes the `file_updates` of the result.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from esaa.agents.acp.bounds import Bounds
from esaa.agents.acp.conversation import Conversation
from esaa.agents.acp.outcome import agent_result
from esaa.agents.acp.tree import SessionTree
from esaa.agents.base import Answer, Dispatch
from esaa.agents.private_tree import private_tree
from esaa.agents.process import Program
from esaa.errors import AgentError, AgentTimedOut, AgentUnavailable
from esaa.protocol.scheduling import Order

RULES = """How to work here:
- Your working directory is a private copy. Change files only in it, with your file tools, and only where the boundary \
in the context allows it. What you write there is added to `file_updates` of your answer; do not repeat it.
- Your last message is your answer: exactly one JSON object, with nothing before or after it.
"""
"""What an agent with hands of its own is told beside the prompt, which is the same for every adapter."""


class AcpAgent:
    """Starts `command` for each dispatch and speaks ACP with it.

    `bounds_of` gives what an order may touch of the project; `environment` is all that the program gets of ours.
    `granted` are the kinds of tool calls that are safe because of a sandbox, whose level is
    `sandbox`; `model` is chosen where the agent offers the choice.
    """

    def __init__(
        self,
        command: str,
        *,
        bounds_of: Callable[[Order], Bounds],
        project: Path,
        environment: Mapping[str, str],
        output_bytes_max: int,
        model: str | None = None,
        granted: Collection[str] = (),
        sandbox: str = "none",
    ) -> None:
        try:
            arguments = shlex.split(command)
        except ValueError as error:
            raise AgentError("COMMAND_INVALID", f"The agent command {command!r}: {error}.", "Quote it anew.") from error
        if not arguments:
            raise AgentError("COMMAND_INVALID", "The agent command is empty.", "Write `acp:PROGRAM [ARGUMENTS]`.")
        self._arguments = arguments
        self._bounds_of = bounds_of
        self._project = project
        self._environment = environment
        self._output_bytes_max = output_bytes_max
        self._model = model
        self._granted = granted
        self._sandbox = sandbox

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The agent's last message with the files it wrote.

        Raises `AgentTimedOut`, `AgentCrashed` and `AgentUnavailable`.
        """
        try:
            from esaa.agents.acp.desk import Desk
            from esaa.agents.acp.session import Ordered, Session
        except ImportError as error:
            raise AgentUnavailable(
                "EXTRA_MISSING", "ACP agents need the `acp` extra.", "Install it: pip install 'esaa[acp]'."
            ) from error
        name = self._arguments[0]
        ordered = Ordered(name=name, environment=self._environment, model=self._model, sandbox=self._sandbox)
        bounds = self._bounds_of(dispatch.order)
        with private_tree(self._project, bounds.readable) as private:
            tree = SessionTree(private.root)
            program = Program(arguments=self._arguments, directory=tree.directory, environment=self._environment)
            conversation = await Conversation.start(program, self._output_bytes_max)
            try:
                desk = Desk(
                    bounds,
                    tree,
                    bytes_max=self._output_bytes_max,
                    overflow=conversation.overflow,
                    granted=self._granted,
                )
                session = Session(ordered, conversation, desk)
                try:
                    async with asyncio.timeout(dispatch.timeout_s):
                        await session.run(tree.directory, _texts(dispatch))
                except TimeoutError as error:
                    raise AgentTimedOut(
                        "AGENT_TIMED_OUT",
                        f"{name} gave no answer within {dispatch.timeout_s:.0f} s.",
                        "It was ended; the task stays with its owner.",
                        usage=session.usage(),
                    ) from error
            finally:
                await conversation.end()
            # Read only now that nothing writes in the folder any more.
            return Answer(result=agent_result(desk.said(), private.changes().files), usage=session.usage())


def _texts(dispatch: Dispatch) -> tuple[str, ...]:
    """What is said in the one turn: the prompt as every adapter says it, then what is special here."""
    prompt = dispatch.prompt
    texts = [dispatch.context.decode()] if prompt is None else [prompt.system, prompt.user]
    if dispatch.schema:
        texts.append(f"The JSON Schema of your answer:\n{dispatch.schema.decode()}")
    return (*texts, RULES)
