"""What was proved of a past is shown again while its files are the same, with its time, and never for other bytes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from esaa.kernel.canonical import sha256_hex
from esaa.runtime.history.proof import Checked, Proof, Prove, Stamps, proof_view, rail_of
from esaa.runtime.verification.checkpoint_audit import Trust
from esaa.stores.checkpoints import CheckpointStore
from esaa.stores.disk import Disk
from esaa.stores.file_stamps import stamps_of
from tests.history.memory_past import MemoryPast, claims

SOUND = Trust(
    answer="VALID-UNANCHORED",
    anchored_through=None,
    anchored_by=(),
    unanchored_tail=0,
    invalid_from_line=None,
    signed_through=None,
    checkpoint_signed_by=(),
)


class Shelf:
    """A log file, a past of as many events as it has lines, and a verification that takes three seconds."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.write_bytes(b"1\n2\n3\n")
        self.folder = folder
        self.seconds = 0.0
        self.checks = 0
        self.bad: int | None = None
        self.prove = Prove(self.check, self.stamps, self.store, now=self.now, seconds=lambda: self.seconds)

    def check(self) -> Checked:
        self.checks += 1
        self.seconds += 3
        trust = msgspec.structs.replace(SOUND, invalid_from_line=self.bad)
        return Checked(trust=trust, events=len(self.lines()), fault="" if self.bad is None else "it is torn")

    def stamps(self) -> Stamps:
        return Stamps(stamps_of([self.log]), ())

    def store(self) -> CheckpointStore:
        return CheckpointStore(self.folder / "checkpoints", Disk())

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def lines(self) -> list[bytes]:
        return self.log.read_bytes().splitlines()

    def past(self) -> MemoryPast:
        made = MemoryPast(name="log", kind="log")
        for seq, line in enumerate(self.lines(), start=1):
            leaf = sha256_hex(line)
            made.append(msgspec.structs.replace(claims().entry(1), seq=seq, leaf_hash=leaf), {})
        return made

    def asked(self, *, is_fresh: bool = False) -> Proof:
        return self.prove(is_fresh=is_fresh)

    def rail(self) -> list[tuple[int, int, str, bool]]:
        view = proof_view(self.past(), 1, self.asked())
        return [(one.from_, one.to, one.kind, one.is_checked) for one in view.rail]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_what_has_not_changed_is_checked_once_and_says_when(shelf: Shelf) -> None:
    first = shelf.asked()
    shelf.seconds += 1000
    assert shelf.asked() == first
    assert (shelf.checks, first.checked_at) == (1, "1970-01-01T00:00:00Z")


def test_who_wants_to_know_anew_is_told_anew(shelf: Shelf) -> None:
    shelf.asked()
    shelf.seconds = 60
    assert shelf.asked(is_fresh=True).checked_at == "1970-01-01T00:01:00Z"
    assert shelf.asked().checked_at == "1970-01-01T00:01:00Z"
    assert shelf.checks == 2


def test_what_came_since_is_shown_as_not_checked_until_it_is(shelf: Shelf) -> None:
    assert shelf.rail() == [(1, 3, "unanchored", True)]
    with shelf.log.open("ab") as file:
        file.write(b"4\n5\n")
    assert shelf.rail() == [(1, 3, "unanchored", True), (4, 5, "unanchored", False)]
    assert shelf.checks == 1
    shelf.seconds += 61
    assert shelf.rail() == [(1, 5, "unanchored", True)]
    assert shelf.checks == 2


def test_bytes_that_were_changed_are_never_believed(shelf: Shelf) -> None:
    shelf.asked()
    before = shelf.log.stat()
    shelf.log.write_bytes(b"1\nX\n3\n")
    # Whoever sets the time back cannot set back when that was done.
    os.utime(shelf.log, ns=(before.st_atime_ns, before.st_mtime_ns))
    shelf.asked()
    assert shelf.checks == 2
    (shelf.folder / "other").write_bytes(shelf.log.read_bytes() + b"4\n")
    os.replace(shelf.folder / "other", shelf.log)
    shelf.asked()
    assert shelf.checks == 3
    shelf.log.write_bytes(b"1\nX\nY\n4\n5\n")
    with shelf.log.open("ab") as file:
        file.write(b"6\n")
    shelf.asked()
    assert shelf.checks == 4, "it grew, but what was checked are other bytes"


def test_damage_is_looked_at_again_as_soon_as_anything_changes(shelf: Shelf) -> None:
    shelf.bad = 2
    assert shelf.rail() == [(1, 1, "unanchored", True), (2, 3, "broken", True)]
    with shelf.log.open("ab") as file:
        file.write(b"4\n")
    shelf.asked()
    assert shelf.checks == 2


@pytest.mark.parametrize(
    ("head", "checked", "bad", "rail"),
    [
        (2, 5, 3, [(1, 2, "unanchored"), (3, 5, "broken")]),
        (0, 4, 1, [(1, 4, "broken")]),
        (4, 4, 5, [(1, 4, "unanchored"), (5, 5, "broken")]),
        (9, 6, None, [(1, 6, "unanchored"), (7, 9, "unanchored")]),
    ],
)
def test_damage_behind_the_last_readable_event_is_on_the_rail(
    head: int, checked: int, bad: int | None, rail: list[tuple[int, int, str]]
) -> None:
    trust = msgspec.structs.replace(SOUND, invalid_from_line=bad)
    found = list(rail_of(trust, head, checked, "what is wrong"))
    assert [(one.from_, one.to, one.kind) for one in found] == rail
    assert all("what is wrong" in one.text for one in found if one.kind == "broken")
