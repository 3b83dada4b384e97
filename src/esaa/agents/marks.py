"""The mark that all processes of one call carry in their environment, by which they are found wherever they went.

Only Linux shows it. Elsewhere a process group is all there is, and nothing here does anything.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

MARK = "ESAA_AGENT_CALL"
"""The variable; its value is the call's own, and says which process made it."""

_SWEEPS_MAX = 20
_PROCESSES = Path("/proc")
_FOUND = re.compile(rb"(?:^|\0)ESAA_AGENT_CALL=(\d+)\.(\d+)\.(\d+)\.([0-9a-f]{32})(?:\0|$)")
_ENVIRONMENT_BYTES = 1024 * 1024


def new_mark() -> str:
    """A mark that no other call has, of this process."""
    pid = os.getpid()
    return f"{_name_space()}.{pid}.{_started_at(pid) or 0}.{secrets.token_hex(16)}"


def end_marked(mark: str) -> None:
    """Kills the processes that carry the mark; again, until none is found, since a killed one may just have forked."""
    _end(lambda found: b".".join(found).decode() == mark)


def end_abandoned() -> None:
    """Kills what the calls of processes that are gone have left behind: an `esaa run` that was killed outright.

    The calls of another name space are let alone: whether their process lives cannot be seen from here.
    """
    space = str(_name_space()).encode()
    _end(lambda found: found[0] == space and _started_at(int(found[1])) != int(found[2]))


def _end(is_meant: Callable[[tuple[bytes, ...]], bool]) -> None:
    if not _PROCESSES.is_dir() or not hasattr(os, "pidfd_open"):
        return
    for _ in range(_SWEEPS_MAX):
        killed = [
            entry.name
            for entry in os.scandir(_PROCESSES)
            if entry.name.isdigit() and _kill_if_meant(int(entry.name), is_meant)
        ]
        if not killed:
            return


def _kill_if_meant(pid: int, is_meant: Callable[[tuple[bytes, ...]], bool]) -> bool:
    # Read before a descriptor is made: most processes are somebody else's, and each costs only one failed open.
    if not _carries(pid, is_meant):
        return False
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Asked again now that the descriptor holds the number: it may have gone to another process meanwhile.
        if not _carries(pid, is_meant):
            return False
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _carries(pid: int, is_meant: Callable[[tuple[bytes, ...]], bool]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            # An environment may be as large as its owner likes; the mark stands in the part that was put there.
            found = _FOUND.search(file.read(_ENVIRONMENT_BYTES))
    except OSError:
        return False
    return found is not None and is_meant(found.groups())


def _name_space() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _started_at(pid: int) -> int | None:
    """When a process began, in the system's ticks; None where there is none. A number alone may be used again."""
    try:
        # The name stands in parentheses and may hold anything; the 22nd field is the 20th after it.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None
