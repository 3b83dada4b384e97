"""What a witness decides, request by request, with the statuses of C2SP tlog-witness."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import Checkpoint, VerifierKey, checkpoint_of, format_note, parse_note
from esaa.kernel.merkle import consistency_proof, root
from esaa.kernel.witnessing import (
    REQUEST_BYTES_MAX,
    AddCheckpoint,
    Refusal,
    format_request,
    judge,
    origin_of,
    parse_request,
)
from tests.kernel.signing import Signer, verify

LOG = Signer("esaa.local/one")
LEAVES = [leaf_hash(b"%d" % number) for number in range(20)]


def request(first: int, size: int, signer: Signer = LOG, origin: str | None = None) -> AddCheckpoint:
    note = signer.note(size, root(LEAVES[:size]), origin)
    return AddCheckpoint(old_size=first, proof=consistency_proof(LEAVES[:size], first), note=format_note(note))


class Witness:
    """given(what it cosigned last).when(request).then(status)."""

    def __init__(self, size: int | None, *keys: VerifierKey) -> None:
        found = None if size is None else checkpoint_of(LOG.note(size, root(LEAVES[:size])))
        self.known, self.keys = found, keys or (LOG.key,)

    def when(self, asked: AddCheckpoint) -> Witness:
        self.answer: Checkpoint | Refusal = judge(asked, self.known, self.keys, verify)
        return self

    def then_cosigned(self, size: int) -> None:
        assert isinstance(self.answer, Checkpoint)
        assert self.answer.size == size

    def then_refused(self, status: int, size: int | None = None) -> None:
        assert isinstance(self.answer, Refusal)
        assert (self.answer.status, self.answer.size) == (status, size)


def test_first_checkpoint_of_a_known_log_is_cosigned() -> None:
    Witness(None).when(request(0, 7)).then_cosigned(7)
    Witness(None).when(request(0, 0)).then_cosigned(0)


def test_log_that_grows_is_cosigned() -> None:
    Witness(7).when(request(7, 13)).then_cosigned(13)


def test_same_checkpoint_is_cosigned_again() -> None:
    Witness(7).when(request(7, 7)).then_cosigned(7)


def test_size_that_the_witness_does_not_know_is_a_conflict_that_tells_its_own() -> None:
    Witness(7).when(request(5, 13)).then_refused(409, 7)
    Witness(7).when(request(0, 13)).then_refused(409, 7)
    Witness(None).when(request(5, 13)).then_refused(409, 0)


def test_witness_never_goes_back() -> None:
    Witness(13).when(request(7, 7)).then_refused(409, 13)


def test_other_root_for_the_same_size_is_a_conflict() -> None:
    fork = format_note(LOG.note(7, root(LEAVES[1:8])))
    Witness(7).when(AddCheckpoint(old_size=7, proof=(), note=fork)).then_refused(409, 7)


def test_log_that_does_not_continue_is_refused() -> None:
    fork = [LEAVES[19], *LEAVES[1:13]]
    note = format_note(LOG.note(13, root(fork)))
    Witness(7).when(AddCheckpoint(old_size=7, proof=consistency_proof(fork, 7), note=note)).then_refused(422)
    Witness(7).when(msgspec.structs.replace(request(7, 13), proof=())).then_refused(422)
    Witness(None).when(msgspec.structs.replace(request(0, 13), proof=(LEAVES[0],))).then_refused(422)


def test_empty_log_with_a_root_is_refused() -> None:
    note = format_note(LOG.note(0, LEAVES[0]))
    Witness(None).when(AddCheckpoint(old_size=0, proof=(), note=note)).then_refused(409, 0)


def test_unknown_log_unknown_key_and_bad_signature_are_told_apart() -> None:
    Witness(None).when(request(0, 7, Signer("elsewhere", 2))).then_refused(404)
    Witness(None).when(request(0, 7, Signer("esaa.local/one", 2))).then_refused(403)
    forged = msgspec.structs.replace(request(0, 7), note=request(0, 7).note.replace(b"\n7\n", b"\n8\n"))
    Witness(None).when(forged).then_refused(403)


def test_key_of_a_project_speaks_for_its_trail() -> None:
    Witness(None).when(request(0, 7, LOG, "esaa.local/one/trail/PROJ-1")).then_cosigned(7)


def test_what_makes_no_sense_is_a_bad_request() -> None:
    Witness(7).when(msgspec.structs.replace(request(7, 13), old_size=14)).then_refused(400)
    Witness(7).when(msgspec.structs.replace(request(7, 13), note=b"x")).then_refused(400)


@given(st.integers(1, 20), st.integers(0, 20))
def test_requests_go_there_and_back(size: int, first: int) -> None:
    asked = request(min(first, size), size)
    assert parse_request(format_request(asked)) == asked
    assert origin_of(asked) == "esaa.local/one"
    assert parse_note(asked.note)


def test_bytes_that_are_no_request_are_refused() -> None:
    good = format_request(request(7, 13))
    for data, status in (
        (b"", 400),
        (b"\xff\n\nx", 400),
        (good.replace(b"old 7", b"old 07"), 400),
        (good.replace(b"old 7", b"old 7\n*"), 400),
        (good.replace(b"old 7\n", b"old 7\n" + (b"A" * 43 + b"=\n") * 64), 400),
        (good.partition(b"\n\n")[0], 400),
        (b"x" * (REQUEST_BYTES_MAX + 1), 413),
    ):
        answer = parse_request(data)
        assert isinstance(answer, Refusal)
        assert answer.status == status


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda one: b"old 0\n\no\n0\n" + one))
def test_any_bytes_are_answered(data: bytes) -> None:
    asked = parse_request(data)
    if isinstance(asked, AddCheckpoint):
        assert isinstance(judge(asked, None, (LOG.key,), verify), Refusal)
