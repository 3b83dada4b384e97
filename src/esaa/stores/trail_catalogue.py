"""What a person finds beside the events: `metadata.json` in each partition, `index.json` in each day.

Both are summaries that can be made again. They follow the events at most every five seconds, and when recording ends.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from esaa.errors import StoreLocked
from esaa.kernel.canonical import pretty
from esaa.kernel.ingest import SMALL_STATE
from esaa.stores.jsonl import storage_error
from esaa.stores.lock import writer_lock
from esaa.stores.outside import read_own
from esaa.stores.trail import TrailStore
from esaa.stores.trail_layout import is_date
from esaa.stores.trail_segments import first_line, kind_of, stored_lines
from esaa.trail.event import GLOBAL, TrailEvent, stream_of
from esaa.trail.wire import TrailVocabulary

METADATA = "metadata.json"
INDEX = "index.json"
_EVERY_S = 5.0


class PartitionSummary(msgspec.Struct, kw_only=True):
    """What a partition holds: `metadata.json`."""

    stream: str
    issue_key: str | None
    sessions: list[str] = []
    events: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    first_timestamp: str = ""
    last_timestamp: str = ""
    event_types: dict[str, int] = {}
    actors: list[str] = []

    def join(self, other: PartitionSummary) -> None:
        """Counts what another summary counted after this one."""
        if not self.events:
            self.first_sequence, self.first_timestamp = other.first_sequence, other.first_timestamp
        self.events += other.events
        self.last_sequence, self.last_timestamp = other.last_sequence, other.last_timestamp
        for name, count in other.event_types.items():
            self.event_types[name] = self.event_types.get(name, 0) + count
        self.sessions = list(dict.fromkeys([*self.sessions, *other.sessions]))
        self.actors = list(dict.fromkeys([*self.actors, *other.actors]))


class DayIndex(msgspec.Struct, kw_only=True):
    """What a day holds: `index.json`. One entry for each issue, without the lists of its partition."""

    date: str
    issues: dict[str, dict[str, str | int]] = {}


class _Fresh(msgspec.Struct):
    """What was recorded into a partition since its summary was written, without the events themselves."""

    first_id: str
    summary: PartitionSummary
    has_gaps: bool = False


class Catalogue:
    """Keeps the summaries of the partitions that are recorded to."""

    def __init__(self, store: TrailStore) -> None:
        self._store = store
        self._pending: dict[Path, _Fresh] = {}
        self._next = 0.0

    def note(self, stream: str, events: Sequence[TrailEvent]) -> None:
        """Takes note of events that were just appended."""
        if not events:
            return
        folders: dict[tuple[str, str], list[TrailEvent]] = {}
        for event in events:
            folders.setdefault((event.ts[:10], event.fact.session_id), []).append(event)
        for (_, session_id), some in folders.items():
            folder = self._store.folder_of(stream, some[0].ts, session_id)
            known, summary = self._pending.get(folder), summary_of(some)
            if known is None:
                self._pending[folder] = _Fresh(first_id=some[0].event_id, summary=summary)
            else:
                known.has_gaps |= known.summary.last_sequence + 1 != summary.first_sequence
                known.summary.join(summary)
        now = time.monotonic()
        if now >= self._next:
            self.flush()
            self._next = now + _EVERY_S

    def flush(self) -> None:
        """Writes what is pending. Where another process is at it, it waits for a later turn."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        days: dict[Path, list[PartitionSummary]] = {}
        lock = self._store.disposable("locks/catalogue.lock")
        try:
            with writer_lock(lock, timeout_s=1, what="another recorder"):
                for folder, fresh in pending.items():
                    summary = self._brought_up(folder, fresh)
                    if is_date(folder.parent.name):
                        days.setdefault(folder.parent, []).append(summary)
                for folder, summaries in days.items():
                    self._write_day(folder, summaries)
        except StoreLocked:
            self._pending = pending | self._pending

    def _brought_up(self, folder: Path, fresh: _Fresh) -> PartitionSummary:
        """The summary with what is fresh; counted anew where it does not end right before that."""
        path = folder / METADATA
        summary, added = read_summary(path), fresh.summary
        if fresh.has_gaps:
            summary = summarise(folder)
        elif summary is not None and summary.last_sequence + 1 == added.first_sequence:
            summary.join(added)
        elif summary is None and _begins_with(folder, fresh.first_id):
            summary = added
        elif summary is None or summary.last_sequence < added.last_sequence:
            summary = summarise(folder)
        self._replace(path, summary)
        return summary

    def _write_day(self, folder: Path, summaries: Iterable[PartitionSummary]) -> None:
        path = folder / INDEX
        day = DayIndex(date=folder.name)
        with contextlib.suppress(ValueError, RecursionError):
            day = msgspec.json.decode(read_own(path, SMALL_STATE) or b"", type=DayIndex)
        for one in summaries:
            day.issues[one.stream] = {
                "events": one.events,
                "first_sequence": one.first_sequence,
                "last_sequence": one.last_sequence,
                "first_timestamp": one.first_timestamp,
                "last_timestamp": one.last_timestamp,
                "sessions": len(one.sessions),
            }
        self._replace(path, day)

    def _replace(self, path: Path, value: object) -> None:
        try:
            self._store.disk.replace_file(path, pretty(value) + b"\n", durable=False)
        except OSError as error:
            raise storage_error(path, error) from error


def read_summary(path: Path) -> PartitionSummary | None:
    """The summary as it lies there, or None where it is missing or unreadable."""
    try:
        return msgspec.json.decode(read_own(path, SMALL_STATE) or b"", type=PartitionSummary)
    except (ValueError, RecursionError):
        return None


def summary_of(events: Sequence[TrailEvent]) -> PartitionSummary:
    """The summary of some events of one partition, of which there is at least one."""
    first, last = events[0], events[-1]
    return PartitionSummary(
        stream=stream_of(first),
        issue_key=first.fact.issue_key,
        sessions=list(dict.fromkeys([event.fact.session_id for event in events])),
        events=len(events),
        first_sequence=first.version,
        last_sequence=last.version,
        first_timestamp=first.ts,
        last_timestamp=last.ts,
        event_types=dict(Counter([event.fact.event_type for event in events])),
        actors=list(dict.fromkeys([event.actor for event in events])),
    )


def _begins_with(folder: Path, event_id: str) -> bool:
    """True where the event is the first of a partition that has one file."""
    paths = [path for path in folder.iterdir() if kind_of(path) is not None]
    kind = kind_of(paths[0]) if len(paths) == 1 else None
    line = None if kind is None else first_line(paths[0], kind)
    return line is not None and event_id.encode() in line


def summarise(folder: Path) -> PartitionSummary:
    """The summary of a partition, counted from its events."""
    vocabulary = TrailVocabulary()
    events: list[TrailEvent] = []
    for path in folder.iterdir():
        kind = kind_of(path)
        if kind is not None:
            events += [vocabulary.decode(line) for line in stored_lines(path, kind)]
    events.sort(key=lambda one: one.version)
    return summary_of(events) if events else PartitionSummary(stream=GLOBAL, issue_key=None)
