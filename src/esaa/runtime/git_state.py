"""Which commit and branch a folder is at, read from `.git` without running git."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from esaa.kernel.ingest import GIT_HEAD, GIT_PACKED_REFS, Limit, NotIngested
from esaa.stores.outside import read_placed

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF_PREFIX = "ref: "


class GitState(msgspec.Struct, frozen=True):
    """The commit's id and the branch; None where there is none, or where the folder is in no repository."""

    sha: str | None = None
    branch: str | None = None


def git_state(folder: Path) -> GitState:
    """The state of the repository that holds a folder. Whatever cannot be read is None; nothing is raised."""
    try:
        return _read(folder)
    except (OSError, UnicodeDecodeError, NotIngested):
        return GitState()


def _read(folder: Path) -> GitState:
    place = _repository(str(folder))
    if place is None:
        return GitState()
    if place.is_file():  # a worktree or a submodule: the file names the folder
        place = (place.parent / _text(place, GIT_HEAD).removeprefix("gitdir: ").strip()).resolve()
    head = _text(place / "HEAD", GIT_HEAD).strip()
    if not head.startswith(_REF_PREFIX):
        return GitState(_sha(head), None)
    ref = head.removeprefix(_REF_PREFIX)
    common = place / "commondir"
    shared = (place / _text(common, GIT_HEAD).strip()).resolve() if common.exists() else place
    return GitState(_resolved(shared, ref), ref.removeprefix("refs/heads/"))


def _repository(folder: str) -> Path | None:
    # Texts, not paths: this is asked for every batch of events.
    while not os.path.exists(f"{folder}/.git"):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return Path(folder, ".git")


def _resolved(folder: Path, ref: str) -> str | None:
    loose = folder / ref
    if loose.is_file():
        return _sha(_text(loose, GIT_HEAD).strip())
    packed = folder / "packed-refs"
    if packed.is_file():
        for line in _text(packed, GIT_PACKED_REFS).splitlines():
            sha, _, name = line.partition(" ")
            if name == ref:
                return _sha(sha)
    return None


def _text(path: Path, limit: Limit) -> str:
    return read_placed(path, limit).decode()


def _sha(text: str) -> str | None:
    return text if _SHA.fullmatch(text) else None
