"""Consistency proofs in a file: what they connect, and every way in which they can fail to."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import Checkpoint, format_note
from esaa.kernel.head_proof import (
    BYTES_MAX,
    HEADER,
    HeadProof,
    check_head_proof,
    format_head_proof,
    parse_head_proof,
    split_notes,
)
from esaa.kernel.merkle import consistency_proof, root
from esaa.kernel.tlog_proof import ProofInvalid
from tests.kernel.signing import Signer, verify

LOG = Signer("esaa.local/one")
OTHER = Signer("esaa.local/two", 2)
LEAVES = [leaf_hash(b"%d" % number) for number in range(20)]


def note(size: int, signer: Signer = LOG) -> bytes:
    return format_note(signer.note(size, root(LEAVES[:size])))


def proof(first: int, size: int) -> HeadProof:
    return HeadProof(hashes=consistency_proof(LEAVES[:size], first), earlier=note(first), later=note(size))


@given(st.integers(0, 20), st.integers(0, 20))
def test_every_later_checkpoint_is_shown_to_continue_every_earlier_one(one: int, other: int) -> None:
    first, size = sorted((one, other))
    made = parse_head_proof(format_head_proof(proof(first, size)))
    earlier, later = check_head_proof(made, (LOG.key,), verify)
    assert earlier == Checkpoint(origin="esaa.local/one", size=first, root=root(LEAVES[:first]))
    assert later.size == size


def test_file_has_the_documented_text() -> None:
    data = format_head_proof(proof(4, 5))
    assert data.startswith(f"{HEADER}\n".encode())
    assert data.endswith(b"\n\n" + note(4) + b"\n" + note(5))


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    good = format_head_proof(proof(6, 17))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ (1 << data.draw(st.integers(0, 7)))]) + good[at + 1 :]
    with pytest.raises(ProofInvalid):
        check_head_proof(parse_head_proof(bad), (LOG.key,), verify)


def test_rewritten_log_is_not_connected_to_what_it_was() -> None:
    rewritten = [leaf_hash(b"other"), *LEAVES[1:]]
    later = format_note(LOG.note(9, root(rewritten[:9])))
    made = HeadProof(hashes=consistency_proof(rewritten[:9], 6), earlier=note(6), later=later)
    with pytest.raises(ProofInvalid, match="rewritten"):
        check_head_proof(made, (LOG.key,), verify)


def test_checkpoints_of_two_logs_are_not_connected() -> None:
    made = msgspec.structs.replace(proof(5, 9), later=note(9, OTHER))
    with pytest.raises(ProofInvalid, match="two logs"):
        check_head_proof(made, (LOG.key, OTHER.key), verify)
    with pytest.raises(ProofInvalid, match="none of the keys"):
        check_head_proof(made, (LOG.key,), verify)


def test_later_and_earlier_can_not_be_exchanged() -> None:
    good = proof(5, 9)
    turned = msgspec.structs.replace(good, earlier=good.later, later=good.earlier)
    with pytest.raises(ProofInvalid, match="begins with"):
        check_head_proof(turned, (LOG.key,), verify)


GOOD = format_head_proof(proof(5, 9))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "begins with"),
        (GOOD.replace(b"@v1", b"@v2"), "begins with"),
        (GOOD.replace(b"@v1\n", b"@v1\n*\n"), "base64"),
        (GOOD.replace(b"@v1\n", b"@v1\n" + (b"A" * 43 + b"=\n") * 64), "at most 63"),
        (GOOD + b"\n" + note(3), "two checkpoints"),
        (HEADER.encode() + b"\n\n" + note(3), "two checkpoints"),
        (GOOD[:-1], "line break"),
        (GOOD + b"x" * BYTES_MAX, "at most"),
    ],
)
def test_what_is_no_proof_is_refused_by_its_rule(data: bytes, why: str) -> None:
    with pytest.raises(ProofInvalid, match=why):
        parse_head_proof(data)


def test_proof_that_can_not_be_read_again_is_not_written() -> None:
    with pytest.raises(ProofInvalid, match="hexadecimal"):
        format_head_proof(msgspec.structs.replace(proof(5, 9), hashes=("x",)))
    with pytest.raises(ProofInvalid, match="do not make one"):
        format_head_proof(msgspec.structs.replace(proof(5, 9), hashes=(LEAVES[0].upper(),)))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_notes_in_a_row_are_told_apart(sizes: list[int]) -> None:
    notes = [note(size) for size in sizes]
    assert list(split_notes(b"\n".join(notes))) == notes
