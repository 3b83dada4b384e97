"""Control groups: memory and processes of a program and all that it starts together, where the machine gives them.

A group is made below the one that this process is in. Where that is not allowed (most users, without delegation), there
is none, and the limits of each process have to do.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from esaa.contracts.sandbox import ProcessLimits

_ROOT = Path("/sys/fs/cgroup")
_MB = 1_000_000
_SWEEPS_MAX = 50
_PAUSE_S = 0.01


class ControlGroups:
    """The groups of one call: none, one (version 2), or one for each controller (version 1)."""

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self._folders = folders

    @classmethod
    def make(cls, limits: ProcessLimits) -> ControlGroups:
        """New groups with these limits; without any where the machine gives none."""
        name = f"esaa-{secrets.token_hex(8)}"
        made: list[Path] = []
        for parent, settings in _places(limits):
            folder = parent / name
            try:
                folder.mkdir()
            except OSError:
                continue
            try:
                for file, value in settings.items():
                    (folder / file).write_text(value, "ascii")
                if not os.access(folder / "cgroup.procs", os.W_OK):
                    raise PermissionError  # as any other setting that is not ours to make
            except OSError:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                continue
            made.append(folder)
        return cls(tuple(made))

    @property
    def entrances(self) -> tuple[Path, ...]:
        """The files that a program writes its number into, to enter."""
        return tuple(folder / "cgroup.procs" for folder in self._folders)

    def end(self) -> None:
        """Kills whatever is still in the groups, and takes them away. Raises nothing."""
        for folder in self._folders:
            for _ in range(_SWEEPS_MAX):
                with contextlib.suppress(OSError):
                    for number in (folder / "cgroup.procs").read_text("ascii").split():
                        with contextlib.suppress(OSError):
                            os.kill(int(number), signal.SIGKILL)
                try:
                    folder.rmdir()
                except OSError:
                    time.sleep(_PAUSE_S)  # the killed are still leaving
                else:
                    break


def _places(limits: ProcessLimits) -> Iterator[tuple[Path, dict[str, str]]]:
    """Where groups could be made, each with its settings."""
    memory, processes = str(limits.memory_mb * _MB), str(limits.processes)
    try:
        lines = Path("/proc/self/cgroup").read_text("ascii").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        below = path.lstrip("/")
        if controllers == "pids":
            yield _ROOT / "pids" / below, {"pids.max": processes}
        elif controllers == "memory":
            yield _ROOT / "memory" / below, {"memory.limit_in_bytes": memory}
        elif number == "0" and not controllers and (_ROOT / "cgroup.controllers").exists():
            yield _ROOT / below, {"pids.max": processes, "memory.max": memory}
