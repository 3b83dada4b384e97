"""What is folded beside the projection: work in progress, receipts, unknown actors. None of it is in a read model."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from esaa.contracts.swarm import MONITOR
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import (
    Fact,
    IssueReported,
    IssueResolved,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskReviewed,
)
from esaa.protocol.state import Receipt, State, UnknownActors, Work

_replace = msgspec.structs.replace
_SLOT_OF_STATUS = {"todo": "claim", "in_progress": "complete", "review": "review"}


def track(state: State, recorded: Recorded[Fact]) -> None:
    """Takes an event into the work in progress. Asked before the projection changes: the old status still stands."""
    fact = recorded.fact
    if isinstance(fact, TaskClaimed | TaskCompleted | TaskReviewed):
        _acted(state, fact, recorded.ts)
    elif isinstance(fact, OutputRejected):
        _rejected(state, fact, recorded.ts)
    elif isinstance(fact, IssueReported):
        _reported(state, fact, recorded.actor)
    elif isinstance(fact, IssueResolved):
        _resolved(state, fact, recorded.ts)
    elif isinstance(fact, RunStarted):
        state.header.receipts = {}
    elif isinstance(fact, RunEnded) and state.header.run.run_id is not None:
        state.header.ended_runs.append(state.header.run.run_id)
    if recorded.command_id is not None:
        _receipt(state, recorded.command_id, recorded.version)


def _acted(state: State, fact: TaskClaimed | TaskCompleted | TaskReviewed, ts: str) -> None:
    if fact.task_id not in state.tasks:
        return
    work = state.work(fact.task_id)
    if isinstance(fact, TaskClaimed):
        work = _replace(work, claim=work.claim + 1, since=ts, rejected_at=None, last_rejection=None, reports=0)
    elif isinstance(fact, TaskCompleted):
        work = _replace(work, complete=work.complete + 1, since=ts, rejected_at=None, last_rejection=None, reports=0)
    elif fact.decision == "approve":
        state.header.work.pop(fact.task_id, None)
        return
    else:
        work = _replace(work, review=work.review + 1, since=ts, rejected_at=None, last_rejection=None, reports=0)
    state.header.work[fact.task_id] = work


def _rejected(state: State, fact: OutputRejected, ts: str) -> None:
    if fact.count is not UNSET:
        state.header.unknown_actors = UnknownActors(recorded_at=ts)
    task = None if fact.task_id is None else state.tasks.get(fact.task_id)
    if task is None or task.status not in _SLOT_OF_STATUS:
        return
    last = {
        "error_code": fact.error_code,
        "message": fact.message,
        "hint": "" if fact.hint is UNSET else fact.hint,
        "layer": "" if fact.layer is UNSET else fact.layer,
    }
    if fact.counts is False:
        if fact.error_code == "WRITE_CONFLICT" and fact.rejected_actor == task.assigned_to:
            # It costs no attempt and no pause, but its owner is asked another question now, and told why.
            work = _one_more(state.work(task.task_id), task.status)
            state.header.work[task.task_id] = _replace(work, last_rejection=last)
        return
    work = _one_more(state.work(task.task_id), task.status)
    state.header.work[task.task_id] = _replace(
        work, attempts=work.attempts + 1, since=ts, rejected_at=ts, last_rejection=last
    )


def _reported(state: State, fact: IssueReported, actor: str) -> None:
    task = state.tasks.get(fact.task_id)
    if task is None or actor == MONITOR:
        return
    if task.status in _SLOT_OF_STATUS:
        work = _one_more(state.work(task.task_id), task.status)
        state.header.work[task.task_id] = _replace(work, reports=work.reports + 1)
    else:
        # What comes about a task that is done is counted as well, so that a signed report counts once.
        work = state.work(task.task_id)
        state.header.work[task.task_id] = _replace(work, review=work.review + 1)


def _resolved(state: State, fact: IssueResolved, ts: str) -> None:
    issue = state.header.issues.get(fact.issue_id)
    work = None if issue is None else state.header.work.get(issue.about_task_id)
    if issue is not None and work is not None:
        state.header.work[issue.about_task_id] = _replace(work, attempts=0, since=ts, rejected_at=None, reports=0)


def _receipt(state: State, command_id: str, version: int) -> None:
    known = state.header.receipts.get(command_id)
    first = version if known is None else known.first_seq
    state.header.receipts[command_id] = Receipt(first_seq=first, last_seq=version)


def _one_more(work: Work, status: str) -> Work:
    """One more output for the action that a task in this status waits for."""
    match _SLOT_OF_STATUS[status]:
        case "claim":
            return _replace(work, claim=work.claim + 1)
        case "complete":
            return _replace(work, complete=work.complete + 1)
        case _:
            return _replace(work, review=work.review + 1)
