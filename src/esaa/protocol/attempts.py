"""Attempts: time to live, number, cooldown (RUNTIME_POLICY). Times are the log's ISO-8601 texts."""

from __future__ import annotations

from datetime import MAXYEAR, UTC, datetime, timedelta

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.protocol.rejections import reject
from esaa.protocol.state import State
from esaa.protocol.task_table import Task


def parse_ts(text: str) -> datetime:
    """A time as esaa writes it. Raises `ValueError`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def recorded_ts(text: str | None) -> datetime | None:
    """A time of the log, or None where there is none: another writer's may be any text, without an offset it is UTC."""
    try:
        moment = None if text is None else parse_ts(text)
    except ValueError:
        return None
    if moment is None or moment.year == MAXYEAR:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def deadline(task: Task, state: State, rules: Governance) -> datetime | None:
    """When the owner's present attempt ends, or None where none is running."""
    since = recorded_ts(state.work(task.task_id).since)
    if task.status != "in_progress" or since is None:
        return None
    return since + rules.runtime.attempts.ttl


def cooldown_end(task: Task, state: State, rules: Governance) -> datetime | None:
    """When the next output may come after a refused one, or None."""
    rejected_at = recorded_ts(state.work(task.task_id).rejected_at)
    if rejected_at is None or rules.runtime.attempts.cooldown == timedelta(0):
        return None
    return rejected_at + rules.runtime.attempts.cooldown


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
