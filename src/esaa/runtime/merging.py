"""Finds the files of a result that were changed after the agent had seen them, and merges both changes with git.

What an agent had seen is known from the log: the writes of other tasks after the event at which it was asked, or the
`base_sha256` of its edits. The contents come from the blobs, so nothing has to be remembered while an agent works.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import UNSET

from esaa.contracts.governance import Governance
from esaa.effects.paths import inspect
from esaa.errors import StoreError
from esaa.kernel.decider import Rejected
from esaa.kernel.recorded import Recorded
from esaa.protocol.commands import FileOnDisk, Submit
from esaa.protocol.conflicts import Meeting
from esaa.protocol.edits import new_content
from esaa.protocol.facts import Fact, FileWritten
from esaa.protocol.intentions import AgentResult, FileUpdate
from esaa.protocol.paths import path_fault
from esaa.stores.blobs import BlobStore

_ANY_SIZE = 1 << 62
_TIMEOUT_S = 30.0
_CONFLICTS_MAX = 127
_QUIET = {"LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


class _Write(msgspec.Struct, frozen=True):
    task_id: str
    before_sha256: str | None


class _Seen(msgspec.Struct, frozen=True):
    writer: str | None
    sha256: str | None


def with_files(
    command: Submit, root: Path, rules: Governance, blobs: BlobStore, events: Callable[[int], Iterable[Recorded[Fact]]]
) -> Submit:
    """The command with what lies at the paths of its updates, and what came there since its agent was asked.

    `events` gives the events from a number on. Raises `StoreError` where the disk fails.
    """
    result = command.result
    if not isinstance(result, AgentResult) or not result.updates:
        return command
    is_merging = rules.runtime.dispatch.conflicts == "merge"
    since = () if command.based_on is None else events(command.based_on + 1)
    writes = _writes(since, result.intention.task_id)
    files: dict[str, FileOnDisk] = {}
    for update in result.updates:
        if path_fault(update.path) is not None:
            continue
        wants_content = is_merging or update.edits is not UNSET
        found = inspect(root, update.path, bytes_max=_ANY_SIZE, want_content=wants_content)
        write = writes.get(update.path)
        seen = _seen(update, found, write, is_merging=is_merging)
        if seen is not None:
            limit = rules.agent.output_contract.file_bytes_max
            found = _merged(update, found, seen, blobs, limit) if is_merging else _met(found, seen)
        files[update.path] = found
    return msgspec.structs.replace(command, files=files)


def is_merged(events: Iterable[Recorded[Fact]]) -> bool:
    """True where one of the events writes what git merged: it is verified at once, whatever the cadence."""
    return any(
        isinstance(effect, dict) and "merge" in effect
        for recorded in events
        if isinstance(recorded.fact, FileWritten) and isinstance(recorded.fact.effects, list)
        for effect in recorded.fact.effects
    )


def merge(current: bytes, base: bytes, proposed: bytes) -> bytes | str:
    """Both changes in one content, or why they do not go together ("... touch the same lines")."""
    if proposed in (current, base):
        return current
    if current == base:
        return proposed
    with tempfile.TemporaryDirectory(prefix="esaa-merge-") as folder:
        for name, content in (("current", current), ("base", base), ("proposed", proposed)):
            Path(folder, name).write_bytes(content)
        # No configuration and no repository: what a project says of merging must not decide what is recorded.
        quiet = {**_QUIET, "PATH": os.environ.get("PATH", os.defpath), "GIT_CEILING_DIRECTORIES": folder}
        command = ["git", "merge-file", "-p", "-q", "current", "base", "proposed"]
        try:
            done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except FileNotFoundError:
            return "cannot be merged without the program `git`, which is not installed here"
        except subprocess.TimeoutExpired:
            return f"could not be merged within {_TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return done.stdout
    return "touch the same lines" if done.returncode <= _CONFLICTS_MAX else "cannot be merged line by line"


def _seen(update: FileUpdate, found: FileOnDisk, write: _Write | None, *, is_merging: bool) -> _Seen | None:
    """What the agent had seen, where that is not what lies there now; None where nothing came between."""
    if found.fault is not None:
        return None
    if update.edits is UNSET:
        if write is None:
            return None
        seen = _Seen(write.task_id, write.before_sha256)
    else:
        if write is None and not is_merging:
            return None  # no task changed the file: the edits do not fit it, and are refused for that
        base_sha256 = None if update.base_sha256 is UNSET else update.base_sha256
        seen = _Seen(None if write is None else write.task_id, base_sha256)
    return None if seen.sha256 == found.sha256 else seen


def _met(found: FileOnDisk, seen: _Seen) -> FileOnDisk:
    meeting = Meeting(writer=seen.writer, base_sha256=seen.sha256, proposed=b"")
    return msgspec.structs.replace(found, meeting=meeting)


def _merged(update: FileUpdate, found: FileOnDisk, seen: _Seen, blobs: BlobStore, limit: int) -> FileOnDisk:
    base = _kept(blobs, seen.sha256)
    if base is None and update.edits is not UNSET:
        return found  # edits to a text that nobody knows are refused as such
    read = FileOnDisk(sha256=seen.sha256, content=base)
    proposed = new_content(update, read, limit)
    if isinstance(proposed, Rejected):
        return read  # they would be refused without the meeting, too
    meeting = Meeting(writer=seen.writer, base_sha256=seen.sha256, proposed=proposed)
    if found.content is None:
        meeting = msgspec.structs.replace(meeting, fault="do not meet: the file is gone")
    elif base is None:
        meeting = msgspec.structs.replace(meeting, fault="have a beginning that was not kept")
    else:
        merged = merge(found.content, base, proposed)
        changes = {"fault": merged} if isinstance(merged, str) else {"merged": merged}
        meeting = msgspec.structs.replace(meeting, **changes)
    return msgspec.structs.replace(found, meeting=meeting)


def _kept(blobs: BlobStore, sha256: str | None) -> bytes | None:
    """The content of a digest; empty for a file that was not there, None where it was not kept."""
    if sha256 is None:
        return b""
    try:
        return blobs.get(sha256)
    except StoreError:
        return None


def _writes(since: Iterable[Recorded[Fact]], task_id: str) -> dict[str, _Write]:
    """What other tasks wrote: by path who was last, and what lay there before the first of them."""
    writes: dict[str, _Write] = {}
    for recorded in since:
        fact = recorded.fact
        if not isinstance(fact, FileWritten) or fact.task_id == task_id or not isinstance(fact.effects, list):
            continue
        for effect in fact.effects:
            if isinstance(effect, dict) and isinstance(path := effect.get("path"), str):
                before = effect.get("before_sha256")
                first = writes.get(path)
                writes[path] = _Write(
                    str(fact.task_id),
                    first.before_sha256 if first is not None else before if isinstance(before, str) else None,
                )
    return writes
