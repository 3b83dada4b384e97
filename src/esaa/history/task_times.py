"""How long tasks waited, were worked on and were reviewed, and how many tries they took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy

import msgspec

from esaa.history.times import seconds_between
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, OutputRejected, TaskClaimed, TaskCompleted, TaskCreated, TaskReviewed


class TaskTimes(msgspec.Struct, kw_only=True):
    """The times of a task in seconds, by the clock of the log. What goes on at the end is counted up to the end.

    - `attempts`: how often work on it began: by a claim, or by a review that sent it back.
    - `rejections`: outputs about it that were refused.
    - `waiting_seconds`: from its creation to the claim; `working_seconds`: from a claim, or a request for changes, to
      the delivery; `review_seconds`: from a delivery to its review.
    - `total_seconds`: from its creation until it was done; None while it is not.
    """

    task_id: str
    title: str = ""
    status: str = "todo"
    attempts: int = 0
    rejections: int = 0
    waiting_seconds: float = 0.0
    working_seconds: float = 0.0
    review_seconds: float = 0.0
    total_seconds: float | None = None


class TaskClock:
    """Follows the events of a governed run, and keeps the times of its tasks."""

    def __init__(self) -> None:
        self._times: dict[str, TaskTimes] = {}
        self._since: dict[str, str] = {}
        self._created: dict[str, str] = {}
        self._last = ""

    def following(self, events: Iterable[Recorded[Fact]]) -> Iterator[Recorded[Fact]]:
        """The events as they are, each noted on its way."""
        for event in events:
            self._take(event)
            yield event

    def times(self) -> list[TaskTimes]:
        """The times of every task, in the order in which they were first seen."""
        return [self._until_now(one) for one in self._times.values()]

    def _take(self, event: Recorded[Fact]) -> None:
        fact, ts = event.fact, event.ts
        self._last = ts
        if isinstance(fact, OutputRejected):
            if fact.task_id in self._times:
                self._times[fact.task_id].rejections += 1
            return
        if not isinstance(fact, TaskCreated | TaskClaimed | TaskCompleted | TaskReviewed):
            return
        task_id = fact.task_id
        one = self._times.setdefault(task_id, TaskTimes(task_id=task_id))
        if isinstance(fact, TaskCreated):
            one.title = fact.title
            self._created[task_id] = ts
        else:
            _add(one, self._elapsed(task_id, ts))
            self._move(one, fact, ts)
        self._since[task_id] = ts

    def _move(self, one: TaskTimes, fact: TaskClaimed | TaskCompleted | TaskReviewed, ts: str) -> None:
        if isinstance(fact, TaskCompleted):
            one.status = "review"
        elif isinstance(fact, TaskReviewed) and fact.decision == "approve":
            one.status = "done"
            one.total_seconds = seconds_between(self._created.get(one.task_id, ts), ts)
        else:
            one.status = "in_progress"
            one.attempts += 1

    def _elapsed(self, task_id: str, ts: str) -> float:
        return seconds_between(self._since.get(task_id, ts), ts)

    def _until_now(self, one: TaskTimes) -> TaskTimes:
        open_one = copy(one)
        _add(open_one, self._elapsed(one.task_id, self._last))
        return open_one


def _add(one: TaskTimes, seconds: float) -> None:
    if one.status == "todo":
        one.waiting_seconds += seconds
    elif one.status == "in_progress":
        one.working_seconds += seconds
    elif one.status == "review":
        one.review_seconds += seconds
