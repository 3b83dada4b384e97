"""The tools by which the command lines write and read files, and what each is called with."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from esaa.dev.fake_llm.conversation import Call, Request

_END = "END_OF_FILE_5F3A"


def writers(request: Request) -> list[str]:
    """The offered tools that can write a file: those made for it first, then shells."""
    return [name for name in (*_WRITERS, *_SHELLS) if name in request.tools]


def readers(request: Request) -> list[str]:
    """The offered tools that can read a file: those made for it first, then shells."""
    return [name for name in (*_READERS, *_SHELLS) if name in request.tools]


def write_call(request: Request, tool: str, path: str, content: str) -> Call:
    """The call that writes a whole file. A path that is not absolute lies where the client works."""
    if tool in _SHELLS:
        folder, _, _ = path.rpartition("/")
        made = f"mkdir -p {shlex.quote(folder or '.')} && cat > {shlex.quote(path)} <<'{_END}'\n{content}"
        end = "" if not content or content.endswith("\n") else "\n"
        return Call(name=tool, input=_SHELLS[tool](f"{made}{end}{_END}\n"))
    return Call(name=tool, input=_WRITERS[tool](_absolute(request, path), content))


def read_call(request: Request, tool: str, path: str) -> Call:
    """The call that gives a whole file back."""
    if tool in _SHELLS:
        return Call(name=tool, input=_SHELLS[tool](f"cat {shlex.quote(path)}"))
    return Call(name=tool, input=_READERS[tool](_absolute(request, path)))


def _absolute(request: Request, path: str) -> str:
    is_whole = path.startswith("/") or request.directory is None
    return path if is_whole else f"{str(request.directory).rstrip('/')}/{path}"


_WRITERS: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "Write": lambda path, content: {"file_path": path, "content": content},
    "write_file": lambda path, content: {"file_path": path, "content": content},
}
_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "Read": lambda path: {"file_path": path},
    "read_file": lambda path: {"file_path": path},
}
_SHELLS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "exec_command": lambda line: {"cmd": line},
    "shell_command": lambda line: {"command": line},
    "shell": lambda line: {"command": ["bash", "-c", line]},
    "run_shell_command": lambda line: {"command": line, "description": "work with a file"},
    "Bash": lambda line: {"command": line, "description": "work with a file"},
}
