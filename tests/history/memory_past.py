"""A past that is held in memory: entries, and a document after each. For tests of whatever asks a past."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.errors import NotFound
from esaa.history.entries import Entry, EntryFilter, EntryPage, Kind
from esaa.history.pointers import parse_pointer, pointer_of
from esaa.history.refs import AtHead, AtSeq, AtTime, parse_ref

MEMBERS_OF_PARTS = frozenset({"tasks", "issues", "lessons", "work", "files"})
"""The members of a document whose values are parts of their own; every other member is one part as a whole."""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class MemoryPast:
    """A `Past` over lists. `documents[n]` is the state after event n+1; before the first there is nothing."""

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        documents: Sequence[Mapping[str, Any]] = (),
        *,
        name: str = "log",
        kind: Kind = "log",
        lines: Sequence[bytes] | None = None,
    ) -> None:
        assert len(entries) == len(documents)
        assert [one.seq for one in entries] == list(range(1, len(entries) + 1))
        self._name = name
        self._kind: Kind = kind
        self._entries: list[Entry] = []
        self._documents: list[dict[str, Any]] = [{}]
        self._parts_at: list[dict[str, Any]] = [{}]
        self._changed_at: list[list[str]] = [[]]
        self._lines: list[bytes] = []
        for one, document in zip(entries, documents, strict=True):
            self.append(one, document, None if lines is None else lines[one.seq - 1])

    def append(self, entry: Entry, document: Mapping[str, Any], line: bytes | None = None) -> None:
        """One more event: a past may grow while it is asked."""
        assert entry.seq == len(self._entries) + 1
        self._entries.append(entry)
        before, after = self._parts_at[-1], _parts(document)
        self._documents.append(dict(document))
        self._parts_at.append(after)
        gone = [pointer for pointer in before if pointer not in after]
        self._changed_at.append([one for one in (*after, *gone) if _text(before, one) != _text(after, one)])
        self._lines.append(msgspec.json.encode(entry) if line is None else line)

    @property
    def name(self) -> str:
        return self._name

    @property
    def kind(self) -> Kind:
        return self._kind

    def head(self) -> int:
        return len(self._entries)

    def seq_of(self, ref: str) -> int:
        found = self.seq_of_id(ref)
        if found is not None:
            return found
        match parse_ref(ref, NOW):
            case AtSeq(seq=seq):
                self._check(seq)
                return seq
            case AtHead(back=back):
                return max(self.head() - back, 0)
            case AtTime(ts=ts):
                return max((one.seq for one in self._entries if one.ts <= ts), default=0)

    def seq_of_id(self, event_id: str) -> int | None:
        return next((one.seq for one in self._entries if one.event_id == event_id), None)

    def entry(self, seq: int) -> Entry:
        self._check(seq, least=1)
        return self._entries[seq - 1]

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        yield from self._entries[max(first, 1) - 1 : max(last, 0)]

    def line(self, seq: int) -> bytes:
        self._check(seq, least=1)
        return self._lines[seq - 1]

    def find(self, wanted: EntryFilter, *, offset: int = 0, count: int = 100) -> EntryPage:
        fitting = [one for one in self._entries if self._fits(one, wanted)]
        return EntryPage(total=len(fitting), offset=offset, entries=tuple(fitting[offset : offset + count]))

    def caused_by(self, event_id: str) -> Sequence[int]:
        return [one.seq for one in self._entries if one.causation_id == event_id]

    def document(self, seq: int) -> dict[str, Any]:
        self._check(seq)
        return self._documents[seq]

    def part(self, seq: int, pointer: str) -> Any:
        self._check(seq)
        return self._parts_at[seq].get(pointer, UNSET)

    def parts(self, seq: int, member: str) -> Iterator[tuple[str, Any]]:
        self._check(seq)
        for pointer, value in self._parts_at[seq].items():
            names = parse_pointer(pointer)
            if len(names) == 2 and names[0] == member:
                yield names[1], value

    def changed_parts(self, after: int, until: int) -> Iterator[str]:
        seen: set[str] = set()
        for seq in range(after + 1, until + 1):
            for pointer in self._changed_at[seq]:
                if pointer not in seen:
                    seen.add(pointer)
                    yield pointer

    def part_changes(self, pointer: str, until: int) -> Sequence[int]:
        names = parse_pointer(pointer)
        part = pointer_of(names[:2] if names and names[0] in MEMBERS_OF_PARTS else names[:1])
        return [seq for seq in range(1, until + 1) if part in self._changed_at[seq]]

    def count_changed(self, after: int, until: int) -> int:
        return sum(1 for _ in self.changed_parts(after, until))

    def _check(self, seq: int, least: int = 0) -> None:
        if not least <= seq <= self.head():
            raise NotFound("EVENT_NOT_FOUND", f"There is no event #{seq}.", "`esaa log` names all events.")

    def _fits(self, entry: Entry, wanted: EntryFilter) -> bool:
        text = f"{entry.name} {entry.subject} {entry.actor} {entry.summary} {self._lines[entry.seq - 1]!r}".casefold()
        return (
            (not wanted.names or entry.name in wanted.names)
            and (not wanted.actors or entry.actor in wanted.actors)
            and (not wanted.subjects or entry.subject in wanted.subjects)
            and (not wanted.rejections_only or entry.is_rejection)
            and all(word in text for word in wanted.text.casefold().split())
            and wanted.first <= entry.seq <= (self.head() if wanted.last is None else wanted.last)
        )


def _parts(document: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member, value in document.items():
        if member in MEMBERS_OF_PARTS:
            found |= {pointer_of((member, name)): one for name, one in value.items()}
        else:
            found[pointer_of((member,))] = value
    return found


def _text(parts: Mapping[str, Any], pointer: str) -> bytes:
    """A value as one text, whatever the order of its members. (Python takes 1 for True.)"""
    return msgspec.json.encode(parts[pointer], order="sorted") if pointer in parts else b""


def entry(seq: int, name: str = "claim", actor: str = "agent-impl", subject: str | None = None, **more: Any) -> Entry:
    """An entry whose other fields follow from its seq: one event a minute, from 2026-01-01 on."""
    values: dict[str, Any] = {
        "event_id": f"EV-{seq:08d}",
        "ts": f"2026-01-{1 + seq // 1440:02d}T{seq // 60 % 24:02d}:{seq % 60:02d}:00Z",
        "summary": f"{subject or 'something'} {name}",
        "leaf_hash": hashlib.sha256(f"{seq} {name} {actor} {subject}".encode()).hexdigest(),
    }
    return Entry(seq=seq, name=name, actor=actor, subject=subject, **(values | more))


def past_of(*documents: Mapping[str, Any], **more: Any) -> MemoryPast:
    """A past of these documents, one event each."""
    past = MemoryPast(**more)
    for seq, document in enumerate(documents, start=1):
        past.append(entry(seq), document)
    return past


def claims(count: int = 6) -> MemoryPast:
    """A small run: T-1, T-2, ... are created, claimed and completed, one after the other."""
    past = MemoryPast()
    document: dict[str, Any] = {"run": {"run_id": "RUN-0001", "status": "running"}, "tasks": {}}
    for number in range(count):
        task_id = f"T-{number // 3 + 1}"
        name, status, actor = (
            ("task.create", "todo", "orchestrator"),
            ("claim", "in_progress", "agent-impl"),
            ("complete", "review", "agent-impl"),
        )[number % 3]
        document = {**document, "tasks": {**document["tasks"], task_id: {"task_id": task_id, "status": status}}}
        past.append(entry(number + 1, name, actor, task_id), document)
    return past


def story(*acts: tuple[Any, ...], times: Mapping[int, str] | None = None) -> MemoryPast:
    """A past of tasks: each act is a name, its task, the status after it, what it depends on, the seq of its cause.

    `times` are those of events whose clock differs. An act on no task (None) gives the run a status. A refusal
    (`output.rejected`) changes the work on its task alone.
    """
    past = MemoryPast()
    document: dict[str, Any] = {"run": {"status": "running"}, "tasks": {}, "work": {}}
    for seq, (name, task_id, status, *more) in enumerate(acts, start=1):
        depends_on = more[0] if more else []
        cause = more[1] if len(more) > 1 else None
        is_refusal = name == "output.rejected"
        if task_id is None:
            document = {**document, "run": {"status": status}}
        elif is_refusal:
            document = {**document, "work": {**document["work"], task_id: {"rejected": seq}}}
        else:
            task = {"task_id": task_id, "status": status, "depends_on": depends_on}
            document = {**document, "tasks": {**document["tasks"], task_id: task}}
        causation_id = None if cause is None else f"EV-{cause:08d}"
        line = msgspec.json.encode({"action": name, "payload": {"task_id": task_id, "depends_on": depends_on}})
        clock = {"ts": times[seq]} if times is not None and seq in times else {}
        one = entry(seq, name, subject=task_id, is_rejection=is_refusal, causation_id=causation_id, **clock)
        past.append(one, document, line)
    return past
