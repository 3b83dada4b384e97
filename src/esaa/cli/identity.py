"""`esaa sign`, and what else a person does with the keys of actors: make one, sign what a command composed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esaa.cli.acts import actor_option, read_input
from esaa.cli.face import Face, face_options, pass_face
from esaa.errors import NotFound, UsageError

if TYPE_CHECKING:
    from esaa.runtime.workspace import Workspace
    from esaa.stores.keys import KeyStore


@click.command()
@click.argument("file", metavar="FILE|-")
@actor_option
@face_options
@pass_face
def sign(face: Face, file: str, actor: str) -> None:
    """Sign an agent result with an actor's key, and print it: good for this workspace, task and attempt only.

    Workspaces with `identity: signed` in agents_swarm.yaml take nothing else. The key is the one of `esaa key create
    --actor NAME` on this machine.

    Example: esaa sign result.json --actor agent-impl > signed.json
    """
    from esaa.runtime.identity import present_turn, require_origin, signed

    workspace = face.workspace()
    limits = workspace.rules.agent.output_contract
    result = _result(read_input(file, limits.result_bytes_max), limits.result_bytes_max, limits.depth_max)
    origin = require_origin(workspace.roadmap)
    key = _keys().load(_key_name(workspace, origin, actor))
    if key is None:
        raise NotFound(
            "KEY_NOT_FOUND",
            f"There is no key of {actor} for {origin} on this machine.",
            f"Run `esaa key create --actor {actor}` where the actor works.",
        )
    turn = present_turn(workspace.state(), result)
    click.echo(json.dumps(signed(result, key, workspace=origin, actor=actor, turn=turn), ensure_ascii=True))


def create_actor_key(face: Face, actor: str) -> None:
    """Makes the key of an actor on this machine and prints its public half."""
    from esaa.config import load_config
    from esaa.kernel.checkpoint import format_vkey
    from esaa.runtime.identity import require_origin
    from esaa.stores.keys import KeyStore, refuse_inside

    workspace = face.workspace()
    origin = require_origin(workspace.roadmap)
    name = _key_name(workspace, origin, actor)
    config_dir = Path(load_config().config_dir)
    refuse_inside(config_dir, workspace.root)
    vkey = format_vkey(KeyStore(config_dir).create(name).verifier)
    face.data({"actor": actor, "vkey": vkey}, vkey)
    face.say(f"next: enter it in agents_swarm.yaml as actors.{actor}.key, beside `identity: signed`")


def signed_if_possible(workspace: Workspace, data: bytes, actor: str) -> bytes:
    """A composed result, signed where this machine has the actor's key. Without it, the rules have the word."""
    from esaa.runtime.identity import present_turn, signed
    from esaa.stores.origin import read_origin

    origin = read_origin(workspace.roadmap)
    if origin is None or actor not in workspace.rules.swarm.actors:
        return data
    key = _keys().load(_key_name(workspace, origin, actor))
    if key is None:
        return data
    result: dict[str, Any] = json.loads(data)
    if workspace.state().task(result["activity_event"]["task_id"]) is None:
        return data
    turn = present_turn(workspace.state(), result)
    return json.dumps(signed(result, key, workspace=origin, actor=actor, turn=turn)).encode()


def _result(data: bytes, bytes_max: int, depth_max: int) -> dict[str, Any]:
    from esaa.kernel.strict_json import NotStrict, loads_strict

    try:
        value = loads_strict(data, bytes_max=bytes_max, depth_max=depth_max)
    except NotStrict as error:
        raise UsageError(
            "RESULT_NOT_SIGNABLE", f"The output is not strict JSON: {error}.", "Sign one object."
        ) from error
    if not isinstance(value, dict):
        raise UsageError("RESULT_NOT_SIGNABLE", "The output is no JSON object.", "Sign one agent result.")
    return value


def _key_name(workspace: Workspace, origin: str, actor: str) -> str:
    from esaa.runtime.identity import key_name

    if actor not in workspace.rules.swarm.actors:
        raise UsageError(
            "ACTOR_UNKNOWN",
            f"{actor[:64]!r} is not an actor of this workspace.",
            f"agents_swarm.yaml registers: {', '.join(workspace.rules.swarm.actors)}.",
        )
    return key_name(origin, actor)


def _keys() -> KeyStore:
    from esaa.config import load_config
    from esaa.stores.keys import KeyStore

    return KeyStore(Path(load_config().config_dir))
