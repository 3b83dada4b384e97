"""Retention: old segments go into the archive, archives that are older still are deleted, and their proofs stay.

Each step is an event of `global` before anything is removed, with an id that follows from what it is about: a crash
between is repaired by running again.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from esaa.kernel.canonical import sha256_hex
from esaa.kernel.chain import leaf_hash
from esaa.kernel.merkle import root_of, subtrees
from esaa.runtime.privacy.erasing import forget_lines
from esaa.runtime.trail.recorder import RECORDER, TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.stores.jsonl import storage_error
from esaa.stores.lock import writer_lock
from esaa.stores.trail_files import ends_with_feed
from esaa.stores.trail_layout import ARCHIVE
from esaa.stores.trail_proofs import SegmentProof, proof_name
from esaa.stores.trail_segments import Kind, Segment, compressed, stored_lines, to_parquet
from esaa.trail.event import GLOBAL
from esaa.trail.evolve import PROJECTION_VERSION
from esaa.trail.intake import Proposal, trail_time
from esaa.trail.state import encode_state
from esaa.trail.wire import TrailVocabulary

_NAMESPACE = uuid.UUID("6f1c0c1e-5d3a-5b8e-9d0b-6a7e55aa0001")
_VOCABULARY = TrailVocabulary()


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """One segment that was, or would be, archived or deleted."""

    act: Literal["archive", "delete"]
    stream: str
    path: str
    first_sequence: int
    last_sequence: int
    last_timestamp: str


class _Old(msgspec.Struct, frozen=True, kw_only=True):
    stream: str
    segment: Segment
    lines: list[bytes]
    is_archived: bool


def retire(recorder: TrailRecorder, *, dry_run: bool = False) -> list[Retired]:
    """Does what `cleanup` asks for by the clock of today, and returns what was done (or would be). Raises
    `StoreError`, and `UsageError` where Parquet is asked for and its extra is missing."""
    trail = recorder.trail
    cleanup = trail.settings.cleanup
    if not cleanup.enabled:
        return []
    archive_before = trail_time(trail.clock.now() - timedelta(days=cleanup.archive_after_days))
    delete_before = trail_time(trail.clock.now() - timedelta(days=cleanup.delete_after_days))
    done: list[Retired] = []
    for stream in trail.store.names():
        with _recording_stopped(trail, stream, dry_run=dry_run):
            for found in _older_than(trail, stream, archive_before):
                old = found
                last = _VOCABULARY.decode(old.lines[-1])
                # `global` is told of every deletion, so its own events are archived and never deleted.
                is_deletable = last.ts < delete_before and stream != GLOBAL
                if not old.is_archived:
                    done.append(_retired(trail, "archive", old, last.ts))
                    old = old if dry_run else _archive(recorder, old)
                if is_deletable:
                    done.append(_retired(trail, "delete", old, last.ts))
                    if not dry_run:
                        _delete(recorder, old)
    recorder.flush()
    return done


@contextmanager
def _recording_stopped(trail: Trail, stream: str, *, dry_run: bool) -> Generator[None, None, None]:
    """Nobody may append to a file while it is put away. `global` is told meanwhile, and its newest file stays."""
    if dry_run or stream == GLOBAL:
        yield
        return
    trail.store.prepare()
    lock = trail.store.disposable(f"locks/{stream}.lock")
    with writer_lock(lock, timeout_s=trail.store.lock_timeout_s, what="a recorder"):
        yield


def _older_than(trail: Trail, stream: str, ts: str) -> Iterator[_Old]:
    """The segments whose last event is older than a time, from the oldest on. Whole segments, never the one in use."""
    segments = trail.store.stream(stream).segments()
    for segment in segments:
        if stream == GLOBAL and segment == segments[-1]:
            return
        if segment.kind == "jsonl" and not ends_with_feed(segment.path):
            return  # a torn line is mended by the next append
        lines = list(stored_lines(segment.path, segment.kind))
        if _VOCABULARY.decode(lines[-1]).ts >= ts:
            return
        yield _Old(
            stream=stream,
            segment=segment,
            lines=lines,
            is_archived=segment.path.is_relative_to(trail.store.base / ARCHIVE),
        )


def _archive(recorder: TrailRecorder, old: _Old) -> _Old:
    trail = recorder.trail
    store, storage = trail.store, trail.settings.storage
    source = old.segment.path
    kind: Kind = "parquet" if storage.format == "parquet" else "jsonl.zst" if storage.compression else "jsonl"
    stem = source.name.removesuffix(f".{old.segment.kind}")
    target = store.base / ARCHIVE / source.relative_to(store.base).with_name(f"{stem}.{kind}")
    try:
        store.disk.mkdir(target.parent)
        if kind == "parquet":
            staged = target.with_name(f".{target.name}.tmp")
            to_parquet(iter(old.lines), staged)
            data = staged.read_bytes()
            store.disk.unlink(staged)
        else:
            data = compressed(iter(old.lines)) if kind == "jsonl.zst" else b"\n".join(old.lines) + b"\n"
        store.disk.replace_file(target, data, durable=True)
        leaves = [leaf_hash(line) for line in old.lines]
        first, last = old.segment.first, old.segment.first + len(leaves) - 1
        shown = str(target.relative_to(store.base))
        _tell(
            recorder,
            "ArchiveCreated",
            {
                "path": shown,
                "events": len(leaves),
                "first_sequence": first,
                "last_sequence": last,
                "sha256": sha256_hex(data),
                "issue_key": None if old.stream == GLOBAL else old.stream,
                "merkle_root": root_of(subtrees(leaves)),
                "last_leaf_hash": leaves[-1],
                "segments": [str(source.relative_to(store.base))],
                "format": "parquet" if kind == "parquet" else "jsonl",
                "compression": "zstd" if kind != "jsonl" else "none",
                "size_bytes": len(data),
                "first_timestamp": _VOCABULARY.decode(old.lines[0]).ts,
                "last_timestamp": _VOCABULARY.decode(old.lines[-1]).ts,
            },
        )
        store.disk.unlink(source)
        _tidy(trail, source.parent)
    except OSError as error:
        raise storage_error(target, error) from error
    return _Old(
        stream=old.stream,
        segment=Segment(path=target, kind=kind, first=old.segment.first),
        lines=old.lines,
        is_archived=True,
    )


def _delete(recorder: TrailRecorder, old: _Old) -> None:
    trail = recorder.trail
    store = trail.store
    path = old.segment.path
    first, last = old.segment.first, old.segment.first + len(old.lines) - 1
    leaves = [leaf_hash(line) for line in old.lines]
    # Folded from the events themselves: what stays must not hang on a snapshot.
    state = encode_state(recorder.states.reconstruct(old.stream, sequence=last, use_snapshots=False).state)
    shown = str(path.relative_to(store.base))
    record_id = _record_id("SegmentDeleted", shown, leaves[-1])
    proof = SegmentProof(
        stream=old.stream,
        path=shown,
        first_sequence=first,
        last_sequence=last,
        first_timestamp=_VOCABULARY.decode(old.lines[0]).ts,
        last_timestamp=_VOCABULARY.decode(old.lines[-1]).ts,
        merkle_root=root_of(subtrees(leaves)),
        last_leaf_hash=leaves[-1],
        nodes=subtrees(leaves, first - 1),
        projection_version=PROJECTION_VERSION,
        state_sha256=sha256_hex(state),
        state=msgspec.Raw(state),
        record_id=record_id,
    )
    try:
        store.disk.replace_file(path.with_name(proof_name(first)), msgspec.json.encode(proof), durable=True)
        _tell(
            recorder,
            "SegmentDeleted",
            {
                "path": shown,
                "events": len(leaves),
                "first_sequence": first,
                "last_sequence": last,
                "merkle_root": proof.merkle_root,
                "last_leaf_hash": proof.last_leaf_hash,
                "issue_key": old.stream,
                "leaf_count": len(leaves),
                "reason": f"delete_after_days is {trail.settings.cleanup.delete_after_days}",
                "last_timestamp": proof.last_timestamp,
                "extra": {"state_sha256": proof.state_sha256},
            },
        )
        forget_lines(trail, old.lines)
        store.disk.unlink(path)
        store.disk.sync_dir(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def _tell(recorder: TrailRecorder, event_type: str, metadata: dict[str, object]) -> None:
    """Records what is about to be done in `global`; the same act has the same id."""
    event_id = _record_id(event_type, str(metadata["path"]), str(metadata["last_leaf_hash"]))
    recorder.record_many(
        [Proposal(event_type=event_type, metadata=metadata, actor=RECORDER, event_id=event_id, stream=GLOBAL)]
    )


def _record_id(event_type: str, path: str, last_leaf: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{event_type} {path} {last_leaf}"))


def _retired(trail: Trail, act: Literal["archive", "delete"], old: _Old, last_ts: str) -> Retired:
    return Retired(
        act=act,
        stream=old.stream,
        path=str(old.segment.path.relative_to(trail.store.base)),
        first_sequence=old.segment.first,
        last_sequence=old.segment.first + len(old.lines) - 1,
        last_timestamp=last_ts,
    )


def _tidy(trail: Trail, folder: Path) -> None:
    """A partition without events keeps no summaries; folders that are empty then go too."""
    if any(path.name.startswith("events") for path in folder.iterdir()):
        return
    for path in folder.iterdir():
        if path.name == "metadata.json" or path.name.startswith("snapshot-"):
            trail.store.disk.unlink(path)
    while folder != trail.store.base:
        rest = list(folder.iterdir())
        if len(rest) == 1 and rest[0].name == "index.json":
            trail.store.disk.unlink(rest[0])
            rest = []
        if rest:
            return
        folder.rmdir()
        folder = folder.parent
