"""A program that tries what it must not do, from inside of a sandbox, and what the host sees of it.

Nothing is believed: a write counts as stopped when the file is as it was, a read when the secret did not come out, a
connection when nobody connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import msgspec

from esaa.agents.process import run_program
from esaa.agents.sandbox.base import PYTHON
from esaa.agents.sandbox.enclosure import Enclosure
from esaa.agents.sandbox.planted import planted
from esaa.errors import AgentError

_SECONDS = 30.0
_OUTPUT_BYTES_MAX = 1_000_000
_VARIABLE = "ESAA_CANARY"

_PROGRAM = """
import json, os, socket, sys
asked, said = json.loads(sys.argv[1]), {}
def attempt(name, act):
    try:
        said[name] = act()
    except Exception as error:
        said[name] = "refused: " + type(error).__name__ + ": " + str(error)
def write(path):
    with open(path, "w") as file:
        file.write(asked["token"])
    return "written"
def read(path):
    with open(path, "rb") as file:
        return file.read(4096).decode("latin-1")
def connect(port):
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.sendall(asked["token"].encode())
    return "connected"
for name, path in asked["write"].items():
    attempt(name, lambda: write(path))
for name, path in asked["read"].items():
    attempt(name, lambda: read(path))
attempt("connect", lambda: connect(asked["port"]))
attempt("parent", lambda: read("/proc/%d/environ" % asked["parent"]))
attempt("environment", lambda: repr(sorted(os.environ.items())))
print(json.dumps(said))
"""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was really tried. `is_well` where it ended as the sandbox promises."""

    attempt: str
    wanted: Literal["stopped", "allowed"]
    is_well: bool
    detail: str


async def fire_canary(enclosure: Enclosure, config_dir: Path, *, sees_project: bool = True) -> tuple[Trial, ...]:
    """Sends the canary through an enclosure and tells each attempt. Where it does not see the project, it must not.

    Secrets of one use are laid into the folder of the user's keys, into the workspace's own folder and beside the
    log, and taken away again. Raises `AgentError` where the canary itself could not run.
    """
    token, project_token = secrets.token_hex(16), secrets.token_hex(16)
    name = f"canary-{secrets.token_hex(8)}"
    root = enclosure.root
    forbidden = {
        "read a key of the user": config_dir / name,
        "read the workspace's blobs": root / ".roadmap" / "blobs" / name,
        "read beside the log": root / ".roadmap" / f"{name}.jsonl",
    }
    unwritten = {
        "write into the project": root / name,
        "write into the log's folder": root / ".roadmap" / f"{name}.written",
        "write beside the user's keys": config_dir / f"{name}.written",
    }
    visible = root / f"{name}.txt"
    with contextlib.ExitStack() as stack:
        for path in forbidden.values():
            stack.enter_context(planted(path, token))
        stack.enter_context(planted(visible, project_token))
        for path in unwritten.values():
            stack.callback(path.unlink, missing_ok=True)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)
        stack.enter_context(_variable(token))
        cell = stack.enter_context(enclosure.opened())
        own = cell.private / "tmp" / name
        asked = {
            "token": name,
            "write": {key: str(path) for key, path in (unwritten | {"own": own}).items()},
            "read": {key: str(path) for key, path in (forbidden | {"visible": visible}).items()},
            "port": listener.getsockname()[1],
            "parent": os.getpid(),
        }
        arguments = [str(PYTHON), "-I", "-S", "-c", _PROGRAM, json.dumps(asked)]
        program = cell.program(arguments, directory=cell.private, sees_project=sees_project)
        ended = await run_program(program, b"", timeout_s=_SECONDS, output_bytes_max=_OUTPUT_BYTES_MAX)
        said = _said(ended.output)
        if said is None:
            raise AgentError(
                "CANARY_FAILED",
                f"The canary did not run in the sandbox {enclosure.level} (exit code {ended.code}): {ended.last_words}",
                "Try another level in RUNTIME_POLICY `sandbox`.",
            )
        is_connected = _has_connection(listener)
        trials = [_stopped(key, not path.exists(), said[key]) for key, path in unwritten.items()]
        trials += [_stopped(key, token not in said[key], said[key]) for key in forbidden]
        trials.append(_stopped("read the environment of this process", token not in said["parent"], said["parent"]))
        is_clean = token not in said["environment"]
        trials.append(_stopped("inherit a variable", is_clean, "it is not there" if is_clean else "it is there"))
        if enclosure.is_networked:
            trials.append(_allowed("use the network, which is granted", is_connected, said["connect"]))
        else:
            trials.append(_stopped("reach a local port", not is_connected, said["connect"]))
        trials.append(_allowed("write into its private folder", own.exists(), said["own"]))
        is_read = project_token in said["visible"]
        if sees_project:
            trials.append(_allowed("read a file of the project", is_read, said["visible"]))
        else:
            trials.append(_stopped("read the project itself", not is_read, said["visible"]))
    return tuple(trials)


def _stopped(attempt: str, is_well: bool, detail: str) -> Trial:
    return Trial(attempt=attempt, wanted="stopped", is_well=is_well, detail=_harmless(is_well, detail))


def _allowed(attempt: str, is_well: bool, detail: str) -> Trial:
    return Trial(attempt=attempt, wanted="allowed", is_well=is_well, detail=detail[:200])


def _harmless(is_well: bool, detail: str) -> str:
    # What came out of a read that was not stopped is not repeated.
    if detail.startswith(("refused: ", "it is ")):
        return detail[:200]
    return "it had no effect" if is_well else "it was done"


def _said(output: bytes) -> dict[str, str] | None:
    try:
        value: Any = json.loads(output)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _has_connection(listener: socket.socket) -> bool:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True


@contextlib.contextmanager
def _variable(token: str) -> Generator[None, None, None]:
    os.environ[_VARIABLE] = token
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)


def fire(enclosure: Enclosure, config_dir: Path, *, sees_project: bool = True) -> tuple[Trial, ...]:
    """As `fire_canary`, for who has no loop."""
    return asyncio.run(fire_canary(enclosure, config_dir, sees_project=sees_project))
