"""Proofs of logs and streams: made only from what was signed, and worth nothing for anything else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from esaa.errors import CorruptLog, NotFound, StoreError, UsageError
from esaa.kernel.chain import leaf_hash
from esaa.kernel.checkpoint import COSIGNATURE, Note, format_note, parse_note
from esaa.kernel.merkle import root, subtrees
from esaa.kernel.tlog_proof import ProofInvalid
from esaa.runtime.trust.proving import (
    Leaves,
    PackedLeaves,
    ProvableLog,
    check,
    formatted,
    leaves_of_log,
    origin_of,
    read_checkpoint,
)
from esaa.stores.checkpoints import CheckpointStore
from esaa.stores.disk import Disk
from tests.kernel.signing import Signer

LOG = Signer("esaa.local/one")
WITNESS = Signer("witness", 2, COSIGNATURE)
LINES = [b'{"event_seq":%d}' % number for number in range(1, 31)]
LEAVES = [leaf_hash(line) for line in LINES]


def a_log(tmp_path: Path, *sizes: int, lines: list[bytes] | None = None) -> ProvableLog:
    path = tmp_path / "activity.jsonl"
    path.write_bytes(b"\n".join(LINES if lines is None else lines) + b"\n")
    notes = CheckpointStore(tmp_path / "checkpoints", Disk())
    for size in sizes:
        notes.keep(LOG.note(size, root(LEAVES[:size])), size)
        notes.publish(LOG.note(size, root(LEAVES[:size])))
    return ProvableLog(leaves_of_log(path), notes)


def test_receipt_shows_its_event_to_who_has_the_key(tmp_path: Path) -> None:
    data = formatted(a_log(tmp_path, 20).receipt(7, LINES[6]))
    found = check(data, LINES[6], [LOG.key])
    assert (found.kind, found.origin, found.size, found.sequence) == ("event", "esaa.local/one", 20, 7)
    assert origin_of(data) == "esaa.local/one"
    for line, keys, why in (
        (LINES[7], [LOG.key], "not leaf 6"),
        (LINES[6] + b" ", [LOG.key], "not leaf 6"),
        (LINES[6], [], "none of the keys"),
        (None, [LOG.key], "none was given"),
    ):
        with pytest.raises(ProofInvalid, match=why):
            check(data, line, keys)


def test_receipt_may_hold_its_event(tmp_path: Path) -> None:
    data = formatted(a_log(tmp_path, 20).receipt(7, LINES[6], with_event=True))
    assert check(data, None, [LOG.key]).sequence == 7
    with pytest.raises(ProofInvalid):
        check(data, LINES[5], [LOG.key])


def test_blank_lines_are_no_events(tmp_path: Path) -> None:
    log = a_log(tmp_path, 20, lines=[b"", *LINES[:4], b" ", b"", *LINES[4:]])
    assert check(formatted(log.receipt(5, LINES[4])), LINES[4], [LOG.key]).sequence == 5


def test_event_that_no_checkpoint_covers_has_no_receipt(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="covers 20 events, and this is event 21"):
        a_log(tmp_path, 20).receipt(21, LINES[20])
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(NotFound, match="no checkpoint latest; kept: none"):
        a_log(other).receipt(1, LINES[0])


def test_log_that_was_changed_proves_nothing(tmp_path: Path) -> None:
    changed = [*LINES[:3], b"{}", *LINES[4:]]
    with pytest.raises(CorruptLog, match="first 20 events"):
        a_log(tmp_path, 20, lines=changed).receipt(7, LINES[6])
    with pytest.raises(CorruptLog, match="ends at event 12, but a checkpoint covers 20"):
        a_log(tmp_path, 20, lines=LINES[:12]).receipt(7, LINES[6])
    with pytest.raises(CorruptLog, match="Event 7 is not line 7"):
        a_log(tmp_path, 20).receipt(7, LINES[7])


def test_checkpoint_that_is_none_proves_nothing(tmp_path: Path) -> None:
    log = a_log(tmp_path, 20)
    (tmp_path / "checkpoints" / "latest").write_bytes(b"hello\n")
    with pytest.raises(StoreError, match="holds no checkpoint"):
        log.receipt(7, LINES[6])


def test_every_kept_checkpoint_is_shown_to_continue_every_earlier_one(tmp_path: Path) -> None:
    log = a_log(tmp_path, 1, 8, 13, 30)
    for first, size in ((1, 8), (8, 13), (8, 30), (13, 30), (30, 30)):
        data = formatted(log.continuation(log.note(str(first)), log.note(str(size))))
        found = check(data, None, [LOG.key])
        assert (found.kind, found.since, found.size) == ("consistency", first, size)
    with pytest.raises(UsageError, match="does not come before"):
        log.continuation(log.note("30"), log.note("8"))
    with pytest.raises(NotFound, match="no checkpoint 9; kept: 1, 8, 13, 30"):
        log.note("9")


def test_checkpoint_of_another_history_is_not_continued(tmp_path: Path) -> None:
    log = a_log(tmp_path, 30)
    other = read_checkpoint(format_note(LOG.note(8, root(LEAVES[1:9]))), "a copy")
    with pytest.raises(CorruptLog, match="first 8 events"):
        log.continuation(other, log.note("30"))


def test_what_witnesses_signed_comes_along(tmp_path: Path) -> None:
    log = a_log(tmp_path, 20)
    note = log.note("20")
    seen = Note(text=note.text, signatures=(*note.signatures, WITNESS.sign(note.text, 1_790_000_000)))
    foreign = LOG.note(20, root(LEAVES[1:21]))
    log = ProvableLog(
        leaves_of_log(tmp_path / "activity.jsonl"),
        CheckpointStore(tmp_path / "checkpoints", Disk()),
        lambda: [seen, foreign],
    )
    data = formatted(log.receipt(7, LINES[6]))
    assert check(data, LINES[6], [LOG.key, WITNESS.key]).seen == (("witness", 1_790_000_000),)
    with pytest.raises(ProofInvalid, match="the witness other did not sign"):
        check(data, LINES[6], [LOG.key, Signer("other", 3, COSIGNATURE).key])
    broken = data.replace(b"\xe2\x80\x94 witness ", b"\xe2\x80\x94 witness2 ")
    with pytest.raises(ProofInvalid, match="the witness witness did not sign"):
        check(broken, LINES[6], [LOG.key, WITNESS.key])


def test_bytes_that_are_no_proof_name_no_log() -> None:
    with pytest.raises(ProofInvalid):
        origin_of(b"hello")
    signed = b"hello\n\n" + format_note(LOG.note(1, root(LEAVES[:1]))).partition(b"\n\n")[2]
    assert parse_note(signed)
    with pytest.raises(ProofInvalid, match="three lines"):
        origin_of(b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + signed)


def test_receipts_reach_over_what_retention_deleted(tmp_path: Path) -> None:
    notes = CheckpointStore(tmp_path, Disk())
    for size in (5, 13, 30):
        notes.keep(LOG.note(size, root(LEAVES[:size])), size)
    notes.publish(notes_latest := LOG.note(30, root(LEAVES)))
    before = (*subtrees(LEAVES[:7]), *subtrees(LEAVES[7:11], 7))
    log = ProvableLog(lambda size: Leaves(before=before, hashes=PackedLeaves(LEAVES[11:size])), notes)
    assert check(formatted(log.receipt(12, LINES[11])), LINES[11], [LOG.key]).size == 30
    assert check(formatted(log.continuation(log.note("13"), notes_latest)), None, [LOG.key]).since == 13
    assert check(formatted(log.receipt(7, LINES[6])), LINES[6], [LOG.key])  # it stands for itself in what was kept
    with pytest.raises(NotFound, match="gone"):
        log.receipt(3, LINES[2])
    with pytest.raises(NotFound, match="gone"):
        log.continuation(log.note("5"), notes_latest)


def test_event_that_is_too_long_for_a_receipt_is_said_to_be(tmp_path: Path) -> None:
    line = b'{"x":"' + b"y" * 200_000 + b'"}'
    notes = CheckpointStore(tmp_path / "checkpoints", Disk())
    notes.publish(LOG.note(1, root([leaf_hash(line)])))
    log = ProvableLog(lambda size: Leaves(hashes=PackedLeaves([leaf_hash(line)])), notes)
    assert check(formatted(log.receipt(1, line)), line, [LOG.key])
    with pytest.raises(UsageError, match="at most 131072 bytes"):
        log.receipt(1, line, with_event=True)


def test_packed_leaves_are_a_sequence() -> None:
    packed = PackedLeaves(LEAVES)
    assert list(packed) == LEAVES
    assert packed[3:5] == LEAVES[3:5]
    assert packed[:0] == []
    with pytest.raises(IndexError):
        packed[30]


def test_changed_receipts_of_the_same_text_are_not_mixed(tmp_path: Path) -> None:
    log = a_log(tmp_path, 20)
    receipt = log.receipt(7, LINES[6])
    other = msgspec.structs.replace(receipt, index=5)
    with pytest.raises(ProofInvalid, match="not leaf 5"):
        check(formatted(other), LINES[6], [LOG.key])
