"""How long tasks waited, were worked on and were reviewed, and how many tries they took. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from heapq import nsmallest

import msgspec

from esaa.history.times import seconds_of
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import Fact, OutputRejected, TaskClaimed, TaskCompleted, TaskCreated, TaskReviewed

TIMED = (TaskCreated, TaskClaimed, TaskCompleted, TaskReviewed, OutputRejected)
"""The facts that change the times of a task."""

_SECOND = 1_000_000


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


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """The times of the slowest tasks, the slowest first (of equals the one that was first seen), and how many there
    are."""

    total: int
    tasks: tuple[TaskTimes, ...]


WAITING, IN_PROGRESS, REVIEW, DONE = range(4)
_STATUSES = ("todo", "in_progress", "review", "done")


class TaskSpans(msgspec.Struct):
    """The times of a task as they are added up, in microseconds; `since` is when its status began.

    - `first`, `created`: the events in which it was first seen and in which it was (last) created.
    - `begun`: when it was created; `total`: how long it took from then until it was done.
    """

    first: int
    created: int | None = None
    begun: int | None = None
    status: int = WAITING
    attempts: int = 0
    rejections: int = 0
    waiting: int = 0
    working: int = 0
    review: int = 0
    since: int | None = None
    total: int | None = None

    def until(self, now: int | None) -> int:
        """How long it took in all, with what goes on counted up to now."""
        spent = self.waiting + self.working + self.review
        return spent if self.status == DONE else spent + elapsed(self.since, now)


Spans = Callable[[str], TaskSpans | None]
"""What is known of a task that is not held."""


class TaskClock:
    """Follows the events of a governed run, and keeps the times of its tasks. What it does not hold, it asks for."""

    def __init__(self, known: Spans = lambda _: None) -> None:
        self._known = known
        self._spans: dict[str, TaskSpans] = {}
        self._titles: dict[str, str] = {}
        self._ts = ""
        self._now: int | None = None

    def __len__(self) -> int:
        return len(self._spans)

    def following(self, events: Iterable[Recorded[Fact]]) -> Iterator[Recorded[Fact]]:
        """The events as they are, each noted on its way."""
        for event in events:
            fact = event.fact
            if isinstance(fact, TaskCreated):
                self._titles[fact.task_id] = fact.title
            self.take(event)
            self._look(event.ts)
            yield event

    def slowest(self, count: int) -> Measures:
        """The times of the slowest tasks."""
        ranked = nsmallest(count, self._spans.items(), key=lambda one: -one[1].until(self._now))
        return Measures(total=len(self._spans), tasks=tuple(self._told(*one) for one in ranked))

    def times(self) -> list[TaskTimes]:
        """The times of every task, in the order in which they were first seen."""
        return [self._told(*one) for one in self._spans.items()]

    def let_go(self) -> None:
        """Forgets all that can be asked for again."""
        self._spans.clear()

    def take(self, event: Recorded[Fact]) -> tuple[str, TaskSpans] | None:
        """Takes an event; gives the task that it changed the times of."""
        fact = event.fact
        if isinstance(fact, OutputRejected):
            refused = fact.task_id
            spans = self._of(refused) if isinstance(refused, str) else None
            if spans is None or not isinstance(refused, str):
                return None
            spans.rejections += 1
            return refused, spans
        if not isinstance(fact, (TaskCreated, TaskClaimed, TaskCompleted, TaskReviewed)):
            return None
        task_id = fact.task_id
        now = self._look(event.ts)
        spans = self._of(task_id)
        if spans is None:
            spans = self._spans[task_id] = TaskSpans(event.version, since=now)
        if isinstance(fact, TaskCreated):
            spans.created, spans.begun = event.version, now
        else:
            _add(spans, elapsed(spans.since, now))
            _move(spans, fact, now)
        spans.since = now
        return task_id, spans

    def _of(self, task_id: str) -> TaskSpans | None:
        found = self._spans.get(task_id)
        if found is None:
            found = self._known(task_id)
            if found is not None:
                self._spans[task_id] = found
        return found

    def _look(self, ts: str) -> int | None:
        if ts != self._ts:  # many events have the same
            self._ts, self._now = ts, microseconds_of(ts)
        return self._now

    def _told(self, task_id: str, spans: TaskSpans) -> TaskTimes:
        return times_of(task_id, self._titles.get(task_id, ""), spans, self._now)


def times_of(task_id: str, title: str, spans: TaskSpans, now: int | None) -> TaskTimes:
    """The times of a task as they are shown. What goes on is counted up to now."""
    spans = copy(spans)
    _add(spans, elapsed(spans.since, now))
    return TaskTimes(
        task_id=task_id,
        title=title,
        status=_STATUSES[spans.status],
        attempts=spans.attempts,
        rejections=spans.rejections,
        waiting_seconds=spans.waiting / _SECOND,
        working_seconds=spans.working / _SECOND,
        review_seconds=spans.review / _SECOND,
        total_seconds=None if spans.total is None else spans.total / _SECOND,
    )


def microseconds_of(ts: str) -> int | None:
    """A time as a whole number, which can be added up without rounding; None for a text that is no time."""
    seconds = seconds_of(ts)
    return None if seconds is None else round(seconds * _SECOND)


def elapsed(since: int | None, now: int | None) -> int:
    """How long it was: never less than 0, and 0 where a time cannot be read."""
    return 0 if since is None or now is None else max(now - since, 0)


def _move(one: TaskSpans, fact: TaskClaimed | TaskCompleted | TaskReviewed, now: int | None) -> None:
    if isinstance(fact, TaskCompleted):
        one.status = REVIEW
    elif isinstance(fact, TaskReviewed) and fact.decision == "approve":
        one.status = DONE
        one.total = elapsed(one.begun, now)
    else:
        one.status = IN_PROGRESS
        one.attempts += 1


def _add(one: TaskSpans, microseconds: int) -> None:
    if one.status == WAITING:
        one.waiting += microseconds
    elif one.status == IN_PROGRESS:
        one.working += microseconds
    elif one.status == REVIEW:
        one.review += microseconds
