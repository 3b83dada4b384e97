"""Receipts and continuations: the standalone file believes what the package proves, and nothing that was spoilt."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import format_vkey
from esaa.kernel.head_proof import HeadProof, check_head_proof, format_head_proof, parse_head_proof
from esaa.kernel.merkle import consistency_proof, inclusion_proof
from esaa.kernel.tlog_proof import ProofInvalid, TlogProof, check_proof, format_proof, parse_proof
from esaa.stores.keys import verify_ed25519
from tests.trust.clean_logs import draw_log
from tests.trust.tampering import INTRUDER, OPERATOR
from tools import verify_standalone

LINES = draw_log(random.Random(11), 30, 30).lines
LEAVES = [leaf_hash(line) for line in LINES]
KEY = format_vkey(OPERATOR.verifier)


def _receipt(index: int, extra: bytes | None = None) -> bytes:
    hashes = inclusion_proof(LEAVES, index)
    return format_proof(TlogProof(index=index, hashes=hashes, checkpoint=OPERATOR.checkpoint(LINES), extra=extra))


def _continuation(first: int) -> bytes:
    earlier, later = OPERATOR.checkpoint(LINES[:first]), OPERATOR.checkpoint(LINES)
    return format_head_proof(HeadProof(hashes=consistency_proof(LEAVES, first), earlier=earlier, later=later))


def _standalone_believes(proof: bytes, index: int) -> bool:
    keys = [verify_standalone.parse_key(KEY)]
    try:
        verify_standalone.check_tlog_proof(proof, bytes.fromhex(LEAVES[index]), keys)
    except verify_standalone.Invalid:
        return False
    return True


def _package_believes(proof: bytes, index: int) -> bool:
    try:
        check_proof(parse_proof(proof), LEAVES[index], [OPERATOR.verifier], verify_ed25519)
    except ProofInvalid:
        return False
    return True


def _standalone_believes_continuation(proof: bytes) -> bool:
    try:
        verify_standalone.check_consistency(proof, [verify_standalone.parse_key(KEY)])
    except verify_standalone.Invalid:
        return False
    return True


def _package_believes_continuation(proof: bytes) -> bool:
    try:
        check_head_proof(parse_head_proof(proof), [OPERATOR.verifier], verify_ed25519)
    except ProofInvalid:
        return False
    return True


@pytest.mark.parametrize("extra", [None, b"an event"])
def test_receipt_of_every_event_is_believed_for_that_event_alone(extra: bytes | None) -> None:
    for index in range(len(LINES)):
        proof = _receipt(index, extra)

        assert _standalone_believes(proof, index)
        assert not _standalone_believes(proof, (index + 1) % len(LINES))


def test_continuation_from_every_size_is_believed() -> None:
    assert all(_standalone_believes_continuation(_continuation(first)) for first in range(1, len(LINES) + 1))


def test_both_verifiers_agree_on_every_flipped_byte_of_a_receipt() -> None:
    proof = _receipt(17, b"an event")
    believed = 0
    for at in range(len(proof)):
        flipped = bytearray(proof)
        flipped[at] ^= 1 << at % 8
        answers = {_standalone_believes(bytes(flipped), 17), _package_believes(bytes(flipped), 17)}
        assert len(answers) == 1, f"byte {at}"
        believed += answers.pop()
    # Only what nobody vouches for may differ: the extra that the maker added.
    assert believed <= len("extra ") + 12


def test_both_verifiers_agree_on_every_flipped_byte_of_a_continuation() -> None:
    proof = _continuation(13)
    for at in range(len(proof)):
        flipped = bytearray(proof)
        flipped[at] ^= 1 << at % 8
        assert not _standalone_believes_continuation(bytes(flipped)), f"byte {at}"
        assert not _package_believes_continuation(bytes(flipped)), f"byte {at}"


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [("true", 0, "events were signed"), ("other event", 1, "not in the log"), ("no key", 2, "needs")],
)
def test_receipt_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, code: int, says: str
) -> None:
    (tmp_path / "proof").write_bytes(_receipt(4))
    (tmp_path / "event").write_bytes(LINES[5 if kind == "other event" else 4] + b"\n")
    arguments = ["--proof", str(tmp_path / "proof"), "--event", str(tmp_path / "event")]

    assert verify_standalone.main(arguments if kind == "no key" else [*arguments, "--key", KEY]) == code
    assert says in "".join(capsys.readouterr())


@pytest.mark.parametrize(("signer", "code"), [(OPERATOR, 0), (INTRUDER, 1)])
def test_continuation_on_the_command_line(tmp_path: Path, signer: object, code: int) -> None:
    (tmp_path / "proof").write_bytes(_continuation(9))
    key = KEY if signer is OPERATOR else format_vkey(INTRUDER.verifier)

    assert verify_standalone.main(["--consistency", str(tmp_path / "proof"), "--key", key]) == code
