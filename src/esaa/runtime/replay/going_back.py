"""Going back to a restore point: files get the contents that they had, and that is recorded.

Only what the trail knows is touched: a file that someone else changed since is left as it is and named, a file that was
created since is left where it is. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from esaa.effects.files import FileEffect, Publisher, write_refusal
from esaa.effects.paths import inspect
from esaa.errors import StoreError, UsageError
from esaa.protocol.paths import covered_folded
from esaa.runtime.git_worktree import GitWorktree, ResetPlan
from esaa.runtime.replay.restore_points import RestorePoint, StateCheck, check_state, contents_of
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.blobs import BlobStore
from esaa.stores.layout import ROADMAP
from esaa.trail.event import GLOBAL, Actor
from esaa.trail.facts.files import FileDeleted, FileWritten

_ANY_SIZE = 1 << 62

Fate = Literal["restored", "as_it_was", "left"]


class FileOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of a file that changed since: restored, as it was already, or left alone and why."""

    path: str
    fate: Fate
    detail: str = ""


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """What going back did, or would do. `is_complete` is False where a file was left alone or the state differs.

    `git_reset_to` is the commit that is checked out now; None where git was not asked.
    """

    checkpoint_id: str
    issue_key: str
    dry_run: bool
    files: tuple[FileOutcome, ...]
    files_restored: int
    state_validated: bool
    state_fault: str = ""
    git_reset_to: str | None = None
    git_commits_back: int | None = None
    event_id: str | None = None

    @property
    def is_complete(self) -> bool:
        """True where all is as it was at the restore point, as far as the trail knows."""
        return self.state_validated and not any(one.fate == "left" for one in self.files)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that changed since: its digest then (None: it was not there), and the digests it had since."""

    path: str
    digest: str | None
    why_not: str
    since: frozenset[str]


def go_back(
    trail: Trail,
    point: RestorePoint,
    *,
    dry_run: bool = True,
    git: bool = False,
    force: bool = False,
    reason: str = "",
    actor: Actor | Mapping[str, Any] = RECORDER,
) -> Return:
    """Goes back to a restore point, or says what that would do, and records CheckpointRestored.

    With `git` the branch is reset to the commit of the restore point first. With `force` files are restored over
    changes that the trail does not know. Raises `UsageError` where git must not be asked, `StoreError`, `CorruptLog`.
    """
    worktree = GitWorktree(trail.root)
    reset = _reset_plan(trail, point, worktree) if git else None
    check = check_state(trail, point)
    tracked: frozenset[str] = frozenset()
    if reset is not None and not dry_run:
        worktree.reset(reset)
        tracked = worktree.tracked()
    files = _Files(trail, point, force=force, safe=tracked)
    outcomes = tuple(files.settled(one, dry_run=dry_run) for one in _wanted(trail, point, check))
    restored = sum(one.fate == "restored" for one in outcomes)
    found = Return(
        checkpoint_id=point.checkpoint_id,
        issue_key=point.stream,
        dry_run=dry_run,
        files=outcomes,
        files_restored=restored,
        state_validated=check.is_same is True,
        state_fault=check.fault,
        git_reset_to=None if reset is None else reset.sha,
        git_commits_back=None if reset is None else reset.commits_back,
    )
    return found if dry_run else msgspec.structs.replace(found, event_id=_record(trail, point, found, reason, actor))


def path_refusal(trail: Trail, path: str) -> str | None:
    """Why nothing is ever written at a path that an event names, or None. Completes the sentence "the path ..."."""
    refusal = write_refusal(path)
    if refusal is not None:
        return refusal
    root, base = trail.root.resolve(), trail.store.base.resolve()
    trails = (f"{base.relative_to(root).as_posix()}/**",) if base.is_relative_to(root) else ()
    return "belongs to the trail" if covered_folded(path, trails) else None


def publisher_of(trail: Trail, blobs: BlobStore) -> Publisher:
    """What writes the files of the project."""
    return Publisher(trail.root, trail.root / ROADMAP / ".esaa" / "staging", blobs, trail.store.disk)


class _Files:
    """The files of the project, for one return. `safe` are paths whose content is in a commit."""

    def __init__(self, trail: Trail, point: RestorePoint, *, force: bool, safe: frozenset[str]) -> None:
        self._trail = trail
        self._root = trail.root
        self._event_id = point.event.event_id
        self._blobs = contents_of(trail)
        self._publisher = publisher_of(trail, self._blobs)
        self._force = force
        self._safe = safe

    def settled(self, wanted: Wanted, *, dry_run: bool) -> FileOutcome:
        """What became of a file, or would. Raises `StoreError` where the disk fails."""
        path = wanted.path
        fault = path_refusal(self._trail, path)
        if fault is not None:
            return FileOutcome(path=path, fate="left", detail=f"the path {fault}")
        found = inspect(self._root, path, bytes_max=_ANY_SIZE, want_content=False)
        if found.fault is not None:
            return FileOutcome(path=path, fate="left", detail=f"it {found.fault}")
        if wanted.digest is None:
            fate: Fate = "as_it_was" if found.sha256 is None else "left"
            return FileOutcome(path=path, fate=fate, detail="" if found.sha256 is None else wanted.why_not)
        if found.sha256 == wanted.digest:
            return FileOutcome(path=path, fate="as_it_was")
        is_known = found.sha256 is None or found.sha256 in wanted.since or path in self._safe
        if not is_known and not self._force:
            return FileOutcome(path=path, fate="left", detail="someone changed it since; --force overwrites it")
        try:
            if self._blobs.get(wanted.digest) is None:
                return FileOutcome(path=path, fate="left", detail="its content is missing from .roadmap/blobs")
        except StoreError as error:
            return FileOutcome(path=path, fate="left", detail=error.message)
        if not dry_run:
            effect = FileEffect(
                event_id=self._event_id, path=path, before_sha256=found.sha256, after_sha256=wanted.digest
            )
            refused = self._publisher.publish([effect])
            if refused:
                return FileOutcome(path=path, fate="left", detail=refused[0])
        return FileOutcome(path=path, fate="restored")


def _wanted(trail: Trail, point: RestorePoint, check: StateCheck) -> Iterator[Wanted]:
    """The files that events after the restore point tell of, in the order of their paths, with what they held then."""
    before: dict[str, tuple[str | None, str]] = {}
    since: dict[str, set[str]] = {}
    for located in trail.store.stream(point.stream).events(point.sequence + 1):
        if located.event.fact.event_type not in ("FileWritten", "FileDeleted"):
            continue
        fact = trail.types.fact_of(located.event)
        if not isinstance(fact, FileWritten | FileDeleted):
            continue
        if isinstance(fact.before_sha256, str):
            before.setdefault(fact.path, (fact.before_sha256, ""))
        is_new = isinstance(fact, FileWritten) and fact.before_sha256 is None
        before.setdefault(fact.path, (None, "it was created since" if is_new else "nobody told what it held then"))
        digests = since.setdefault(fact.path, set())
        if isinstance(fact, FileWritten):
            digests.add(fact.after_sha256)
    for path in sorted(before):
        digest, why_not = before[path]
        if path in check.state.files:
            digest, why_not = check.state.files[path], "it was deleted then, and written again since"
        yield Wanted(path=path, digest=digest, why_not=f"{why_not}; nothing is deleted", since=frozenset(since[path]))


def _reset_plan(trail: Trail, point: RestorePoint, worktree: GitWorktree) -> ResetPlan:
    if point.git_sha is None:
        raise UsageError("RESTORE_POINT_WITHOUT_COMMIT", f"{point.checkpoint_id} names no commit.", "Leave --git out.")
    return worktree.plan_reset(point.git_sha, [trail.store.base, trail.root / ROADMAP])


def _record(trail: Trail, point: RestorePoint, found: Return, reason: str, actor: Actor | Mapping[str, Any]) -> str:
    who = actor.id if isinstance(actor, Actor) else str(actor.get("id", ""))
    metadata: dict[str, Any] = {
        "checkpoint_id": point.checkpoint_id,
        "restored_by": who,
        "files_restored": found.files_restored,
        "state_validated": found.state_validated,
    }
    if reason:
        metadata["restore_reason"] = reason
    if found.git_reset_to is not None:
        metadata["git_reset_to"] = found.git_reset_to
    with TrailRecorder(trail, actor=actor, is_async=False) as recorder:
        return recorder.record(
            "CheckpointRestored",
            metadata,
            issue_key=None if point.stream == GLOBAL else point.stream,
            causation_id=point.event.event_id,
        )
