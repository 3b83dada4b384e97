"""What killed processes leave lying: temporary files that were to take another file's place, and staged ones.

All of it is harmless, for nobody looks at these names; but it may hold what was to be written, and it takes room.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
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
    return list(_removed(litter_in(folder), disk))


def sweep_staging(staging: Path, disk: Disk) -> list[Path]:
    """Removes what commands staged that never came to its place. The writer's lock is held: no command is at work."""
    return list(_removed(_left_in(staging), disk))


def _left_in(staging: Path) -> Iterator[Path]:
    for path in sorted(staging.iterdir()) if staging.is_dir() else ():
        name = _STAGED.fullmatch(path.name)
        # A workspace that is being made stages its log without the lock.
        if not path.is_dir() and (name is None or not _is_alive(int(name["pid"]))):
            yield path


def _removed(paths: Iterable[Path], disk: Disk) -> Iterator[Path]:
    for path in paths:
        try:
            disk.unlink(path)
        except OSError:
            continue
        yield path


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
