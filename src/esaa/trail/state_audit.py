"""Is a folded state sound? `faults` are broken invariants: no sequence of events leads there, so the state was not
folded by these rules, or was changed since. `warnings` tell of a history that does not add up: an event is missing,
doubled or out of order. Neither raises, whatever the state holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from esaa.trail.state import OrchestrationState
from esaa.trail.state_values import Budget

_ENDED = ("completed", "failed")
_PR_STATUS = ("open", "merged", "closed")


def faults(state: OrchestrationState) -> list[str]:
    """Every broken invariant, one sentence each; empty for a state that `evolve` made."""
    return [
        *_status_faults(state),
        *_list_faults(state),
        *_task_faults(state),
        *_running_faults("running_checks", state.running_checks, [one.status for one in state.quality_checks]),
        *_running_faults("running_tests", state.running_tests, [one.status for one in state.test_runs]),
        *_budget_faults(state.budgets),
    ]


def warnings(state: OrchestrationState) -> list[str]:
    """What does not add up in the history that the state was folded from, one sentence each."""
    return [*_order_warnings(state), *_status_warnings(state), *_gap_warnings(state), *_work_warnings(state)]


def _status_faults(state: OrchestrationState) -> Iterator[str]:
    status = state.status
    if (state.completed_at is not None) != (status in _ENDED):
        yield f"completed_at is {state.completed_at}, and the status is {status}"
    if state.duration_seconds is not None and status not in _ENDED:
        yield f"duration_seconds is {state.duration_seconds:g}, and the status is {status}"
    if state.duration_seconds is not None and state.duration_seconds < 0:
        yield f"duration_seconds is negative: {state.duration_seconds:g}"
    for name, value, meant in (
        ("pause", state.pause, "paused"),
        ("failure", state.failure, "failed"),
        ("result", state.result, "completed"),
    ):
        if (value is not None) != (status == meant):
            yield f"{name} is {'missing' if value is None else 'there'}, and the status is {status}"
    if state.started_at is not None and status == "not_started":
        yield "started_at is set, and the status is not_started"
    if (state.started_at is None) != (state.assignment is None):
        yield "started_at and assignment are not set together"
    if state.started_at is None and state.session_id is not None:
        yield "session_id is set, and the orchestration was never started"
    if state.last_sequence < 0 or (state.last_sequence == 0) != (state.last_event_at is None):
        yield f"last_sequence is {state.last_sequence}, and last_event_at is {state.last_event_at}"


def _list_faults(state: OrchestrationState) -> Iterator[str]:
    for place, gap in enumerate(state.identified_gaps):
        if not isinstance(gap.get("gap_id"), str):
            yield f"identified_gaps[{place}] has no gap_id"
    for place, pr in enumerate(state.prs):
        if not isinstance(pr.get("pr_number"), int) or pr.get("status") not in _PR_STATUS:
            yield f"prs[{place}] has no pr_number or no status"
    points = [point.checkpoint_id for point in state.checkpoints]
    if len(points) != len(set(points)):
        yield "checkpoints holds a restore point twice"
    for name, counts in (
        ("rejected_outputs", state.rejected_outputs),
        ("notifications", state.notifications),
        ("foreign_events", state.foreign_events),
    ):
        yield from (f"{name}[{key!r}] is {count}" for key, count in counts.items() if count < 1)


def _task_faults(state: OrchestrationState) -> Iterator[str]:
    for task_id, task in state.tasks.items():
        if task.task_id != task_id:
            yield f"tasks[{task_id!r}] is of {task.task_id!r}"
    for agent, task_ids in state.assigned_tasks.items():
        if not task_ids or any(task_id not in state.tasks for task_id in task_ids):
            yield f"assigned_tasks[{agent!r}] names no task, or one that is not in tasks"
        if len(task_ids) > state.active_agents.count(agent):
            yield f"assigned_tasks[{agent!r}] has {len(task_ids)} tasks, more than the agent is active times"


def _running_faults(name: str, places: Sequence[int], statuses: Sequence[str]) -> Iterator[str]:
    running = [place for place, status in enumerate(statuses) if status == "running"]
    if list(places) != running:
        yield f"{name} is {list(places)[:10]}, and those that run are {running[:10]}"


def _budget_faults(budgets: Mapping[str, Budget]) -> Iterator[str]:
    for budget_id, budget in budgets.items():
        named = sum(budget.reservations.values())
        if budget.spent < 0 or budget.reserved < named or any(one < 0 for one in budget.reservations.values()):
            yield (
                f"budgets[{budget_id!r}] has {budget.spent} spent and {budget.reserved} reserved, "
                f"{named} of it with a name"
            )


def _order_warnings(state: OrchestrationState) -> Iterator[str]:
    if state.started_at and state.completed_at and state.completed_at < state.started_at:
        yield f"the orchestration ends at {state.completed_at}, before it starts at {state.started_at}"
    if state.started_at and state.last_event_at and state.last_event_at < state.started_at:
        yield f"the last event is of {state.last_event_at}, before the start at {state.started_at}"


def _status_warnings(state: OrchestrationState) -> Iterator[str]:
    if state.status != "not_started" and state.started_at is None:
        yield f"the orchestration is {state.status}, and was never started"
    if state.status in {"in_progress", "paused"} and state.completed_phases and state.current_phase is None:
        yield "phases are complete, and the work is in none"
    if state.status == "completed" and state.active_agents:
        yield f"the orchestration is completed, and agents are active: {_some(state.active_agents)}"
    if state.status == "completed" and state.identified_gaps:
        yield f"the orchestration is completed, and gaps are open: {_some(_gap_ids(state))}"
    told = None if state.result is None else state.result.total_commits
    if told is not None and told != len(state.commits):
        yield f"the orchestration came to {told} commits as it says, and {len(state.commits)} are recorded"


def _gap_warnings(state: OrchestrationState) -> Iterator[str]:
    found = _gap_ids(state)
    twice = sorted(gap_id for gap_id, count in Counter(found).items() if count > 1)
    if twice:
        yield f"gaps are identified more than once: {_some(twice)}"
    again = sorted(set(found) & set(state.resolved_gaps))
    if again:
        yield f"gaps are identified, and were resolved before: {_some(again)}"
    unknown = sorted(gap_id for gap_id in state.escalated_gaps if gap_id not in {*found, *state.resolved_gaps})
    if unknown:
        yield f"gaps are escalated, and were never identified: {_some(unknown)}"


def _work_warnings(state: OrchestrationState) -> Iterator[str]:
    idle = sorted(set(state.blocked_agents) - set(state.active_agents))
    if idle:
        yield f"agents are blocked, and not active: {_some(idle)}"
    unclear = sorted(task.task_id for task in state.tasks.values() if task.status != "todo" and not task.created_at)
    if unclear:
        yield f"tasks have moved, and were never created: {_some(unclear)}"
    unopened = sorted(str(pr.get("pr_number")) for pr in state.prs if "pr_title" not in pr)
    if unopened:
        yield f"pull requests have ended, and were never opened: {_some(unopened)}"


def _gap_ids(state: OrchestrationState) -> list[str]:
    return [str(gap.get("gap_id")) for gap in state.identified_gaps]


def _some(names: Sequence[str]) -> str:
    more = len(names) - 5
    return ", ".join(names[:5]) + (f" and {more} more" if more > 0 else "")
