"""What lies on the disk before a path of the corpus is tried, and what nobody may reach: secrets beside the project."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

SECRET = b"a secret that lies outside of the project\n"
TREASURE = b"[core]\n\thooksPath = none\n"


def lay_out(top: Path) -> Path:
    """A folder with secrets, and a project in it; returns the project."""
    root = top / "project"
    for folder in (root / "src", root / "tests", root / ".git" / "hooks", top / "outside"):
        folder.mkdir(parents=True, exist_ok=True)
    (top / "outside" / "a.py").write_bytes(SECRET)
    (top / "secret.txt").write_bytes(SECRET)
    (root / "README.md").write_bytes(b"read me\n")
    (root / ".git" / "config").write_bytes(TREASURE)
    (root / ".git" / "HEAD").write_bytes(b"ref: refs/heads/main\n")
    return root


def _links_at_the_end(top: Path, root: Path) -> None:
    (root / "src" / "inside.py").write_bytes(b"inside\n")
    for name, target in {
        "link-in.py": "inside.py",
        "link-out.py": "../../outside/a.py",
        "link-up.py": "../README.md",
        "link-etc": "/etc/hostname",
        "link-git": "../.git/config",
        "link-log": "../.roadmap/activity.jsonl",
        "link-folder": "../../outside",
    }.items():
        (root / "src" / name).symlink_to(target)
    (root / "tests" / "link-out.py").symlink_to(top / "outside" / "a.py")


def _links_on_the_way(top: Path, root: Path) -> None:
    (root / "src" / "inside").mkdir()
    (root / "src" / "inside" / "a.py").write_bytes(b"inside\n")
    for name, target in {
        "link-in": "inside",
        "link-out": "../../outside",
        "link-up": "..",
        "link-root": "/tmp",
        "link-git": "../.git",
        "link-roadmap": "../.roadmap",
        "link-proc": "/proc/self/cwd",
        "link-self": "../src",
    }.items():
        (root / "src" / name).symlink_to(target)


def _loops(top: Path, root: Path) -> None:
    (root / "src" / "one").symlink_to("two")
    (root / "src" / "two").symlink_to("one")
    (root / "src" / "own").symlink_to("own")
    for number in range(60):
        (root / "src" / f"chain{number}").symlink_to(f"chain{number + 1}")
    (root / "src" / "chain60").symlink_to("../../outside")


def _dangling(top: Path, root: Path) -> None:
    (root / "src" / "nothing").symlink_to("never")
    (root / "src" / "outside-nothing").symlink_to("../../outside/never")
    (root / "src" / "absolute-nothing").symlink_to(top / "never")


def _hard_links(top: Path, root: Path) -> None:
    (root / "src" / "one.py").write_bytes(b"one\n")
    os.link(root / "src" / "one.py", root / "src" / "twin.py")
    os.link(root / "src" / "one.py", root / "tests" / "twin.py")
    os.link(top / "secret.txt", root / "src" / "secret.py")
    os.link(root / ".roadmap" / "activity.jsonl", root / "src" / "log.py")
    os.link(root / ".git" / "config", root / "src" / "config.py")


def _no_plain_files(top: Path, root: Path) -> None:
    os.mkfifo(root / "src" / "pipe")
    (root / "src" / "folder").mkdir()
    (root / "tests" / "folder").mkdir()
    (root / "src" / "file").write_bytes(b"file\n")
    here = os.open(root / "src", os.O_RDONLY)
    try:  # the name of a socket is short, and this folder's need not be
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/socket")
    finally:
        os.close(here)
    for name, minor in (("null", 3), ("zero", 5)):
        try:
            os.mknod(root / "src" / name, 0o666 | 0o020000, os.makedev(1, minor))
        except PermissionError:  # only root may; a pipe is as good a stranger
            os.mkfifo(root / "src" / name)


def _modes(top: Path, root: Path) -> None:
    for name, mode in {
        "setuid": 0o4755,
        "setgid": 0o2755,
        "sticky": 0o1644,
        "executable.sh": 0o755,
        "read-only.py": 0o444,
    }.items():
        (root / "src" / name).write_bytes(b"old\n")
        (root / "src" / name).chmod(mode)


def _holes(top: Path, root: Path) -> None:
    for path, size in ((root / "src" / "sparse", 1 << 42), (root / "tests" / "sparse", 1 << 40)):
        with path.open("wb") as file:
            try:
                file.truncate(size)
            except OSError:  # not every file system has files as large
                file.truncate(2 << 30)
    with (root / "src" / "larger").open("wb") as file:
        file.truncate((1 << 30) + 1)


STAGES: dict[str, Callable[[Path, Path], None]] = {
    "link at the end": _links_at_the_end,
    "link on the way": _links_on_the_way,
    "links in a loop": _loops,
    "links to nothing": _dangling,
    "hard links": _hard_links,
    "no plain files": _no_plain_files,
    "modes": _modes,
    "holes": _holes,
}


@contextmanager
def staged(stage: str, top: Path, root: Path) -> Generator[None, None, None]:
    """Puts in place what a case needs; for races, keeps swapping until the block ends."""
    if stage in STAGES:
        STAGES[stage](top, root)
    if stage != "swapped in a race":
        yield
        return
    is_over = threading.Event()
    swapper = threading.Thread(target=_swap, args=(top, root, is_over))
    swapper.start()
    try:
        yield
    finally:
        is_over.set()
        swapper.join()


def _swap(top: Path, root: Path, is_over: threading.Event) -> None:
    """A folder and a file that are links out half of the time. Whatever was put there meanwhile is moved aside."""
    number = 0
    while not is_over.is_set():
        for place, target in (
            (root / "src" / "swapped", top / "outside"),
            (root / "tests" / "swapped", top / "outside"),
            (root / "src" / "flicker.py", top / "outside" / "a.py"),
        ):
            number += 1
            with suppress(OSError):
                place.rename(place.with_name(f"kept-{number}"))
            with suppress(OSError):
                place.symlink_to(target)
            with suppress(OSError):
                place.unlink()
