"""What a power cut may leave behind: from the steps of a run to every state that the file system may be found in.

The rules are those of POSIX, and not those of a kind file system: bytes that were not synced are there, are not there,
are torn anywhere, or are a hole of zeros; names that were not synced are there in the order in which they were made,
or one of them is missing, or one directory lags behind. A rename is atomic. What was synced is there.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from tests.crash.recording_disk import (
    Acknowledge,
    Create,
    Cut,
    Link,
    MakeDir,
    RecordingDisk,
    Rename,
    Step,
    Sync,
    SyncDir,
    Unlink,
    Write,
)

Names = Create | MakeDir | Rename | Link | Unlink
"""A step that changes names. It needs its directory synced; the other steps change bytes."""

Files = Mapping[str, bytes]

PAGE = 4096
SECTOR = 512
_RECENT = 10


class CrashState(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder may hold after a power cut, and what had been promised by then."""

    after: int
    files: Files
    dirs: frozenset[str]
    promises: Mapping[str, Hashable]

    def identity(self) -> int:
        """The same for states with the same files."""
        return hash((frozenset(self.files.items()), self.dirs))


class Medium:
    """The disk as it is at one step of the run: what is durable, and what is only remembered."""

    def __init__(self, start: Mapping[str, tuple[int, bytes]], start_dirs: set[str]) -> None:
        self._names: dict[str, int] = {path: node for path, (node, _) in start.items()}
        self._dirs = set(start_dirs)
        self._bytes: dict[int, bytes] = dict(start.values())
        self._waiting: list[Names] = []
        self._unsynced: dict[int, list[Write | Cut]] = {}
        self._variants: dict[int, list[bytes]] = {}
        self._written_last: int | None = None
        self.promises: dict[str, Hashable] = {}

    def take(self, step: Step) -> None:
        """Goes on by one step."""
        match step:
            case Acknowledge(name, promise):
                self.promises[name] = promise
            case Write(node) | Cut(node):
                self._unsynced.setdefault(node, []).append(step)
                self._written_last = node
                self._variants.pop(node, None)
            case Sync(node):
                self._bytes[node] = self._newest(node)
                self._unsynced.pop(node, None)
                self._variants.pop(node, None)
            case SyncDir(path):
                self._sync_names(path)
            case Create(_, node):
                self._bytes[node] = b""
                self._waiting.append(step)
            case _:
                self._waiting.append(step)

    def states(self, after: int, limit: int, chance: random.Random) -> Iterator[CrashState]:
        """Up to `limit` different states; where there are more, chance draws them."""
        seen: set[int] = set()
        for files, dirs in self._candidates(limit, chance):
            state = CrashState(after=after, files=files, dirs=dirs, promises=dict(self.promises))
            identity = state.identity()
            if identity not in seen:
                seen.add(identity)
                yield state
            if len(seen) >= limit:
                return

    def _candidates(self, limit: int, chance: random.Random) -> Iterator[tuple[Files, frozenset[str]]]:
        layouts = [self._laid_out(chosen) for chosen in self._name_choices(chance)]
        # Everything, and nothing; then each file in all that it may be, among what is new or old; then mixtures.
        singles: list[tuple[int, bool, int, bytes]] = []
        for number, (names, dirs) in enumerate(layouts):
            nodes = [node for node in dict.fromkeys(names.values()) if node in self._unsynced]
            if number < 2:
                yield self._files(names, {node: self._newest(node) for node in nodes}), dirs
                yield self._files(names, {node: self._bytes[node] for node in nodes}), dirs
            for node in nodes:
                variants = self._variants_of(node)
                variants = chance.sample(variants, min(len(variants), 3)) if number else variants
                singles += [(number, is_new, node, data) for data in variants for is_new in (True, False)]
        # What was written last may be the log, and there are many read models that nobody syncs: it comes first.
        fresh = [one for one in singles if one[2] == self._written_last]
        drawn = chance.sample(fresh, min(len(fresh), limit // 2)) + chance.sample(singles, min(len(singles), limit))
        for number, is_new, node, data in drawn:
            names, dirs = layouts[number]
            others = {one: self._newest(one) for one in names.values() if one in self._unsynced} if is_new else {}
            yield self._files(names, others | {node: data}), dirs
        for _ in range(limit * 2):
            names, dirs = chance.choice(layouts)
            nodes = [node for node in dict.fromkeys(names.values()) if node in self._unsynced]
            chosen = {node: chance.choice(self._variants_of(node)) for node in nodes}
            yield self._files(names, chosen), dirs

    def _files(self, names: Mapping[str, int], chosen: Mapping[int, bytes]) -> Files:
        return {path: chosen.get(node, self._bytes[node]) for path, node in names.items()}

    def _name_choices(self, chance: random.Random) -> Iterator[list[Names]]:
        waiting, count = self._waiting, len(self._waiting)
        yield waiting
        yield []
        recent = range(max(0, count - _RECENT), count)
        for end in recent:
            yield waiting[:end]
        for left_out in recent:
            yield waiting[:left_out] + waiting[left_out + 1 :]
        for folder in sorted({folder for step in waiting for folder in _folders(step)}):
            yield [step for step in waiting if folder not in _folders(step)]
            yield [step for step in waiting if folder in _folders(step)]
        for _ in range(4 if count > _RECENT else 0):
            yield waiting[: chance.randrange(count)]

    def _laid_out(self, steps: Sequence[Names]) -> tuple[dict[str, int], frozenset[str]]:
        names, dirs = dict(self._names), set(self._dirs)
        for step in steps:
            _apply(step, names, dirs)
        # What lies in a directory that is not there is not there. Above comes before below.
        found = {""}
        for folder in sorted(dirs):
            if _parent(folder) in found:
                found.add(folder)
        return {path: node for path, node in names.items() if _parent(path) in found}, frozenset(found)

    def _sync_names(self, path: str) -> None:
        durable = [path in _folders(step) for step in self._waiting]
        # What an entry rests on becomes durable with it: the file that was renamed, the directory it lies in.
        for number in range(len(self._waiting) - 1, -1, -1):
            if durable[number]:
                touched = _paths(self._waiting[number])
                for earlier in range(number):
                    durable[earlier] |= bool(touched & _paths(self._waiting[earlier]))
        for step, is_durable in zip(self._waiting, durable, strict=True):
            if is_durable:
                _apply(step, self._names, self._dirs)
        self._waiting = [step for step, is_durable in zip(self._waiting, durable, strict=True) if not is_durable]

    def _newest(self, node: int) -> bytes:
        data = self._bytes[node]
        for step in self._unsynced.get(node, ()):
            data = _written(data, step)
        return data

    def _variants_of(self, node: int) -> list[bytes]:
        known = self._variants.get(node)
        if known is None:
            known = self._variants[node] = list(dict.fromkeys(self._imagine(node)))
        return known

    def _imagine(self, node: int) -> Iterator[bytes]:
        """Every content that a file may be found with: each prefix of its writes, and the next one torn."""
        data = self._bytes[node]
        yield data
        for step in self._unsynced[node]:
            if isinstance(step, Write):
                yield from _torn(data, step)
            data = _written(data, step)
            yield data


def enumerate_states(disk: RecordingDisk, limit: int, seed: int, *, first: int = 0) -> Iterator[CrashState]:
    """The states after each step of a run, from a step on; before the first, the run had not begun."""
    medium = Medium(disk.start, disk.start_dirs)
    for number, step in enumerate(disk.steps):
        medium.take(step)
        if number >= first:
            yield from medium.states(number, limit, random.Random(f"{seed} {number}"))


def _torn(data: bytes, step: Write) -> Iterator[bytes]:
    """A write that got as far as an odd place, a line, a sector or a page; or that left a hole."""
    size = len(step.data)
    cuts = {1, 2, size // 3, size // 2, size - 2, size - 1}
    borders = [at + 1 for at, byte in enumerate(step.data) if byte == 0x0A][:12]
    cuts |= {border + offset for border in borders for offset in (-1, 0, 1)}
    sectors = list(range(SECTOR - step.at % SECTOR, size, SECTOR))
    cuts |= set(sectors[:6] + sectors[-3:])
    for cut in sorted(cut for cut in cuts if 0 < cut < size):
        yield _written(data, step._replace(data=step.data[:cut]))
    if step.at < len(data):
        return  # a hole is what appending leaves: elsewhere the old bytes are still there
    yield _written(data, step._replace(data=bytes(size)))
    for unit in (PAGE, SECTOR):
        borders = [0, *range(unit - step.at % unit, size, unit), size]
        for start, end in list(pairwise(borders))[:8]:
            if (start, end) != (0, size):
                yield _written(data, step._replace(data=step.data[:start] + bytes(end - start) + step.data[end:]))
    for cut in sectors[:4]:
        yield _written(data, step._replace(data=step.data[:cut] + bytes(size - cut)))


def _written(data: bytes, step: Write | Cut) -> bytes:
    if isinstance(step, Cut):
        return data[: step.size].ljust(step.size, b"\0")
    return data[: step.at].ljust(step.at, b"\0") + step.data + data[step.at + len(step.data) :]


def _apply(step: Names, names: dict[str, int], dirs: set[str]) -> None:
    match step:
        case Create(path, node):
            names[path] = node
        case MakeDir(path):
            dirs.add(path)
        case Rename(source, target):
            if source in names:
                names[target] = names.pop(source)
        case Link(source, target):
            if source in names:
                names[target] = names[source]
        case Unlink(path):
            names.pop(path, None)


def _paths(step: Names) -> set[str]:
    if isinstance(step, Rename | Link):
        return {step.source, step.target}
    return {step.path}


def _folders(step: Names) -> set[str]:
    return {_parent(path) for path in _paths(step)}


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
