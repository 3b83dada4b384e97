"""`esaa anchor`: copies of checkpoints elsewhere, and what became of them. `esaa witness`: a witness for others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from esaa.cli.face import Face, FaceGroup, exit_with, face_options, pass_face
from esaa.errors import EsaaError, NotFound, UsageError

if TYPE_CHECKING:
    from esaa.kernel.checkpoint import VerifierKey
    from esaa.runtime.trust.anchoring import Anchoring, Comparison
    from esaa.stores.keys import KeyStore

_stream_option = click.option(
    "--stream", metavar="STREAM", help="A stream of the trail, such as PROJ-123; without it, the log."
)


@click.group(cls=FaceGroup)
@face_options
def anchor() -> None:
    """Copies of checkpoints elsewhere: only they show a history that was rewritten by whoever has the key.

    Example: esaa anchor put
    """


@anchor.command()
@click.option("--to", "names", multiple=True, metavar="NAME", help="Only this anchor. May be given often.")
@_stream_option
@face_options
@pass_face
def put(face: Face, names: tuple[str, ...], stream: str | None) -> None:
    """Put the newest checkpoint into the anchors of .roadmap/anchors.yaml, and keep what they answer.

    Ends with 9 where an anchor failed; the others were asked all the same.

    Example: esaa anchor put --to backup
    """
    anchoring = _anchoring(face, stream)
    done: list[object] = []
    failed: EsaaError | None = None
    for name in _named(anchoring, names):
        try:
            receipt = anchoring.put(name)
        except EsaaError as error:
            if error.exit_code != 9:
                raise
            face.warn(f"{name}: {error}")
            failed = error
            continue
        done.append(msgspec.to_builtins(receipt))
        if not face.is_json:
            told = "".join(f", {key} {value[:40]}" for key, value in receipt.detail.items())
            face.data(None, f"{name}: event #{receipt.size} in {receipt.where}{told}")
    if face.is_json:
        face.data(done)
    exit_with(0 if failed is None else failed.exit_code)


@anchor.command(name="list")
@face_options
@pass_face
def list_(face: Face) -> None:
    """List the receipts of what was anchored: where, up to which event, and when.

    Example: esaa anchor list
    """
    from esaa.cli.terminal import columns
    from esaa.stores.anchor_receipts import ReceiptStore, label_of
    from esaa.stores.disk import Disk
    from esaa.stores.layout import ROADMAP

    found = ReceiptStore(face.find_root() / ROADMAP, Disk()).all()
    rows = [(one.anchor, one.kind, label_of(one.origin), f"#{one.size}", one.at, one.where) for one in found]
    face.data(msgspec.to_builtins(found), *columns(rows))
    if not found:
        face.say("nothing was anchored yet; next: esaa anchor put")


@anchor.command()
@click.option("--from", "names", multiple=True, metavar="NAME", help="Only this anchor. May be given often.")
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="Believe this public key too. May be given often.")
@_stream_option
@face_options
@pass_face
def check(face: Face, names: tuple[str, ...], keys: tuple[str, ...], stream: str | None) -> None:
    """Fetch every checkpoint that the anchors have, and compare each with the log as it is now.

    Ends with 4 where an anchor holds what the log is not, with 9 where one could not be asked, with 1 where nothing
    is anchored.

    Example: esaa anchor check
    """
    anchoring = _anchoring(face, stream)
    trusted = [*_trusted(face.find_root()), *(_key(one) for one in keys)]
    found = anchoring.compare(_named(anchoring, names), trusted)
    for name, reason in found.failed.items():
        face.warn(f"{name}: {reason}")
    face.data(
        {**msgspec.to_builtins(found), "anchored_through": found.anchored_through},
        *(f"{one.anchor}: event #{one.size} {_STANDINGS[one.standing]}" for one in found.checkpoints),
        f"anchored through event #{found.anchored_through}",
    )
    exit_with(_exit_code(found))


_STANDINGS = {
    "holds": "holds: the log begins with it",
    "differs": "DIFFERS: the log was rewritten",
    "beyond": "BEYOND: the log had more events",
    "unsigned": "is signed by no key that is trusted here",
    "deleted": "is about events that retention deleted",
}


def _exit_code(found: Comparison) -> int:
    if found.is_contradicted:
        return 4
    if found.failed:
        return 9
    return 0 if found.anchored_through else 1


@click.group(cls=FaceGroup)
@face_options
def witness() -> None:
    """A small witness for the logs of others: it cosigns one history of each, and remembers which.

    Example: esaa witness serve w1.example --log "$(cat log.vkey)"
    """


@witness.command(name="key")
@click.argument("name")
@face_options
@pass_face
def witness_key(face: Face, name: str) -> None:
    """Print the public key of the witness NAME on this machine; make the witness where there is none.

    Example: esaa witness key w1.example
    """
    from esaa.kernel.checkpoint import format_vkey
    from esaa.runtime.trust.witness import cosigner
    from esaa.stores.disk import Disk

    keys = _keys()
    key = keys.load(name)
    if key is None:
        Disk().mkdir(_state(name), 0o700)
        key = keys.create(name)
        face.say(f"made the witness {name}; what it signs it remembers in {_state(name)}")
    vkey = format_vkey(cosigner(key))
    face.data({"name": name, "vkey": vkey}, vkey)


@witness.command()
@click.argument("name")
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY", help="The public key of a log, or a file.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8780, show_default=True, help="The port; 0 takes any.")
@face_options
@pass_face
def serve(face: Face, name: str, logs: tuple[str, ...], host: str, port: int) -> None:
    """Serve the witness NAME over HTTP (C2SP tlog-witness) until it is stopped. Put TLS before it in public networks.

    Example: esaa witness serve w1.example --log log.vkey --port 8780
    """
    from esaa.runtime.clock import SystemClock
    from esaa.runtime.trust.witness import Witness, WitnessServer
    from esaa.stores.disk import Disk

    key = _keys().load(name)
    if key is None:
        raise NotFound(
            "KEY_NOT_FOUND", f"There is no witness {name} on this machine.", f"Run `esaa witness key {name}`."
        )
    known = [one for text in logs for one in _key_or_file(text)]
    server = WitnessServer((host, port), Witness(_state(name), key, known, SystemClock(), Disk()))
    address = f"http://{host}:{server.server_port}"
    face.data({"name": name, "url": address}, f"{name} serves {address}")
    sys.stdout.flush()
    with server:
        server.serve_forever()


def _anchoring(face: Face, stream: str | None) -> Anchoring:
    from esaa.open import open_anchoring
    from esaa.runtime.trail.states import check_stream

    if stream is not None:
        check_stream(stream)
    return open_anchoring(face.find_root(), stream)


def _named(anchoring: Anchoring, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names and not anchoring.names:
        raise UsageError(
            "ANCHORS_NONE", "No anchor is configured.", "Write .roadmap/anchors.yaml: docs/how-to/anchor-a-log.md."
        )
    return names or anchoring.names


def _trusted(root: Path) -> tuple[VerifierKey, ...]:
    from esaa.stores.layout import ROADMAP
    from esaa.stores.origin import read_origin

    origin = read_origin(root / ROADMAP)
    return () if origin is None else _keys().known(origin)


def _keys() -> KeyStore:
    from esaa.config import load_config
    from esaa.stores.keys import KeyStore

    return KeyStore(Path(load_config().config_dir))


def _state(name: str) -> Path:
    from esaa.config import load_config

    return Path(load_config().config_dir) / "witness" / name.replace("/", "+")


def _key(text: str) -> VerifierKey:
    from esaa.cli.anchored import parse_key

    return parse_key(text)


def _key_or_file(text: str) -> list[VerifierKey]:
    from esaa.cli.proofs import keys_in

    return keys_in(text)
