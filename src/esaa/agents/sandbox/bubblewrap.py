"""bubblewrap: the program gets file system, processes and network of its own (name spaces), through `bwrap`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from esaa.agents.sandbox.base import PYTHON, Confinement, Launch, environment_of, launcher_arguments
from esaa.agents.sandbox.launcher import landlock_abi
from esaa.agents.sandbox.view import ETC, SYSTEM, View, search_path, view_of

_TRIAL_S = 10.0
_ABI_WITH_SCOPES = 6
_ENTER = (
    "/bin/sh",
    "-c",
    'until [ "$1" = -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"',
    "sandbox",
)


class Bubblewrap:
    """Confines by `bwrap` at `program`. What ends `bwrap` ends all that it started, wherever that has gone."""

    level: Literal["bubblewrap"] = "bubblewrap"

    def __init__(self, program: str) -> None:
        self._program = program

    def launch(self, arguments: Sequence[str], confinement: Confinement) -> Launch:
        """The program in name spaces of its own, in which only what the view shows exists."""
        environment = environment_of(confinement)
        view = view_of(arguments, confinement, environment)
        # A network of its own has no other sockets in it; a shared one has those without a file, too.
        is_scoped = confinement.is_networked and landlock_abi() >= _ABI_WITH_SCOPES
        # Its control groups it enters before it is confined: inside there are none to be seen.
        apart = msgspec.structs.replace(confinement, control_groups=())
        inside = launcher_arguments(arguments, apart, is_counted_apart=True, is_scoped=is_scoped)
        entering = (*_ENTER, *map(str, confinement.control_groups), "--") if confinement.control_groups else ()
        return Launch(
            arguments=(*entering, self._program, *_options(view, confinement), "--", *inside),
            environment=environment | {"PATH": search_path(environment, view)},
            directory=confinement.directory,
            level=self.level,
        )


def lacks_bubblewrap() -> str | None:
    """Why this machine cannot confine by bubblewrap, or None: it is really tried."""
    program = shutil.which("bwrap")
    if program is None:
        return "the command bwrap is not installed (Debian: bubblewrap)"
    trial = [program, *_isolation(is_networked=False), *_system(), "--", str(PYTHON), "-I", "-S", "-c", "pass"]
    try:
        tried = subprocess.run(trial, capture_output=True, timeout=_TRIAL_S, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap does not run: {error}"
    complaint = tried.stderr.decode("utf-8", "replace").strip()
    return None if tried.returncode == 0 else f"bwrap cannot make name spaces here: {complaint[:300]}"


def _options(view: View, confinement: Confinement) -> Iterator[str]:
    yield from _isolation(is_networked=confinement.is_networked)
    yield from _system()
    grants = dict.fromkeys(view.readable, "--ro-bind") | dict.fromkeys(view.writable, "--bind")
    for path in sorted(grants):  # parents first, so that a part can have another right than the whole
        yield from (grants[path], str(path), str(path))
    for path in view.hidden:
        yield from ("--tmpfs", str(path)) if path.is_dir() else ("--ro-bind", "/dev/null", str(path))
    for path in view.shown:
        yield from ("--ro-bind", str(path), str(path))
    for path in view.hidden:
        if path.is_dir():
            yield from ("--remount-ro", str(path))
    yield from ("--remount-ro", "/", "--chdir", str(confinement.directory))


def _isolation(*, is_networked: bool) -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if not is_networked:
        yield "--unshare-net"
    yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox")


def _system() -> Iterator[str]:
    for folder in SYSTEM:
        if os.path.islink(folder):
            yield from ("--symlink", os.readlink(folder), folder)
        elif os.path.isdir(folder):
            yield from ("--ro-bind", folder, folder)
    for name in ETC:
        path = Path("/etc", name)
        if path.exists():
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/run")  # noqa: S108  # its own
    base = PYTHON.parent.parent
    if base != Path("/usr"):
        yield from ("--ro-bind", str(base), str(base))
