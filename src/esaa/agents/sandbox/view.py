"""What a confined program sees of the file system, the same for every sandbox that can hide something."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from esaa.agents.sandbox.base import LAUNCHER, PYTHON, Confinement

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt")
"""Programs and libraries of the operating system."""

ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
    "timezone",
)
"""What programs look up in /etc. Nothing there that is secret."""

SHOWN_OF_ROADMAP = (".yaml", ".schema.json")
SHOWN_NAMES = ("roadmap.json", "issues.json", "lessons.json", "PROJECTION_SPEC.md")
"""Read models and contracts; never the log, the trail, contents, checkpoints or anything disposable."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Paths that exist, parents first. `hidden` lie in `readable` or `writable`; `shown` are files in `hidden`."""

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    hidden: tuple[Path, ...]
    shown: tuple[Path, ...]


def view_of(arguments: Sequence[str], confinement: Confinement, environment: Mapping[str, str]) -> View:
    """What the program may see. What lies at or below a hidden path is left out, however it was asked for."""
    project = confinement.project
    hidden = {_real(path) for path in confinement.hidden}
    shown: list[Path] = []
    if project is not None:
        hidden |= {_real(project / ".roadmap"), _real(project / ".git")}
    hidden = {one for one in hidden if not any(parent in hidden for parent in one.parents)}
    if project is not None:
        shown = _shown(project / ".roadmap")
    readable = {
        *confinement.readable,
        *([] if project is None else [project]),
        *program_paths(arguments, confinement, environment),
        *_python_paths(),
    }
    writable = {*confinement.writable, confinement.private}
    seen_writable = _seen(writable, hidden)
    seen_readable: list[Path] = []
    for path in _seen(readable, hidden):  # parents come first, and a part of what is readable is readable
        if path not in seen_writable and not any(_is_below(path, one) for one in seen_readable):
            seen_readable.append(path)
    grants = [*seen_readable, *seen_writable, *map(Path, SYSTEM)]
    return View(
        readable=tuple(seen_readable),
        writable=tuple(seen_writable),
        hidden=tuple(sorted(one for one in hidden if one.exists() and any(_is_below(one, grant) for grant in grants))),
        shown=tuple(shown),
    )


def search_path(environment: Mapping[str, str], view: View) -> str:
    """PATH with the folders that the program can see: what it finds there it can start."""
    visible = (*view.readable, *view.writable, *map(Path, SYSTEM))
    parts = environment["PATH"].split(os.pathsep)
    return os.pathsep.join(one for one in parts if any(_is_below(Path(one), path) for path in visible))


def without(path: Path, hidden: Iterable[Path]) -> Iterator[Path]:
    """A folder as the largest parts of it in which nothing is hidden, for who can only add rights."""
    inside = [one for one in hidden if _is_below(one, path)]
    if not inside:
        yield path
    elif path not in inside and path.is_dir():
        for child in sorted(path.iterdir()):
            # A link is judged by where it leads when it is opened, not here.
            if not child.is_symlink():
                yield from without(child, inside)


def program_paths(arguments: Sequence[str], confinement: Confinement, environment: Mapping[str, str]) -> list[Path]:
    """What a program needs to be started: itself, its installation, and the files that its arguments name."""
    found = arguments[0] if "/" in arguments[0] else shutil.which(arguments[0], path=environment.get("PATH"))
    paths = [] if found is None else [*_installation(Path(os.path.abspath(confinement.directory / found)))]
    return paths + [Path(one) for one in arguments[1:] if one.startswith("/") and Path(one).is_file()]


def _installation(program: Path) -> Iterator[Path]:
    real = program.resolve()
    yield program
    yield real
    if program.parent.name in ("bin", ".bin"):
        yield program.parent  # what it calls lies beside it: node beside a program of npm
    if (program.parent.parent / "pyvenv.cfg").is_file():
        yield program.parent.parent
    modules = [parent for parent in real.parents if parent.name == "node_modules"]
    if modules:
        yield modules[-1]
    if real.name.startswith("python") and real.parent.name == "bin":
        yield real.parent.parent


def _python_paths() -> Iterator[Path]:
    yield LAUNCHER
    yield PYTHON
    if Path(sys.base_prefix) != Path("/usr"):
        yield Path(sys.base_prefix)


def _shown(roadmap: Path) -> list[Path]:
    if not roadmap.is_dir():
        return []
    names = [one for one in sorted(roadmap.iterdir()) if one.is_file() and not one.is_symlink()]
    return [one for one in names if one.name in SHOWN_NAMES or one.name.endswith(SHOWN_OF_ROADMAP)]


def _seen(paths: Iterable[Path], hidden: set[Path]) -> list[Path]:
    return sorted({path for path in paths if path.exists() and not any(_is_below(_real(path), one) for one in hidden)})


def _is_below(path: Path, other: Path) -> bool:
    return path == other or other in path.parents


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
