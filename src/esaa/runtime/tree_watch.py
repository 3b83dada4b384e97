"""Writes in the project that no event accounts for: the tree at the beginning of a run against the tree at its end.

An agent without a sandbox can write wherever the user can. What it wrote behind the orchestrator's back is found by the
times and sizes of the files, and held against what the log says was written. Nothing is taken back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from esaa.effects.from_facts import file_effects
from esaa.effects.paths import inspect
from esaa.errors import StoreError
from esaa.kernel.ingest import Limit
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, ViewMutated
from esaa.stores.disk import Disk
from esaa.stores.outside import read_own

CHANGE = "changed without an event"
"""What the log says of such files: an `orchestrator.view.mutate` of the target `files`."""

FILES_MAX = 100_000
"""A tree with more files is not watched, and the run says so."""

UNWATCHED = frozenset(
    {".git", ".roadmap", "node_modules", "__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
"""Directories that are passed over wherever they lie: what programs make for themselves."""

_ANY_SIZE = 1 << 62
_LIMIT = Limit(64 * 1024 * 1024)

Mark = tuple[int, int, int]
"""Of a file: its size, and when its content and its entry were changed, in nanoseconds."""


class Unaccounted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that changed without an event: `how` is new, changed or gone; `sha256` what it holds, where readable."""

    path: str
    how: str
    sha256: str | None


class _Noted(msgspec.Struct, kw_only=True):
    run_id: str | None
    seq: int
    files: dict[str, Mark] | None
    found: tuple[Unaccounted, ...] = ()
    is_over: bool = False
    apart: tuple[str, ...] = ()


class TreeWatch:
    """Watches the project in `root`. What it notes in `.roadmap/.esaa/tree` outlives a run that is killed."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root = root
        self._path = root / ".roadmap" / ".esaa" / "tree"
        self._disk = disk

    def begin(self, run_id: str | None, seq: int, apart: Iterable[Path] = ()) -> str | None:
        """Notes how the tree lies when a run begins; one that goes on keeps its beginning. Returns why it cannot.

        `apart` are folders into which the run itself writes what is no part of the project, such as recordings.
        """
        noted = self._read()
        own = {one.resolve().relative_to(self._root.resolve()).as_posix() for one in apart if self._holds(one)}
        is_new = noted is None or noted.is_over or noted.run_id != run_id or noted.seq > seq
        if noted is None or is_new:
            noted = _Noted(run_id=run_id, seq=seq, files=_marks(self._root))
        if is_new or not own <= set(noted.apart):
            noted.apart = tuple(sorted(own.union(noted.apart)))
            fault = self._write(noted)
            if fault is not None:
                return f"the project's files are not watched: {fault}"
        if noted.files is None:
            return f"the project's files are not watched: there are more than {FILES_MAX}"
        return None

    def since(self) -> int | None:
        """The event at which the watch began, or None where nothing is watched."""
        noted = self._read()
        return None if noted is None else noted.seq

    def unaccounted(self, events: Iterable[Recorded[Fact]]) -> tuple[Unaccounted, ...]:
        """What changed since the beginning and that none of the events (all since then) wrote. After the end of the
        run: what was found then and still lies there."""
        noted = self._read()
        if noted is None:
            return ()
        if noted.is_over:
            return tuple(one for one in noted.found if self._look(one.path, one.how) == one)
        now = None if noted.files is None else _marks(self._root)
        if noted.files is None or now is None:
            return ()
        before = noted.files
        changed = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
        changed = [path for path in changed if not any(path.startswith(f"{one}/") for one in noted.apart)]
        if not changed:
            return ()
        written, mended = _written(events)
        found: list[Unaccounted] = []
        for path in changed:
            how = "new" if path not in before else "gone" if path not in now else "changed"
            one = self._look(path, how)
            if path in mended or (one.sha256 is not None and written.get(path) == one.sha256):
                continue
            found.append(one)
        return tuple(found)

    def end(self, found: tuple[Unaccounted, ...]) -> None:
        """The run is over; what was found is kept for `esaa doctor`."""
        noted = self._read()
        if noted is not None:
            noted.files, noted.found, noted.is_over = None, found, True
            self._write(noted)

    def _holds(self, folder: Path) -> bool:
        # The project itself is never apart, and what lies outside is not watched anyway.
        root = self._root.resolve()
        return folder.resolve() != root and folder.resolve().is_relative_to(root)

    def _look(self, path: str, how: str) -> Unaccounted:
        try:
            sha256 = inspect(self._root, path, bytes_max=_ANY_SIZE, want_content=False).sha256
        except StoreError:
            sha256 = None
        return Unaccounted(path=path, how=how, sha256=sha256)

    def _read(self) -> _Noted | None:
        data = read_own(self._path, _LIMIT)
        try:
            return None if data is None else msgspec.json.decode(data, type=_Noted)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _write(self, noted: _Noted) -> str | None:
        try:
            self._disk.mkdir(self._path.parent)
            self._disk.replace_file(self._path, msgspec.json.encode(noted), durable=False)
        except OSError as error:
            return error.strerror or str(error)
        return None


def told(found: tuple[Unaccounted, ...], shown: int = 5) -> str:
    """The files in a line for a person."""
    names = ", ".join(f"`{one.path}` ({one.how})" for one in found[:shown])
    return names + (f" and {len(found) - shown} more" if len(found) > shown else "")


def _marks(root: Path) -> dict[str, Mark] | None:
    """Every plain file below the root, links not followed; None where there are too many."""
    marks: dict[str, Mark] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError:
            continue  # not readable for this user: an agent of this user writes nothing there
        for entry in entries:
            if entry.name in UNWATCHED:
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                    continue
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if len(marks) >= FILES_MAX:
                return None
            # A name that is no UTF-8 is told, but cannot be written down as it is.
            name = os.fsencode(path).decode("utf-8", "replace")
            marks[name] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return marks


def _written(events: Iterable[Recorded[Fact]]) -> tuple[dict[str, str], set[str]]:
    """What the events wrote, as the last digest of each path, and what a repair published again."""
    known = list(events)
    mended: set[str] = set()
    for recorded in known:
        fact = recorded.fact
        if isinstance(fact, ViewMutated) and fact.target == "files" and fact.change != CHANGE:
            files = fact.detail.get("files") if isinstance(fact.detail, dict) else None
            mended |= {path for path in files if isinstance(path, str)} if isinstance(files, list) else set()
    return {effect.path: effect.after_sha256 for effect in file_effects(known)}, mended
