"""One file that shows, without the log, that a signed checkpoint continues an earlier one and changed nothing in it.

```text
esaa/consistency-proof@v1
<hashes of RFC 6962, 2.1.2, in base64, one on a line>

<the earlier checkpoint, with its signatures>

<the later checkpoint, with its signatures>
```
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import msgspec

from esaa.kernel.checkpoint import (
    NOTE_BYTES_MAX,
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    Verify,
    parse_hash,
    parse_note,
)
from esaa.kernel.merkle import verify_consistency
from esaa.kernel.tlog_proof import ProofInvalid, signed_checkpoint

HEADER = "esaa/consistency-proof@v1"
BYTES_MAX = 3 * NOTE_BYTES_MAX
HASHES_MAX = 63


class HeadProof(msgspec.Struct, frozen=True, kw_only=True):
    """That the log of the note `later` begins with the one of `earlier`. `hashes` are hex."""

    hashes: tuple[str, ...]
    earlier: bytes
    later: bytes


def format_head_proof(proof: HeadProof) -> bytes:
    """The bytes of a proof: `parse_head_proof` gives it back. Raises `ProofInvalid` for one that can't be written."""
    try:
        lines = [base64.b64encode(bytes.fromhex(one)).decode("ascii") for one in proof.hashes]
    except ValueError as error:
        raise ProofInvalid("a hash of a proof is 64 hexadecimal digits") from error
    data = "\n".join([HEADER, *lines, "", ""]).encode("ascii") + proof.earlier + b"\n" + proof.later
    if parse_head_proof(data) != proof:
        raise ProofInvalid("the parts of this proof do not make one")
    return data


def parse_head_proof(data: bytes) -> HeadProof:
    """The proof in these bytes. Raises `ProofInvalid`. Nothing is verified."""
    if len(data) > BYTES_MAX:
        raise ProofInvalid(f"a consistency proof has at most {BYTES_MAX} bytes")
    head, blank, rest = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    if not blank or lines[0] != HEADER:
        raise ProofInvalid(f"a consistency proof begins with {HEADER}")
    if len(lines) > 1 + HASHES_MAX:
        raise ProofInvalid(f"a consistency proof has at most {HASHES_MAX} hashes")
    notes = list(split_notes(rest))
    if len(notes) != 2:
        raise ProofInvalid("a consistency proof holds two checkpoints")
    try:
        hashes = tuple(parse_hash(one) for one in lines[1:])
        for note in notes:
            parse_note(note)
    except CheckpointInvalid as error:
        raise ProofInvalid(str(error)) from error
    return HeadProof(hashes=hashes, earlier=notes[0], later=notes[1])


def check_head_proof(proof: HeadProof, keys: Sequence[VerifierKey], verify: Verify) -> tuple[Checkpoint, Checkpoint]:
    """The earlier and the later checkpoint, each signed by one of these keys, where the proof connects them.

    Raises `ProofInvalid` naming what is wrong.
    """
    earlier = signed_checkpoint(proof.earlier, keys, verify)
    later = signed_checkpoint(proof.later, keys, verify)
    if earlier.origin != later.origin:
        raise ProofInvalid(f"the checkpoints are of two logs: {earlier.origin} and {later.origin}")
    if not verify_consistency(earlier.size, earlier.root, later.size, later.root, proof.hashes):
        raise ProofInvalid(
            f"this does not show that the log of {later.size} leaves begins with the one of {earlier.size}: "
            "the proof is another's, or the log was rewritten"
        )
    return earlier, later


def split_notes(data: bytes) -> Iterator[bytes]:
    """The notes that stand in these bytes, an empty line between each two. What is no note comes out as it is.

    A checkpoint has no empty line in its text, so every second empty line ends a note.
    """
    parts = data.split(b"\n\n")
    for at in range(0, len(parts), 2):
        note = b"\n\n".join(parts[at : at + 2])
        yield note if at + 2 >= len(parts) else note + b"\n"
