"""The files of one stream: which there are, in which order, where the stream ends, and lines from the middle."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from esaa.errors import CorruptLog
from esaa.kernel.chain import leaf_hash
from esaa.kernel.vocabulary import MalformedLine
from esaa.stores.base import START, Head
from esaa.stores.locate import lines_backwards, lines_where, torn_from
from esaa.stores.trail_layout import ARCHIVE, dated_partitions, days_after, partitions_of, undated_partitions
from esaa.stores.trail_segments import KINDS, SMALL_BYTES, Kind, Segment, first_line, kind_of, stored_lines
from esaa.trail.event import TrailEvent
from esaa.trail.wire import TrailVocabulary

VOCABULARY = TrailVocabulary()
_SETTLED_NS = 50_000_000
_SETTLED_COARSE_NS = 2_000_000_000
"""A folder whose last change is older than this shows every later one in its time: on file systems that tell fractions
of a second, and on those that do not."""


class Tip(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stream: the head, the last event's time and vector clock, and the segment it lies in."""

    head: Head = START
    ts: str = ""
    clock: dict[str, int] | None = None
    segment: Segment | None = None


class LineCache:
    """The lines of the segments that were read last; at most `lines_max` of them are kept in memory."""

    def __init__(self, lines_max: int) -> None:
        self._lines: OrderedDict[tuple[Path, int], list[bytes]] = OrderedDict()
        self._count = 0
        self._lines_max = lines_max

    def lines_of(self, segment: Segment) -> list[bytes]:
        """All lines of a small or sealed segment."""
        key = (segment.path, segment.size())
        lines = self._lines.get(key)
        if lines is not None:
            self._lines.move_to_end(key)
            return lines
        lines = list(stored_lines(segment.path, segment.kind))
        if len(lines) <= self._lines_max:
            self._lines[key] = lines
            self._count += len(lines)
            while self._count > self._lines_max:
                _, oldest = self._lines.popitem(last=False)
                self._count -= len(oldest)
        return lines


class _Seen:
    """What a look at the folders found, and what would tell that it holds no more: a folder's time of change, or, of
    the folders of the stream itself, where snapshots come and go, the names of the event files.

    A folder that changed just before the look could change again without its time telling, so it is not relied on.
    """

    def __init__(self) -> None:
        self.segment: Segment | None = None
        self._at = time.time_ns()
        self._folders: list[tuple[str, int]] = []
        self._names: list[tuple[str, list[str]]] = []
        self._is_settled = True

    def watch(self, folder: Path) -> None:
        """Relies on a folder's entries."""
        changed = _changed_at(str(folder))
        span = _SETTLED_NS if changed % 1_000_000 else _SETTLED_COARSE_NS
        self._is_settled = self._is_settled and changed < self._at - span
        self._folders.append((str(folder), changed))

    def watch_events(self, folder: Path) -> None:
        """Relies on the event files of a folder."""
        self._names.append((str(folder), _event_names(str(folder))))

    def still_holds(self) -> bool:
        """True where nothing can have come or gone since."""
        return (
            self._is_settled
            and all(_changed_at(folder) == changed for folder, changed in self._folders)
            and all(_event_names(folder) == names for folder, names in self._names)
        )


class StreamFiles:
    """The files of a stream. Nothing here writes."""

    def __init__(self, base: Path, name: str, cache: LineCache) -> None:
        self._base = base
        self._name = name
        self._cache = cache
        self._firsts: dict[tuple[Path, int], int] = {}
        self._seen: _Seen | None = None

    def segments(self) -> list[Segment]:
        """The files of the stream in the order of their events. Of two that begin alike (one was being sealed or
        archived when a crash came) the live, plain one counts.

        Raises `CorruptLog` where two files of the same kind begin alike: two histories came together.
        """
        found: dict[int, Segment] = {}
        for folder in partitions_of(self._base, self._name):
            for segment in self._segments_in(folder):
                known = found.get(segment.first)
                if known is not None and _rank(segment) == _rank(known):
                    both = f"{known.path} and {segment.path} both begin with event {segment.first}"
                    raise CorruptLog(
                        "STREAM_FORKED",
                        f"The stream {self._name} has two histories: {both}.",
                        "Join them: `esaa trail merge`.",
                        segment.first,
                    )
                if known is None or _rank(segment) < _rank(known):
                    found[segment.first] = segment
        return [found[first] for first in sorted(found)]

    def newest(self) -> Segment | None:
        """The segment that the stream ends in, or None. Of the days only those are looked at that are needed."""
        if self._seen is not None and self._seen.segment is not None and self._seen.still_holds():
            return self._seen.segment
        seen = _Seen()
        seen.segment = self._look_for_newest(seen)
        self._seen = seen
        return seen.segment

    def _look_for_newest(self, seen: _Seen) -> Segment | None:
        for top in (self._base, self._base / ARCHIVE):
            seen.watch(top)
            found: list[Segment] = []
            for folder in undated_partitions(top, self._name):
                seen.watch(folder)
                seen.watch_events(folder)
                found += self._segments_in(folder)
            for folder in dated_partitions(top, self._name):
                seen.watch_events(folder)
                of_day = list(self._segments_in(folder))
                if of_day:
                    found += of_day
                    break
            if found:
                newest = max(found, key=lambda one: (one.first, -_rank(one)))
                for day in days_after(top, newest.path):
                    seen.watch(day)
                return newest
        return None

    def torn(self) -> Iterator[tuple[Path, int]]:
        """The files whose end a crash tore, among those that were written last, and where the torn part begins."""
        day = next(dated_partitions(self._base, self._name), None)
        for folder in [*undated_partitions(self._base, self._name), *([] if day is None else [day])]:
            for path in sorted(folder.glob("events*.jsonl")):
                start = torn_from(path)
                if start is not None:
                    yield path, start

    def tip_of(self, segment: Segment) -> Tip:
        """Where the stream stands at the end of a segment; a torn last line is left out."""
        if segment.kind != "jsonl":
            lines = self._cache.lines_of(segment)
            return self._tip_at(lines[-1], segment, segment.size())
        ended = ends_with_feed(segment.path)
        for line, start in lines_backwards(segment.path):
            if not line.strip() or not ended:
                ended = True
                continue
            return self._tip_at(line, segment, start + len(line) + 1)
        return Tip()

    def lines_from(self, segment: Segment, first: int) -> Iterator[bytes]:
        """The lines of a segment from the one of a sequence on."""
        if segment.kind == "jsonl" and segment.size() > SMALL_BYTES:
            if first <= segment.first:
                return stored_lines(segment.path, segment.kind)
            return lines_where(segment.path, lambda line: self.decode(line, segment).version >= first)
        lines = self._cache.lines_of(segment)
        return iter(lines[first - segment.first :] if first > segment.first else lines)

    def last_at(self, segment: Segment, ts: str) -> int:
        """The sequence of the last event of a segment that is not later than a time; one before its first if none."""
        if segment.kind == "jsonl" and segment.size() > SMALL_BYTES:
            later = next(lines_where(segment.path, lambda line: self.decode(line, segment).ts > ts), None)
            return self.tip_of(segment).head.version if later is None else self.decode(later, segment).version - 1
        lines = self._cache.lines_of(segment)
        low, high = 0, len(lines)
        while low < high:
            middle = (low + high) // 2
            if self.decode(lines[middle], segment).ts <= ts:
                low = middle + 1
            else:
                high = middle
        return segment.first + low - 1

    def first_ts(self, segment: Segment) -> str:
        """The time of the first event of a segment."""
        line = first_line(segment.path, segment.kind)
        return "" if line is None else self.decode(line, segment).ts

    def decode(self, line: bytes, segment: Segment) -> TrailEvent:
        """The event of a line that was acknowledged. Raises `CorruptLog`."""
        try:
            return VOCABULARY.decode(line)
        except MalformedLine as error:
            raise self.broken(error.code, segment.path, 0, error.message) from None

    def broken(self, code: str, path: Path, sequence: int, message: str) -> CorruptLog:
        """The error of a stream that is damaged at a sequence."""
        return CorruptLog(
            code, f"The stream {self._name} breaks in {path}: {message}.", "Run `esaa trail check`.", sequence
        )

    def _segments_in(self, folder: Path) -> Iterator[Segment]:
        try:
            with os.scandir(folder) as entries:
                names = sorted((entry.name, entry.inode()) for entry in entries if entry.name.startswith("events"))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, inode in names:
            path = folder / name
            kind = kind_of(path)
            if kind is None:
                continue
            # By its inode, for a merge can put another file into the place of one.
            first = self._firsts.get((path, inode))
            if first is None:
                first = self._first_of(path, kind)
                if first is None:
                    continue
                self._firsts[path, inode] = first
            yield Segment(path=path, kind=kind, first=first)

    def _first_of(self, path: Path, kind: Kind) -> int | None:
        """The sequence of a file's first event; None for a file that holds none, or nothing but a torn line."""
        line = first_line(path, kind)
        if line is None:
            return None
        try:
            return VOCABULARY.decode(line).version
        except MalformedLine as error:
            if kind == "jsonl" and path.stat().st_size == len(line):
                return None  # it was never acknowledged
            raise self.broken(error.code, path, 1, error.message) from None

    def _tip_at(self, line: bytes, segment: Segment, offset: int) -> Tip:
        event = self.decode(line, segment)
        head = Head(
            version=event.version, leaf_hash=leaf_hash(line), offset=offset, line_bytes=len(line), is_chained=True
        )
        return Tip(head=head, ts=event.ts, clock=event.fact.vector_clock, segment=segment)


def ends_with_feed(path: Path) -> bool:
    """True for a file whose last line is whole (or that is empty)."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return True
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _rank(segment: Segment) -> int:
    return KINDS.index(segment.kind) + (len(KINDS) if ARCHIVE in segment.path.parts else 0)


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return 0


def _event_names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.startswith("events"))
    except (FileNotFoundError, NotADirectoryError):
        return []
