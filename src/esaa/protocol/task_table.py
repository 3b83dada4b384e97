"""Tasks in creation order, indexed by id, each with its canonical and pretty text cached.

A state that comes from a snapshot holds texts only; a task is decoded when it is touched. So a command that claims
one task of a hundred thousand decodes one, and a projection hash costs hashing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from esaa.kernel.canonical import canonical, compact


class Immutability(msgspec.Struct, frozen=True):
    """The promise that every task carries (INV-001)."""

    done_is_immutable: bool = True


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as `roadmap.json` shows it; the order of the fields is the order on disk. Absent fields are `UNSET`."""

    task_id: str
    task_kind: str
    title: str
    description: str
    status: str
    depends_on: tuple[str, ...]
    targets: Any  # as sent
    outputs: Any  # as sent
    immutability: Immutability = Immutability()
    is_hotfix: Any = UNSET
    issue_id: Any = UNSET
    fixes: Any = UNSET
    scope_patch: Any = UNSET
    required_verification: Any = UNSET
    baseline_id: Any = UNSET
    boundary_grant: tuple[str, ...] | UnsetType = UNSET
    plugin: Any = UNSET
    task_type: Any = UNSET
    acceptance_criteria: Any = UNSET
    required_review_mode: Any = UNSET
    supersedes: tuple[str, ...] | UnsetType = UNSET
    executable_checks: tuple[str, ...] | UnsetType = UNSET
    superseded_by: Any = UNSET
    assigned_to: str | UnsetType = UNSET
    started_at: str | UnsetType = UNSET
    verification: Any = UNSET
    completed_at: str | UnsetType = UNSET

    @property
    def output_files(self) -> tuple[str, ...]:
        """The files that the task declares, where they are declared as the protocol says."""
        files = self.outputs.get("files") if isinstance(self.outputs, dict) else None
        return tuple(name for name in files if isinstance(name, str)) if isinstance(files, list) else ()


_TASK = msgspec.json.Decoder(Task)


class TaskTable:
    """An ordered map of tasks with cached texts, counts by status and kind, and the ids that are not done."""

    __slots__ = ("_canonical", "_index", "_pretty", "_tasks", "by_kind", "by_status", "unfinished")

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._tasks: list[Task | None] = []
        self._canonical: list[bytes | None] = []
        self._pretty: list[bytes | None] = []
        self.by_status: dict[str, int] = {}
        self.by_kind: dict[str, int] = {}
        self.unfinished: dict[str, None] = {}

    def copy(self) -> TaskTable:
        """A table that can be changed without touching this one."""
        table = TaskTable()
        table._index = dict(self._index)
        table._tasks = list(self._tasks)
        table._canonical = list(self._canonical)
        table._pretty = list(self._pretty)
        table.by_status = dict(self.by_status)
        table.by_kind = dict(self.by_kind)
        table.unfinished = dict(self.unfinished)
        return table

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._index

    def __iter__(self) -> Iterator[Task]:
        for ordinal in range(len(self._tasks)):
            yield self._at(ordinal)

    def ids(self) -> list[str]:
        """All ids in creation order, without decoding a task."""
        return list(self._index)

    def ordinal(self, task_id: str) -> int:
        """The place of a task in creation order."""
        return self._index[task_id]

    def get(self, task_id: str) -> Task | None:
        """A task by id, or None."""
        ordinal = self._index.get(task_id)
        if ordinal is None:
            return None
        task = self._tasks[ordinal]
        return self._at(ordinal) if task is None else task

    def pending(self) -> list[Task]:
        """The tasks that are not done, in creation order."""
        return [self._at(ordinal) for ordinal in sorted(self._index[task_id] for task_id in self.unfinished)]

    def add(self, task: Task) -> None:
        """Appends a task. An id that is there already is replaced (a log of another writer may do that)."""
        ordinal = self._index.get(task.task_id)
        if ordinal is not None:
            self.put(task)
            return
        self._index[task.task_id] = len(self._tasks)
        self._tasks.append(task)
        self._canonical.append(None)
        self._pretty.append(None)
        self._count(task, 1)

    def put(self, task: Task) -> None:
        """Replaces the task with the same id."""
        ordinal = self._index[task.task_id]
        before = self._tasks[ordinal] or self._at(ordinal)
        self._tasks[ordinal] = task
        self._canonical[ordinal] = None
        self._pretty[ordinal] = None
        if before.task_kind != task.task_kind:
            self._count(before, -1)
            self._count(task, 1)
        elif before.status != task.status:
            self._move(task.task_id, before.status, task.status)

    def canonical_texts(self) -> list[bytes]:
        """The canonical JSON of each task, from the cache where it has not changed."""
        texts = self._canonical
        for ordinal, text in enumerate(texts):
            if text is None:
                texts[ordinal] = canonical(self._at(ordinal))
        return texts  # type: ignore[return-value]  # every None was filled above

    def pretty_texts(self, *, keep: bool = True) -> Iterator[bytes]:
        """The texts of the tasks as they stand in `roadmap.json`, in order, a run of them joined in each piece.

        With `keep` every piece is one task and is cached; without it, tasks are formatted many at a time.
        """
        if keep:
            for ordinal, cached in enumerate(self._pretty):
                kept = pretty_tasks([self._tasks[ordinal]]) if cached is None else cached
                self._pretty[ordinal] = kept
                yield kept
            return
        for start in range(0, len(self._tasks), _RUN):
            run = range(start, min(start + _RUN, len(self._tasks)))
            texts = [text for ordinal in run if (text := self._pretty[ordinal]) is not None]
            if len(texts) == len(run):
                yield _BETWEEN.join(texts)
            else:
                yield pretty_tasks([self._at(ordinal) for ordinal in run])

    def dump(self) -> list[bytes]:
        """The table as sections of a snapshot. `load` is the inverse."""
        canonical_texts, pretty_texts = self.canonical_texts(), list(self.pretty_texts())
        columns = self._columns([len(text) for text in canonical_texts], [len(text) for text in pretty_texts])
        return [msgspec.json.encode(columns), b"".join(canonical_texts), b"".join(pretty_texts)]

    def stream(self) -> Iterator[Iterator[bytes]]:
        """The table as sections, each in pieces, to be taken in their order: canonical texts, pretty texts, columns.

        As `dump`, but in little memory, and no text is kept that was not kept before.
        """
        canonical_sizes: list[int] = []
        pretty_sizes: list[int] = []
        yield self._measured(lambda ordinal: self._canonical[ordinal] or canonical(self._at(ordinal)), canonical_sizes)
        yield self._measured(lambda ordinal: self._pretty[ordinal] or pretty_tasks([self._at(ordinal)]), pretty_sizes)
        yield iter([msgspec.json.encode(self._columns(canonical_sizes, pretty_sizes))])

    def _measured(self, text_of: Callable[[int], bytes], sizes: list[int]) -> Iterator[bytes]:
        for start in range(0, len(self._tasks), _RUN):
            texts = [text_of(ordinal) for ordinal in range(start, min(start + _RUN, len(self._tasks)))]
            sizes.extend(map(len, texts))
            yield b"".join(texts)

    def _columns(self, canonical_sizes: list[int], pretty_sizes: list[int]) -> _Columns:
        return _Columns(
            ids=list(self._index),
            canonical_sizes=canonical_sizes,
            pretty_sizes=pretty_sizes,
            by_status=self.by_status,
            by_kind=self.by_kind,
            unfinished=list(self.unfinished),
        )

    @classmethod
    def load(cls, sections: list[memoryview]) -> TaskTable:
        """The table of a snapshot's sections; no task is decoded."""
        columns = msgspec.json.decode(sections[0], type=_Columns)
        table = cls()
        table._index = {task_id: ordinal for ordinal, task_id in enumerate(columns.ids)}
        table._tasks = [None] * len(columns.ids)
        table._canonical = _slices(sections[1], columns.canonical_sizes)
        table._pretty = _slices(sections[2], columns.pretty_sizes)
        table.by_status = columns.by_status
        table.by_kind = columns.by_kind
        table.unfinished = dict.fromkeys(columns.unfinished)
        return table

    def _at(self, ordinal: int) -> Task:
        task = self._tasks[ordinal]
        if task is None:
            # The pretty text keeps the order of the keys inside values as they were sent; the canonical one does not.
            text = self._pretty[ordinal]
            assert text is not None
            task = _TASK.decode(text)
            self._tasks[ordinal] = task
        return task

    def _move(self, task_id: str, before: str, status: str) -> None:
        by_status = self.by_status
        by_status[status] = by_status.get(status, 0) + 1
        left = by_status[before] = by_status[before] - 1
        if not left:
            del by_status[before]
        if status == "done":
            self.unfinished.pop(task_id, None)
        elif before == "done":
            self.unfinished[task_id] = None

    def _count(self, task: Task, step: int) -> None:
        by_status, by_kind = self.by_status, self.by_kind
        status, kind = task.status, task.task_kind
        by_status[status] = by_status.get(status, 0) + step
        by_kind[kind] = by_kind.get(kind, 0) + step
        if step < 0:
            if not by_status[status]:
                del by_status[status]
            if not by_kind[kind]:
                del by_kind[kind]
        if status == "done":
            self.unfinished.pop(task.task_id, None)
        elif step > 0:
            self.unfinished[task.task_id] = None


class _Columns(msgspec.Struct):
    ids: list[str]
    canonical_sizes: list[int]
    pretty_sizes: list[int]
    by_status: dict[str, int]
    by_kind: dict[str, int]
    unfinished: list[str]


def pretty_tasks(tasks: Sequence[Task | None]) -> bytes:
    """Tasks with indent 2, as they stand inside the roadmap's list, joined by a comma and a line feed."""
    text = msgspec.json.format(b'{"t":' + compact(tasks) + b"}", indent=2)
    return text[_LEAD : -len(_TRAIL)]


_LEAD = len(b'{\n  "t": [\n    ')
_TRAIL = b"\n  ]\n}"
_BETWEEN = b",\n    "
_RUN = 256


def _slices(blob: memoryview, sizes: list[int]) -> list[bytes | None]:
    slices: list[bytes | None] = []
    at = 0
    for size in sizes:
        slices.append(bytes(blob[at : at + size]))
        at += size
    return slices
