"""The C2SP tlog-proof: one file that shows, without the log, that an event lies in it under a signed checkpoint."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from esaa.kernel.checkpoint import (
    ED25519,
    NOTE_BYTES_MAX,
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    Verify,
    checkpoint_of,
    parse_hash,
    parse_note,
    parse_number,
    signed_by,
    speaks_for,
)
from esaa.kernel.merkle import verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
PROOF_BYTES_MAX = 2 * NOTE_BYTES_MAX
HASHES_MAX = 63
"""A tree of fewer than 2**63 leaves is no higher."""


class ProofInvalid(Exception):
    """Bytes that are no proof, or a proof that does not prove it. The text says what is wrong."""


class TlogProof(msgspec.Struct, frozen=True, kw_only=True):
    """That a leaf is leaf `index` of the log whose signed checkpoint is `checkpoint`. `hashes` lead to its root (hex).

    `extra` is what the maker adds; nothing vouches for it.
    """

    index: int
    hashes: tuple[str, ...]
    checkpoint: bytes
    extra: bytes | None = None


def format_proof(proof: TlogProof) -> bytes:
    """The bytes of a proof: `parse_proof` gives it back. Raises `ProofInvalid` for one that can't be written."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(f"extra {base64.b64encode(proof.extra).decode('ascii')}")
    lines.append(f"index {proof.index}")
    try:
        lines += [base64.b64encode(bytes.fromhex(one)).decode("ascii") for one in proof.hashes]
    except ValueError as error:
        raise ProofInvalid("a hash of a proof is 64 hexadecimal digits") from error
    data = "\n".join([*lines, "", ""]).encode("ascii") + proof.checkpoint
    if parse_proof(data) != proof:
        raise ProofInvalid("the parts of this proof do not make one")
    return data


def parse_proof(data: bytes) -> TlogProof:
    """The proof in these bytes. Raises `ProofInvalid`. Nothing is verified."""
    if len(data) > PROOF_BYTES_MAX:
        raise ProofInvalid(f"a proof has at most {PROOF_BYTES_MAX} bytes")
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank:
        raise ProofInvalid("a proof has an empty line before its checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ProofInvalid("the lines of a proof are ASCII") from error
    if lines.pop(0) != HEADER:
        raise ProofInvalid(f"a proof begins with {HEADER}")
    extra = _extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise ProofInvalid("a proof says its index")
    if len(lines) > 1 + HASHES_MAX:
        raise ProofInvalid(f"a proof has at most {HASHES_MAX} hashes")
    try:
        index = parse_number(lines[0].removeprefix("index "), "the index of a proof")
        hashes = tuple(parse_hash(one) for one in lines[1:])
        parse_note(checkpoint)
    except CheckpointInvalid as error:
        raise ProofInvalid(str(error)) from error
    return TlogProof(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)


def check_proof(proof: TlogProof, leaf: str, keys: Sequence[VerifierKey], verify: Verify) -> Checkpoint:
    """The checkpoint under which the proof puts this leaf hash, signed by one of these keys for that very log.

    Raises `ProofInvalid` naming what is wrong.
    """
    checkpoint = signed_checkpoint(proof.checkpoint, keys, verify)
    if proof.index >= checkpoint.size:
        raise ProofInvalid(f"the proof is about leaf {proof.index}, and its checkpoint covers {checkpoint.size} leaves")
    if not verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root):
        raise ProofInvalid(f"this is not leaf {proof.index} of the log that the checkpoint is about")
    return checkpoint


def signed_checkpoint(note: bytes, keys: Sequence[VerifierKey], verify: Verify) -> Checkpoint:
    """The checkpoint in a note that one of these keys signed for its log. Raises `ProofInvalid`."""
    try:
        parsed = parse_note(note)
        checkpoint = checkpoint_of(parsed)
        signed = [
            key
            for key in keys
            if key.algorithm == ED25519 and speaks_for(key, checkpoint.origin) and signed_by(parsed, key, verify)
        ]
    except CheckpointInvalid as error:
        raise ProofInvalid(str(error)) from error
    if not signed:
        raise ProofInvalid(f"none of the keys given signed the checkpoint of {checkpoint.origin}")
    return checkpoint


def _extra(line: str) -> bytes:
    text = line.removeprefix("extra ")
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofInvalid("the extra data of a proof is base64") from error
    if base64.b64encode(found).decode("ascii") != text:
        raise ProofInvalid("the extra data of a proof is base64 in its one canonical form")
    return found
