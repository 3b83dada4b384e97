"""Which files of a project are its own, asked of git where it is a repository, and else by walking the folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from esaa.protocol.paths import GUARDED

IGNORED_NAMES = frozenset(
    {
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".venv",
        "node_modules",
        ".DS_Store",
    }
)
"""Names that tools leave behind everywhere and nobody means to deliver."""

_TIMEOUT_S = 60.0


def project_files(project: Path) -> list[str]:
    """The paths of a project's files, sorted: what git tracks or would, else all but what tools leave behind."""
    listed = _git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None or _git(project, "check-ignore", "."):
        # A project that lies ignored in somebody else's repository is not that repository's to list.
        return sorted(_walked(project))
    return sorted({path for path in _names(listed) if not IGNORED_NAMES.intersection(path.split("/"))})


def ignored_by_git(project: Path, paths: Iterable[str]) -> set[str]:
    """Those of the paths that the project's git ignores. None of them where it is no repository."""
    asked = "\0".join(paths)
    if not asked:
        return set()
    told = _git(project, "check-ignore", "-z", "--stdin", given=os.fsencode(asked))
    return set() if told is None else set(_names(told))


def _names(listed: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _git(project: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],  # noqa: S607  # the user's own git, wherever it is
            cwd=project,
            input=given,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # `check-ignore` ends with 1 where it ignores none of them.
    return done.stdout if done.returncode in (0, 1) else None


def _walked(project: Path) -> list[str]:
    found: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(project / folder) as entries:
            for entry in entries:
                if entry.name in IGNORED_NAMES or entry.name in GUARDED:
                    continue
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    found.append(path)
    return found
