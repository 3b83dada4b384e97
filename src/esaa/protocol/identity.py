"""Who really sent a result: the signature that it carries, what the signature is over, and what its lack leads to.

A signature binds a result to the workspace, the task, the act and the attempt that it was made for, so it is worth
nothing anywhere else, and nothing a second time. Whether the key made it is found out by who has cryptography; what
follows from the answer is decided here.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from esaa.contracts.governance import Governance
from esaa.kernel.canonical import canonical
from esaa.kernel.decider import Rejected
from esaa.protocol.commands import Submit
from esaa.protocol.rejections import reject
from esaa.protocol.result import Refused
from esaa.protocol.signature import PresentedSignature
from esaa.protocol.state import State
from esaa.protocol.task_table import Task

_DOMAIN = b"esaa-submission/v1\n"
_ASK_OF_STATUS = {"todo": "claim", "in_progress": "complete", "review": "review"}
_REPORT = "report"


class Turn(msgspec.Struct, frozen=True):
    """Whose turn an output is: what a task's next actor is asked for, and for the how-manieth time.

    Every output that is taken or counted ends the turn, so no turn comes twice. Of a done task nothing is asked; what
    is still reported about it is counted under `report`.
    """

    ask: str
    attempt: int


def signing_message(*, workspace: str, actor: str, task_id: str, action: str, turn: Turn, result_sha256: str) -> bytes:
    """What a submission's signature is over: a domain, and the canonical JSON of everything that it is bound to."""
    bound: dict[str, Any] = {
        "action": action,
        "actor": actor,
        "ask": turn.ask,
        "attempt": turn.attempt,
        "result_sha256": result_sha256,
        "task_id": task_id,
        "workspace": workspace,
    }
    return _DOMAIN + canonical(bound) + b"\n"


def message_of(command: Submit, presented: PresentedSignature) -> bytes:
    """What the signature of a submission would be over, if it is what it says it is."""
    result = command.result
    if isinstance(result, Refused):
        task_id, action = result.task_id or "", result.source_action or ""
    else:
        task_id, action = result.intention.task_id, result.intention.action
    return signing_message(
        workspace=presented.claims.workspace,
        actor=command.actor,
        task_id=task_id,
        action=action,
        turn=Turn(presented.claims.ask, presented.claims.attempt),
        result_sha256=presented.result_sha256,
    )


def signature_bytes(presented: PresentedSignature) -> bytes:
    """The 64 bytes of the signature. It was looked at when it was parsed."""
    return base64.b64decode(presented.claims.value)


def turn_of(task: Task, state: State) -> Turn:
    """The turn that the next output on a task belongs to. While the task is not done, it is what the context asks."""
    ask, work = _ASK_OF_STATUS.get(task.status, _REPORT), state.work(task.task_id)
    return Turn(ask, 1 + int(getattr(work, "review" if ask == _REPORT else ask)))


def refuse_identity(command: Submit, state: State, rules: Governance) -> Rejected | None:
    """Why a submission is not taken for the actor's own, or None. Asked before anything else is asked of it.

    What anybody may have sent costs the actor no attempt. What the orchestrator asked for came from the agent it
    asked, and costs one: else an agent that never signs would be asked for ever.
    """
    if rules.swarm.identity != "signed":
        return None
    result, counts = command.result, command.asked_task_id is not None
    presented = result.signature
    key = rules.swarm.actors[command.actor].key
    if presented is None:
        if isinstance(result, Refused) and (counts or result.rejected.error_code == "IDENTITY_INVALID"):
            return msgspec.structs.replace(result.rejected, counts=counts and result.rejected.counts)
        return reject(
            "IDENTITY_MISSING",
            f"The output for {command.actor} carries no signature, and this workspace takes only signed ones.",
            f"Sign it: `esaa sign FILE --actor {command.actor}`.",
            counts=counts,
        )
    if key is None:
        return reject(
            "IDENTITY_UNREGISTERED",
            f"agents_swarm.yaml has no key for {command.actor}.",
            f"Enter the public key of `esaa key create --actor {command.actor}` there.",
            counts=counts,
        )
    if not command.is_genuine:
        return reject(
            "IDENTITY_INVALID",
            f"The signature was not made by {command.actor}'s registered key over this output, task and attempt.",
            "Sign the very output that is sent, with the key whose public half is registered.",
            counts=counts,
        )
    return _refuse_replay(command, presented, state, counts=counts)


def _refuse_replay(command: Submit, presented: PresentedSignature, state: State, *, counts: bool) -> Rejected | None:
    claims = presented.claims
    if claims.workspace != command.workspace:
        return reject(
            "IDENTITY_REPLAYED",
            f"The signature was made for the workspace {claims.workspace}, and this is {command.workspace}.",
            "Sign the output for this workspace.",
            counts=counts,
        )
    result = command.result
    task_id = result.task_id if isinstance(result, Refused) else result.intention.task_id
    task = None if task_id is None else state.task(task_id)
    turn = None if task is None else turn_of(task, state)
    if turn is not None and turn != Turn(claims.ask, claims.attempt):
        return reject(
            "IDENTITY_REPLAYED",
            f"The signature was made for attempt {claims.attempt} to {claims.ask:.40} {task_id}; now it is attempt"
            f" {turn.attempt} to {turn.ask}.",
            "Sign what is meant for the present attempt; the context names it under `ask`.",
            counts=counts,
        )
    return None


def recorded_signature(command: Submit, rules: Governance) -> dict[str, Any] | None:
    """What an accepted act keeps of its signature, enough for anyone to check it; None where nothing was asked for."""
    presented = command.result.signature
    if rules.swarm.identity != "signed" or presented is None:
        return None
    return {
        "ask": presented.claims.ask,
        "attempt": presented.claims.attempt,
        "key": rules.swarm.actors[command.actor].key,
        "result_sha256": presented.result_sha256,
        "value": presented.claims.value,
        "workspace": presented.claims.workspace,
    }
