"""Handlers that are programs of the user: `esaa replay --handlers FILE` maps event types to them.

The program gets the event as JSON on standard input and its idempotency key in the environment. It is started as a list
of arguments, never by a shell, in the project's folder, with the user's rights.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec

from esaa.errors import AgentCrashed, AgentError, AgentTimedOut, UsageError
from esaa.history.replay_plan import ReplayStep
from esaa.kernel.ingest import HANDLER_OUTPUT, HANDLERS, NotIngested, TooLarge, json_of, read_capped, yaml_of
from esaa.runtime.replay.handlers import Handler, HandlerRegistry, Outcome, ReplayContext
from esaa.stores.outside import read_named
from esaa.trail.event import stream_of
from esaa.trail.types import EventTypes
from esaa.trail.wire import TrailVocabulary

OUTPUT_BYTES_MAX = HANDLER_OUTPUT.bytes_max
FILE_BYTES_MAX = HANDLERS.bytes_max
TIMEOUT_S = 60.0
COMMAND = "command"
"""The name of a handler whose file gives it none."""

_LOOK_S = 0.25
_STDERR_BYTES = 4096
_HINT = "See docs/how-to/replay.md."


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the file: the program with its arguments, how long it may take, and what its handler is called."""

    command: Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1)], ...], msgspec.Meta(min_length=1)]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = TIMEOUT_S
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")] = COMMAND


class CommandHandler:
    """Runs a program for an event. Exit code 0 is success; a JSON object on its standard output is the outcome."""

    def __init__(self, spec: CommandSpec, root: Path, replay_id: str = "") -> None:
        self.name = spec.name
        self._spec = spec
        self._root = root
        self._replay_id = replay_id

    def __call__(self, step: ReplayStep, key: str, /) -> Outcome:
        """Runs it. Raises `AgentError` where it cannot start, `AgentTimedOut`, `AgentCrashed`."""
        line = TrailVocabulary().encode(step.event) + b"\n"
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            stdin.write(line)
            stdin.seek(0)
            process = self._start(step, key, stdin, out, err)
            try:
                self._wait(process, out)
            finally:
                # The group outlives its leader where the program left children behind.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            return self._outcome(process.returncode, out, err)

    def simulate(self, step: ReplayStep) -> Outcome:
        """Says what would be run. Raises `AgentError` where the program is not there."""
        program = self._spec.command[0]
        found = self._root / program if "/" in program else shutil.which(program)
        if found is None or not os.access(found, os.X_OK) or Path(found).is_dir():
            raise self._not_started("it is not there, or must not be executed")
        return Outcome(summary=f"would run {' '.join(self._spec.command)[:200]}")

    def _start(
        self, step: ReplayStep, key: str, stdin: IO[bytes], out: IO[bytes], err: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        about = {
            "ESAA_IDEMPOTENCY_KEY": key,
            "ESAA_REPLAY_ID": self._replay_id,
            "ESAA_EVENT_TYPE": step.event.fact.event_type,
            "ESAA_ISSUE_KEY": stream_of(step.event),
        }
        try:
            return subprocess.Popen(
                list(self._spec.command),
                cwd=self._root,
                env={**os.environ, **about},
                stdin=stdin,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise self._not_started(str(getattr(error, "strerror", None) or error)) from error

    def _wait(self, process: subprocess.Popen[bytes], out: IO[bytes]) -> None:
        """Until the program ends. Not by reading a pipe, which its children may hold open."""
        until = time.monotonic() + self._spec.timeout_s
        while True:
            try:
                process.wait(max(0.0, min(_LOOK_S, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= until:
                    raise AgentTimedOut(
                        "HANDLER_TIMED_OUT",
                        f"{self._spec.command[0]} did not end within {self._spec.timeout_s:g} s, and was ended.",
                        "Give it more `timeout_s`.",
                    ) from None
                if os.fstat(out.fileno()).st_size <= OUTPUT_BYTES_MAX:
                    continue
            if os.fstat(out.fileno()).st_size > OUTPUT_BYTES_MAX:
                raise self._too_large()
            return

    def _outcome(self, code: int, out: IO[bytes], err: IO[bytes]) -> Outcome:
        if code != 0:
            last = _end_of(err).strip().splitlines()[-1:] or ["it said nothing"]
            raise AgentCrashed(
                "HANDLER_FAILED",
                f"{self._spec.command[0]} ended with exit code {code}: {last[0][:300]}",
                "Run it by hand with the event on its standard input.",
            )
        out.seek(0)
        try:
            said = read_capped(out, OUTPUT_BYTES_MAX).strip()
        except TooLarge as error:  # a child of the program has gone on printing
            raise self._too_large() from error
        return Outcome(summary=f"ran {' '.join(self._spec.command)[:200]}", data=_told(said))

    def _too_large(self) -> AgentCrashed:
        return AgentCrashed(
            "HANDLER_OUTPUT_TOO_LARGE",
            f"{self._spec.command[0]} printed more than {OUTPUT_BYTES_MAX} bytes.",
            "A handler prints one JSON object.",
        )

    def _not_started(self, why: str) -> AgentError:
        return AgentError("HANDLER_NOT_STARTED", f"{self._spec.command[0]!r} cannot be started: {why}.", _HINT)


def with_commands(registry: HandlerRegistry, path: Path, types: EventTypes) -> HandlerRegistry:
    """The handlers of a registry, and above them the programs that a file maps event types to.

    The file is YAML or JSON: `handlers`, a map of event types to `{command: [PROGRAM, ARGUMENT...], timeout_s, name}`,
    or just to the list. Raises `UsageError` for a file that is none, and for a type that nobody knows or that must not
    be done again.
    """
    extended = registry.extended()
    for event_type, spec in _read(path, types).items():
        extended.register_made(event_type, _maker(spec), name=spec.name)
    return extended


def _maker(spec: CommandSpec) -> Any:
    def make(context: ReplayContext) -> Handler:
        return CommandHandler(spec, context.trail.root, context.replay_id)

    return make


def _read(path: Path, types: EventTypes) -> dict[str, CommandSpec]:
    try:
        value = yaml_of(read_named(path, HANDLERS), HANDLERS)
    except NotIngested as error:
        raise _invalid(path, f"cannot be read: {error}") from error
    entries = value.get("handlers") if isinstance(value, dict) and set(value) == {"handlers"} else None
    if not isinstance(entries, dict) or not entries:
        raise _invalid(path, "must hold one map named `handlers`, of event types to programs")
    return {name: _spec(path, name, entry, types) for name, entry in entries.items()}


def _spec(path: Path, name: str, entry: object, types: EventTypes) -> CommandSpec:
    if not types.knows(name):
        near = get_close_matches(name, types.names(), n=1)
        raise _invalid(path, f"names {name[:80]!r}, which is no event type" + (f"; {near[0]}?" if near else ""))
    if not types.is_repeatable(name):
        raise _invalid(path, f"names {name}, which must not be done again")
    try:
        return msgspec.convert({"command": entry} if isinstance(entry, list) else entry, CommandSpec)
    except msgspec.ValidationError as error:
        raise _invalid(path, f"{name}: {error}") from error


def _invalid(path: Path, what: str) -> UsageError:
    return UsageError("HANDLERS_INVALID", f"{path}: {what}.", _HINT)


def _told(said: bytes) -> dict[str, Any]:
    """What a program printed, as values: its JSON object, or the end of any other text."""
    if not said:
        return {}
    try:
        value = json_of(said, HANDLER_OUTPUT)
    except NotIngested:
        return {"output": said[-2000:].decode("utf-8", "replace")}
    return value if isinstance(value, dict) else {"output": value}


def _end_of(file: IO[bytes]) -> str:
    size = file.seek(0, 2)
    file.seek(max(0, size - _STDERR_BYTES))
    return file.read().decode("utf-8", "replace")
