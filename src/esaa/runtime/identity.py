"""Checks who signed a submission, and signs one: cryptography and files, which `protocol/identity` must not know."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from esaa.errors import NotFound, UsageError
from esaa.protocol.commands import Submit
from esaa.protocol.identity import Turn, message_of, signature_bytes, signing_message, turn_of
from esaa.protocol.signature import SIGNATURE_KEY, digest_of_result
from esaa.protocol.state import State
from esaa.stores.origin import read_origin

if TYPE_CHECKING:
    from esaa.contracts.governance import Governance
    from esaa.stores.keys import SigningKey


def with_identity(command: Submit, roadmap: Path, rules: Governance) -> Submit:
    """The submission with what the check of its signature found. Where no signature is asked for, as it was."""
    actor = rules.swarm.actors.get(command.actor)
    presented = command.result.signature
    if rules.swarm.identity != "signed" or actor is None or actor.key is None or presented is None:
        return command
    # Loaded here: who works unsigned pays for no cryptography.
    from esaa.kernel.checkpoint import parse_vkey
    from esaa.stores.keys import verify_ed25519

    workspace = read_origin(roadmap)
    public = parse_vkey(actor.key).public
    is_genuine = verify_ed25519(public, message_of(command, presented), signature_bytes(presented))
    return msgspec.structs.replace(command, workspace=workspace, is_genuine=is_genuine)


def key_name(origin: str, actor: str) -> str:
    """The name of an actor's key for one workspace."""
    return f"{origin}/actor/{actor}"


def require_origin(roadmap: Path) -> str:
    """The workspace's name in signatures. Raises `NotFound` where it has none yet."""
    origin = read_origin(roadmap)
    if origin is None:
        raise NotFound(
            "ORIGIN_NOT_FOUND",
            f"The workspace {roadmap.parent} has no name that a signature could be bound to.",
            "`esaa key create` draws one.",
        )
    return origin


def present_turn(state: State, result: dict[str, Any]) -> Turn:
    """The turn that a result would belong to now. Raises `NotFound` for a task that is not there."""
    event = result.get("activity_event")
    task_id = event.get("task_id") if isinstance(event, dict) else None
    task = state.task(task_id) if isinstance(task_id, str) else None
    if task is None:
        raise NotFound("TASK_NOT_FOUND", f"There is no task {task_id!r:.80}.", "`esaa task list` names all tasks.")
    return turn_of(task, state)


def signed(result: dict[str, Any], key: SigningKey, *, workspace: str, actor: str, turn: Turn) -> dict[str, Any]:
    """The result with the signature of an actor. Raises `UsageError` for what is no result, or is signed already."""
    event = result.get("activity_event")
    if not isinstance(event, dict) or SIGNATURE_KEY in result:
        why = "is signed already" if SIGNATURE_KEY in result else "has no `activity_event`"
        raise UsageError("RESULT_NOT_SIGNABLE", f"The output {why}.", "Sign one agent result, once.")
    task_id, action = event.get("task_id"), event.get("action")
    if not isinstance(task_id, str) or not isinstance(action, str):
        raise UsageError("RESULT_NOT_SIGNABLE", "The output names no task and action.", "Sign one agent result.")
    message = signing_message(
        workspace=workspace,
        actor=actor,
        task_id=task_id,
        action=action,
        turn=turn,
        result_sha256=digest_of_result(result),
    )
    value = base64.b64encode(key.sign(message)).decode()
    return {**result, SIGNATURE_KEY: {"workspace": workspace, "ask": turn.ask, "attempt": turn.attempt, "value": value}}
