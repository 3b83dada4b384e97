"""One program, started, fed, read up to a cap, and ended with all that it started. Its answer is judged elsewhere.

The program gets its own process group, which is killed as a whole at the time limit, at the output cap, and when the
run ends. A child that left the group is found by a mark in its environment, where the system shows it (Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from esaa.agents.marks import MARK, end_marked, new_mark
from esaa.errors import AgentError

_COMPLAINT_BYTES = 4096
_STDIN, _STDOUT = 0, 1
_DRAIN_S = 1.0

Ending = Literal["exited", "timed_out", "too_large"]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be started: an argument list, where, and with which environment (None: the one of this process)."""

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """The program's name, as it was given."""
        return self.arguments[0]


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended: its exit code (negative: the signal), what it printed up to the cap, and its last words.

    `ending` is `exited` where it ended by itself; it was killed where it is `timed_out` or `too_large`.
    """

    ending: Ending
    code: int
    output: bytes
    complaint: bytes
    duration_s: float

    @property
    def last_words(self) -> str:
        """The last line that went to standard error, cut to 300 characters; empty where there was none."""
        lines = self.complaint.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""


async def run_program(program: Program, given: bytes, *, timeout_s: float, output_bytes_max: int) -> Finished:
    """Starts a program with `given` on its standard input and waits for its end, at most `timeout_s` seconds.

    Nothing that it started outlives this call. Raises `AgentError` where it cannot be started.
    """
    conversation = _Conversation(output_bytes_max)
    mark = new_mark()
    environment = dict(os.environ if program.environment is None else program.environment) | {MARK: mark}
    begin = time.monotonic()
    try:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: conversation,
            *program.arguments,
            cwd=program.directory,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise AgentError(
            "COMMAND_NOT_STARTED",
            f"The agent program {program.name!r} cannot be started: {getattr(error, 'strerror', None) or error}.",
            "Check the adapter in agents_swarm.yaml or the --agent option.",
        ) from error
    ending: Ending = "exited"
    try:
        async with asyncio.timeout(timeout_s):
            _feed(transport, given)
            await conversation.decided.wait()
    except TimeoutError:
        ending = "timed_out"
    finally:
        await _end(transport, conversation, mark)
    code = transport.get_returncode()
    return Finished(
        ending="too_large" if conversation.is_too_large else ending,
        code=-signal.SIGKILL if code is None else code,
        output=bytes(conversation.output),
        complaint=conversation.complaint,
        duration_s=time.monotonic() - begin,
    )


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
            self.complaint = (self.complaint + data)[-_COMPLAINT_BYTES:]
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


async def _end(transport: asyncio.SubprocessTransport, conversation: _Conversation, mark: str) -> None:
    # The group outlives its leader where the program left children behind.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(transport.get_pid(), signal.SIGKILL)
    end_marked(mark)
    await conversation.exited.wait()
    try:
        # What is still in the pipes. A child that nobody finds may hold them open for ever.
        await asyncio.wait_for(conversation.closed.wait(), _DRAIN_S)
    except TimeoutError:
        stdin = transport.get_pipe_transport(_STDIN)
        if conversation.is_reading and isinstance(stdin, asyncio.WriteTransport):
            stdin.abort()
    finally:
        transport.close()
