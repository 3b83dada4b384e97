"""What acts when an event is replayed: handlers by event type, and those that need nothing but the workspace.

A handler is `handle(step, key) -> Outcome`. The key is the event's id, the same in every replay: a handler that hands
it to the outside as an idempotency key, or that compares first, can be called twice and acts once. That is all that
makes a replay safe, for a crash may come after the act and before its marker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from esaa.effects.files import FileEffect
from esaa.effects.paths import inspect
from esaa.errors import NotFound, StoreError
from esaa.history.replay_plan import ReplayStep
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.replay.going_back import path_refusal, publisher_of
from esaa.runtime.replay.restore_points import (
    RestorePoint,
    check_state,
    contents_of,
    restore_points,
    state_file_of,
    state_path,
    write_state_file,
)
from esaa.runtime.trail.states import TrailStates
from esaa.runtime.trail.trail import Trail
from esaa.stores.blobs import BlobStore
from esaa.trail.evolve import PROJECTION_VERSION
from esaa.trail.facts.files import FileWritten
from esaa.trail.facts.records import SnapshotCreated
from esaa.trail.facts.restore_points import CheckpointCreated
from esaa.trail.facts.wording import counted
from esaa.trail.state import encode_state

_ANY_SIZE = 1 << 62


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler did, or would do: in a sentence, and as values that are recorded and compared.

    `matches_recorded` is the handler's own verdict; None leaves it to the comparison of `data` with what was recorded.
    """

    summary: str = ""
    data: Mapping[str, Any] = {}
    matches_recorded: bool | None = None


class Handler(Protocol):
    """Does what an event tells of once more. It may have `simulate(step) -> Outcome`, which changes nothing."""

    def __call__(self, step: ReplayStep, key: str, /) -> Outcome:
        """Acts, once per key however often it is called. Whatever it raises is recorded as a failure."""
        ...


class ReplayContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler of a workspace may need.

    - `written`: for each path, the digests that events from the range on say it had.
    - `force`: files that someone changed since may be overwritten.
    """

    trail: Trail
    stream: str
    replay_id: str = ""
    written: Mapping[str, frozenset[str]] = {}
    force: bool = False


Make = Callable[[ReplayContext], Handler]
H = TypeVar("H", bound=Handler)


class _Registration(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    make: Make


class HandlerRegistry:
    """Handlers by event type. The one that was registered last counts.

    The name of a handler is its identity: an event that a handler of that name did with success is not handed to it
    again by a later replay, unless asked for.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Registration] = {}

    def register(self, event_type: str, handler: Handler, *, name: str | None = None) -> None:
        """Makes a handler responsible for a type. Its name is by default that of the function or class."""
        self._known[event_type] = _Registration(name=name or _name_of(handler), make=lambda _: handler)

    def handles(self, *event_types: str, name: str | None = None) -> Callable[[H], H]:
        """`register` as a decorator, for one or several types."""

        def registered(handler: H) -> H:
            for event_type in event_types:
                self.register(event_type, handler, name=name)
            return handler

        return registered

    def register_made(self, event_type: str, make: Make, *, name: str) -> None:
        """Makes responsible what `make` gives for the workspace of a replay: one handler for each replay."""
        self._known[event_type] = _Registration(name=name, make=make)

    def extended(self) -> HandlerRegistry:
        """A registry with the same handlers, to which others can be added."""
        other = HandlerRegistry()
        other._known = dict(self._known)
        return other

    def names(self) -> dict[str, str]:
        """The name of the handler of each type that has one."""
        return {event_type: known.name for event_type, known in self._known.items()}

    def bound(self, context: ReplayContext) -> dict[str, Handler]:
        """The handlers by type, at work on a workspace."""
        return {event_type: known.make(context) for event_type, known in self._known.items()}


class RestoreFile:
    """FileWritten: the file gets the content of that time, from `.roadmap/blobs`.

    A file that holds neither what the event replaced nor what any recorded write gave it is left alone, unless forced.
    """

    def __init__(self, context: ReplayContext) -> None:
        self._trail = trail = context.trail
        self._root = trail.root
        self._force = context.force
        self._written = context.written
        self._blobs: BlobStore = contents_of(trail)
        self._publisher = publisher_of(trail, self._blobs)
        self._simulated: dict[str, str] = {}

    def __call__(self, step: ReplayStep, key: str, /) -> Outcome:
        """Writes the file. Raises `StoreError` where it must not, or cannot, be written."""
        fact = _fact(step, FileWritten)
        current = self._examined(fact, None)
        if current == fact.after_sha256:
            return _file_outcome(fact, "has its content already", current)
        effect = FileEffect(event_id=key, path=fact.path, before_sha256=current, after_sha256=fact.after_sha256)
        refused = self._publisher.publish([effect])
        if refused:
            raise _left(fact.path, refused[0])
        now = inspect(self._root, fact.path, bytes_max=_ANY_SIZE, want_content=False).sha256
        return _file_outcome(fact, "got back its content", now)

    def simulate(self, step: ReplayStep) -> Outcome:
        """What writing would come to. Raises as the act itself."""
        fact = _fact(step, FileWritten)
        current = self._examined(fact, self._simulated.get(fact.path))
        self._simulated[fact.path] = fact.after_sha256
        done = current == fact.after_sha256
        verb = "has its content already" if done else "would get back its content"
        return _file_outcome(fact, verb, fact.after_sha256)

    def _examined(self, fact: FileWritten, simulated: str | None) -> str | None:
        """The digest of the file as it is now. Raises `StoreError` for a file that is not to be written."""
        fault = path_refusal(self._trail, fact.path)
        if fault is not None:
            raise _left(fact.path, f"the path {fault}")
        found = inspect(self._root, fact.path, bytes_max=_ANY_SIZE, want_content=False)
        if found.fault is not None:
            raise _left(fact.path, f"it {found.fault}")
        current = simulated or found.sha256
        if current == fact.after_sha256:
            return current
        is_known = current is None or current == fact.before_sha256 or current in self._written.get(fact.path, ())
        if not is_known and not self._force:
            raise _left(fact.path, "someone changed it since, and it is overwritten only with --force")
        if self._blobs.get(fact.after_sha256) is None:
            raise _left(fact.path, f"the content {fact.after_sha256[:12]} is missing from .roadmap/blobs")
        return current


class RebuildSnapshot:
    """SnapshotCreated: the snapshot is made again, and its state compared with the recorded digest."""

    def __init__(self, context: ReplayContext) -> None:
        self._trail = context.trail
        self._stream = context.stream
        self._states = TrailStates(context.trail)

    def __call__(self, step: ReplayStep, key: str, /) -> Outcome:
        """Saves the snapshot. Raises `NotFound`, `UsageError` (no key to seal it with), `StoreError`."""
        fact = self._checked(step)
        path, snapshot = self._states.snapshot(self._stream, fact.event_sequence)
        shown = path.relative_to(self._trail.store.base).as_posix()
        return _state_outcome(f"snapshot saved in {shown}", snapshot.checksum, self._told(fact))

    def simulate(self, step: ReplayStep) -> Outcome:
        """Folds the state of the snapshot, without saving it. Raises `NotFound`, `CorruptLog`."""
        fact = self._checked(step)
        found = self._states.reconstruct(self._stream, sequence=fact.event_sequence, use_snapshots=False)
        digest = sha256_hex(encode_state(found.state))
        return _state_outcome(f"would save the state after event #{fact.event_sequence}", digest, self._told(fact))

    def _checked(self, step: ReplayStep) -> SnapshotCreated:
        fact = _fact(step, SnapshotCreated)
        if fact.event_sequence >= step.event.version:
            text = f"A snapshot of event #{fact.event_sequence} cannot be older than that event."
            raise NotFound("EVENT_NOT_FOUND", text, "The event that tells of it is wrong.")
        return fact

    @staticmethod
    def _told(fact: SnapshotCreated) -> str | None:
        """The recorded digest, where it is one of today's projection."""
        version = fact.projection_version
        is_todays = not isinstance(version, str) or version in (str(PROJECTION_VERSION), f"{PROJECTION_VERSION}.0.0")
        return fact.sha256 if isinstance(fact.sha256, str) and is_todays else None


class RecomputeState:
    """CheckpointCreated: the state of the restore point is folded again and compared with what was kept of it.

    A file that is missing, or that no longer holds that state, is made again.
    """

    def __init__(self, context: ReplayContext) -> None:
        self._trail = context.trail
        self._stream = context.stream
        self._points: dict[str, RestorePoint] | None = None

    def __call__(self, step: ReplayStep, key: str, /) -> Outcome:
        """Compares, and mends the file. Raises `StoreError`, `CorruptLog`."""
        return self._done(step, is_dry=False)

    def simulate(self, step: ReplayStep) -> Outcome:
        """Compares, and says whether the file would be made again."""
        return self._done(step, is_dry=True)

    def _done(self, step: ReplayStep, *, is_dry: bool) -> Outcome:
        fact = _fact(step, CheckpointCreated)
        point = self._point(step, fact)
        check = check_state(self._trail, point)
        kept = fact.extra if isinstance(fact.extra, dict) else {}
        told = kept.get("state_sha256")
        summary = f"the state after event #{point.sequence} is {check.digest[:12]}"
        if isinstance(told, str) and told == check.digest and check.is_same is not True:
            path, file = state_file_of(self._trail, point, check)
            if not is_dry:
                write_state_file(self._trail, state_path(self._trail, point) or path, file)
            summary += f"; {check.fault}, and it {'would be' if is_dry else 'is'} made again"
        elif check.fault:
            summary += f"; {check.fault}"
        outcome = _state_outcome(summary, check.digest, told if isinstance(told, str) else None)
        if outcome.matches_recorded is None:
            return msgspec.structs.replace(outcome, matches_recorded=check.is_same)
        return outcome

    def _point(self, step: ReplayStep, fact: CheckpointCreated) -> RestorePoint:
        if self._points is None:
            self._points = {one.checkpoint_id: one for one in restore_points(self._trail, self._stream)}
        found = self._points[fact.checkpoint_id]
        if found.event.event_id == step.event.event_id:
            return found
        text = f"{fact.checkpoint_id} was made again in event #{found.event.version}; its file is of that one."
        raise StoreError("RESTORE_POINT_MADE_AGAIN", text, "Replay that event.")


def _registry() -> HandlerRegistry:
    registry = HandlerRegistry()
    registry.register_made("FileWritten", RestoreFile, name="restore-file")
    registry.register_made("SnapshotCreated", RebuildSnapshot, name="rebuild-snapshot")
    registry.register_made("CheckpointCreated", RecomputeState, name="recompute-state")
    return registry


HANDLERS = _registry()
"""What can be replayed with nothing but the workspace. `extended()` gives a copy to add others to."""


def simulated(handler: Handler, name: str, step: ReplayStep) -> Outcome:
    """What a handler would do. One that cannot say changes nothing by not being called. Raises what it raises."""
    simulate: Callable[[ReplayStep], Outcome] | None = getattr(handler, "simulate", None)
    return Outcome(summary=f"would call {name}") if simulate is None else simulate(step)


def _name_of(handler: Handler) -> str:
    named: object = getattr(handler, "name", None) or getattr(handler, "__qualname__", None)
    return named if isinstance(named, str) else type(handler).__qualname__


F = TypeVar("F")


def _fact(step: ReplayStep, kind: type[F]) -> F:
    fact: object = step.fact
    assert isinstance(fact, kind), f"a handler of {kind.__name__} got {step.event.fact.event_type}"
    return fact


def _left(path: str, why: str) -> StoreError:
    return StoreError("FILE_NOT_RESTORED", f"{path[:200]!r} was left as it is: {why}.", "")


def _file_outcome(fact: FileWritten, verb: str, digest: str | None) -> Outcome:
    size = f" ({counted(fact.size_bytes, 'byte')})" if isinstance(fact.size_bytes, int) else ""
    return Outcome(
        summary=f"{fact.path} {verb}{size}",
        data={"path": fact.path, "sha256": digest},
        matches_recorded=digest == fact.after_sha256,
    )


def _state_outcome(summary: str, digest: str, recorded: str | None) -> Outcome:
    return Outcome(
        summary=summary,
        data={"state_sha256": digest},
        matches_recorded=None if recorded is None else digest == recorded,
    )
