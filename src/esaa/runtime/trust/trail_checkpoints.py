"""Checkpoints of the trail's streams: one tree for each, under the project's key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from esaa.errors import EsaaError
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import Checkpoint
from esaa.kernel.merkle import Frontier
from esaa.runtime.trust.checkpointing import Checkpointer, Reason
from esaa.stores.base import Head
from esaa.stores.checkpoints import CHECKPOINTS, CheckpointStore, read_note
from esaa.stores.frontier_cache import FrontierCache
from esaa.stores.jsonl import storage_error
from esaa.stores.keys import KeyStore, refuse_inside
from esaa.stores.lock import writer_lock
from esaa.stores.origin import trail_origin
from esaa.stores.seen_heads import SeenHeads
from esaa.stores.trail import TrailStore, TrailStream
from esaa.stores.trail_proofs import proofs_of

_MERGES = "merges"
_NUMBER = re.compile(rb"[1-9][0-9]{0,5}\n")
EVERY_EVENTS = 1000
"""A stream that is recorded to is signed after so many events, and whenever the feed has told it something."""


class StreamSource:
    """A stream of the trail. What retention deleted is represented by its proofs."""

    def __init__(self, stream: TrailStream, base: Path) -> None:
        self._stream = stream
        self._base = base

    def head(self) -> Head:
        """The end of the stream as it lies on disk."""
        return self._stream.tip().head

    def beginning(self) -> tuple[Head, Frontier]:
        """The first event that is still there."""
        segments = self._stream.segments()
        first = segments[0].first if segments else 1
        frontier, leaf = Frontier(), None
        if first > 1:
            proofs = [one for one in proofs_of(self._base, self._stream.name) if one.last_sequence < first]
            frontier = Frontier.of(node for one in proofs for node in one.nodes)
            leaf = proofs[-1].last_leaf_hash if proofs else None
        return Head(version=first - 1, leaf_hash=leaf, is_chained=first > 1), frontier

    def leaves(self, after: Head) -> Iterator[str]:
        """The leaf hashes of the events after a place."""
        return (leaf_hash(located.line) for located in self._stream.events(after.version + 1))

    def is_at(self, place: Head) -> bool:
        """By the line of that sequence, or the proof that stands for it."""
        if place.version == 0:
            return True
        line = self._stream.line_at(place.version)
        if line is not None:
            return leaf_hash(line) == place.leaf_hash
        begins, _ = self.beginning()
        return begins.version == place.version and begins.leaf_hash == place.leaf_hash


class TrailCheckpoints:
    """Makes the checkpoints of the streams of one trail."""

    def __init__(self, root: Path, store: TrailStore, origin: str, config_dir: Path, secret: bytes | None) -> None:
        self._root = root
        self._store = store
        self._origin = origin
        self._config_dir = config_dir
        self._secret = secret
        self._keys = KeyStore(config_dir, store.disk)
        self._open: dict[str, Checkpointer] = {}

    def of(self, stream: str) -> Checkpointer:
        """The checkpointer of a stream. Its `make` is called under the lock of the stream."""
        known = self._open.get(stream)
        if known is None:
            origin = stream_origin(self._store, self._origin, stream)
            disk = self._store.disk
            known = self._open[stream] = Checkpointer(
                StreamSource(self._store.stream(stream), self._store.base),
                origin,
                self._origin,
                stream_checkpoints(self._store, stream),
                FrontierCache(self._store.disposable(f"frontier/{stream}"), disk, self._secret, origin),
                self._keys,
                SeenHeads(self._config_dir, disk),
                every_events=EVERY_EVENTS,
            )
        return known

    def can_sign(self) -> bool:
        """True where this machine has the project's key."""
        return self._keys.has(self._origin)

    def make(self, stream: str, reason: Reason) -> Checkpoint | None:
        """A checkpoint of a stream, under its lock; None without a key or an event. Raises as `Checkpointer`."""
        if not self.can_sign():
            return None
        refuse_inside(self._config_dir, self._root)
        self._store.prepare()
        lock = self._store.disposable(f"locks/{stream}.lock")
        with writer_lock(lock, timeout_s=self._store.lock_timeout_s, what="another recorder"):
            return self.of(stream).make(reason)

    def follow(self, streams: Iterable[str]) -> tuple[str, ...]:
        """Signs the heads of streams, and says what went wrong instead of raising it."""
        notices: list[str] = []
        for stream in streams:
            try:
                self.make(stream, "every_events")
            except (EsaaError, OSError) as error:
                notices.append(f"no checkpoint of {stream} was made: {error}")
        return tuple(notices)

    def grown(self, stream: str, version: int) -> tuple[str, ...]:
        """Signs the head of a stream that has this many events now, where the last checkpoint is long past."""
        return self.follow((stream,)) if self.can_sign() and self.of(stream).is_long_past(version) else ()

    def merged(self, stream: str) -> None:
        """A merge gave the stream another history. It goes on under another name; what was signed is set aside."""
        before = stream_origin(self._store, self._origin, stream)
        checkpoints = stream_checkpoints(self._store, stream)
        checkpoints.set_aside()
        path = checkpoints.folder / _MERGES
        try:
            self._store.disk.mkdir(checkpoints.folder)
            self._store.disk.replace_file(path, b"%d\n" % (_merges(self._store, stream) + 1), durable=True)
        except OSError as error:
            raise storage_error(path, error) from error
        SeenHeads(self._config_dir, self._store.disk).forget(before)
        self._open.pop(stream, None)


def stream_origin(store: TrailStore, origin: str, stream: str) -> str:
    """The name of a stream in its checkpoints: another one after each merge that changed what it began with."""
    merges = _merges(store, stream)
    name = trail_origin(origin, stream)
    return f"{name}/merged-{merges}" if merges else name


def former_origins(store: TrailStore, origin: str, stream: str) -> list[str]:
    """The names that a stream had before its merges."""
    name = trail_origin(origin, stream)
    return [f"{name}/merged-{number}" if number else name for number in range(_merges(store, stream))]


def _merges(store: TrailStore, stream: str) -> int:
    """How often a merge has rewritten the stream. A file that says nothing sensible counts as none."""
    data = read_note(store.base / CHECKPOINTS / stream / _MERGES) or b""
    return int(data) if _NUMBER.fullmatch(data) else 0


def stream_checkpoints(store: TrailStore, stream: str) -> CheckpointStore:
    """Where the checkpoints of a stream lie."""
    return CheckpointStore(store.base / CHECKPOINTS / stream, store.disk)
