"""Any program as an agent: the context as JSON on standard input, the agent result on standard output.

The program gets its own process group, which is killed as a whole at the time limit, at the output cap, and when the
run ends. It runs with the user's rights: there is no sandbox here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from pathlib import Path

from esaa.agents.base import Answer, Dispatch, Usage
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut

_STDERR_BYTES = 4096
_STDIN, _STDOUT = 0, 1
_DRAIN_S = 1.0


class CommandAgent:
    """Starts `command` in `directory` for each dispatch; reads at most `output_bytes_max` bytes of its output."""

    def __init__(self, command: str, directory: Path, output_bytes_max: int) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise AgentError("COMMAND_INVALID", f"The agent command {command!r}: {error}.", "Quote it anew.") from error
        if not self._arguments:
            raise AgentError("COMMAND_INVALID", "The agent command is empty.", "Write `command:PROGRAM [ARGUMENTS]`.")
        self._directory = directory
        self._output_bytes_max = output_bytes_max

    async def answer(self, dispatch: Dispatch) -> Answer:
        """What the program printed. Raises `AgentTimedOut`, `AgentCrashed`, and `AgentError` if it cannot start."""
        conversation = _Conversation(self._output_bytes_max)
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: conversation, *self._arguments, cwd=self._directory, start_new_session=True
            )
        except OSError as error:
            raise AgentError(
                "COMMAND_NOT_STARTED",
                f"The agent program {self._arguments[0]!r} cannot be started: {error.strerror}.",
                "Check the adapter in agents_swarm.yaml or the --agent option.",
            ) from error
        try:
            async with asyncio.timeout(dispatch.timeout_s):
                _feed(transport, dispatch.context)
                await conversation.decided.wait()
        except TimeoutError as error:
            raise AgentTimedOut(
                "AGENT_TIMED_OUT",
                f"{self._arguments[0]} gave no answer within {dispatch.timeout_s:.0f} s.",
                "It was ended; the task stays with its owner.",
            ) from error
        finally:
            await _end(transport, conversation)
        result = self._outcome(conversation, transport.get_returncode())
        return Answer(result=result, usage=Usage(client="command", sandbox="none"))

    def _outcome(self, conversation: _Conversation, code: int | None) -> bytes:
        if conversation.is_too_large:
            raise AgentCrashed(
                "OUTPUT_TOO_LARGE",
                f"{self._arguments[0]} printed more than {self._output_bytes_max} bytes and was ended.",
                "An agent prints one JSON object and nothing else.",
            )
        if code != 0:
            complaint = conversation.complaint.decode("utf-8", "replace")
            last = complaint.strip().splitlines()[-1:] or ["it said nothing"]
            raise AgentCrashed(
                "AGENT_CRASHED",
                f"{self._arguments[0]} ended with exit code {code}: {last[0][:300]}",
                "Run the program by hand with the context of `esaa dispatch-context`.",
            )
        return bytes(conversation.output)


class _Conversation(asyncio.SubprocessProtocol):
    """What a program prints, as it comes. Not asyncio's streams: they wait for the pipes, which children may hold."""

    def __init__(self, output_bytes_max: int) -> None:
        self.output = bytearray()
        self.complaint = b""
        self.is_too_large = False
        self.is_reading = True
        self.decided = asyncio.Event()
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()
        self._output_bytes_max = output_bytes_max

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keeps the output up to the cap, and the end of what went to standard error."""
        if fd != _STDOUT:
            self.complaint = (self.complaint + data)[-_STDERR_BYTES:]
        elif len(self.output) + len(data) > self._output_bytes_max:
            self.is_too_large = True
            self.decided.set()
        else:
            self.output += data

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """One pipe is at its end."""
        if fd == _STDIN:
            self.is_reading = False

    def process_exited(self) -> None:
        """The program is gone; its children may not be."""
        self.exited.set()
        self.decided.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The program is gone and all pipes are at their end."""
        self.closed.set()


def _feed(transport: asyncio.SubprocessTransport, data: bytes) -> None:
    # A program that does not read its input closes the pipe; its answer may be good all the same.
    stdin = transport.get_pipe_transport(_STDIN)
    assert isinstance(stdin, asyncio.WriteTransport)
    stdin.write(data)
    stdin.write_eof()


async def _end(transport: asyncio.SubprocessTransport, conversation: _Conversation) -> None:
    # The group outlives its leader where the program left children behind.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(transport.get_pid(), signal.SIGKILL)
    await conversation.exited.wait()
    try:
        # What is still in the pipes. A child that left the group may hold them open for ever.
        await asyncio.wait_for(conversation.closed.wait(), _DRAIN_S)
    except TimeoutError:
        stdin = transport.get_pipe_transport(_STDIN)
        if conversation.is_reading and isinstance(stdin, asyncio.WriteTransport):
            stdin.abort()
    finally:
        transport.close()
