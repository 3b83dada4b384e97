"""The task state machine, as one table (layer 4), and who may act where."""

from __future__ import annotations

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.decider import Rejected
from esaa.protocol.rejections import reject
from esaa.protocol.state import State
from esaa.protocol.task_table import Task

ACTION_OF_STATUS = {"todo": "claim", "in_progress": "complete", "review": "review"}
"""What a task in each status waits for. `done` waits for nothing."""

NEXT_STATUS: dict[tuple[str, str], str] = {
    ("todo", "claim"): "in_progress",
    ("in_progress", "complete"): "review",
    ("review", "review:approve"): "done",
    ("review", "review:request_changes"): "in_progress",
}
"""The whole machine: (status, act) to status. `issue.report` is legal in every status and changes none."""


class _Refusal(msgspec.Struct, frozen=True):
    code: str
    hint: str


_REFUSALS: dict[tuple[str, str], _Refusal] = {
    ("todo", "complete"): _Refusal("MISSING_CLAIM", "Claim the task first."),
    ("todo", "review"): _Refusal("MISSING_CLAIM", "The task has to be claimed and completed first."),
    ("in_progress", "review"): _Refusal("MISSING_COMPLETE", "Wait until the task's owner has completed it."),
    ("in_progress", "claim"): _Refusal("INVALID_TRANSITION", "Choose another task: `esaa task list`."),
    ("review", "claim"): _Refusal("INVALID_TRANSITION", "Choose another task: `esaa task list`."),
    ("review", "complete"): _Refusal("INVALID_TRANSITION", "Wait for the review."),
}


def refuse_transition(task: Task, action: str) -> Rejected | None:
    """Why an act does not fit the task's status, or None. `done` is left to the immutability layer."""
    if action == "issue.report" or task.status == "done" or ACTION_OF_STATUS[task.status] == action:
        return None
    refusal = _REFUSALS[task.status, action]
    return reject(
        refusal.code,
        f"`{action}` on {task.task_id} is not possible while the task is {task.status}.",
        refusal.hint,
    )


def refuse_done(task: Task, action: str) -> Rejected:
    """The refusal of an act on a done task (INV-001)."""
    return reject(
        "IMMUTABLE_DONE_VIOLATION",
        f"{task.task_id} is done, and done is for good; `{action}` is not possible.",
        f"Report an issue that names it in `fixes`: `esaa issue report {task.task_id} ...`.",
    )


def refuse_actor(task: Task, action: str, actor: str, rules: Governance) -> Rejected | None:
    """Why this actor may not do this act on this task, or None (DESIGN 12.5)."""
    registered = rules.swarm.actors[actor]
    if task.status == "done":
        return None
    if action == "claim" and task.task_kind not in registered.roles:
        return reject(
            "ROLE_VIOLATION",
            f"{actor} does not have the role `{task.task_kind}` that {task.task_id} asks for.",
            "Use an actor with that role; `agents_swarm.yaml` lists them.",
        )
    if action == "complete" and task.assigned_to != actor:
        return reject(
            "LOCK_VIOLATION",
            f"{task.task_id} belongs to {task.assigned_to}, not to {actor}.",
            "Only the owner completes a task.",
        )
    if action == "review":
        reviewer = reviewer_of(task, rules)
        if reviewer != actor:
            return reject(
                "REVIEW_ROLE_VIOLATION",
                f"{actor} does not review {task.task_kind} tasks; {reviewer} does.",
                "See `review` in agents_swarm.yaml.",
            )
        if task.assigned_to == actor and not rules.orchestrator.review.self_review:
            return reject(
                "SELF_REVIEW_FORBIDDEN",
                f"{actor} did the work on {task.task_id} and may not review it.",
                "Another actor has to review it.",
            )
    return None


def waits_for(task: Task, state: State) -> tuple[str, ...]:
    """The dependencies that are not done, unknown ones among them."""
    return tuple(name for name in task.depends_on if (found := state.task(name)) is None or found.status != "done")


def refuse_dependencies(task: Task, state: State) -> Rejected | None:
    """Why the task's dependencies forbid a claim, or None (DESIGN 12.6)."""
    waiting = waits_for(task, state)
    if task.status == "done" or not waiting:
        return None
    return reject(
        "DEPENDENCY_NOT_DONE",
        f"{task.task_id} waits for {', '.join(waiting)}.",
        "Finish those first.",
    )


def reviewer_of(task: Task, rules: Governance) -> str | None:
    """The actor who reviews a task's kind; None for a kind of another writer."""
    return {str(kind): name for kind, name in rules.swarm.review.items()}.get(task.task_kind)


def responsible_actor(task: Task, state: State, rules: Governance) -> str | None:
    """The actor whose next act the task waits for: the one whose refused outputs count as attempts."""
    match task.status:
        case "in_progress":
            return task.assigned_to if isinstance(task.assigned_to, str) else None
        case "review":
            return reviewer_of(task, rules)
        case "todo":
            if task.task_kind not in rules.swarm.resolution.by_task_kind:
                return None
            agents = rules.swarm.assignment(task.task_kind, task.is_hotfix is True).agents
            return agents[state.tasks.ordinal(task.task_id) % len(agents)]
        case _:
            return None
