"""Any program as an agent: the context as JSON on standard input, the agent result on standard output.

What it started is ended with it (`agents.process`). It is confined where the project or its actor has a sandbox; else
it runs with the user's rights.
"""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from esaa.agents.base import Answer, Dispatch, Usage
from esaa.agents.process import Finished, Program, run_program
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut

if TYPE_CHECKING:
    from esaa.agents.sandbox.enclosure import Enclosure


class CommandAgent:
    """Starts `command` in `directory` for each dispatch; reads at most `output_bytes_max` bytes of its output.

    In an `enclosure` it sees the project, and can write nothing but what is private to the call.
    """

    takes_prompt = False

    def __init__(
        self, command: str, directory: Path, output_bytes_max: int, enclosure: Enclosure | None = None
    ) -> None:
        try:
            arguments = shlex.split(command)
        except ValueError as error:
            raise AgentError("COMMAND_INVALID", f"The agent command {command!r}: {error}.", "Quote it anew.") from error
        if not arguments:
            raise AgentError("COMMAND_INVALID", "The agent command is empty.", "Write `command:PROGRAM [ARGUMENTS]`.")
        self._program = Program(arguments=arguments, directory=directory)
        self._output_bytes_max = output_bytes_max
        self._enclosure = enclosure

    async def answer(self, dispatch: Dispatch) -> Answer:
        """What the program printed. Raises `AgentTimedOut`, `AgentCrashed`, and `AgentError` if it cannot start."""
        level = "none"
        with ExitStack() as stack:
            program = self._program
            if self._enclosure is not None:
                level = self._enclosure.level
                cell = stack.enter_context(self._enclosure.opened())
                program = cell.program(program.arguments, directory=program.directory)
            finished = await run_program(
                program,
                dispatch.context,
                timeout_s=dispatch.timeout_s,
                output_bytes_max=self._output_bytes_max,
            )
        usage = Usage(client="command", sandbox=level, duration_s=round(finished.duration_s, 3))
        self._check(finished, dispatch, usage)
        return Answer(result=finished.output, usage=usage)

    def _check(self, finished: Finished, dispatch: Dispatch, usage: Usage) -> None:
        name = self._program.name
        if finished.ending == "timed_out":
            raise AgentTimedOut(
                "AGENT_TIMED_OUT",
                f"{name} gave no answer within {dispatch.timeout_s:.0f} s.",
                "It was ended; the task stays with its owner.",
                usage=usage,
            )
        if finished.ending == "too_large":
            raise AgentCrashed(
                "OUTPUT_TOO_LARGE",
                f"{name} printed more than {self._output_bytes_max} bytes and was ended.",
                "An agent prints one JSON object and nothing else.",
                usage=usage,
            )
        if finished.code != 0:
            raise AgentCrashed(
                "AGENT_CRASHED",
                f"{name} ended with exit code {finished.code}: {finished.last_words or 'it said nothing'}",
                "Run the program by hand with the context of `esaa dispatch-context`.",
                usage=usage,
            )
