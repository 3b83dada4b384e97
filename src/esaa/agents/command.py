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
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from esaa.agents.base import Dispatch
from esaa.errors import AgentCrashed, AgentError, AgentTimedOut

_STDERR_BYTES = 4096
_CHUNK = 64 * 1024


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

    async def answer(self, dispatch: Dispatch) -> bytes:
        """What the program printed. Raises `AgentTimedOut`, `AgentCrashed`, and `AgentError` if it cannot start."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=self._directory, start_new_session=True
            )
        except OSError as error:
            raise AgentError(
                "COMMAND_NOT_STARTED",
                f"The agent program {self._arguments[0]!r} cannot be started: {error.strerror}.",
                "Check the adapter in agents_swarm.yaml or the --agent option.",
            ) from error
        try:
            async with asyncio.timeout(dispatch.timeout_s):
                return await self._converse(process, dispatch.context)
        except TimeoutError as error:
            raise AgentTimedOut(
                "AGENT_TIMED_OUT",
                f"{self._arguments[0]} gave no answer within {dispatch.timeout_s:.0f} s.",
                "It was ended; the task stays with its owner.",
            ) from error
        finally:
            await _end(process)

    async def _converse(self, process: Process, context: bytes) -> bytes:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        _, output, complaint = await asyncio.gather(
            _feed(process.stdin, context),
            _read(process.stdout, self._output_bytes_max),
            _tail(process.stderr),
        )
        if output is None:
            raise AgentCrashed(
                "OUTPUT_TOO_LARGE",
                f"{self._arguments[0]} printed more than {self._output_bytes_max} bytes and was ended.",
                "An agent prints one JSON object and nothing else.",
            )
        code = await process.wait()
        if code != 0:
            last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise AgentCrashed(
                "AGENT_CRASHED",
                f"{self._arguments[0]} ended with exit code {code}: {last[0][:300]}",
                "Run the program by hand with the context of `esaa dispatch-context`.",
            )
        return output


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    # A program that does not read its input closes the pipe; its answer may be good all the same.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.close()
        await stream.wait_closed()


async def _read(stream: asyncio.StreamReader, bytes_max: int) -> bytes | None:
    """All bytes, or None as soon as there are more than `bytes_max`."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.read(_CHUNK):
        size += len(chunk)
        if size > bytes_max:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _tail(stream: asyncio.StreamReader) -> bytes:
    last = b""
    while chunk := await stream.read(_CHUNK):
        last = (last + chunk)[-_STDERR_BYTES:]
    return last


async def _end(process: Process) -> None:
    # The group outlives its leader where the program left children behind.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
