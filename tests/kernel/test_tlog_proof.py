"""Receipts: the format of C2SP to the byte, what they prove, and every way in which they can fail to."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import COSIGNATURE, Checkpoint, VerifierKey, format_note
from esaa.kernel.merkle import inclusion_proof, root
from esaa.kernel.tlog_proof import PROOF_BYTES_MAX, ProofInvalid, TlogProof, check_proof, format_proof, parse_proof
from tests.kernel.signing import Signer, verify

LOG = Signer("esaa.local/one")
LEAVES = [leaf_hash(b'{"event_seq":%d}' % number) for number in range(13)]


def receipt(index: int = 5, size: int = 13, origin: str = "esaa.local/one", signer: Signer = LOG) -> TlogProof:
    note = format_note(signer.note(size, root(LEAVES[:size]), origin))
    return TlogProof(index=index, hashes=inclusion_proof(LEAVES[:size], index), checkpoint=note)


class Held:
    """given(proof).when(leaf, keys).then(...): what a receipt shows of a leaf to somebody with these keys."""

    def __init__(self, proof: TlogProof) -> None:
        self._proof = proof

    def when(self, leaf: str, *keys: VerifierKey) -> Held:
        self._leaf, self._keys = leaf, keys
        return self

    def then(self, size: int) -> None:
        found = check_proof(self._proof, self._leaf, self._keys, verify)
        assert found == Checkpoint(origin="esaa.local/one", size=size, root=root(LEAVES[:size]))

    def then_refused(self, why: str) -> None:
        with pytest.raises(ProofInvalid, match=why):
            check_proof(self._proof, self._leaf, self._keys, verify)


def given_proof(proof: TlogProof) -> Held:
    return Held(proof)


def test_receipt_has_the_text_of_tlog_proof() -> None:
    made = receipt(1, 2)
    assert format_proof(made) == (
        b"c2sp.org/tlog-proof@v1\nindex 1\n%s\n\n" % base64.b64encode(bytes.fromhex(LEAVES[0])) + made.checkpoint
    )
    with_extra = msgspec.structs.replace(made, extra=b"line")
    assert format_proof(with_extra).startswith(b"c2sp.org/tlog-proof@v1\nextra bGluZQ==\nindex 1\n")


def test_log_of_one_event_has_a_receipt_without_hashes() -> None:
    made = receipt(0, 1)
    assert made.hashes == ()
    assert parse_proof(format_proof(made)) == made
    given_proof(made).when(LEAVES[0], LOG.key).then(1)


@given(st.integers(1, 13).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))), st.binary())
def test_every_event_has_a_receipt_that_is_read_again_and_holds(place: tuple[int, int], extra: bytes) -> None:
    index, size = place
    made = msgspec.structs.replace(receipt(index, size), extra=extra)
    assert parse_proof(format_proof(made)) == made
    given_proof(made).when(LEAVES[index], LOG.key).then(size)


def test_receipt_shows_nothing_about_another_event() -> None:
    given_proof(receipt()).when(LEAVES[6], LOG.key).then_refused("not leaf 5")


def test_receipt_with_another_index_shows_nothing() -> None:
    given_proof(msgspec.structs.replace(receipt(), index=4)).when(LEAVES[5], LOG.key).then_refused("not leaf 4")
    given_proof(msgspec.structs.replace(receipt(), index=13)).when(LEAVES[5], LOG.key).then_refused("covers 13")


def test_receipt_is_worth_as_much_as_the_keys_that_are_given() -> None:
    given_proof(receipt()).when(LEAVES[5]).then_refused("none of the keys")
    given_proof(receipt()).when(LEAVES[5], Signer("esaa.local/one", 3).key).then_refused("none of the keys")
    given_proof(receipt()).when(LEAVES[5], Signer("esaa.local/one", 3).key, LOG.key).then(13)


def test_key_of_one_log_says_nothing_about_another() -> None:
    given_proof(receipt(origin="esaa.local/two")).when(LEAVES[5], LOG.key).then_refused("esaa.local/two")


def test_witness_alone_does_not_speak_for_a_log() -> None:
    witness = Signer("esaa.local/one", 4, COSIGNATURE)
    given_proof(receipt(signer=witness)).when(LEAVES[5], witness.key).then_refused("none of the keys")


def test_checkpoint_with_a_wrong_signature_is_no_checkpoint() -> None:
    made = receipt()
    wrong = msgspec.structs.replace(made, checkpoint=made.checkpoint.replace(b"\n13\n", b"\n14\n"))
    given_proof(wrong).when(LEAVES[5], LOG.key).then_refused("does not hold")


def test_checkpoint_whose_text_is_none_is_refused() -> None:
    signature = LOG.sign(b"hello\n")
    note = b"hello\n\n" + f"— {LOG.key.name} {base64.b64encode(signature.key_id + signature.blob).decode()}\n".encode()
    given_proof(msgspec.structs.replace(receipt(), checkpoint=note)).when(LEAVES[5], LOG.key).then_refused(
        "three lines"
    )


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    good = format_proof(receipt())
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ (1 << data.draw(st.integers(0, 7)))]) + good[at + 1 :]
    with pytest.raises(ProofInvalid):
        check_proof(parse_proof(bad), LEAVES[5], (LOG.key,), verify)


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda one: b"c2sp.org/tlog-proof@v1\nindex 0\n" + one))
def test_bytes_are_one_proof_or_none(data: bytes) -> None:
    try:
        made = parse_proof(data)
    except ProofInvalid:
        return
    assert format_proof(made) == data


GOOD = format_proof(receipt())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty line"),
        (GOOD.replace(b"@v1", b"@v2"), "begins with"),
        (GOOD.replace(b"index 5\n", b""), "says its index"),
        (b"c2sp.org/tlog-proof@v1\nextra eA==\n\nx", "says its index"),
        (b"c2sp.org/tlog-proof@v1\n\nx", "says its index"),
        (GOOD.replace(b"index 5", b"index 05"), "leading zeros"),
        (GOOD.replace(b"index 5", b"index 5\nAAAA"), "32 bytes"),
        (GOOD.replace(b"index 5", b"index 5\n*"), "base64"),
        (GOOD.replace(b"index 5", "index 5é".encode()), "ASCII"),
        (GOOD.replace(b"index 5", b"extra *\nindex 5"), "base64"),
        (GOOD.replace(b"index 5", b"extra eB==\nindex 5"), "canonical"),
        (GOOD.replace(b"index 5", b"index 5" + b"\n" + b"\n".join([b"A" * 43 + b"="] * 63)), "at most 63"),
        (GOOD[:-1], "line break"),
        (GOOD + b"x" * PROOF_BYTES_MAX, "at most 131072 bytes"),
    ],
)
def test_what_is_no_proof_is_refused_by_its_rule(data: bytes, why: str) -> None:
    with pytest.raises(ProofInvalid, match=why):
        parse_proof(data)


def test_proof_that_can_not_be_read_again_is_not_written() -> None:
    with pytest.raises(ProofInvalid, match="hexadecimal"):
        format_proof(msgspec.structs.replace(receipt(), hashes=("xyz",)))
    with pytest.raises(ProofInvalid, match="do not make one"):
        format_proof(msgspec.structs.replace(receipt(), hashes=(LEAVES[0].upper(),)))
    with pytest.raises(ProofInvalid):
        format_proof(msgspec.structs.replace(receipt(), index=-1))
