"""The port of sandboxes: an argument list and what it may touch go in, the argument list that confines it comes out.

Nothing is started here. Who starts it gives it a process group, a time limit, and ends the group as a whole.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from esaa.contracts.sandbox import ProcessLimits, SandboxLevel

_HANDED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "TERM", "NO_COLOR")
_MB = 1_000_000
_SPEC_CHARS_MAX = 120_000
"""Linux takes no longer single argument than 128 KiB."""


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """What one program may touch. What is not named here does not exist for it, but for the operating system's files.

    - `directory`: where it runs.
    - `private`: a folder of its own, with `home` and `tmp` in it; the caller makes it and takes it away.
    - `project`: a workspace that is seen, read-only, without version control and with nothing of `.roadmap` but read
      models and contracts.
    - `readable`, `writable`: further folders and files.
    - `hidden`: beats all others: what is at or below these is never seen.
    - `is_networked`: whether it may use the network. Without it, loopback is its own, or is refused.
    - `environment`: variables beside PATH, language and time zone. HOME and TMPDIR lie in `private`.
    - `control_groups`: `cgroup.procs` files that it enters before it begins.
    - `is_merged`: whether its standard error goes where its standard output goes.
    """

    directory: Path
    private: Path
    project: Path | None = None
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    is_networked: bool = False
    environment: Mapping[str, str] = {}
    control_groups: tuple[Path, ...] = ()
    limits: ProcessLimits = ProcessLimits()
    is_merged: bool = False


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What is really started: arguments, the whole environment, the folder, and the level that confines it."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    level: SandboxLevel


class Sandbox(Protocol):
    """One way to confine."""

    @property
    def level(self) -> SandboxLevel:
        """Its name in events."""
        ...

    def launch(self, arguments: Sequence[str], confinement: Confinement) -> Launch:
        """The program with its arguments, confined. Raises nothing: what cannot be confined ends with exit code 125."""
        ...


def make_private(parent: Path) -> Path:
    """The private folder of one launch in `parent`: `home` and `tmp` in it, for nobody but this user."""
    for name in ("home", "tmp"):
        (parent / name).mkdir(mode=0o700, parents=True)
    return parent


def environment_of(confinement: Confinement) -> dict[str, str]:
    """The whole environment of a confined program. Nothing of this process's own but what every program needs."""
    handed_on = {name: value for name, value in os.environ.items() if name in _HANDED_ON or name.startswith("LC_")}
    home = confinement.private / "home"
    return {
        "PATH": os.defpath,
        **handed_on,
        "HOME": str(home),
        "TMPDIR": str(confinement.private / "tmp"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        **confinement.environment,
    }


def launcher_arguments(arguments: Sequence[str], confinement: Confinement, **confined: Any) -> tuple[str, ...]:
    """The arguments through the launcher, which limits itself, confines itself as `confined` says, and becomes them."""
    limits = confinement.limits
    spec = {
        "limits": {
            "CPU": max(1, int(limits.cpu.total_seconds())),
            "DATA": limits.memory_mb * _MB,
            "FSIZE": limits.file_mb * _MB,
            "CORE": 0,
        },
        "processes": limits.processes,
        "control_groups": [str(path) for path in confinement.control_groups],
        "is_merged": confinement.is_merged,
        **confined,
    }
    text = json.dumps(spec, separators=(",", ":"))
    assert len(text) < _SPEC_CHARS_MAX, "the view of a confined program has too many parts"
    return (str(PYTHON), "-I", "-S", str(LAUNCHER), text, *arguments)


PYTHON = Path(sys.executable).resolve()
LAUNCHER = Path(__file__).resolve().with_name("launcher.py")
