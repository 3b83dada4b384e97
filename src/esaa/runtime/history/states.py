"""The state at a moment: any value of it, the board of tasks, and one task with everything that changed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from esaa.errors import NotFound
from esaa.history.board import Board, Card, board_of, card_of
from esaa.history.entries import EntryFilter
from esaa.history.indexed import HasBoard
from esaa.history.members import PARTED_MEMBERS, SINGLE_MEMBERS, following, member_sizes, parts_after
from esaa.history.past import Past
from esaa.history.pointers import parse_pointer, pointer_of
from esaa.history.values import existing_value
from esaa.runtime.history.commands import command
from esaa.runtime.history.files import WRITE, rows_of_write
from esaa.runtime.history.views import (
    BoardView,
    FileRow,
    StateChild,
    StateView,
    TaskVersion,
    TaskView,
    ValueKind,
)

SMALL_BYTES = 32 * 1024
"""A value is shown whole up to this size of its JSON."""
_WHOLE_PARTS_MAX = 100
_PREVIEW_CHARS = 80
_PREVIEW_DEPTH = 3
_VERSIONS_MAX = 200
_FILES_MAX = 500


def state_view(past: Past, seq: int, *, pointer: str = "", after: str | None = None, count: int = 200) -> StateView:
    """A value of the state, or a page of its members. Raises `UsageError`, `NotFound`."""
    names = parse_pointer(pointer)
    # Without a pointer `esaa state --issue` prints the state of a stream alone.
    said = command(past, "state", *([pointer] if pointer or past.kind == "trail" else []), "--at", seq)
    if past.kind == "log" and not names:
        return _root(past, seq, said)
    if past.kind == "log" and len(names) == 1 and names[0] in PARTED_MEMBERS:
        return _member(past, seq, names[0], after, count, said)
    value = existing_value(past, seq, pointer)
    members = list(_members_of(value))
    page = following(members, after, count)
    return StateView(
        past=past.name,
        at=seq,
        cli=said,
        pointer=pointer,
        kind=kind_of(value),
        value=value if len(members) <= max(count, _WHOLE_PARTS_MAX) and _is_small(value) else None,
        preview=preview(value),
        children=tuple(_child(name, one) for name, one in page),
        total=len(members),
    )


def board_view(
    past: Past, seq: int, *, since: int | None, status: str | None, after: str | None, count: int
) -> BoardView:
    """The tasks by status after an event."""
    if isinstance(past, HasBoard):
        board = past.board(seq, since, status, after, count)
    else:
        board = _board(past, seq, since, status, after, count)
    return BoardView(
        past=past.name,
        at=seq,
        cli=command(past, *(("status",) if past.kind == "log" else ("state", "/tasks")), "--at", seq),
        since=since,
        counts=board.counts,
        columns=board.columns,
    )


def task_view(past: Past, seq: int, task_id: str) -> TaskView:
    """One task after an event. Raises `NotFound`."""
    pointer = pointer_of(("tasks", task_id))
    task = past.part(seq, pointer)
    if task is UNSET:
        raise NotFound("TASK_NOT_FOUND", f"There is no task {task_id[:80]!r} at event #{seq}.", "Look at another time.")
    work_pointer = pointer_of(("work", task_id))
    work = past.part(seq, work_pointer)
    seqs = {*past.part_changes(pointer, seq)}
    if past.kind == "log":
        seqs |= {*past.part_changes(work_pointer, seq)}
    wanted = EntryFilter(subjects=(task_id,), names=(WRITE,), last=seq)
    return TaskView(
        past=past.name,
        at=seq,
        cli=command(past, "status", task_id, "--at", seq)
        if past.kind == "log"
        else command(past, "state", pointer, "--at", seq),
        task=task,
        work={} if work is UNSET else work,
        issues=tuple(_issues(past, seq, task_id)),
        versions=tuple(_version(past, one, pointer) for one in sorted(seqs)[-_VERSIONS_MAX:]),
        files=_files(past, wanted) if past.kind == "log" else (),
    )


def kind_of(value: Any) -> ValueKind:
    """What a JSON value is, as far as walking through it goes."""
    return "object" if isinstance(value, Mapping) else "array" if isinstance(value, list | tuple) else "value"


def preview(value: Any) -> str:
    """How a value begins, as JSON on one line."""
    text = msgspec.json.encode(_shallow(value, _PREVIEW_DEPTH)).decode()
    return text if len(text) <= _PREVIEW_CHARS else text[: _PREVIEW_CHARS - 1] + "…"


def _root(past: Past, seq: int, said: str) -> StateView:
    sizes = member_sizes(past, seq)
    singles = {name: found for name in SINGLE_MEMBERS if (found := past.part(seq, pointer_of((name,)))) is not UNSET}
    is_whole = sum(sizes.values()) <= _WHOLE_PARTS_MAX
    document = past.document(seq) if is_whole else None
    children = [_child(name, value) for name, value in singles.items()]
    children += [
        StateChild(name=name, kind="object", size=size, preview=_names(past, seq, name, size))
        for name, size in sizes.items()
    ]
    return StateView(
        past=past.name,
        at=seq,
        cli=said,
        pointer="",
        kind="object",
        value=document if _is_small(document) else None,
        preview=", ".join(f"{size} {name}" for name, size in sizes.items() if size),
        children=tuple(children),
        total=len(children),
    )


def _names(past: Past, seq: int, member: str, size: int) -> str:
    names = [name for name, _ in parts_after(past, seq, member, None, 5)]
    text = ", ".join(names) + (", ..." if size > len(names) else "")
    return text if len(text) <= _PREVIEW_CHARS else text[: _PREVIEW_CHARS - 1] + "…"


def _member(past: Past, seq: int, member: str, after: str | None, count: int, said: str) -> StateView:
    total = member_sizes(past, seq)[member]
    page = parts_after(past, seq, member, after, count)
    value = dict(page) if after is None and total <= min(count, _WHOLE_PARTS_MAX) else None
    return StateView(
        past=past.name,
        at=seq,
        cli=said,
        pointer=pointer_of((member,)),
        kind="object",
        value=value if _is_small(value) else None,
        preview=_names(past, seq, member, total),
        children=tuple(_child(name, one) for name, one in page),
        total=total,
    )


def _members_of(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from ((str(index), one) for index, one in enumerate(value))


def _child(name: str, value: Any) -> StateChild:
    size = len(value) if isinstance(value, Mapping | list | tuple) else 0
    return StateChild(name=name, kind=kind_of(value), size=size, preview=preview(value))


def _shallow(value: Any, depth: int) -> Any:
    """A value whose texts and lists are no longer than a preview can show."""
    if isinstance(value, str):
        return value[:_PREVIEW_CHARS]
    if isinstance(value, Mapping):
        chosen = list(value.items())[:_PREVIEW_CHARS]
        return {name[:_PREVIEW_CHARS]: _shallow(one, depth - 1) for name, one in chosen} if depth else {}
    if isinstance(value, list | tuple):
        return [_shallow(one, depth - 1) for one in value[:_PREVIEW_CHARS]] if depth else []
    return value


def _is_small(value: Any) -> bool:
    return len(msgspec.json.encode(value)) <= SMALL_BYTES


def _board(past: Past, seq: int, since: int | None, status: str | None, after: str | None, count: int) -> Board:
    changed = set(past.changed_parts(since, seq)) if since is not None and since < seq else set[str]()
    work = dict(past.parts(seq, "work"))
    open_issues: dict[str, int] = {}
    for _, issue in past.parts(seq, "issues"):
        if issue.get("status") == "open":
            about = _about(issue)
            open_issues[about] = open_issues.get(about, 0) + 1

    def cards() -> Iterator[Card]:
        for task_id, task in past.parts(seq, "tasks"):
            told = task if past.kind == "log" else _as_task(task)
            is_changed = pointer_of(("tasks", task_id)) in changed or pointer_of(("work", task_id)) in changed
            yield card_of(told, work.get(task_id), open_issues.get(task_id, 0), is_changed=is_changed)

    return board_of(cards(), status=status, after=after, count=count)


def _as_task(task: dict[str, Any]) -> dict[str, Any]:
    """A task of the trail in the words of the governed run."""
    return {**task, "assigned_to": task.get("owner"), "title": task.get("title") or task.get("task_id", "")}


def _about(issue: Mapping[str, Any]) -> str:
    """The task that an issue is about: the one that it wants fixed, else the one that it was reported from."""
    links = _links(issue)
    return str(links.get("fixes_task_id") or links.get("reported_by_task_id"))


def _links(issue: Mapping[str, Any]) -> Mapping[str, Any]:
    links = issue.get("links")
    return links if isinstance(links, Mapping) else {}


def _issues(past: Past, seq: int, task_id: str) -> Iterator[dict[str, Any]]:
    for _, issue in past.parts(seq, "issues"):
        if task_id in _links(issue).values():
            yield issue


def _version(past: Past, seq: int, pointer: str) -> TaskVersion:
    entry = past.entry(seq)
    task = past.part(seq, pointer)
    known = task if isinstance(task, dict) else {}
    owner = known.get("assigned_to", known.get("owner"))
    return TaskVersion(
        seq=seq,
        ts=entry.ts,
        actor=entry.actor,
        name=entry.name,
        status=str(known.get("status", "")),
        owner=owner if isinstance(owner, str) else None,
        summary=entry.summary,
    )


def _files(past: Past, wanted: EntryFilter) -> tuple[FileRow, ...]:
    """The files that a task wrote, each as its last write left it."""
    rows: dict[str, FileRow] = {}
    total = past.find(wanted, count=0).total
    page = past.find(wanted, offset=max(total - _FILES_MAX, 0), count=_FILES_MAX)
    for entry in page.entries:
        for row in rows_of_write(past, entry):
            rows[row.path] = row
    return tuple(rows.values())
