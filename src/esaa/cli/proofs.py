"""`esaa prove`, which makes proofs from a log, and `esaa check-proof`, which needs nothing but the proof and a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from esaa.cli.face import Face, exit_with, face_options, pass_face
from esaa.errors import NotFound, UsageError

if TYPE_CHECKING:
    from esaa.kernel.checkpoint import Note, VerifierKey
    from esaa.kernel.ingest import Limit
    from esaa.runtime.trust.proving import ProvableLog, Proved

_NAME = re.compile(r"0|[1-9][0-9]{0,18}|latest")


@click.command()
@click.argument("event", metavar="[EVENT]", required=False)
@click.option("--stream", metavar="STREAM", help="A stream of the trail, such as PROJ-123; without it, the log.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the proof there, and say so.")
@click.option("--with-event", is_flag=True, help="Put the event itself into the receipt.")
@click.option(
    "--consistency",
    nargs=2,
    metavar="A B",
    help="Prove that checkpoint B continues A: each a kept one's size, `latest`, or a file.",
)
@face_options
@pass_face
def prove(
    face: Face, event: str | None, stream: str | None, out: Path | None, with_event: bool, consistency: tuple[str, str]
) -> None:
    """Prove an event: a receipt that shows, without this log, that it is in it. EVENT as in `esaa show`.

    The receipt is a C2SP tlog-proof under the newest checkpoint. Whoever has the event, the receipt and the public key
    can check it with `esaa check-proof`, or with any other tool for that format.

    Example: esaa prove EV-00000012 --out event-12.tlog-proof
    """
    from esaa.kernel.tlog_proof import TlogProof
    from esaa.open import open_provable
    from esaa.runtime.trail.states import check_stream
    from esaa.runtime.trust.proving import formatted

    if (event is None) == (not consistency):
        raise UsageError("USAGE", "Name an event, or two checkpoints with --consistency.", "See `esaa prove --help`.")
    if stream is not None:
        check_stream(stream)
    log = open_provable(face.find_root(), stream)
    made = (
        log.receipt(*_located(face, event, stream), with_event=with_event)
        if event is not None
        else log.continuation(*(_note(log, one) for one in consistency))
    )
    data = formatted(made)
    if out is not None:
        out.write_bytes(data)
    what = (
        f"event #{made.index + 1}"
        if isinstance(made, TlogProof)
        else f"{consistency[1]} continues {consistency[0]}, {len(made.hashes)} hashes"
    )
    lines = [f"wrote {out}: {what}"] if out is not None else data.decode().splitlines()
    face.data({"proof": data.decode(), "out": None if out is None else str(out)}, *lines)
    if out is not None:
        face.say(f"check it anywhere: esaa check-proof {out} --key VKEY")


@click.command("check-proof")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--event", type=click.Path(allow_dash=True), help="The file that holds the event's stored line.")
@click.option("--line", help="The event's stored line itself.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="VKEY",
    help="A public key that you trust, of the log or of a witness, or the file that holds it; may be given often."
    " Without any, the keys that this machine trusts for the log count.",
)
@face_options
@pass_face
def check_proof(face: Face, file: str, event: str | None, line: str | None, keys: tuple[str, ...]) -> None:
    """Check a receipt or a consistency proof, offline and without any workspace.

    Every witness whose key is given must have signed the checkpoint. Ends with 0 where the proof holds, else with 1.

    Example: esaa check-proof event-12.tlog-proof --event event-12.json --key log.vkey
    """
    from esaa.kernel.checkpoint import ED25519
    from esaa.kernel.head_proof import BYTES_MAX
    from esaa.kernel.ingest import BATCH_LINE, Limit
    from esaa.kernel.tlog_proof import ProofInvalid
    from esaa.runtime.trust.proving import check, origin_of

    if event is not None and line is not None:
        raise UsageError("USAGE", "The event is given with --event or with --line.", "Leave one of them out.")
    data = _read(file, Limit(BYTES_MAX))
    stored = line.encode() if line is not None else None if event is None else _read(event, BATCH_LINE)
    stored = stored.removesuffix(b"\n") if stored is not None and event is not None else stored
    trusted = [one for text in keys for one in keys_in(text)]
    try:
        if not any(one.algorithm == ED25519 for one in trusted):
            trusted += _known(origin_of(data))
        found = check(data, stored, trusted)
    except ProofInvalid as error:
        _refuse(face, str(error))
    face.data({"holds": True, **msgspec.to_builtins(found)}, *_told(found))


def _located(face: Face, event: str, stream: str | None) -> tuple[int, bytes]:
    from esaa.open import find_log, open_trail
    from esaa.runtime.clock import SystemClock
    from esaa.runtime.timeline import events_in
    from esaa.runtime.trail.moments import sequence_of

    if ".." in event:
        raise UsageError("REF_INVALID", f"{event!r} names more than one event.", "Prove one at a time.")
    if stream is None:
        for line, recorded in events_in(find_log(face.find_root()), event, SystemClock().now()):
            return recorded.version, line
        raise NotFound("EVENT_NOT_FOUND", f"There is no event {event!r}.", "`esaa log -n 5` shows the last ones.")
    trail = open_trail(face.find_root())
    sequence = sequence_of(trail, stream, event)
    found = trail.store.stream(stream).line_at(sequence) if sequence else None
    if found is None:
        raise NotFound("EVENT_NOT_FOUND", f"{stream} has no event {event!r}.", "`esaa query` looks for it.")
    return sequence, found


def _note(log: ProvableLog, text: str) -> Note:
    from esaa.kernel.ingest import SIGNED_NOTE
    from esaa.runtime.trust.proving import read_checkpoint

    return log.note(text) if _NAME.fullmatch(text) else read_checkpoint(_read(text, SIGNED_NOTE), text)


def keys_in(text: str) -> list[VerifierKey]:
    """The public keys in a text, or in the file that it names. Raises `UsageError`."""
    from esaa.cli.anchored import parse_key
    from esaa.kernel.ingest import SETTINGS

    if not Path(text).is_file():
        return [parse_key(text)]
    data = _read(text, SETTINGS).decode("utf-8", "replace")
    return [parse_key(line) for line in data.splitlines() if line.strip()]


def _known(origin: str) -> list[VerifierKey]:
    from esaa.config import load_config
    from esaa.stores.keys import KeyStore, is_key_name

    name = origin.partition("/trail/")[0]
    return list(KeyStore(Path(load_config().config_dir)).known(name)) if is_key_name(name) else []


def _read(name: str, limit: Limit) -> bytes:
    from esaa.kernel.ingest import NotIngested
    from esaa.stores.outside import read_named

    try:
        return read_named(name, limit)
    except NotIngested as error:
        raise UsageError("FILE_UNREADABLE", f"{name} cannot be taken: {error}.", "Name the right file.") from error


def _told(found: Proved) -> list[str]:
    from datetime import UTC, datetime

    lines = [
        f"event #{found.sequence} of {found.origin}, as its first {found.size} events were signed"
        if found.kind == "event"
        else f"{found.origin}: its first {found.size} events begin with the {found.since} signed before"
    ]
    lines += [
        f"seen by {name} at {datetime.fromtimestamp(time, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}"
        for name, time in found.seen
    ]
    return [*lines, "the proof holds"]


def _refuse(face: Face, reason: str) -> NoReturn:
    face.data({"holds": False, "reason": reason}, f"the proof does not hold: {reason}")
    exit_with(1)
