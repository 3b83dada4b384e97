"""Attempts: time to live, number, cooldown (RUNTIME_POLICY). Times are the log's ISO-8601 texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.kernel.times import moment_of, parse_ts
from esaa.protocol.rejections import reject
from esaa.protocol.state import State
from esaa.protocol.task_table import Task

_LATEST = datetime.max.replace(tzinfo=UTC)


def deadline(task: Task, state: State, rules: Governance) -> datetime | None:
    """When the owner's present attempt ends, or None where none is running."""
    return None if task.status != "in_progress" else _after(state.work(task.task_id).since, rules.runtime.attempts.ttl)


def cooldown_end(task: Task, state: State, rules: Governance) -> datetime | None:
    """When the next output may come after a refused one, or None."""
    cooldown = rules.runtime.attempts.cooldown
    return None if cooldown == timedelta(0) else _after(state.work(task.task_id).rejected_at, cooldown)


def refuse_attempt(
    task: Task, action: str, state: State, rules: Governance, now: str, received_at: str | None = None
) -> Rejected | None:
    """Why no further output is taken now, or None. A done task is left to the immutability layer.

    `received_at` is when the output came, where that was before now.
    """
    if task.status == "done":
        return None
    work, limits = state.work(task.task_id), rules.runtime.attempts
    if work.attempts >= limits.max:
        return reject(
            "MAX_ATTEMPTS_EXCEEDED",
            f"{task.task_id} has used its {limits.max} attempts.",
            f"Resolve the issue about it: `esaa issue resolve ISS-ATTEMPTS-{task.task_id}`.",
            counts=False,
        )
    moment = parse_ts(now)
    free = cooldown_end(task, state, rules)
    if free is not None and moment < free:
        return reject(
            "COOLDOWN_ACTIVE",
            f"{task.task_id} pauses after a rejection until {free:%Y-%m-%dT%H:%M:%SZ}.",
            "Try again then; the pause costs no attempt.",
            counts=False,
        )
    end = deadline(task, state, rules)
    came = moment if received_at is None else min(moment, parse_ts(received_at))
    if action == "complete" and end is not None and came > end:
        return reject(
            "ATTEMPT_TIMEOUT",
            f"The attempt on {task.task_id} ended at {end:%Y-%m-%dT%H:%M:%SZ}, {int(limits.ttl.total_seconds())} s"
            " after it began.",
            "The task stays with its owner; a new attempt has begun.",
        )
    return None


def _after(ts: str | None, span: timedelta) -> datetime | None:
    """So long after a time of the log; None where it is no time, or the calendar ends before."""
    moment = None if ts is None else moment_of(ts)
    return None if moment is None or _LATEST - moment < span else moment + span
