"""`esaa key`: the keys that sign checkpoints, and whose checkpoints this machine believes. `esaa checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from esaa.cli.anchored import parse_key
from esaa.cli.face import Face, FaceGroup, face_options, pass_face
from esaa.errors import NotFound, UsageError

if TYPE_CHECKING:
    from esaa.kernel.checkpoint import Checkpoint, VerifierKey
    from esaa.stores.keys import KeyStore


@click.group(cls=FaceGroup)
@face_options
def key() -> None:
    """The keys that sign checkpoints. Private ones lie in the user's config directory, never in a workspace.

    Example: esaa key show
    """


@key.command()
@click.option("--actor", metavar="NAME", help="Make the key of an actor of agents_swarm.yaml, who signs submissions.")
@face_options
@pass_face
def create(face: Face, actor: str | None) -> None:
    """Name this workspace's log, where it has no name yet, and make the key that signs it on this machine.

    With --actor, make the key that signs the submissions of an actor instead, and print its public half.

    Example: esaa key create
    """
    if actor is not None:
        from esaa.cli.identity import create_actor_key

        create_actor_key(face, actor)
        return
    from esaa.config import load_config
    from esaa.kernel.checkpoint import format_vkey
    from esaa.open import open_checkpoints

    workspace = face.writable()
    with workspace.writing():
        made = open_checkpoints(workspace, load_config()).begin()
    vkey = format_vkey(made.verifier)
    face.data({"origin": made.verifier.name, "vkey": vkey}, vkey)
    face.say("give this public key to whoever verifies elsewhere: `esaa verify --key VKEY`")
    face.say("next: esaa checkpoint")


@key.command()
@face_options
@pass_face
def show(face: Face) -> None:
    """Print the public key that signs this workspace's log on this machine, as verifiers take it.

    Example: esaa key show
    """
    from esaa.kernel.checkpoint import format_vkey

    origin = _origin(face.find_root())
    found = _keys().load(origin)
    if found is None:
        raise NotFound("KEY_NOT_FOUND", f"There is no key for {origin} on this machine.", "Run `esaa key create`.")
    vkey = format_vkey(found.verifier)
    face.data({"origin": origin, "vkey": vkey}, vkey)


@key.command(name="list")
@face_options
@pass_face
def list_(face: Face) -> None:
    """List every public key that this machine trusts, and for which log.

    Example: esaa key list
    """
    from esaa.cli.terminal import columns

    keys = _keys()
    rows: list[tuple[str, str, str]] = []
    for name in keys.names():
        own = keys.load(name)
        mine = None if own is None else own.verifier
        rows += [(name, "signs" if one == mine else "trusted", _vkey(one)) for one in keys.known(name)]
    face.data([{"origin": name, "use": use, "vkey": vkey} for name, use, vkey in rows], *columns(rows))


@key.command()
@face_options
@pass_face
def rotate(face: Face) -> None:
    """Put a new key in the place of the one in force, brought in by a checkpoint that both have signed.

    Example: esaa key rotate
    """
    from esaa.config import load_config
    from esaa.open import open_checkpoints

    _origin(face.find_root())
    workspace = face.writable()
    with workspace.writing():
        workspace.state()
        old, new, made = open_checkpoints(workspace, load_config()).rotate()
    answer = {"vkey_before": _vkey(old.verifier), "vkey": _vkey(new.verifier), "checkpoint": _view(made)}
    face.data(answer, _vkey(new.verifier))
    if made is not None:
        face.say(f"both keys signed event #{made.size}; the old public key stays trusted on this machine")


@key.command()
@click.argument("vkey")
@click.option("--origin", metavar="NAME", help="The log that it signs (default: this workspace's).")
@face_options
@pass_face
def trust(face: Face, vkey: str, origin: str | None) -> None:
    """Believe the checkpoints that a public key signs, VKEY as `esaa key show` prints it elsewhere.

    Example: esaa key trust "$(cat colleague.vkey)"
    """
    found = parse_key(vkey)
    name = origin or _origin(face.find_root())
    from esaa.kernel.checkpoint import speaks_for

    if not speaks_for(found, name):
        raise UsageError(
            "KEY_FOR_ANOTHER_LOG",
            f"The key is named {found.name}, and this log {name}.",
            "Ask for the key of this very log, or name the log with --origin.",
        )
    _keys().trust(name, found)
    face.data({"origin": name, "vkey": _vkey(found)}, f"trusted for {name}: {_vkey(found)}")


@click.command()
@click.option("--stream", metavar="STREAM", help="A stream of the trail, such as PROJ-123 or global.")
@face_options
@pass_face
def checkpoint(face: Face, stream: str | None) -> None:
    """Sign the head of the log now, keep that checkpoint, and print it: a copy kept elsewhere anchors the log.

    Example: esaa checkpoint > /media/backup/checkpoint
    """
    origin = _origin(face.find_root())
    if not _keys().has(origin):
        raise NotFound("KEY_NOT_FOUND", f"There is no key for {origin} on this machine.", "Run `esaa key create`.")
    made, note = _of_log(face) if stream is None else _of_stream(face, stream)
    if made is None or note is None:
        raise NotFound("LOG_EMPTY", "There is no event to sign yet.", "Record something first.")
    face.data({"checkpoint": _view(made), "note": note.decode()}, *note.decode().splitlines())
    face.say(f"signed: {made.origin} at event #{made.size}")


def _of_log(face: Face) -> tuple[Checkpoint | None, bytes | None]:
    workspace = face.writable()
    with workspace.writing():
        workspace.state()
        checkpoints = workspace.checkpoints()
        made = None if checkpoints is None else checkpoints.make("demand")
    from esaa.stores.checkpoints import CHECKPOINTS, LATEST, read_note

    return made, read_note(workspace.roadmap / CHECKPOINTS / LATEST)


def _of_stream(face: Face, stream: str) -> tuple[Checkpoint | None, bytes | None]:
    from esaa.open import open_trail
    from esaa.runtime.trail.states import check_stream
    from esaa.runtime.trust.trail_checkpoints import stream_checkpoints
    from esaa.stores.checkpoints import LATEST

    check_stream(stream)
    trail = open_trail(face.find_root())
    made = None if trail.open_checkpoints is None else trail.open_checkpoints().make(stream, "demand")
    return made, stream_checkpoints(trail.store, stream).read(LATEST)


def _keys() -> KeyStore:
    from esaa.config import load_config
    from esaa.stores.keys import KeyStore

    return KeyStore(Path(load_config().config_dir))


def _origin(root: Path) -> str:
    from esaa.stores.layout import ROADMAP
    from esaa.stores.origin import read_origin

    origin = read_origin(root / ROADMAP)
    if origin is None:
        raise NotFound(
            "ORIGIN_NOT_FOUND", f"The log in {root} has no name to be signed under.", "Run `esaa key create`."
        )
    return origin


def _vkey(found: VerifierKey) -> str:
    from esaa.kernel.checkpoint import format_vkey

    return format_vkey(found)


def _view(made: Checkpoint | None) -> dict[str, object] | None:
    return None if made is None else {"origin": made.origin, "size": made.size, "root": made.root}
