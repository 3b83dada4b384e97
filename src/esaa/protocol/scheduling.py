"""What can be worked on next: eligible tasks, what the others wait for, deadlocks. Pure, over the folded state."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.times import parse_ts
from esaa.protocol.attempts import cooldown_end, deadline
from esaa.protocol.blocking import blocking_issue, halting_issue, mends, pending_hotfix
from esaa.protocol.boundaries import write_set
from esaa.protocol.state import State
from esaa.protocol.task_table import Task
from esaa.protocol.transitions import ACTION_OF_STATUS, responsible_actor, waits_for
from esaa.protocol.write_sets import WriteSets


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An agent is to be asked: who, about which task, for which act, the how-manieth time, and with what template."""

    task_id: str
    action: str
    actor: str
    attempt: int
    template: str
    deadline: str | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A task that cannot be worked on now, and why.

    `until` is a time, where time alone helps; `is_blocked` says that a person must act first; `on` names the tasks
    that have to move on before it.
    """

    task_id: str
    reason: str
    until: str | None = None
    is_blocked: bool = False
    on: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What can go on now, what waits, and the tasks that nothing will ever free (a deadlock)."""

    orders: tuple[Order, ...]
    waiting: tuple[Waiting, ...]
    deadlocked: tuple[Waiting, ...]
    is_finished: bool


def plan(state: State, rules: Governance, now: str, in_flight: Collection[str] = ()) -> Plan:
    """The orders that may be given now, hotfixes first, then in creation order.

    Two tasks whose write sets may meet are not in flight at once under `dispatch.conflicts: serialise`.
    """
    pending = sorted(state.tasks.pending(), key=lambda task: task.is_hotfix is not True)
    active = WriteSets()
    for task in pending:
        if task.status != "todo" or task.task_id in in_flight:
            active.add(task, write_set(task, rules.agent))
    orders: list[Order] = []
    waiting: list[Waiting] = []
    for task in pending:
        if task.task_id in in_flight:
            continue
        obstacle = _obstacle(task, state, rules, now)
        if obstacle is None and task.status == "todo" and rules.runtime.dispatch.conflicts == "serialise":
            obstacle = _conflict(task, active, state, rules)
        if obstacle is not None:
            waiting.append(obstacle)
            continue
        order = order_for(task, state, rules)
        if order is None:
            waiting.append(Waiting(task_id=task.task_id, reason=f"no registered actor serves it ({task.task_kind})"))
            continue
        orders.append(order)
        if task.status == "todo":
            active.add(task, write_set(task, rules.agent))
    stuck = () if orders or in_flight else tuple(_deadlocked(waiting))
    return Plan(
        orders=tuple(orders),
        waiting=tuple(waiting),
        deadlocked=stuck,
        is_finished=not pending and len(state.tasks) > 0,
    )


def _obstacle(task: Task, state: State, rules: Governance, now: str) -> Waiting | None:
    issue = blocking_issue(task, state, rules)
    if issue is not None:
        reason = f"blocked by the {issue.severity} issue {issue.issue_id}"
        return Waiting(task_id=task.task_id, reason=reason, is_blocked=True)
    if task.status == "todo":
        halting = halting_issue(state, rules)
        if halting is not None and not mends(task, halting):
            reason = f"the {halting.severity} issue {halting.issue_id} halts all new work"
            return Waiting(task_id=task.task_id, reason=reason, is_blocked=True)
    if state.work(task.task_id).attempts >= rules.runtime.attempts.max:
        return Waiting(task_id=task.task_id, reason="has used up its attempts", is_blocked=True)
    hotfix = pending_hotfix(task, state)
    if hotfix is not None:
        return Waiting(task_id=task.task_id, reason=f"waits for the hotfix {hotfix}", on=(hotfix,))
    if task.status == "todo":
        undone = waits_for(task, state)
        if undone:
            return Waiting(task_id=task.task_id, reason=f"waits for {', '.join(undone)}", on=undone)
    free = cooldown_end(task, state, rules)
    if free is not None and parse_ts(now) < free:
        return Waiting(task_id=task.task_id, reason="pauses after a rejection", until=f"{free:%Y-%m-%dT%H:%M:%SZ}")
    return None


def _conflict(task: Task, active: WriteSets, state: State, rules: Governance) -> Waiting | None:
    for other, meeting in active.met(write_set(task, rules.agent)):
        # A task that asked for this hotfix waits for it, and so writes nothing meanwhile.
        if other.task_id != task.task_id and pending_hotfix(other, state) != task.task_id:
            reason = f"would write `{meeting}` at the same time as {other.task_id}"
            return Waiting(task_id=task.task_id, reason=reason, on=(other.task_id,))
    return None


def order_for(task: Task, state: State, rules: Governance) -> Order | None:
    """What the task's next actor is to be asked, or None where nobody is (a done task, a kind without agent)."""
    actor = responsible_actor(task, state, rules)
    if actor not in rules.swarm.actors or task.task_kind not in rules.swarm.resolution.by_task_kind:
        return None
    action = ACTION_OF_STATUS[task.status]
    end = deadline(task, state, rules)
    work = state.work(task.task_id)
    return Order(
        task_id=task.task_id,
        action=action,
        actor=actor,
        attempt=int(getattr(work, action)) + 1,
        template=_template(task, action, actor, rules),
        deadline=None if end is None else f"{end:%Y-%m-%dT%H:%M:%SZ}",
    )


def _template(task: Task, action: str, actor: str, rules: Governance) -> str:
    if action == "review":
        roles = rules.swarm.actors[actor].roles
        return f"{'qa' if 'qa' in roles else roles[0]}.core"
    return rules.swarm.assignment(task.task_kind, task.is_hotfix is True).template  # type: ignore[arg-type]


def _deadlocked(waiting: list[Waiting]) -> list[Waiting]:
    """The waiting tasks that neither time, nor a person's resolving an issue, nor another task can free."""
    freeable = {one.task_id for one in waiting if one.until is not None or one.is_blocked}
    grew = True
    while grew:
        grew = False
        for one in waiting:
            if one.task_id not in freeable and one.on and freeable.issuperset(one.on):
                freeable.add(one.task_id)
                grew = True
    return [one for one in waiting if one.task_id not in freeable]
