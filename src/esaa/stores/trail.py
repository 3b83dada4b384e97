"""The store of the trail: one stream per issue and `global`, each an unbroken, chained sequence over many files.

Opening a stream for writing reads the end of its newest file only. Many processes may append at once; the lock of the
stream puts them in a row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec

from esaa.errors import CommandConflict, StoreError, WrongExpectedVersion
from esaa.kernel.recorded import Draft
from esaa.kernel.vocabulary import MalformedLine
from esaa.stores.archive import Quarantine
from esaa.stores.base import Batch, Head, encode_batch
from esaa.stores.disk import Disk
from esaa.stores.erasables import ErasableStore
from esaa.stores.jsonl import JsonlStore, storage_error
from esaa.stores.lock import writer_lock
from esaa.stores.recovery import TailRepair, cut_tail
from esaa.stores.trail_changes import ChangeMarks
from esaa.stores.trail_files import VOCABULARY, LineCache, StreamFiles, Tip, ends_with_feed
from esaa.stores.trail_layout import ARCHIVE, DISPOSABLE, partition, stream_names
from esaa.stores.trail_proofs import proofs_of
from esaa.stores.trail_segments import KINDS, Kind, Segment, joined_array, split_array, stored_lines
from esaa.trail.event import TrailEvent, Witnessed
from esaa.trail.joining.clocks import ticked
from esaa.trail.settings import Storage

_FOLDERS_MAX = 10_000
CHANGES = "changes"
"""The disposable file that says which streams were appended to."""
_IGNORED = b"# Disposable: locks, index, cursors, caches.\n*\n"


class Located(NamedTuple):
    """An event with its stored line."""

    line: bytes
    event: TrailEvent


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What an append led to: the events in the order of the drafts, those that were there before, and repairs."""

    events: tuple[TrailEvent, ...]
    repeated: frozenset[str] = frozenset()
    repairs: tuple[TailRepair, ...] = ()


class TrailStore:
    """All streams below one folder."""

    def __init__(
        self, base: Path, storage: Storage, disk: Disk, *, lock_timeout_s: float = 10.0, lines_cached_max: int = 1000
    ) -> None:
        self.base = base
        self.storage = storage
        self.disk = disk
        self.lock_timeout_s = lock_timeout_s
        self.quarantine = Quarantine(base / ARCHIVE / "torn", disk, 100)
        self._streams: dict[str, TrailStream] = {}
        self.cache = LineCache(lines_cached_max)
        self.changes = ChangeMarks(self.disposable(CHANGES), disk)
        self.erasables = ErasableStore(base, disk)
        self._folders: dict[tuple[str, str], Path] = {}
        self._is_prepared = False

    def names(self) -> list[str]:
        """Every stream: `global` first where there is one, then the issues."""
        return stream_names(self.base)

    def stream(self, name: str) -> TrailStream:
        """A stream by its name; it need not exist yet."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = TrailStream(self, name)
        return stream

    def folder_of(self, stream: str, ts: str, session_id: str) -> Path:
        """The partition that an event belongs into."""
        by = self.storage.partition_by
        key = (stream, ts[:10] if by == "date" else session_id if by == "session" else "")
        folder = self._folders.get(key)
        if folder is None:
            if len(self._folders) > _FOLDERS_MAX:
                self._folders.clear()
            folder = self._folders[key] = partition(self.base, by, stream, ts, session_id)
        return folder

    def disposable(self, name: str) -> Path:
        """A file that can be made again: locks, cursors, the index."""
        return self.base / DISPOSABLE / name

    def prepare(self) -> None:
        """Makes the folder for disposable files, which git is told to ignore."""
        if self._is_prepared:
            return
        folder = self.base / DISPOSABLE
        if not (folder / ".gitignore").exists():
            try:
                self.disk.mkdir(folder / "locks")
                self.disk.replace_file(folder / ".gitignore", _IGNORED, durable=False)
            except OSError as error:
                raise storage_error(folder, error) from error
        self._is_prepared = True


class TrailStream:
    """One stream. Reading takes no lock; `append` takes the stream's own."""

    def __init__(self, store: TrailStore, name: str) -> None:
        self.name = name
        self._store = store
        self._tip = Tip()
        self._writer: JsonlStore[Witnessed] | None = None
        self._is_poisoned = False
        self._files = StreamFiles(store.base, name, store.cache)

    def segments(self) -> list[Segment]:
        """The files of the stream in the order of their events."""
        return self._files.segments()

    def tip(self) -> Tip:
        """The end of the stream as it lies on disk now. Raises `CorruptLog`; a torn tail is left out."""
        segment = self._files.newest()
        if segment is None:
            return self._tip_of_deleted()
        known = self._tip
        if known.segment == segment and segment.size() == known.head.offset:
            return known
        return self._files.tip_of(segment)

    def known_tip(self) -> Tip:
        """The end of the stream as this object saw it last, right after its own append for one."""
        return self._tip

    def _tip_of_deleted(self) -> Tip:
        """Where a stream stands of which retention left nothing but proofs."""
        proofs = proofs_of(self._store.base, self.name)
        if not proofs:
            return Tip()
        last = proofs[-1]
        head = Head(version=last.last_sequence, leaf_hash=last.last_leaf_hash, is_chained=True)
        return Tip(head=head, ts=last.last_timestamp)

    def events(self, first: int = 1, last: int | None = None) -> Iterator[Located]:
        """The events from a sequence on, up to another. Raises `CorruptLog` where one is missing or unreadable."""
        segments = self.segments()
        for number, segment in enumerate(segments):
            following = segments[number + 1].first if number + 1 < len(segments) else None
            if following is not None and following <= first:
                continue
            if last is not None and segment.first > last:
                return
            expected = max(first, segment.first)
            for line in self._files.lines_from(segment, expected):
                if last is not None and expected > last:
                    return
                event = self._decoded(line, segment, expected)
                if event is None:
                    return
                yield Located(line, event)
                expected += 1
            if following is not None and expected != following:
                raise self._files.broken("EVENT_SEQ_INVALID", segment.path, expected, f"event {expected} is missing")

    def sequence_at(self, ts: str) -> int:
        """The sequence of the last event that is not later than a time; 0 where there is none."""
        segments = [one for one in self.segments() if self._files.first_ts(one) <= ts]
        if not segments:
            return 0
        return self._files.last_at(segments[-1], ts)

    def line_at(self, sequence: int) -> bytes | None:
        """The stored line of an event, or None."""
        located = next(self.events(sequence, sequence), None)
        return None if located is None else located.line

    def event(self, event_id: str) -> TrailEvent | None:
        """The event with an id, or None."""
        located = self.find([event_id]).get(event_id)
        return None if located is None else located.event

    def find(self, event_ids: Collection[str], since: int = 1) -> dict[str, Located]:
        """Those of the ids that the stream holds, from a sequence on, with their events."""
        found: dict[str, Located] = {}
        if not event_ids:
            return found
        wanted = {f'"event_id":"{one}"'.encode(): one for one in event_ids}
        for segment in reversed(self.segments()):
            for line in stored_lines(segment.path, segment.kind):
                for mark, event_id in wanted.items():
                    if mark in line and event_id not in found:
                        event = self._files.decode(line, segment)
                        if event.event_id == event_id:
                            found[event_id] = Located(line, event)
            if segment.first <= since or len(found) == len(wanted):
                break
        return found

    def mentions(self, text: str) -> bool:
        """True where any line holds a text: a cheap question before a dear one."""
        mark = text.encode()
        return any(mark in line for one in self.segments() for line in stored_lines(one.path, one.kind))

    def append(
        self,
        drafts: Sequence[Draft[Witnessed]],
        *,
        given_ids: Collection[str] = (),
        since: int = 1,
        expected_version: int | None = None,
    ) -> Appended:
        """Appends all drafts durably, in one write for each file they go to.

        `given_ids` are ids that the witness chose: a draft whose id is there already (from the sequence `since` on)
        is not recorded again. Raises `CommandConflict` where such an event says something else,
        `WrongExpectedVersion`, `StoreLocked`, `StoreError` and `CorruptLog`.
        """
        store = self._store
        if self._is_poisoned:
            raise StoreError(
                "STORE_POISONED", f"An earlier write to the stream {self.name} failed.", "Open the trail again."
            )
        store.prepare()
        with self._locked():
            repairs = self._mend()
            self._tip = tip = self.tip()
            if expected_version is not None and expected_version != tip.head.version:
                raise WrongExpectedVersion(expected_version, tip.head.version)
            known = self.find(given_ids, since) if given_ids else {}
            for draft in drafts:
                if draft.event_id in known:
                    _refuse_other(draft, known[draft.event_id].event)
            fresh = drafts
            if given_ids:
                # Within a batch too, an id is recorded once.
                fresh = list({draft.event_id: draft for draft in drafts if draft.event_id not in known}.values())
            try:
                written = self._write(fresh)
            except StoreError:
                # What the disk holds now is only known by reading it again; a failed sync is never retried.
                self._is_poisoned = True
                raise
            finally:
                store.changes.mark(self.name)
        if len(written) == len(drafts):
            return Appended(events=tuple(written), repairs=tuple(repairs))
        events = {event.event_id: event for event in written} | {key: one.event for key, one in known.items()}
        return Appended(
            events=tuple(events[str(draft.event_id)] for draft in drafts),
            repeated=frozenset(known),
            repairs=tuple(repairs),
        )

    def _write(self, drafts: Sequence[Draft[Witnessed]]) -> list[TrailEvent]:
        written: list[TrailEvent] = []
        run: list[Draft[Witnessed]] = []
        folder: Path | None = None
        ts, clock = self._tip.ts, self._tip.clock
        writer_id = self._store.storage.writer_id
        place = ("", "")
        target = folder
        for given in drafts:
            if not writer_id and given.ts is not None and given.ts >= ts:
                draft, ts = given, given.ts
            else:
                draft, ts, clock = _placed(given, ts, clock, writer_id)
            if (ts[:10], draft.fact.session_id) != place:
                place = (ts[:10], draft.fact.session_id)
                target = self._store.folder_of(self.name, ts, draft.fact.session_id)
            if target is not folder and run:  # the store gives the same object for the same folder
                written += self._write_run(run, folder)
                run = []
            folder = target
            run.append(draft)
        if run:
            written += self._write_run(run, folder)
        return written

    def _write_run(self, drafts: list[Draft[Witnessed]], folder: Path | None) -> tuple[TrailEvent, ...]:
        assert folder is not None, "a draft has a place"
        head = self._tip.head
        segment = self._target(folder)
        if segment.kind == "json":
            events, head = self._rewrite_array(segment, drafts, head)
        else:
            if self._writer is None or self._writer.path != segment.path:
                self._make(folder)
                self._writer = JsonlStore(segment.path, VOCABULARY, self._store.disk)
            self._writer.rewind(msgspec.structs.replace(head, offset=segment.size()))
            events = self._writer.append(drafts, head.version, Batch(ts=""))
            head = self._writer.head()
        last = events[-1]
        self._tip = Tip(head=head, ts=last.ts, clock=last.fact.vector_clock, segment=segment)
        return events

    def _target(self, folder: Path) -> Segment:
        """The segment that goes on in a folder, or a new one: a file never holds two runs."""
        current, following = self._tip.segment, self._tip.head.version + 1
        kind: Kind = "json" if self._store.storage.format == "json" else "jsonl"
        if current is not None and current.path.parent == folder and current.kind == kind:
            return current
        path = folder / f"events.{kind}"
        if any((folder / f"events.{one}").exists() for one in KINDS):
            path = folder / f"events-{following}.{kind}"
        return Segment(path=path, kind=kind, first=following)

    def _rewrite_array(
        self, segment: Segment, drafts: list[Draft[Witnessed]], head: Head
    ) -> tuple[tuple[TrailEvent, ...], Head]:
        lines = split_array(segment.path.read_bytes(), segment.path) if segment.path.exists() else []
        events, more, head = encode_batch(drafts, head, Batch(ts=""), VOCABULARY)
        data = joined_array([*lines, *more])
        self._make(segment.path.parent)
        try:
            self._store.disk.replace_file(segment.path, data, durable=True)
        except OSError as error:
            raise storage_error(segment.path, error) from error
        return tuple(events), msgspec.structs.replace(head, offset=len(data))

    def _make(self, folder: Path) -> None:
        try:
            self._store.disk.mkdir(folder)
        except OSError as error:
            raise storage_error(folder, error) from error

    def mend(self) -> list[TailRepair]:
        """Mends what a crash left at the end, as `append` does; for who has to read first."""
        if self._is_at_tip() or next(self._files.torn(), None) is None:
            return []
        with self._locked():
            return self._mend()

    def _locked(self) -> AbstractContextManager[None]:
        lock = self._store.disposable(f"locks/{self.name}.lock")
        return writer_lock(lock, timeout_s=self._store.lock_timeout_s, what="another recorder")

    def _is_at_tip(self) -> bool:
        return self._tip.segment is not None and self._tip.segment.size() == self._tip.head.offset

    def _mend(self) -> list[TailRepair]:
        """Moves a torn end to quarantine: it was never acknowledged. The lock is held."""
        if self._is_at_tip():
            return []
        repairs: list[TailRepair] = []
        for path, start in self._files.torn():
            store: JsonlStore[Witnessed] = JsonlStore(path, VOCABULARY, self._store.disk)
            repairs.append(cut_tail(store, start, self._store.quarantine, ""))
            if start == 0:
                self._store.disk.unlink(path)
            self._tip, self._writer = Tip(), None
        return repairs

    def _decoded(self, line: bytes, segment: Segment, expected: int) -> TrailEvent | None:
        """The event of a line; None for a torn last line, which was never acknowledged."""
        try:
            event = VOCABULARY.decode(line)
        except MalformedLine as error:
            if segment.kind == "jsonl" and not ends_with_feed(segment.path):
                return None
            raise self._files.broken(error.code, segment.path, expected, error.message) from None
        if event.version != expected:
            text = f"event_sequence {event.version} follows {expected - 1}"
            raise self._files.broken("EVENT_SEQ_INVALID", segment.path, expected, text)
        return event


def _placed(
    draft: Draft[Witnessed], ts: str, clock: dict[str, int] | None, writer_id: str
) -> tuple[Draft[Witnessed], str, dict[str, int] | None]:
    """A draft in its place: never before the event before it, and with a vector clock where several machines write."""
    given = draft.ts or ts
    if given >= ts and not writer_id:
        return draft, given, clock
    fact = draft.fact
    if writer_id:
        clock = ticked(clock or {}, writer_id)
        fact = msgspec.structs.replace(fact, vector_clock=clock)
    if given < ts:
        fact = msgspec.structs.replace(fact, occurred_at=fact.occurred_at or given)
        given = ts
    return msgspec.structs.replace(draft, fact=fact, ts=given), given, clock


def _refuse_other(draft: Draft[Witnessed], event: TrailEvent) -> None:
    """An id means one event for ever. Asked again with the same body it is answered; with another it is refused."""
    if (draft.fact.event_type, bytes(draft.fact.metadata)) != (event.fact.event_type, bytes(event.fact.metadata)):
        raise CommandConflict(
            "EVENT_ID_CONFLICT",
            f"The event {draft.event_id} is in the trail already, as {event.fact.event_type} with another content.",
            "Use a new id for a new event.",
            event_id=draft.event_id,
        )
