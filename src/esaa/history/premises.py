"""What an event rests on: the earlier events that made it possible, and those that it made possible in turn.

A log records a cause only within one decision. That a review needs a delivery, a delivery a claim, and a claim the end
of each task that it depends on, follows from the states between them. Streams of the trail have no such rules.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from esaa.history.entries import Entry, EntryFilter
from esaa.history.past import Past
from esaa.history.pointers import pointer_of

_FOLLOWING_MAX = 8
"""Of a task's next changes so many are looked at: reports and refusals may come before its status changes."""
_DEPENDENTS_MAX = 100


def premises_of(past: Past, entry: Entry) -> list[int]:
    """The seqs of the events that made this one possible, ascending; none where it names its cause itself.

    - Of an act on a task: what brought the task to the status that the act needed; the refusal, where one came since.
    - While the task was still `todo`, also what ended each task that it depends on.
    - Of the end of a run that succeeded: the last review.
    """
    if past.kind != "log" or entry.causation_id is not None:
        return []
    if entry.subject is not None:
        return _of_act(past, entry.seq, entry.subject)
    return _of_end(past, entry.seq) if entry.name == "run.end" else []


def enabled_by(past: Past, entry: Entry) -> list[int]:
    """The seqs of the events that this one made possible, ascending: those that have it among their premises."""
    if past.kind != "log":
        return []
    found: set[int] = set()
    if entry.subject is not None:
        found |= _next_acts(past, entry, entry.subject)
        if _status(past.part(entry.seq, pointer_of(["tasks", entry.subject]))) == "done":
            for task_id in _dependents(past, entry.subject):
                found |= _next_acts(past, entry, task_id)
    if entry.name == "review":
        ends = past.find(EntryFilter(names=("run.end",), first=entry.seq + 1), count=1).entries
        found |= {one.seq for one in ends if entry.seq in premises_of(past, one)}
    return sorted(found)


def _of_act(past: Past, seq: int, task_id: str) -> list[int]:
    changed = _last_change(past, "tasks", task_id, seq - 1)
    if changed is None:
        return []
    refused = _last_change(past, "work", task_id, seq - 1)
    if refused is not None and refused > changed and past.entry(refused).is_rejection:
        return [refused]
    task = past.part(seq - 1, pointer_of(["tasks", task_id]))
    found = {changed}
    if _status(task) == "todo":
        for other in _depends_on(task):
            done = _last_change(past, "tasks", other, seq - 1)
            if done is not None:
                found.add(done)
    return sorted(found)


def _of_end(past: Past, seq: int) -> list[int]:
    if _status(past.part(seq, "/run")) != "success":
        return []
    reviews = EntryFilter(names=("review",), last=seq - 1)
    count = past.find(reviews, count=1).total
    return [one.seq for one in past.find(reviews, offset=count - 1, count=1).entries] if count else []


def _next_acts(past: Past, entry: Entry, task_id: str) -> set[int]:
    head = past.head()
    following: set[int] = set()
    for member in ("tasks", "work"):
        changes = past.part_changes(pointer_of([member, task_id]), head)
        begin = bisect_right(changes, entry.seq)
        following.update(changes[begin : begin + _FOLLOWING_MAX])
    acts = (past.entry(one) for one in following)
    return {one.seq for one in acts if one.subject == task_id and entry.seq in premises_of(past, one)}


def _dependents(past: Past, task_id: str) -> list[str]:
    """The tasks that depend on one, by the events that created them: those that hold its name."""
    named = past.find(EntryFilter(text=task_id, names=("task.create", "hotfix.create")), count=_DEPENDENTS_MAX).entries
    return [
        one.subject
        for one in named
        if one.subject is not None and task_id in _depends_on(past.part(one.seq, pointer_of(["tasks", one.subject])))
    ]


def _status(part: Any) -> Any:
    return part.get("status") if isinstance(part, dict) else None


def _depends_on(task: Any) -> list[str]:
    """The tasks that a task waits for. Another writer's task may say anything there."""
    names = task.get("depends_on") if isinstance(task, dict) else None
    return [one for one in names if isinstance(one, str)] if isinstance(names, list) else []


def _last_change(past: Past, member: str, name: str, until: int) -> int | None:
    changes = past.part_changes(pointer_of([member, name]), until)
    return changes[-1] if changes else None
