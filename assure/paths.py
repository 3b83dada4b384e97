"""Every path of the corpus through every door that takes one: an agent's result, a log that was handed over, a reader.

Nothing may change outside of what the task may write, nothing outside may be read, and no valid path may be refused.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from assure.figure import Figure, Scope
from esaa.effects import beneath
from esaa.effects.files import FileEffect, Publisher
from esaa.effects.paths import inspect
from esaa.runtime.workspace import Workspace
from esaa.stores.blobs import BlobStore
from esaa.stores.disk import Disk
from tests.corpora.paths.cases import Case, cases
from tests.corpora.paths.stages import SECRET, TREASURE, lay_out, staged
from tests.workspaces import make_workspace, new_task, reopen, result, submit

CASES_MIN = 500
KINDS_MIN = 30
VALID = "valid"
RACE = "swapped in a race"

_SHORT_STEP = 11
_PROBES = ("/tmp/a", "/tmp/a.py", "/tmp/new", "/tmp/out", "/a", "/src", "/etc/passwd", "/etc/hostname", "/dev/null")
_WRITTEN = b"written by the agent\n"


class Tally:
    """What became of the cases."""

    def __init__(self) -> None:
        self.count = 0
        self.kinds: Counter[str] = Counter()
        self.escapes: list[str] = []
        self.refused_valid: list[str] = []
        self.taken_bad: list[str] = []
        self.valid = 0


def measure(scope: Scope) -> list[Figure]:
    """Tries the whole corpus; in the short form every eleventh path."""
    every = list(cases())
    chosen = [case for number, case in enumerate(every) if not scope.is_short or number % _SHORT_STEP == 0]
    return _figures(tried(chosen, scope), every, chosen, is_short=scope.is_short)


def tried(chosen: Sequence[Case], scope: Scope) -> Tally:
    """Every case in a workspace of its own."""
    tally = Tally()
    with _quick_folder(scope) as folder:
        template = _template(folder / "template")
        for number, case in enumerate(chosen):
            _try(case, template, folder / f"case-{number}", tally)
    return tally


def _figures(tally: Tally, every: list[Case], chosen: list[Case], *, is_short: bool) -> list[Figure]:
    kinds = {case.kind for case in every} - {VALID}
    is_enough = len(every) >= CASES_MIN and len(kinds) >= KINDS_MIN and (is_short or tally.count == len(every))
    how = "openat2 and the walk" if beneath.kernel_opener() else "the walk alone: the kernel has no openat2"
    return [
        Figure(
            name="paths that escaped",
            value=len(tally.escapes),
            target=f"0 of >= {CASES_MIN} in >= {KINDS_MIN} classes",
            holds=not tally.escapes and is_enough and len(chosen) == tally.count,
            detail={
                "paths": tally.count,
                "corpus": len(every),
                "classes": len(kinds),
                "resolved_by": how,
                "first": "; ".join(tally.escapes[:3]),
            },
        ),
        Figure(
            name="valid paths refused",
            value=len(tally.refused_valid),
            target="0",
            holds=not tally.refused_valid and tally.valid > 0,
            detail={"valid": tally.valid, "first": "; ".join(tally.refused_valid[:3])},
        ),
        Figure(
            name="paths with another answer than the corpus expects",
            value=len(tally.taken_bad),
            target="0",
            holds=not tally.taken_bad,
            detail={"first": "; ".join(tally.taken_bad[:3])},
        ),
    ]


def _template(top: Path) -> Path:
    root = lay_out(top)
    workspace = make_workspace(root, [new_task("T-1", outputs=())])
    receipt = submit(workspace, "agent-impl", result("claim", "T-1", prior_status="todo"))
    assert receipt.rejected is None, receipt.rejected
    return top


@contextmanager
def _quick_folder(scope: Scope) -> Generator[Path, None, None]:
    """A folder in memory where there is one: the corpus is about names, not about durability."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else scope.scratch
    folder = Path(tempfile.mkdtemp(prefix="esaa-paths-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _try(case: Case, template: Path, top: Path, tally: Tally) -> None:
    tally.count += 1
    tally.kinds[case.kind] += 1
    tally.valid += case.is_valid
    shutil.copytree(template, top, symlinks=True)
    root = top / "project"
    label = f"{case.kind}: {ascii(case.path)[:80]}"
    log = root / ".roadmap" / "activity.jsonl"
    with staged(case.stage, top, root):
        # In a race the project's files come and go by themselves.
        guarded, lines = _guarded(top), log.read_bytes()
        writable = {} if case.kind == RACE else _writable(root)
        _read(case, root, label, tally)
        _submit(case, reopen(root), label, tally)
        if not case.is_valid and case.kind != RACE and _writable(root) != writable:
            tally.escapes.append(f"a refused result changed the project, {label}")
        _publish(case, root)
        if _guarded(top) != guarded or not log.read_bytes().startswith(lines):
            tally.escapes.append(f"changed what was not the task's, {label}")
    shutil.rmtree(top, ignore_errors=True)


def _read(case: Case, root: Path, label: str, tally: Tally) -> None:
    """What an agent would be shown."""
    for opener in _openers():
        for path in (case.path, *case.beside):
            with opener:
                content = inspect(root, path, bytes_max=1 << 20, want_content=True).content
            if content in (SECRET, TREASURE) and path != ".git/config":
                tally.escapes.append(f"read what lies outside, {label}")


def _submit(case: Case, workspace: Workspace, label: str, tally: Tally) -> None:
    """An agent's result with the path."""
    paths = (case.path, *case.beside)
    # Pairs, because a path may stand twice.
    updates = ",".join(f'{{"path":{json.dumps(path)},"content":{json.dumps(_WRITTEN.decode())}}}' for path in paths)
    event = result("complete", "T-1", prior_status="in_progress").decode()
    receipt = submit(workspace, "agent-impl", f'{event[:-1]},"file_updates":[{updates}]}}'.encode())
    is_taken = receipt.rejected is None
    if case.kind == RACE:
        return
    if case.is_valid and not is_taken:
        assert receipt.rejected is not None
        tally.refused_valid.append(f"{label}: {receipt.rejected.error_code} {receipt.rejected.message}")
    elif case.is_valid and (workspace.root / case.path).read_bytes() != _WRITTEN:
        tally.refused_valid.append(f"{label}: was accepted and not written")
    elif is_taken and not case.is_valid:
        tally.taken_bad.append(label)


def _publish(case: Case, root: Path) -> None:
    """A log that was handed over, and says that the path was written."""
    for number, opener in enumerate(_openers()):
        blobs = BlobStore(root / ".roadmap" / "blobs", Disk())
        digest = blobs.put(b"from a hostile log, %d\n" % number)
        effects = [
            FileEffect(event_id=f"EV-{number:08d}", path=path, before_sha256=None, after_sha256=digest)
            for path in (case.path, *case.beside)
        ]
        with opener:
            Publisher(root, root / ".roadmap" / ".esaa" / "staging", blobs, Disk()).publish(effects)


def _openers() -> list[AbstractContextManager[Any]]:
    """Both ways to a directory: the kernel's own, and the walk."""
    real = beneath.kernel_opener()
    return [mock.patch.object(beneath, "kernel_opener", lambda found=found: found) for found in (real, None)]


def _guarded(top: Path) -> dict[str, object]:
    """Everything that no door may change: all but the project's own files, and the log with what it writes."""
    root = top / "project"
    seen: dict[str, object] = {f"probe {path}": _stamp(Path(path)) for path in _PROBES}
    for path in _below(top):
        name = path.relative_to(top).as_posix()
        if path.is_relative_to(root / ".roadmap"):
            is_contract = path.parent == root / ".roadmap" and path.suffix in (".yaml", ".md")
            if is_contract or path.name.endswith(".schema.json") or path.name == "origin":
                seen[name] = _stamp(path)
        elif path.is_relative_to(root) and not path.is_relative_to(root / ".git") and path.name != ".git":
            continue
        elif not name.startswith("config"):
            seen[name] = _stamp(path)
    return seen


def _writable(root: Path) -> dict[str, object]:
    """The project's own files, but for second names of the log. Folders that were made on the way are no harm."""
    log = (root / ".roadmap" / "activity.jsonl").stat().st_ino
    return {
        path.relative_to(root).as_posix(): _stamp(path)
        for path in _below(root)
        if not path.is_relative_to(root / ".roadmap")
        and not (path.is_dir() and not path.is_symlink())
        and path.lstat().st_ino != log
    }


def _below(folder: Path) -> Iterator[Path]:
    """Every entry below a folder; links are not followed."""
    for where, folders, files in os.walk(folder):
        yield from (Path(where, name) for name in (*folders, *files))


def _stamp(path: Path) -> object:
    """What an entry is: its kind and mode, where it points to, and what it holds."""
    try:
        status = path.lstat()
        if path.is_symlink():
            return "link", str(path.readlink())
        if path.is_file() and status.st_size < 1 << 20:
            return status.st_mode, path.read_bytes()
        return status.st_mode, status.st_size if path.is_file() else 0
    except FileNotFoundError:
        return None
