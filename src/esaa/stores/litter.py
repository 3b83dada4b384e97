"""What killed processes leave lying: temporary files that were to take another file's place, and staged ones.

All of it is harmless, for nobody looks at these names; but it may hold what was to be written, and it takes room.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from esaa.stores.disk import Disk

_TEMPORARY = re.compile(r"\..+?\.(?P<pid>[0-9]{1,10})(\.[0-9]+)?\.tmp")
_STAGED = re.compile(r"activity\.(?P<pid>[0-9]{1,10})\.jsonl")


def litter_in(folder: Path) -> list[Path]:
    """The temporary files below a folder whose process is gone. Links are not followed."""
    found = [path for path in _entries(folder) if (name := _name_of(path)) is not None and not _is_alive(int(name))]
    return sorted(found)


def sweep(folder: Path, disk: Disk) -> list[Path]:
    """Removes it, and returns what was removed. What cannot be removed stays."""
    removed: list[Path] = []
    for path in litter_in(folder):
        try:
            disk.unlink(path)
        except OSError:
            continue
        removed.append(path)
    return removed


def sweep_staging(staging: Path, disk: Disk) -> list[Path]:
    """Removes what commands staged that never came to its place. The writer's lock is held: no command is at work."""
    removed: list[Path] = []
    for path in sorted(staging.iterdir()) if staging.is_dir() else ():
        name = _STAGED.fullmatch(path.name)
        # A workspace that is being made stages its log without the lock.
        if path.is_dir() or (name is not None and _is_alive(int(name["pid"]))):
            continue
        try:
            disk.unlink(path)
        except OSError:
            continue
        removed.append(path)
    return removed


def _entries(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in names)


def _name_of(path: Path) -> str | None:
    found = _TEMPORARY.fullmatch(path.name)
    return None if found is None else found["pid"]


def _is_alive(pid: int) -> bool:
    """True for a process that is there. Its number may be another one's by now: then the file stays."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
