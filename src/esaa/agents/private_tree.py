"""A copy of the project for one call of an agent that edits files by itself, and what the agent changed in it.

It is a plain copy outside the project, not a git worktree: a worktree shares the repository, and whoever can write
there can leave a hook that runs on the next commit. Of the project it holds what the agent may read; version control,
the log and the settings of agents are never in it. When the call ends it is taken away, whatever was done to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from esaa.agents.project_files import IGNORED_NAMES, ignored_by_git, project_files
from esaa.errors import AgentCrashed, AgentError
from esaa.protocol.paths import PATH_CHARS_MAX, covered, guarded_component

_PREFIX = "esaa-agent-"
_FILES_MAX = 50_000
_BYTES_MAX = 1024 * 1024 * 1024
_CHANGED_MAX = 2_000
_CHANGED_BYTES_MAX = 64 * 1024 * 1024
_NAMED_MAX = 5
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the agent made or changed: its text now, and its text before (None for a new file)."""

    path: str
    before: bytes | None
    after: bytes


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent did to its tree: the files that can be proposed, and what cannot be, in words."""

    files: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()


class PrivateTree:
    """The folders of one call: `root` is the copy, `private` has `home` and `tmp`, `asked` holds what is said to it."""

    def __init__(self, base: Path, project: Path, copied: dict[str, str]) -> None:
        self.root = base / "tree"
        self.private = base / "private"
        self.asked = base / "asked"
        self._before = base / "before"
        self._project = project
        self._copied = copied

    def changes(self) -> Changes:
        """What differs from the copy that was given.

        Raises `AgentCrashed` where the tree is gone, or more was changed than any result could hold.
        """
        try:
            found, odd = self._found()
        except OSError as error:
            raise AgentCrashed(
                "PRIVATE_TREE_LOST",
                f"The agent's private tree cannot be read any more: {error.strerror}.",
                "An agent works inside the folder that it is given, and leaves the folder itself alone.",
            ) from error
        new = [path for path in found if path not in self._copied]
        ignored = ignored_by_git(self._project, new)
        files: list[Change] = []
        remarks = list(odd)
        size = 0
        for path in sorted(found):
            if path in ignored:
                continue
            size += found[path]
            if size > _CHANGED_BYTES_MAX or len(files) > _CHANGED_MAX:
                raise AgentCrashed(
                    "OUTPUT_TOO_LARGE",
                    f"The agent changed more than {_CHANGED_MAX} files or {_CHANGED_BYTES_MAX} bytes in its tree.",
                    "Split the task, or keep what a build leaves behind out of the tree (.gitignore).",
                )
            change = self._change(path)
            if isinstance(change, Change):
                files.append(change)
            elif change is not None:
                remarks.append(change)
        remarks += _told("removed", [path for path in self._copied if path not in found], "a result cannot say so")
        remarks += _told("left", sorted(ignored), "the project's git ignores it")
        return Changes(files=tuple(files), remarks=tuple(remarks))

    def _found(self) -> tuple[dict[str, int], list[str]]:
        """The plain files that differ in size or content from the copy, or are new; and everything odd, in words."""
        found: dict[str, int] = {}
        links: list[str] = []
        special: list[str] = []
        unnamed = 0
        has_repository = False
        for path, status in _walk(self.root):
            if len(path) > PATH_CHARS_MAX or any("\ud800" <= letter <= "\udfff" for letter in path):
                unnamed += 1
            elif path == ".git" or path.startswith(".git/"):
                has_repository = True
            elif stat.S_ISLNK(status.st_mode):
                links.append(path)
            elif stat.S_ISREG(status.st_mode):
                found[path] = status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                special.append(path)
        odd = _told("made", links, "it is a symbolic link, which is not followed")
        odd += _told("made", special, "it is no plain file")
        if unnamed:
            odd.append(f"The agent made {unnamed} file(s) whose names no result can hold.")
        if has_repository:
            odd.append("The agent made a git repository of its own; it was thrown away.")
        return found, odd

    def _change(self, path: str) -> Change | str | None:
        try:
            after = _content(self.root / path, _CHANGED_BYTES_MAX)
        except OSError as error:
            return f"The agent's {path} cannot be read: {error.strerror}."
        digest = self._copied.get(path)
        if hashlib.sha256(after).hexdigest() == digest:
            return None
        try:
            after.decode()
        except UnicodeDecodeError:
            return f"The agent wrote {path}, which is no UTF-8 text; a result cannot hold it."
        if digest is None:
            return Change(path=path, before=None, after=after)
        before = _content(self._before / path, _BYTES_MAX)
        if hashlib.sha256(before).hexdigest() != digest:
            raise AgentCrashed(
                "PRIVATE_TREE_LOST",
                f"What {path} was before the agent began is not known any more: somebody changed the copy.",
                "An agent works inside the folder that it is given.",
            )
        return Change(path=path, before=before, after=after)


@contextmanager
def private_tree(project: Path, readable: tuple[str, ...] | None) -> Generator[PrivateTree, None, None]:
    """A private tree for as long as the block runs; then it is gone, whatever the agent did.

    `readable` are the patterns of what the agent may read; None stands for all but what no agent ever sees.
    Raises `AgentError` where the project cannot be copied.
    """
    remove_abandoned()
    base = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(base / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("tree", "before", "asked", "private/home", "private/tmp"):
            (base / name).mkdir(mode=0o700, parents=True)
        yield PrivateTree(base, project, _copy(project, base, readable))
    finally:
        remove_folder(base)
        os.close(lock)


def remove_abandoned() -> None:
    """Takes away the trees of runs that were killed before they could."""
    parent = Path(tempfile.gettempdir())
    for base in parent.glob(f"{_PREFIX}*"):
        # Where there is no lock yet, the tree is just being made; where it is held, it is in use.
        with contextlib.suppress(OSError):
            if base.lstat().st_uid != os.geteuid():
                continue
            lock = os.open(base / "lock", _READ)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(base)
            finally:
                os.close(lock)


def remove_folder(base: Path) -> None:
    """Removes a folder with all that is in it, however deep and however closed. Nothing outside is touched.

    A folder is emptied by moving its folders up, so that no path grows long and no call nests.
    """
    number = 0
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            while folders := [entry.path for entry in _entries(base) if _emptied_or_folder(entry)]:
                for folder in folders:
                    for entry in _entries(Path(folder)):
                        if _emptied_or_folder(entry):
                            number += 1
                            with contextlib.suppress(PermissionError):
                                os.chmod(entry.path, 0o700)
                            os.rename(entry.path, base / f".removed-{number}")
                    os.rmdir(folder)
            base.rmdir()
            return


def _emptied_or_folder(entry: os.DirEntry[str]) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return True
    os.unlink(entry.path)
    return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError:
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            return list(entries)


def _copy(project: Path, base: Path, readable: tuple[str, ...] | None) -> dict[str, str]:
    copied: dict[str, str] = {}
    size = 0
    for path in project_files(project):
        if guarded_component(path) is not None or (readable is not None and not covered(path, readable)):
            continue
        try:
            status = os.lstat(project / path)
            if not stat.S_ISREG(status.st_mode):
                continue
            size += status.st_size
            if size > _BYTES_MAX or len(copied) >= _FILES_MAX:
                raise AgentError(
                    "PROJECT_TOO_LARGE",
                    f"What the agent may read has more than {_FILES_MAX} files or {_BYTES_MAX} bytes.",
                    "Narrow `boundaries.by_task_kind` in AGENT_CONTRACT.yaml, or let git ignore what is not source.",
                )
            content = _content(project / path, _BYTES_MAX)
        except FileNotFoundError:
            continue  # git still knows it, or somebody took it away just now
        except OSError as error:
            raise AgentError(
                "PROJECT_NOT_COPIED",
                f"{path} cannot be copied for the agent: {error.strerror}.",
                "Make it readable, or let git ignore it.",
            ) from error
        for folder in ("tree", "before"):
            (base / folder / path).parent.mkdir(parents=True, exist_ok=True)
            (base / folder / path).write_bytes(content)
        os.chmod(base / "tree" / path, stat.S_IMODE(status.st_mode) | stat.S_IWUSR)
        copied[path] = hashlib.sha256(content).hexdigest()
    return copied


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything in a tree but what every build leaves behind, by its path; no link is followed."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(root / folder):
            if entry.name in IGNORED_NAMES or entry.name.endswith(".pyc"):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False) and path != ".git" and len(path) <= PATH_CHARS_MAX:
                waiting.append(path)


def _content(path: Path, bytes_max: int) -> bytes:
    fd = os.open(path, _READ)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no plain file")
        return file.read(bytes_max + 1)


def _told(verb: str, paths: list[str], why: str) -> list[str]:
    if not paths:
        return []
    shown = ", ".join(paths[:_NAMED_MAX])
    more = f" and {len(paths) - _NAMED_MAX} more" if len(paths) > _NAMED_MAX else ""
    return [f"The agent {verb} {shown}{more}: {why}."]
