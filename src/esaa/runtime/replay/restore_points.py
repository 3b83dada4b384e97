"""Restore points: saving a state that the work can go back to, and finding it again.

The specification calls them checkpoints; so do the names of the events. The state is kept in a file of its own, but the
events remain the truth: who goes back folds them again, and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from esaa.errors import NotFound, StoreError, UsageError
from esaa.kernel.canonical import sha256_hex
from esaa.kernel.chain import leaf_hash
from esaa.kernel.ingest import CONTENT, TooLarge
from esaa.runtime.git_state import git_state
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.states import TrailStates, check_stream
from esaa.runtime.trail.trail import Trail
from esaa.stores.blobs import BlobStore
from esaa.stores.jsonl import storage_error
from esaa.stores.layout import ROADMAP
from esaa.stores.outside import read_placed
from esaa.stores.trail_layout import partition, partitions_of
from esaa.trail.event import GLOBAL, Actor, TrailEvent
from esaa.trail.evolve import PROJECTION_VERSION
from esaa.trail.facts.files import FileDeleted, FileWritten
from esaa.trail.facts.restore_points import CheckpointCreated
from esaa.trail.intake import trail_time
from esaa.trail.state import OrchestrationState, encode_state

FOLDER = "checkpoints"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class StateFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the file of a restore point holds. `checksum` is the digest of the state, as compact JSON in its own order.

    `event_sequence` and `leaf_hash` name the last event in the state.
    """

    checkpoint_id: str
    issue_key: str | None
    event_sequence: int
    leaf_hash: str
    created_at: str
    git_sha: str | None
    branch: str | None
    projection_version: int
    checksum: str
    state: msgspec.Raw


class RestorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A restore point as the trail tells of it. `sequence` is the last event that its state holds."""

    stream: str
    event: TrailEvent
    fact: CheckpointCreated
    sequence: int

    @property
    def checkpoint_id(self) -> str:
        """Its name."""
        return self.fact.checkpoint_id

    @property
    def git_sha(self) -> str | None:
        """The commit that belongs to it, where it names one."""
        return self.fact.git_sha if isinstance(self.fact.git_sha, str) and self.fact.git_sha else None


class StateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a restore point, folded again, and whether what was kept of it says the same.

    `is_same` is None where nothing was kept that could be compared; `fault` says what differs or is missing.
    """

    state: OrchestrationState
    digest: str
    is_same: bool | None
    fault: str = ""


def create_restore_point(
    trail: Trail,
    stream: str,
    *,
    phase: str | None = None,
    reason: str = "manual",
    actor: Actor | Mapping[str, Any] = RECORDER,
    dry_run: bool = False,
) -> tuple[dict[str, Any], TrailEvent | None]:
    """Saves the state of a stream and records CheckpointCreated. Returns its metadata, and the event (None if dry).

    Raises `UsageError` for a key that is none, `NotFound` for a stream without events, and what recording raises.
    """
    found = TrailStates(trail).reconstruct(stream, use_snapshots=False)
    located = next(trail.store.stream(stream).events(found.sequence, found.sequence))
    git = git_state(trail.root)
    data = encode_state(found.state)
    checkpoint_id = f"ckpt-{trail.new_id().replace('-', '')[-12:]}"
    seen = located.event.fact
    folder = partition(trail.store.base, trail.settings.storage.partition_by, stream, located.event.ts, seen.session_id)
    path = folder / FOLDER / f"{checkpoint_id}.json"
    file = StateFile(
        checkpoint_id=checkpoint_id,
        issue_key=seen.issue_key,
        event_sequence=found.sequence,
        leaf_hash=leaf_hash(located.line),
        created_at=trail_time(trail.clock.now()),
        git_sha=git.sha,
        branch=git.branch,
        projection_version=PROJECTION_VERSION,
        checksum=sha256_hex(data),
        state=msgspec.Raw(data),
    )
    files, commits = _since_last(trail, stream)
    metadata: dict[str, Any] = {
        "checkpoint_id": checkpoint_id,
        "checkpoint_reason": reason,
        "state_snapshot": path.relative_to(trail.store.base).as_posix(),
        "can_rollback": not _missing_contents(trail, found.state),
        "files_changed_since_last": files,
        "commits_since_last": commits,
        # In the event, so that the chain vouches for the file.
        "extra": {"event_sequence": found.sequence, "state_sha256": file.checksum, "leaf_hash": file.leaf_hash},
    }
    if phase or found.state.current_phase:
        metadata["checkpoint_phase"] = phase or found.state.current_phase
    if git.sha is not None:
        metadata["git_sha"] = git.sha
    if dry_run:
        return metadata, None
    write_state_file(trail, path, file)
    with TrailRecorder(trail, actor=actor, is_async=False) as recorder:
        event_id = recorder.record("CheckpointCreated", metadata, issue_key=_key(stream))
    return metadata, trail.store.stream(stream).find([event_id])[event_id].event


def write_state_file(trail: Trail, path: Path, file: StateFile) -> None:
    """Puts the file of a restore point into place, durably. Raises `StoreError`."""
    try:
        trail.store.disk.mkdir(path.parent)
        trail.store.disk.replace_file(path, msgspec.json.format(msgspec.json.encode(file), indent=2), durable=True)
    except OSError as error:
        raise storage_error(path, error) from error


def restore_points(trail: Trail, stream: str | None = None) -> Iterator[RestorePoint]:
    """The restore points of a stream, or of all of them, oldest first in each. One that was made again comes once more.

    Raises `UsageError` for a key that is none, `CorruptLog`.
    """
    if stream is not None:
        check_stream(stream)
    for name in [stream] if stream is not None else trail.store.names():
        events = trail.store.stream(name)
        if not events.mentions('"event_type":"CheckpointCreated"'):
            continue
        for located in events.events():
            if located.event.fact.event_type != "CheckpointCreated":
                continue
            fact = trail.types.fact_of(located.event)
            if isinstance(fact, CheckpointCreated):
                yield RestorePoint(
                    stream=name, event=located.event, fact=fact, sequence=_state_sequence(located.event, fact)
                )


def find_restore_point(trail: Trail, checkpoint_id: str, stream: str | None = None) -> RestorePoint:
    """The restore point of a name; the last one, where it was made again.

    Raises `NotFound`, and `UsageError` where several issues have one of that name.
    """
    known = list(restore_points(trail, stream))
    found = {one.stream: one for one in known if one.checkpoint_id == checkpoint_id}
    if not found:
        from difflib import get_close_matches

        near = get_close_matches(checkpoint_id, [one.checkpoint_id for one in known], n=1)
        hint = f"Did you mean {near[0]}?" if near else "`esaa restore-point list` names them."
        raise NotFound("RESTORE_POINT_NOT_FOUND", f"There is no restore point {checkpoint_id[:80]!r}.", hint)
    if len(found) > 1:
        raise UsageError(
            "RESTORE_POINT_AMBIGUOUS",
            f"{', '.join(found)} each have a restore point {checkpoint_id}.",
            "Say which with --issue.",
        )
    return next(iter(found.values()))


def check_state(trail: Trail, point: RestorePoint) -> StateCheck:
    """Folds the state of a restore point again and compares it with its file and its event. Writes nothing.

    Raises `CorruptLog`, `NotFound`.
    """
    if point.sequence < 1:
        state = OrchestrationState()
    else:
        state = TrailStates(trail).reconstruct(point.stream, sequence=point.sequence, use_snapshots=False).state
    digest = sha256_hex(encode_state(state))
    told = _extra(point.fact).get("state_sha256")
    file = read_state_file(trail, point)
    if isinstance(file, str):
        return StateCheck(state=state, digest=digest, is_same=False if told is not None else None, fault=file)
    fault = ""
    if file.projection_version != PROJECTION_VERSION:
        return StateCheck(
            state=state,
            digest=digest,
            is_same=None,
            fault=f"its state was folded by projection {file.projection_version}, this is {PROJECTION_VERSION}",
        )
    if file.checksum != sha256_hex(bytes(file.state)):
        fault = "the checksum of its file is not that of the state in it"
    elif told is not None and told != file.checksum:
        fault = "its file holds another state than its event says"
    elif file.checksum != digest:
        fault = f"its file holds another state than the events up to #{point.sequence} give"
    return StateCheck(state=state, digest=digest, is_same=not fault, fault=fault)


def read_state_file(trail: Trail, point: RestorePoint) -> StateFile | str:
    """The file of a restore point as it lies there; a text that says why it cannot be read, where it cannot."""
    path = state_path(trail, point)
    if path is None:
        return "its file is missing"
    try:
        file = msgspec.json.decode(read_placed(path, CONTENT), type=StateFile)
        # Laid out for readers on disk; the checksum is over the compact form.
        compact = msgspec.json.format(bytes(file.state), indent=-1)
    except TooLarge:
        return "its file is too large"
    except (OSError, ValueError, RecursionError) as error:
        return f"its file cannot be read: {' '.join(str(error).split())[:200]}"
    if file.checkpoint_id != point.checkpoint_id or (file.issue_key or GLOBAL) != point.stream:
        return "its file belongs to another restore point"
    if file.event_sequence != point.sequence:
        return f"its file is about event #{file.event_sequence}, not #{point.sequence}"
    return msgspec.structs.replace(file, state=msgspec.Raw(compact))


def state_path(trail: Trail, point: RestorePoint) -> Path | None:
    """Where the file of a restore point lies. Looked for by name in the stream's own folders: a path that comes with
    an event is nobody's promise."""
    if _NAME.fullmatch(point.checkpoint_id) is None:
        return None
    for folder in partitions_of(trail.store.base, point.stream):
        path = folder / FOLDER / f"{point.checkpoint_id}.json"
        if path.is_file() and not path.is_symlink():
            return path
    return None


def state_file_of(trail: Trail, point: RestorePoint, check: StateCheck) -> tuple[Path, StateFile]:
    """The file of a restore point, made again from the state that its events give, and where it belongs.

    Raises `StoreError` for a name that is no file name.
    """
    if _NAME.fullmatch(point.checkpoint_id) is None:
        raise StoreError("RESTORE_POINT_UNNAMED", f"{point.checkpoint_id[:80]!r} is no name of a file.", "")
    line = trail.store.stream(point.stream).line_at(point.sequence) if point.sequence else None
    seen = point.event.fact
    folder = partition(
        trail.store.base, trail.settings.storage.partition_by, point.stream, point.event.ts, seen.session_id
    )
    return folder / FOLDER / f"{point.checkpoint_id}.json", StateFile(
        checkpoint_id=point.checkpoint_id,
        issue_key=seen.issue_key,
        event_sequence=point.sequence,
        leaf_hash="" if line is None else leaf_hash(line),
        created_at=point.event.ts,
        git_sha=point.git_sha,
        branch=seen.branch,
        projection_version=PROJECTION_VERSION,
        checksum=check.digest,
        state=msgspec.Raw(encode_state(check.state)),
    )


def contents_of(trail: Trail) -> BlobStore:
    """The contents of written files."""
    return BlobStore(trail.root / ROADMAP / "blobs", trail.store.disk)


def _missing_contents(trail: Trail, state: OrchestrationState) -> bool:
    blobs = contents_of(trail)
    try:
        return any(digest is not None and blobs.get(digest) is None for digest in state.files.values())
    except StoreError:  # a damaged content is as good as none
        return True


def _since_last(trail: Trail, stream: str) -> tuple[int, int]:
    """How many files changed, and how many commits were made, since the last restore point of a stream."""
    paths: set[str] = set()
    commits = 0
    for located in trail.store.stream(stream).events():
        name = located.event.fact.event_type
        if name == "CheckpointCreated":
            paths, commits = set(), 0
        elif name == "CommitCreated":
            commits += 1
        elif name in ("FileWritten", "FileDeleted"):
            fact = trail.types.fact_of(located.event)
            if isinstance(fact, FileWritten | FileDeleted):
                paths.add(fact.path)
    return len(paths), commits


def _state_sequence(event: TrailEvent, fact: CheckpointCreated) -> int:
    """The last event in the state of a restore point. Who names none means the event before."""
    named: object = _extra(fact).get("event_sequence")
    if isinstance(named, int) and not isinstance(named, bool) and 0 < named < event.version:
        return named
    return event.version - 1


def _extra(fact: CheckpointCreated) -> dict[str, Any]:
    return fact.extra if isinstance(fact.extra, dict) else {}


def _key(stream: str) -> str | None:
    return None if stream == GLOBAL else stream
