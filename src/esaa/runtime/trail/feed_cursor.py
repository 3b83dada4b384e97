"""How far the feed got, and what the trail was told before: what `runtime.feed` remembers. It can be made again."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from esaa.kernel.chain import leaf_hash
from esaa.kernel.ingest import SMALL_STATE
from esaa.stores.base import Head
from esaa.stores.disk import Disk
from esaa.stores.jsonl import JsonlStore, storage_error
from esaa.stores.outside import read_own
from esaa.stores.trail import TrailStore
from esaa.stores.trail_files import VOCABULARY
from esaa.stores.trail_proofs import proofs_of
from esaa.trail.event import GLOBAL, TrailEvent
from esaa.trail.from_protocol import TRANSLATOR_VERSION
from esaa.trail.telling.narrator import Translated

CURSOR_NAME = "trail-feed.json"
"""The cursor's file, in `.roadmap/.esaa`. Where it lies, the workspace has a feed."""

_RECENT_MAX = 16_384


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stream as the feed left it."""

    sequence: int = 0
    leaf_hash: str | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The place in the log up to which the trail is told, the story up to there, and the ends of the streams.

    A stream is named here before it is fed for the first time.
    """

    translator: int
    place: Head
    streams: dict[str, Mark]
    story: msgspec.Raw


class CursorFile:
    """The cursor on disk. One that cannot be read is none: then the log is gone through from its beginning."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._known: tuple[tuple[int, int, int], Cursor | None] | None = None

    def make(self) -> None:
        """Makes an empty file where there is none, so that other commands know of the feed. Raises `StoreError`."""
        if not self._path.exists():
            self._replace(b"{}\n", durable=False)

    def load(self) -> Cursor | None:
        """The cursor as it lies there; read again only where another process has written it."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if self._known is None or self._known[0] != stamp:
                self._known = stamp, _decoded(read_own(self._path, SMALL_STATE) or b"")
        except OSError:
            return None
        return self._known[1]

    def save(self, cursor: Cursor, *, durable: bool = False) -> None:
        """Replaces the cursor. Raises `StoreError`."""
        self._replace(msgspec.json.encode(cursor), durable=durable)

    def _replace(self, data: bytes, *, durable: bool) -> None:
        try:
            self._disk.mkdir(self._path.parent)
            self._disk.replace_file(self._path, data, durable=durable)
        except OSError as error:
            raise storage_error(self._path, error) from error


class Told:
    """What the streams hold of the log already. The newest events are known by id, older ones by their source.

    What an event of the log led to was recorded in one piece, but for the last ones before a crash: only of those it
    has to be asked one by one. So a newer translator never tells old events anew.
    """

    def __init__(self, store: TrailStore) -> None:
        self._store = store
        self._recent: set[str] = set()
        self._sources: dict[str, set[bytes]] = {}
        self._begun_in_global: set[bytes] = set()
        self._deleted_until: dict[str, str] = {}

    def read(self, stream: str, mark: Mark | None) -> None:
        """Reads a stream from a mark on; from its beginning without one, or where the stream is another one by now."""
        found = self._store.stream(stream)
        tip = found.tip()
        head = tip.head
        if mark is not None and (head.version, head.leaf_hash) == (mark.sequence, mark.leaf_hash):
            return
        # The next cursor rests on these events, and a feed that was killed may not have made them durable.
        if tip.segment is not None and tip.segment.kind == "jsonl":
            JsonlStore(tip.segment.path, VOCABULARY, self._store.disk).sync()
        first = 1
        if mark is not None and 0 < mark.sequence <= head.version:
            line = found.line_at(mark.sequence)
            first = mark.sequence + 1 if line is not None and leaf_hash(line) == mark.leaf_hash else 1
        if first == 1:
            deleted = [proof.last_timestamp for proof in proofs_of(self._store.base, stream)]
            self._deleted_until[stream] = max(deleted, default="")
        self._add(stream, (located.event for located in found.events(first)))

    def knows(self, one: Translated) -> bool:
        """True for an event that was told before, or that retention has deleted since."""
        stream = one.issue_key or GLOBAL
        if one.event_id in self._recent or _digest(one.source.leaf_hash) in self._sources.get(stream, ()):
            return True
        return one.ts <= self._deleted_until.get(stream, "")

    def begun_in_global(self, leaf: str) -> bool:
        """True where the beginning of a run was told in `global`, before anyone knew of its issue."""
        return _digest(leaf) in self._begun_in_global

    def _add(self, stream: str, events: Iterable[TrailEvent]) -> None:
        recent: deque[tuple[str, str]] = deque()
        sources = self._sources.setdefault(stream, set())
        for event in events:
            source = event.fact.source
            if source is None:
                continue
            if stream == GLOBAL and event.fact.event_type == "SessionStarted":
                self._begun_in_global.add(_digest(source.leaf_hash))
            recent.append((event.event_id, source.leaf_hash))
            if len(recent) > _RECENT_MAX:
                sources.add(_digest(recent.popleft()[1]))
        self._recent.update(event_id for event_id, _ in recent)


def marks_of(store: TrailStore, streams: Collection[str]) -> dict[str, Mark]:
    """The ends of streams as they lie there now. Raises `CorruptLog`."""
    heads = {stream: store.stream(stream).tip().head for stream in streams}
    return {stream: Mark(sequence=head.version, leaf_hash=head.leaf_hash) for stream, head in heads.items()}


def source_key(event_id: str, leaf: str) -> bytes:
    """An event of the log as a short key: its line and its id."""
    return _digest(leaf) + event_id.encode()


def _decoded(data: bytes) -> Cursor | None:
    try:
        cursor = msgspec.json.decode(data, type=Cursor)
    except ValueError:  # no JSON, or no UTF-8
        return None
    return cursor if cursor.translator == TRANSLATOR_VERSION else None


def _digest(leaf: str) -> bytes:
    """Half of a leaf hash: enough to tell lines apart, in half of the memory."""
    try:
        return bytes.fromhex(leaf[:32])
    except ValueError:
        return leaf[:32].encode()
