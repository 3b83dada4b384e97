"""A program that speaks one JSON object a line on its standard streams: what an ACP connection is carried by.

In the end all is killed that the program started (`agents.process`). What it prints is bounded: one line, and all of
it. A line that is no JSON object is noise (a log that went to the wrong stream) and is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from typing import Any

import msgspec

from esaa.agents.marks import MARK, end_marked, new_mark
from esaa.agents.process import Program
from esaa.errors import AgentUnavailable

_STDIN, _STDOUT = 0, 1
_STDERR_BYTES = 4096
_DRAIN_S = 1.0
_LINES_WAITING = 256
_TOTAL_FACTOR = 16
"""How often the limit of one message fits into all of them: a text that comes token by token has large envelopes."""


class Conversation(asyncio.SubprocessProtocol):
    """One running program. It is a transport for `acp.connection.Connection`: `send`, `receive`, `close`."""

    def __init__(self, message_bytes_max: int) -> None:
        self.is_too_large = False
        self.noise = ""
        self.complaint = b""
        self._mark = new_mark()
        self.message_bytes_max = message_bytes_max
        self._left = message_bytes_max * _TOTAL_FACTOR
        self._partial = bytearray()
        self._lines: deque[bytes] = deque()
        self._is_ended = False
        self._is_taking = True
        self._something = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._exited = asyncio.Event()
        self._closed = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None

    @classmethod
    async def start(cls, program: Program, message_bytes_max: int) -> Conversation:
        """Starts the program. Raises `AgentUnavailable` where it is not there or cannot be started."""
        conversation = cls(message_bytes_max)
        environment = dict(os.environ if program.environment is None else program.environment)
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: conversation,
                *program.arguments,
                cwd=program.directory,
                env=environment | {MARK: conversation._mark},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise AgentUnavailable(
                "AGENT_NOT_INSTALLED",
                f"The ACP agent {program.name!r} cannot be started: {getattr(error, 'strerror', None) or error}.",
                "Install it, or correct the adapter `acp:PROGRAM` in agents_swarm.yaml.",
            ) from error
        return conversation

    async def send(self, message: dict[str, Any]) -> None:
        """Writes one message. Raises `ConnectionError` where the program no longer reads."""
        await self._writable.wait()
        stdin = None if self._transport is None else self._transport.get_pipe_transport(_STDIN)
        if not self._is_taking or not isinstance(stdin, asyncio.WriteTransport) or stdin.is_closing():
            raise ConnectionError("the program closed its input")
        stdin.write(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message, or None after the last one. Waits while the program does not take what it asked for."""
        while True:
            await self._writable.wait()
            while not self._lines:
                if self._is_ended:
                    return None
                self._something.clear()
                await self._something.wait()
            line = self._lines.popleft()
            if len(self._lines) < _LINES_WAITING:
                self._read_on(is_paused=False)
            try:
                message: object = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                message = None
            if isinstance(message, dict):
                return message
            if line.strip():
                self.noise = line[:300].decode("utf-8", "replace").strip()

    async def close(self) -> None:
        """Nothing more is read; `end` is what ends the program."""
        self._ended()

    async def end(self) -> None:
        """Kills the process group and waits until the program is gone."""
        assert self._transport is not None, "a conversation that was started has a transport"
        self._ended()
        # The group outlives its leader where the program left children behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), signal.SIGKILL)
        end_marked(self._mark)
        self._read_on(is_paused=False)  # else nobody would see the end of the pipe
        try:
            # What is still in the pipes. A child that left the group may hold them open for ever.
            await self._exited.wait()
            await asyncio.wait_for(self._closed.wait(), _DRAIN_S)
        except TimeoutError:
            stdin = self._transport.get_pipe_transport(_STDIN)
            if self._is_taking and isinstance(stdin, asyncio.WriteTransport):
                stdin.abort()
        finally:
            self._transport.close()

    def last_words(self) -> str:
        """The last line that the program wrote to standard error, or what stands for it."""
        lines = self.complaint.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else self.noise or "it said nothing"

    def exit_code(self) -> int | None:
        """The exit code, or None while the program runs."""
        return None if self._transport is None else self._transport.get_returncode()

    async def gone(self) -> None:
        """Waits a moment for the exit code of a program whose output has ended."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._exited.wait(), _DRAIN_S)

    def overflow(self) -> None:
        """Ends the conversation because there was too much of it."""
        self.is_too_large = True
        self._ended()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The program runs."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Cuts the output into lines; keeps the end of what went to standard error."""
        if fd != _STDOUT:
            self.complaint = (self.complaint + data)[-_STDERR_BYTES:]
            return
        if self._is_ended:
            return
        self._left -= len(data)
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._lines.append(bytes(self._partial + part))
            self._partial.clear()
        self._partial += rest
        longest = max((len(line) for line in self._lines), default=0) if whole else 0
        if self._left < 0 or max(longest, len(self._partial)) > self.message_bytes_max:
            self.overflow()
            return
        if len(self._lines) >= _LINES_WAITING:
            self._read_on(is_paused=True)
        self._something.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """One pipe is at its end."""
        if fd == _STDOUT:
            if self._partial and not self._is_ended:
                self._lines.append(bytes(self._partial))
            self._is_ended = True
            self._something.set()
        elif fd == _STDIN:
            self._is_taking = False
            self._writable.set()

    def pause_writing(self) -> None:
        """The program does not read what we send."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It reads again."""
        self._writable.set()

    def process_exited(self) -> None:
        """The program is gone; its children may not be, and may hold its pipes."""
        self._exited.set()
        asyncio.get_running_loop().call_later(_DRAIN_S, self._ended_after_exit)

    def connection_lost(self, exc: Exception | None) -> None:
        """The program is gone and all pipes are at their end."""
        self._closed.set()

    def _ended_after_exit(self) -> None:
        self._is_ended = True
        self._something.set()

    def _ended(self) -> None:
        self._is_ended = True
        self._lines.clear()
        self._partial.clear()
        self._something.set()
        self._writable.set()

    def _read_on(self, *, is_paused: bool) -> None:
        stdout = None if self._transport is None else self._transport.get_pipe_transport(_STDOUT)
        if isinstance(stdout, asyncio.ReadTransport) and not stdout.is_closing():
            if is_paused:
                stdout.pause_reading()
            else:
                stdout.resume_reading()
