"""Landlock (Linux 6.2 and later): the program gives its own rights away before it begins. Needs no privilege.

What it leaves open: names can be listed in folders of which a part is hidden, rights and times of the user's own files
can be changed, and the command lines of other processes be read. bubblewrap closes these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from esaa.agents.sandbox.base import Confinement, Launch, environment_of, launcher_arguments
from esaa.agents.sandbox.launcher import ABI_MIN, filters_sockets, landlock_abi
from esaa.agents.sandbox.view import ETC, SYSTEM, search_path, view_of, without

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")


class Landlock:
    """Confines by Landlock, and by a filter for sockets beside it."""

    level: Literal["landlock"] = "landlock"

    def launch(self, arguments: Sequence[str], confinement: Confinement) -> Launch:
        """The program through the launcher, which allows what the view shows and nothing else."""
        environment = environment_of(confinement)
        view = view_of(arguments, confinement, environment)
        granted = [*map(Path, SYSTEM), *(Path("/etc", name) for name in ETC), Path("/proc"), *view.readable]
        readable = [part for path in granted for part in without(path, view.hidden)]
        writable = [part for path in view.writable for part in without(path, view.hidden)]
        divided = [path for path in view.readable if path.is_dir() and path not in readable]
        confined = {
            "read": [str(path) for path in (*readable, *view.shown)],
            "list": [str(path) for path in divided],
            "write": [str(path) for path in writable],
            "devices": list(_DEVICES),
        }
        return Launch(
            arguments=launcher_arguments(
                arguments, confinement, landlock=confined, sockets="inet" if confinement.is_networked else "none"
            ),
            environment=environment | {"PATH": search_path(environment, view)},
            directory=confinement.directory,
            level=self.level,
        )


def lacks_landlock() -> str | None:
    """Why this machine cannot confine by Landlock, or None."""
    abi = landlock_abi()
    if abi < ABI_MIN:
        return f"the kernel's Landlock is of version {abi}, and {ABI_MIN} is needed (Linux 6.2)"
    return None if filters_sockets() else "there is no socket filter for this machine's architecture"
