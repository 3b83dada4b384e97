"""Tasks, the files that come of them, and their reviews."""

from __future__ import annotations

from msgspec.structs import replace

from esaa.trail.event import TrailEvent
from esaa.trail.facts.files import FileDeleted, FileWritten
from esaa.trail.facts.reviews import ReviewCompleted, ReviewRequested
from esaa.trail.facts.tasks import (
    OutputRejected,
    TaskAmended,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskDone,
    TaskReopened,
)
from esaa.trail.folds.reading import excerpt, given
from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import Review, Task


def assign(state: OrchestrationState, event: TrailEvent, agent_name: str, text: str) -> None:
    """An agent was spawned for a task. A task of the governed run is only noted: its own events move it."""
    task = state.tasks.get(text)
    if task is None:
        task = Task(task_id=text, status="todo", title=text, is_assigned=True, created_at=event.ts)
        state.tasks[text] = task
    if task.is_assigned:
        state.tasks[text] = replace(
            task, status="in_progress", owner=agent_name, claimed_at=event.ts, completed_at=None
        )
    state.assigned_tasks[agent_name] = (*state.assigned_tasks.get(agent_name, ()), text)


def finish_assigned(state: OrchestrationState, event: TrailEvent, agent_name: str, *, is_done: bool) -> None:
    """An agent that was spawned for tasks has ended: the oldest of them is done, or waits for another agent."""
    first, *rest = state.assigned_tasks.pop(agent_name)
    if rest:
        state.assigned_tasks[agent_name] = tuple(rest)
    task = state.tasks.get(first)
    # Another agent may have been given the task meanwhile, or have done it.
    if task is None or not task.is_assigned or task.status == "done":
        return
    if is_done:
        state.tasks[first] = replace(task, status="done", completed_at=event.ts)
    elif task.owner == agent_name:
        state.tasks[first] = replace(task, status="todo", owner=None, claimed_at=None)


def task_created(state: OrchestrationState, event: TrailEvent, fact: TaskCreated) -> None:
    """A task is to do. One that an agent was spawned for before belongs to the governed run from here on."""
    known = state.tasks.get(fact.task_id)
    state.tasks[fact.task_id] = Task(
        task_id=fact.task_id,
        status="todo" if known is None else known.status,
        title=fact.title,
        task_kind=given(fact.task_kind),
        owner=None if known is None else known.owner,
        phase=given(fact.phase),
        fixes=given(fact.fixes),
        created_at=event.ts,
        claimed_at=None if known is None else known.claimed_at,
        completed_at=None if known is None else known.completed_at,
        times_reopened=0 if known is None else known.times_reopened,
        outputs_rejected=0 if known is None else known.outputs_rejected,
    )


def task_amended(state: OrchestrationState, event: TrailEvent, fact: TaskAmended) -> None:
    """The task has other values; of these the state holds the title and the kind."""
    task = _task(state, fact.task_id)
    title, kind = fact.changes.get("title"), fact.changes.get("task_kind")
    state.tasks[fact.task_id] = replace(
        task,
        amended_at=event.ts,
        title=title if isinstance(title, str) else task.title,
        task_kind=kind if isinstance(kind, str) else task.task_kind,
    )


def task_claimed(state: OrchestrationState, event: TrailEvent, fact: TaskClaimed) -> None:
    """The task is in progress."""
    task = _task(state, fact.task_id)
    state.tasks[fact.task_id] = replace(
        task,
        status="in_progress",
        owner=fact.agent_name,
        claimed_at=event.ts,
        title=task.title or given(fact.title),
        task_kind=task.task_kind or given(fact.task_kind),
    )


def task_completed(state: OrchestrationState, _event: TrailEvent, fact: TaskCompleted) -> None:
    """The task waits for its review."""
    state.tasks[fact.task_id] = replace(_task(state, fact.task_id), status="review", owner=fact.agent_name)


def task_reopened(state: OrchestrationState, _event: TrailEvent, fact: TaskReopened) -> None:
    """The task is in progress again."""
    task = _task(state, fact.task_id)
    state.tasks[fact.task_id] = replace(task, status="in_progress", times_reopened=task.times_reopened + 1)


def task_done(state: OrchestrationState, event: TrailEvent, fact: TaskDone) -> None:
    """The task is done."""
    task = _task(state, fact.task_id)
    state.tasks[fact.task_id] = replace(
        task, status="done", completed_at=event.ts, title=task.title or given(fact.title)
    )


def output_rejected(state: OrchestrationState, _event: TrailEvent, fact: OutputRejected) -> None:
    """Refused outputs are counted, by error code and by task."""
    count = given(fact.count) or 1
    state.rejected_outputs[fact.error_code] = state.rejected_outputs.get(fact.error_code, 0) + count
    task = state.tasks.get(given(fact.task_id) or "")
    if task is not None:
        state.tasks[task.task_id] = replace(task, outputs_rejected=task.outputs_rejected + count)


def file_written(state: OrchestrationState, _event: TrailEvent, fact: FileWritten) -> None:
    """The file has the content of this digest."""
    state.files[fact.path] = fact.after_sha256


def file_deleted(state: OrchestrationState, _event: TrailEvent, fact: FileDeleted) -> None:
    """The file is known to be gone."""
    state.files[fact.path] = None


def review_requested(state: OrchestrationState, event: TrailEvent, fact: ReviewRequested) -> None:
    """The review is awaited, also where it was decided before."""
    state.reviews[fact.review_id] = Review(
        subject=excerpt(fact.subject),
        reviewer=given(fact.reviewer),
        task_id=given(fact.task_id),
        pr_number=given(fact.pr_number),
        requested_at=event.ts,
    )


def review_completed(state: OrchestrationState, event: TrailEvent, fact: ReviewCompleted) -> None:
    """The review is decided."""
    asked = state.reviews.get(fact.review_id) or Review()
    state.reviews[fact.review_id] = replace(
        asked,
        subject=asked.subject or given(fact.subject),
        reviewer=given(fact.reviewer) or asked.reviewer,
        task_id=asked.task_id or given(fact.task_id),
        pr_number=asked.pr_number or given(fact.pr_number),
        decided_at=event.ts,
        decision=fact.decision,
    )


def _task(state: OrchestrationState, task_id: str) -> Task:
    return state.tasks.get(task_id) or Task(task_id=task_id, status="todo")
