"""Joining trails: another store's streams into this one, forks inside one store, or two versions of one file.

The lines of a stream that a merge moves are written anew beside the old ones and take their place under the stream's
lock; a crash in between is finished by the next merge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path

import msgspec

from esaa.errors import MergeConflict, NotFound, StoreError
from esaa.kernel.ingest import SMALL_STATE
from esaa.kernel.vocabulary import MalformedLine
from esaa.runtime.privacy.erasing import finish_erasures, take_over
from esaa.runtime.trail.trail import Trail
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.lock import writer_lock
from esaa.stores.outside import read_own
from esaa.stores.trail import TrailStore
from esaa.stores.trail_layout import ARCHIVE, partitions_of
from esaa.stores.trail_segments import joined_array, kind_of, stored_lines
from esaa.trail.event import TrailEvent
from esaa.trail.joining.histories import histories
from esaa.trail.joining.merge import Line, Merged, merge
from esaa.trail.wire import TrailVocabulary

_VOCABULARY = TrailVocabulary()


class StreamMerge(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one stream: how many events it has now, how many were there before, and the pairs of events of
    which neither knew of the other."""

    stream: str
    events: int
    before: int
    common: int
    concurrent_pairs: int
    concurrent: tuple[tuple[str, str], ...]
    is_changed: bool


def merge_stores(trail: Trail, other: TrailStore, *, dry_run: bool = False) -> list[StreamMerge]:
    """Joins every stream of another store into this one, which alone is changed. The order does not matter: both ways
    give the same lines.

    Raises `NotFound` where there is no other trail, `MergeConflict` before anything of a stream is changed,
    `StoreLocked`, `StoreError`, `CorruptLog`.
    """
    names = other.names()
    if not names:
        raise NotFound("TRAIL_NOT_FOUND", f"There is no trail in {other.base}.", "Name the folder of its events.")
    if not dry_run:
        take_over(trail, other.erasables)
    merged = [_merge_stream(trail, name, list(_all_lines(other, name)), dry_run=dry_run) for name in names]
    if not dry_run:
        finish_erasures(trail)
    return merged


def rejoin(trail: Trail, *, dry_run: bool = False) -> list[StreamMerge]:
    """Joins the histories that came together inside this store, as after a merge of two branches by git. Raises as
    `merge_stores`."""
    return [_merge_stream(trail, name, [], dry_run=dry_run) for name in trail.store.names()]


def merge_files(ours: Path, theirs: Path) -> Merged:
    """The joined lines of two versions of one file of events. Raises `MergeConflict`, `StoreError`, `CorruptLog`."""
    return merge(_lines_of_file(ours), _lines_of_file(theirs))


def write_file(path: Path, merged: Merged, disk: Disk) -> None:
    """Puts joined lines in the place of a file of events."""
    is_array = path.suffix == ".json"
    data = joined_array(list(merged.lines)) if is_array else b"".join(line + b"\n" for line in merged.lines)
    try:
        disk.replace_file(path, data, durable=True)
    except OSError as error:
        raise storage_error(path, error) from error


def _merge_stream(trail: Trail, name: str, more: list[Line], *, dry_run: bool) -> StreamMerge:
    store = trail.store
    store.prepare()
    lock = store.disposable(f"locks/{name}.lock")
    with writer_lock(lock, timeout_s=store.lock_timeout_s, what="another recorder"):
        _finish_interrupted(store, name)
        own = list(_all_lines(store, name))
        sides = [*histories(own), *histories(more)]
        whole = reduce(_joined, sides[1:], sides[0])
        pairs = _pairs(sides)
        is_changed = [line for line, _ in own] != [line for line, _ in whole]
        if is_changed and not dry_run:
            if [line for line, _ in own] != [line for line, _ in whole[: len(own)]] and trail.open_checkpoints:
                # Before the lines move: signed under the old name, they would look like somebody's work.
                trail.open_checkpoints().merged(name)
            _rewrite(store, name, whole)
        return StreamMerge(
            stream=name,
            events=len(whole),
            before=len(own),
            common=pairs.common if pairs is not None else len(whole),
            concurrent_pairs=0 if pairs is None else pairs.concurrent_pairs,
            concurrent=() if pairs is None else pairs.concurrent,
            is_changed=is_changed,
        )


def _joined(first: list[Line], second: list[Line]) -> list[Line]:
    return [(line, _VOCABULARY.decode(line)) for line in merge(first, second).lines]


def _pairs(sides: Sequence[list[Line]]) -> Merged | None:
    """What the first two sides that differ have to say of each other."""
    return merge(sides[0], sides[1]) if len(sides) > 1 else None


def _all_lines(store: TrailStore, name: str) -> Iterator[Line]:
    """Every line of a stream, of all its files, in the order of the sequence; of copies of a file one."""
    seen: set[bytes] = set()
    found: list[Line] = []
    for folder in partitions_of(store.base, name):
        for path in sorted(folder.iterdir()):
            if kind_of(path) is not None:
                for line, event in _lines_of_file(path):
                    if line not in seen:
                        seen.add(line)
                        found.append((line, event))
    return iter(sorted(found, key=lambda one: one[1].version))


def _lines_of_file(path: Path) -> list[Line]:
    kind = kind_of(path) or ("json" if path.suffix == ".json" else "jsonl")
    try:
        return [(line, _VOCABULARY.decode(line)) for line in stored_lines(path, kind)]
    except MalformedLine as error:
        raise StoreError(
            error.code, f"{path} holds a line that is no event: {error.message}.", "Run `esaa trail check` there."
        ) from error
    except FileNotFoundError as error:
        raise NotFound("FILE_NOT_FOUND", f"There is no file {path}.", "Check the path.") from error


def _rewrite(store: TrailStore, name: str, whole: list[Line]) -> None:
    """Writes the joined lines as new files aside, and then puts them into the place of the old ones."""
    aside = store.disposable(f"merge/{name}")
    archived = {line for path in _files(store, name, ARCHIVE) for line, _ in _lines_of_file(path)}
    if not archived.issubset(line for line, _ in whole[: len(archived)]):
        raise MergeConflict(
            "MERGE_ARCHIVED",
            f"The merge would move archived events of {name}.",
            "Put the archived files back into their folders first, and merge again.",
        )
    planned = _planned(store, name, whole[len(archived) :])
    kept = {path for path, data in planned.items() if path.exists() and path.read_bytes() == data}
    try:
        store.disk.remove_tree(aside)
        store.disk.mkdir(aside / "new")
        plan: dict[str, str | None] = {}
        for number, (path, data) in enumerate(planned.items()):
            if path not in kept:
                store.disk.replace_file(aside / "new" / str(number), data, durable=True)
                plan[str(path.relative_to(store.base))] = str(number)
        for path in _files(store, name, "."):
            if path not in planned:
                plan[str(path.relative_to(store.base))] = None
        store.disk.replace_file(aside / "plan.json", msgspec.json.encode(plan), durable=True)
        _carry_out(store, aside, plan)
    except OSError as error:
        raise storage_error(aside, error) from error


def _finish_interrupted(store: TrailStore, name: str) -> None:
    aside = store.disposable(f"merge/{name}")
    data = read_own(aside / "plan.json", SMALL_STATE)
    if data is None:
        return
    try:
        plan: dict[str, str | None] = msgspec.json.decode(data, type=dict[str, str | None])
    except ValueError:
        plan = {"": None}
    if not all(_is_step(relative, new) for relative, new in plan.items()):
        raise StoreError(
            "MERGE_PLAN_INVALID",
            f"{aside / 'plan.json'} is no plan of a merge that was interrupted.",
            "Remove that folder, and merge again.",
        )
    try:
        _carry_out(store, aside, plan)
    except OSError as error:
        raise storage_error(aside, error) from error


def _is_step(relative: str, new: str | None) -> bool:
    """True for what a plan may ask for: a file of events below the trail, and a file that was put aside. Whoever can
    write a plan must not have any other file moved or removed by it."""
    parts = relative.split("/")
    is_inside = "\0" not in relative and not {"", ".", ".."} & set(parts) and "\\" not in relative
    return is_inside and kind_of(Path(relative)) is not None and (new is None or new.isdecimal())


def _carry_out(store: TrailStore, aside: Path, plan: dict[str, str | None]) -> None:
    """Every step can be done twice. What was moved already is not there any more."""
    for relative, new in plan.items():
        target = store.base / relative
        if new is None:
            store.disk.unlink(target)
        elif (aside / "new" / new).exists():
            store.disk.mkdir(target.parent)
            store.disk.rename(str(aside / "new" / new), str(target))
        for summary in (target.parent / "metadata.json", target.parent.parent / "index.json"):
            store.disk.unlink(summary)
        if target.parent.is_dir():
            store.disk.sync_dir(target.parent)
    store.disk.unlink(aside / "plan.json")
    store.disk.remove_tree(aside)


def _planned(store: TrailStore, name: str, whole: list[Line]) -> dict[Path, bytes]:
    """The files that the joined lines make, with their content: an unbroken run each."""
    runs: list[tuple[Path, int, list[bytes]]] = []
    folder: Path | None = None
    for line, event in whole:
        place = _folder(store, name, event)
        if place != folder:
            runs.append((place, event.version, []))
            folder = place
        runs[-1][2].append(line)
    kind = "json" if store.storage.format == "json" else "jsonl"
    files: dict[Path, bytes] = {}
    for place, first, lines in runs:
        path = place / f"events.{kind}"
        if path in files:
            path = place / f"events-{first}.{kind}"
        files[path] = joined_array(lines) if kind == "json" else b"".join(line + b"\n" for line in lines)
    return files


def _folder(store: TrailStore, name: str, event: TrailEvent) -> Path:
    return store.folder_of(name, event.ts, event.fact.session_id)


def _files(store: TrailStore, name: str, top: str) -> list[Path]:
    found = [
        path for folder in partitions_of(store.base, name) for path in folder.iterdir() if kind_of(path) is not None
    ]
    archive = store.base / ARCHIVE
    return [path for path in found if path.is_relative_to(archive) == (top == ARCHIVE)]
