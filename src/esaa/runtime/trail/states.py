"""States of issues at any moment: from the newest snapshot that holds, and the events after it."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from esaa.errors import NotFound, StoreError, UsageError
from esaa.history.predicates import Predicate
from esaa.kernel.chain import leaf_hash
from esaa.runtime.trail.trail import Trail
from esaa.stores.trail import Located
from esaa.stores.trail_proofs import is_vouched_for, proofs_of
from esaa.stores.trail_snapshots import (
    Discarded,
    SnapshotFile,
    TrailSnapshot,
    load_snapshot,
    save_snapshot,
    snapshot_files,
)
from esaa.trail.event import GLOBAL, TrailEvent
from esaa.trail.evolve import PROJECTION_VERSION, evolve
from esaa.trail.facts.base import TrailFact
from esaa.trail.intake import is_issue_key, parse_time, trail_time
from esaa.trail.state import OrchestrationState, decode_state, encode_state
from esaa.trail.state_audit import faults

_SNAPSHOTS_PER_COLLECTION = 20
_SNAPSHOT_BYTES_PER_EVENT = 4096
"""A snapshot of a state that has grown large waits until so many bytes of it fall on each event since the last one."""


class Reconstruction(msgspec.Struct, frozen=True, kw_only=True):
    """A state, the sequence of the last event in it, where the fold began, and what was found on the way."""

    state: OrchestrationState
    sequence: int
    leaf_hash: str | None
    snapshot_sequence: int
    findings: tuple[str, ...] = ()


class _Live(msgspec.Struct):
    state: OrchestrationState
    sequence: int
    saved: int = 0
    saved_bytes: int = 0

    def is_worth_it(self) -> bool:
        """True unless the state is so large that the events since its last snapshot do not weigh against it."""
        return (self.sequence - self.saved) * _SNAPSHOT_BYTES_PER_EVENT >= self.saved_bytes


class TrailStates:
    """Folds the streams of one trail. Recent snapshots, and the states that recording follows, stay in memory."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._loaded: OrderedDict[Path, TrailSnapshot] = OrderedDict()
        self._kept_max = trail.settings.performance.cache_snapshots

    def reconstruct(
        self, stream: str, at: str | None = None, *, sequence: int | None = None, use_snapshots: bool = True
    ) -> Reconstruction:
        """The state of a stream now, at a time (ISO-8601 with its zone), or after an event.

        Raises `UsageError` for a time or key that is none, `NotFound` for a stream without events, `CorruptLog`.
        """
        check_stream(stream)
        events = self._trail.store.stream(stream)
        head = events.tip().head.version
        if head == 0:
            raise NotFound("ISSUE_NOT_FOUND", f"The trail has no events of {stream}.", "`esaa trail list` names them.")
        last = head if sequence is None else min(sequence, head)
        if at is not None:
            last = min(last, self._sequence_at(stream, moment_text(at)))
        notes: list[str] = []
        first, state = self._begin(stream, last)
        if use_snapshots and last > 0:
            for snapshot in self._snapshots(stream, last, notes):
                first, state = snapshot.event_sequence + 1, decode_state(bytes(snapshot.state))
                break
        snapshot_sequence = first - 1
        leaf: str | None = None
        checks = self._trail.settings.validation.validate_on_read
        for located in events.events(first, last):
            self._apply(state, located.event)
            leaf = leaf_hash(located.line) if located.event.version == last else None
            if checks:
                notes += self._faults_of(located)
        notes += [f"the state is inconsistent: {one}" for one in faults(state)]
        return Reconstruction(
            state=state, sequence=last, leaf_hash=leaf, snapshot_sequence=snapshot_sequence, findings=tuple(notes)
        )

    def follow(self, stream: str, events: Sequence[TrailEvent], facts: Sequence[TrailFact | None] = ()) -> None:
        """Takes note of events that were just recorded, and saves a snapshot where one is due. `facts` are those of the
        events, where someone has typed them already."""
        settings = self._trail.settings.snapshots
        if not events or not settings.enabled or self._trail.secret is None:
            return
        last = events[-1].version
        if events[0].version == 1:
            self._keep_live(stream, _Live(OrchestrationState(), 0))
        live = self._live.get(stream)
        if live is not None and live.sequence + 1 == events[0].version:
            state, fact_of = live.state, self._trail.types.fact_of
            for event, fact in zip_longest(events, facts):
                evolve(state, event, fact or fact_of(event))
            live.sequence = last
            self._live.move_to_end(stream)
        else:
            self._live.pop(stream, None)
        crossed = (events[0].version - 1) // settings.frequency != last // settings.frequency
        kept = self._live.get(stream)
        if not crossed or (kept is not None and not kept.is_worth_it()):
            return
        with contextlib.suppress(StoreError, OSError):  # a snapshot is only missed; the events are safe
            self.snapshot(stream, last)

    def snapshot(self, stream: str, sequence: int | None = None) -> tuple[Path, TrailSnapshot]:
        """Saves the state after an event (default: the last one), and drops snapshots past their retention.

        Raises `UsageError` where this machine can keep no key, `NotFound`, `StoreError`.
        """
        trail = self._trail
        if trail.secret is None:
            raise UsageError(
                "KEY_MISSING", "Snapshots need this machine's key, and it cannot be kept.", "Set ESAA_CONFIG_DIR."
            )
        live = self._live.get(stream)
        if live is not None and (sequence is None or live.sequence == sequence):
            state, sequence = live.state, live.sequence
        else:
            found = self.reconstruct(stream, sequence=sequence)
            state, sequence = found.state, found.sequence
            self._keep_live(stream, _Live(state, sequence))
        folder, ts, leaf = self._place(stream, sequence)
        snapshot = TrailSnapshot(
            snapshot_id=f"snap-{sequence}",
            issue_key=None if stream == GLOBAL else stream,
            event_sequence=sequence,
            event_timestamp=ts,
            created_at=trail_time(trail.clock.now()),
            vocabulary="trail",
            projection_version=PROJECTION_VERSION,
            leaf_hash=leaf,
            state=msgspec.Raw(encode_state(state)),
            checksum="",
        )
        compression = trail.settings.snapshots.compression
        path = save_snapshot(folder, snapshot, trail.secret, trail.store.disk, compression=compression)
        kept = self._live.get(stream)
        if kept is not None:
            kept.saved, kept.saved_bytes = sequence, len(snapshot.state)
        if sequence // trail.settings.snapshots.frequency % _SNAPSHOTS_PER_COLLECTION == 0:
            self.collect_garbage(stream)
        return path, snapshot

    def _place(self, stream: str, sequence: int) -> tuple[Path, str, str]:
        """Where an event lies: its partition, its time, its leaf hash."""
        events = self._trail.store.stream(stream)
        tip = events.known_tip()
        if tip.head.version != sequence:
            tip = events.tip()
        if tip.head.version == sequence and tip.segment is not None and tip.head.leaf_hash is not None:
            return tip.segment.path.parent, tip.ts, tip.head.leaf_hash
        located = next(events.events(sequence, sequence), None)
        if located is None:
            raise NotFound("EVENT_NOT_FOUND", f"{stream} has no event {sequence}.", "`esaa trail list` says how many.")
        segment = next(one for one in reversed(events.segments()) if one.first <= sequence)
        return segment.path.parent, located.event.ts, leaf_hash(located.line)

    def query(self, stream: str, expression: str, at: str | None = None) -> Any:
        """A part of the state of a stream: what a JMESPath expression names of it. Raises as `reconstruct`."""
        state = self.reconstruct(stream, at).state
        return select(msgspec.json.decode(encode_state(state)), expression)

    def collect_garbage(self, stream: str, *, dry_run: bool = False) -> list[Path]:
        """Removes snapshots older than `retention_days`; the newest of a stream stays. Returns what was removed."""
        now = self._trail.clock.now()
        until = (now - timedelta(days=self._trail.settings.snapshots.retention_days)).timestamp()
        removed: list[Path] = []
        for file in snapshot_files(self._trail.store.base, stream)[:-1]:
            with contextlib.suppress(OSError):
                if file.path.stat().st_mtime < until:
                    if not dry_run:
                        self._trail.store.disk.unlink(file.path)
                    removed.append(file.path)
        return removed

    def last_session(self, stream: str) -> str | None:
        """The session of the last event of a stream, or None where it has none."""
        events = self._trail.store.stream(stream)
        last = events.tip().head.version
        located = next(events.events(last, last), None) if last else None
        return None if located is None else located.event.fact.session_id

    def check_snapshots(self, stream: str) -> list[Discarded]:
        """Every snapshot of a stream that would not be used, and why."""
        found = [self._opened(file, stream) for file in snapshot_files(self._trail.store.base, stream)]
        return [one for one in found if isinstance(one, Discarded)]

    def _sequence_at(self, stream: str, ts: str) -> int:
        found = self._trail.store.stream(stream).sequence_at(ts)
        if found:
            return found
        gone = [one for one in proofs_of(self._trail.store.base, stream) if one.first_timestamp <= ts]
        return gone[-1].last_sequence if gone and gone[-1].last_timestamp <= ts else -1 if gone else 0

    def _begin(self, stream: str, last: int) -> tuple[int, OrchestrationState]:
        """Where a full fold begins: at the first event, or at the state that deleted events left behind."""
        segments = self._trail.store.stream(stream).segments()
        if not segments or segments[0].first == 1:
            return 1, OrchestrationState()
        first = segments[0].first
        proof = next((one for one in proofs_of(self._trail.store.base, stream) if one.last_sequence == first - 1), None)
        if (
            last < first - 1
            or proof is None
            or not is_vouched_for(proof, self._trail.store.stream(GLOBAL).event(proof.record_id))
        ):
            raise NotFound(
                "EVENTS_DELETED",
                f"The events of {stream} before {first} are not there any more.",
                "Retention deleted them, or a segment is missing: `esaa trail check` says which.",
            )
        return first, decode_state(bytes(proof.state))

    def _snapshots(self, stream: str, last: int, notes: list[str]) -> Iterator[TrailSnapshot]:
        """The snapshots up to an event that hold, newest first. What does not hold is removed, and that noted."""
        files = [one for one in snapshot_files(self._trail.store.base, stream) if one.sequence <= last]
        is_told = False
        for file in reversed(files):
            opened = self._opened(file, stream)
            if isinstance(opened, TrailSnapshot):
                yield opened
                continue
            if opened.is_foreign and is_told:
                continue
            is_told = is_told or opened.is_foreign
            notes.append(f"snapshot {opened.path.name} of {stream} was not used: {opened.reason}")
            if not opened.is_foreign:
                with contextlib.suppress(OSError):
                    self._trail.store.disk.unlink(opened.path)

    def _opened(self, file: SnapshotFile, stream: str) -> TrailSnapshot | Discarded:
        known = self._loaded.get(file.path)
        if known is not None:
            self._loaded.move_to_end(file.path)
            return known
        opened = load_snapshot(file.path, self._trail.secret, PROJECTION_VERSION)
        if isinstance(opened, Discarded):
            return opened
        if opened.event_sequence != file.sequence or (opened.issue_key or GLOBAL) != stream:
            return Discarded(path=file.path, reason="it is about other events than its name says")
        line = self._trail.store.stream(stream).line_at(opened.event_sequence)
        if line is None or leaf_hash(line) != opened.leaf_hash:
            return Discarded(path=file.path, reason=f"event {opened.event_sequence} is not the one it was folded from")
        self._loaded[file.path] = opened
        while len(self._loaded) > self._kept_max:
            self._loaded.popitem(last=False)
        return opened

    def _apply(self, state: OrchestrationState, event: TrailEvent) -> None:
        evolve(state, event, self._trail.types.fact_of(event))

    def _keep_live(self, stream: str, live: _Live) -> None:
        self._live[stream] = live
        while len(self._live) > max(self._kept_max, 1):
            self._live.popitem(last=False)

    def _faults_of(self, located: Located) -> list[str]:
        seen = located.event.fact
        types = self._trail.types
        if not types.knows(seen.event_type):
            return [f"event {located.event.version}: {seen.event_type} is no event type"]
        faulty = types.faults(seen.event_type, seen.metadata)
        return [f"event {located.event.version} ({seen.event_type}): {one.path}: {one.message}" for one in faulty]


def select(value: Any, expression: str) -> Any:
    """The part of a JSON value that a JMESPath expression names. Raises `UsageError` for an expression that is none."""
    return Predicate(expression).value(value)


def check_stream(stream: str) -> None:
    """Raises `UsageError` for a text that is neither an issue key nor `global`."""
    if stream != GLOBAL and not is_issue_key(stream):
        raise UsageError("ISSUE_KEY_INVALID", f"{stream[:80]!r} is no issue key.", "Write it as PROJ-123, or `global`.")


def moment_text(at: str | datetime) -> str:
    """A time as the trail writes it. Raises `UsageError` for a text that is no ISO-8601 time with its zone."""
    moment = parse_time(at) if isinstance(at, str) else at
    if moment is None:
        raise UsageError(
            "TIMESTAMP_INVALID", f"{str(at)[:80]!r} is no time.", "Write ISO-8601 with its zone: 2026-02-27T01:25:22Z."
        )
    return trail_time(moment)
