"""What a witness decides: the request `add-checkpoint` of C2SP tlog-witness, and whether a checkpoint is cosigned.

A witness signs one history of each log: never a smaller tree after a larger one, and never one that does not begin
with what it signed before.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from esaa.kernel.checkpoint import (
    NOTE_BYTES_MAX,
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    Verify,
    checkpoint_of,
    parse_hash,
    parse_note,
    parse_number,
    speaks_for,
)
from esaa.kernel.merkle import EMPTY_ROOT, verify_consistency
from esaa.kernel.tlog_proof import ProofInvalid, signed_checkpoint

HASHES_MAX = 63
REQUEST_BYTES_MAX = NOTE_BYTES_MAX + 4096


class AddCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A request: the size that the witness is thought to know, the proof from there (hex), and the signed note."""

    old_size: int
    proof: tuple[str, ...]
    note: bytes


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a checkpoint is not cosigned. `status` is that of HTTP; `size` is what the witness knows, with a 409."""

    status: int
    reason: str
    size: int | None = None


def format_request(request: AddCheckpoint) -> bytes:
    """The bytes of a request: `parse_request` gives it back."""
    lines = [base64.b64encode(bytes.fromhex(one)).decode("ascii") for one in request.proof]
    return "\n".join([f"old {request.old_size}", *lines, "", ""]).encode("ascii") + request.note


def parse_request(data: bytes) -> AddCheckpoint | Refusal:
    """The request in these bytes, or the refusal of what is none."""
    if len(data) > REQUEST_BYTES_MAX:
        return Refusal(status=413, reason=f"a request has at most {REQUEST_BYTES_MAX} bytes")
    head, blank, note = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    if not blank or not lines[0].startswith("old "):
        return _malformed("a request begins with the old size and has an empty line before the checkpoint")
    if len(lines) > 1 + HASHES_MAX:
        return _malformed(f"a request has at most {HASHES_MAX} hashes")
    try:
        return AddCheckpoint(
            old_size=parse_number(lines[0].removeprefix("old "), "the old size"),
            proof=tuple(parse_hash(one) for one in lines[1:]),
            note=note,
        )
    except CheckpointInvalid as error:
        return _malformed(str(error))


def origin_of(request: AddCheckpoint) -> str | Refusal:
    """The log that a request is about: under its name the witness looks up what it knows."""
    try:
        return checkpoint_of(parse_note(request.note)).origin
    except CheckpointInvalid as error:
        return _malformed(str(error))


def judge(
    request: AddCheckpoint, known: Checkpoint | None, keys: Sequence[VerifierKey], verify: Verify
) -> Checkpoint | Refusal:
    """The checkpoint to cosign, or why not. `known` is the one cosigned last for the origin, `keys` are the logs'."""
    origin = origin_of(request)
    if isinstance(origin, Refusal):
        return origin
    if not any(speaks_for(key, origin) for key in keys):
        return Refusal(status=404, reason=f"this witness does not know the log {origin}")
    try:
        checkpoint = signed_checkpoint(request.note, keys, verify)
    except ProofInvalid as error:
        return Refusal(status=403, reason=str(error))
    size, root = (0, EMPTY_ROOT) if known is None else (known.size, known.root)
    if request.old_size > checkpoint.size:
        return _malformed("the old size is above that of the checkpoint")
    if request.old_size != size:
        return Refusal(status=409, reason=f"the last checkpoint cosigned has {size} leaves", size=size)
    if checkpoint.size == size and checkpoint.root != root:
        return Refusal(status=409, reason=f"another root was cosigned for {size} leaves", size=size)
    if not verify_consistency(size, root, checkpoint.size, checkpoint.root, request.proof):
        return Refusal(status=422, reason=f"the proof does not show that the log begins with its first {size} leaves")
    return checkpoint


def _malformed(reason: str) -> Refusal:
    return Refusal(status=400, reason=reason)
