"""A disk that is really full: a run on a tmpfs of every size from too small to large enough, page by page.

The tmpfs is mounted in a namespace of its own, so nobody else sees it, and it goes with the process. Where neither
root nor user namespaces are to be had, the figure is not taken, and says so.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import subprocess
import time
from collections.abc import Hashable
from pathlib import Path

import msgspec

from assure.crash_recovery import (
    Reference,
    Violation,
    judge,
    opened,
    parsed_once,
    play,
    prepare,
    record_run,
)
from assure.figure import Figure, Scope

_PAGE = 4096
_SHORT_EVERY = 20
_LARGE = 64 * 1024 * 1024
_NEWNS, _NEWUSER = 0x00020000, 0x10000000


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    sizes: int = 0
    filled: int = 0
    unclean: list[str] = []
    skipped: str = ""


def measure(scope: Scope) -> list[Figure]:
    """The sizes that were tried, and those that ended in a way that they must not."""
    started = time.monotonic()
    # In a process of its own: a namespace can't be left again.
    with multiprocessing.get_context("fork").Pool(1) as pool:
        answer = pool.apply(_try_sizes, (scope,))
    detail: dict[str, float | int | str] = {
        "sizes": answer.sizes,
        "sizes that were too small": answer.filled,
        "seconds": round(time.monotonic() - started, 1),
        "unclean": " | ".join(answer.unclean[:5]),
    }
    if answer.skipped:
        detail["skipped"] = answer.skipped
    return [
        Figure(
            name="full disks with an unclean outcome",
            value=len(answer.unclean),
            target="0",
            holds=not answer.unclean and not answer.skipped and answer.filled > 0,
            detail=detail,
        )
    ]


def _try_sizes(scope: Scope) -> _Answer:
    place = scope.scratch / "tmpfs"
    place.mkdir()
    skipped = _enter_namespace() or _mount(place, _LARGE)
    if skipped:
        return _Answer(skipped=skipped)
    with parsed_once(is_restarted=False):
        prepare(scope.scratch / "start")
        reference = record_run(scope.scratch / "reference", scope.scratch / "start")
        least, most = _used(scope.scratch / "start", place), _used(scope.scratch / "reference", place)
        # The largest holds the temporary files too, and nothing is refused any more.
        sizes = range(least, most + 16 * _PAGE, _PAGE * (_SHORT_EVERY if scope.is_short else 1))
        filled = 0
        unclean: list[str] = []
        for size in sizes:
            try:
                filled += _try_size(scope.scratch / "start", place, size, reference)
            except Exception as error:  # whatever is wrong is counted, and the other sizes are tried
                unclean.append(f"{size} bytes: {error!r}"[:400])
    subprocess.run(["umount", str(place)], check=False)
    return _Answer(sizes=len(sizes), filled=filled, unclean=unclean)


def _try_size(start: Path, place: Path, size: int, reference: Reference) -> bool:
    """True where the disk was full before the run came to its end."""
    _mount(place, _LARGE, is_new=False)
    root = place / "run"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(start, root)
    refused = _mount(place, size, is_new=False)
    if refused:
        raise Violation(refused)
    promises: dict[str, Hashable] = {}
    last = play(root, steps=None, promises=promises)
    litter = next(root.rglob("*.tmp"), None)
    if litter is not None:
        raise Violation(f"a command that failed left {litter}")
    opened(root).state()  # reading needs no room
    again = play(root, steps=None, promises=promises)
    if not all(word == "done" or word.startswith("error ") for word in (last, again)):
        raise Violation(f"it ended with {last!r}, and then with {again!r}")
    _mount(place, _LARGE, is_new=False)
    judge(root, reference, promises, is_finished=True)
    return last.startswith("error")


def _used(folder: Path, place: Path) -> int:
    """The bytes that a copy of the folder takes there."""
    before = _taken(place)
    shutil.copytree(folder, place / "measured")
    used = _taken(place) - before
    shutil.rmtree(place / "measured")
    return used


def _taken(place: Path) -> int:
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def _enter_namespace() -> str:
    """Mounts of its own for this process, as root or as a user who is root there; else why not."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEWNS if user == 0 else _NEWUSER | _NEWNS) != 0:
        return f"no namespace of its own: {os.strerror(ctypes.get_errno())}"
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    private = subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True, text=True)
    return private.stderr.strip()


def _mount(place: Path, size: int, *, is_new: bool = True) -> str:
    """Mounts a tmpfs, or gives the one that is there another size; why it could not be, or nothing."""
    options = f"{'' if is_new else 'remount,'}size={size},nr_inodes=0"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr.strip()
