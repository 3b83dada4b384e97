"""Checkpoints of trail streams: made by the feed and by much recording, true across retention, honest after a merge."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from esaa.config import Config
from esaa.errors import CorruptLog
from esaa.kernel.checkpoint import Checkpoint, checkpoint_of, parse_note
from esaa.open import open_trail
from esaa.runtime.clock import ManualClock
from esaa.runtime.trail.merge import merge_stores
from esaa.runtime.trail.recorder import TrailRecorder
from esaa.runtime.trail.trail import Trail
from esaa.runtime.trail.verification import StreamVerdict, verify_stream
from esaa.runtime.trust import trail_checkpoints
from esaa.runtime.trust.trail_checkpoints import TrailCheckpoints
from esaa.runtime.verification.checkpoint_audit import Given, Knowledge
from esaa.stores.disk import Disk
from esaa.stores.keys import KeyStore
from esaa.stores.origin import make_origin
from tests.runtime.test_retention import grow_old, over_days
from tests.signed import root_of_lines
from tests.trails import ISSUE, ME, MORNING, SESSION, a_trail, ids, phase

PROJECT = "esaa.local/5e551000-0000-4000-8000-00000000000a"


def named(root: Path) -> None:
    """Gives the project a name, and this machine its key."""
    (root / ".roadmap").mkdir(parents=True)
    make_origin(root / ".roadmap", Disk(), lambda: PROJECT.rpartition("/")[2])
    if not KeyStore(root.parent / "config").has(PROJECT):
        KeyStore(root.parent / "config").create(PROJECT)


def opened(root: Path, prefix: int = 0) -> Trail:
    """The trail of a project, as the command line opens it."""
    return open_trail(
        root, Config(config_dir=str(root.parent / "config")), clock=ManualClock(MORNING), new_id=ids(prefix)
    )


def record(root: Path, names: list[str], prefix: int = 0) -> Trail:
    trail = opened(root, prefix)
    with TrailRecorder(trail, actor=ME, issue_key=ISSUE, session_id=SESSION) as recorder:
        recorder.record_many([phase(name) for name in names])
    return trail


def signer(trail: Trail) -> TrailCheckpoints:
    assert trail.open_checkpoints is not None
    return trail.open_checkpoints()


def judged(root: Path, given: list[bytes] | None = None) -> StreamVerdict:
    anchors = [Given(where="anchor", data=data) for data in given or []]
    return verify_stream(opened(root), ISSUE, knowledge=Knowledge(root.parent / "config"), given=anchors)


def lines_of(trail: Trail) -> list[bytes]:
    return [located.line for located in trail.store.stream(ISSUE).events()]


def latest(root: Path) -> Path:
    return root / ".roadmap" / "events" / "checkpoints" / ISSUE / "latest"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    named(folder)
    return folder


def test_a_stream_is_signed_on_demand(root: Path) -> None:
    trail = record(root, ["ONE", "TWO"])
    made = signer(trail).make(ISSUE, "demand")
    lines = lines_of(trail)
    assert made == Checkpoint(origin=f"{PROJECT}/trail/{ISSUE}", size=2, root=root_of_lines(lines))
    verdict = judged(root)
    assert verdict.is_sound
    assert (verdict.trust.answer, verdict.trust.signed_through) == ("VALID-UNANCHORED", 2)
    anchored = judged(root, [latest(root).read_bytes()]).trust
    assert (anchored.answer, anchored.anchored_through, anchored.unanchored_tail) == ("VALID-ANCHORED", 2, 0)


def test_much_recording_is_signed_in_passing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_checkpoints, "EVERY_EVENTS", 10)
    sizes: list[int] = []
    for number in range(8):
        record(root, [f"P{number}-{index}" for index in range(4)], prefix=number)
        if latest(root).exists():
            sizes.append(checkpoint_of(parse_note(latest(root).read_bytes())).size)
    assert list(dict.fromkeys(sizes)) == [12, 24]
    assert judged(root).is_sound
    assert judged(root).trust.unanchored_tail == 32


def test_a_stream_that_was_cut_is_found(root: Path) -> None:
    trail = record(root, ["ONE", "TWO", "THREE"])
    signer(trail).make(ISSUE, "demand")
    anchor = latest(root).read_bytes()
    (segment,) = trail.store.stream(ISSUE).segments()
    lines = segment.path.read_bytes().splitlines(keepends=True)
    segment.path.write_bytes(b"".join(lines[:2]))
    verdict = judged(root)
    assert {one.code for one in verdict.errors} == {"CHECKPOINT_BEYOND_LOG", "LOG_ROLLED_BACK"}
    assert (verdict.trust.answer, verdict.trust.invalid_from_line) == ("INVALID", 3)
    # With all that lies in the workspace gone, this machine and the anchor still know.
    shutil.rmtree(latest(root).parent)
    assert {one.code for one in judged(root).errors} == {"LOG_ROLLED_BACK"}
    shutil.rmtree(root.parent / "config" / "seen")
    assert judged(root).is_sound
    shutil.rmtree(root.parent / "config" / "seen")
    assert {one.code for one in judged(root, [anchor]).errors} == {"CHECKPOINT_BEYOND_LOG"}
    # Nor is it signed again by the key that has signed more of it.
    latest(root).parent.mkdir(parents=True)
    latest(root).write_bytes(anchor)
    with pytest.raises(CorruptLog) as raised:
        signer(opened(root)).make(ISSUE, "demand")
    assert raised.value.code == "CHECKPOINT_BEYOND_LOG"


def test_checkpoints_hold_across_archive_and_deletion(tmp_path: Path) -> None:
    """Retention moves and deletes files; the tree, and with it every checkpoint, stays what it was."""
    trail = over_days(tmp_path)
    config = tmp_path / "config"
    KeyStore(config).create(PROJECT)
    (tmp_path / ".roadmap").mkdir()
    make_origin(tmp_path / ".roadmap", Disk(), lambda: PROJECT.rpartition("/")[2])
    size = len(lines_of(trail))
    made = TrailCheckpoints(tmp_path / "nowhere", trail.store, PROJECT, config, trail.secret).make(ISSUE, "demand")
    assert made is not None
    assert made.size == size
    for days in (92.5, 366.5, 367.5):
        grow_old(tmp_path, days, prefix=int(days))
        fresh = a_trail(tmp_path)
        verdict = verify_stream(fresh, ISSUE, knowledge=Knowledge(config))
        assert verdict.errors == ()
        assert verdict.trust.signed_through == size, days
    assert fresh.store.stream(ISSUE).segments()[0].first > 1, "something was deleted"
    with TrailRecorder(fresh, actor=ME, issue_key=ISSUE, session_id=SESSION) as recorder:
        recorder.record_many([phase("LATE")])
    shutil.rmtree(tmp_path / "events" / ".esaa" / "frontier")
    again = TrailCheckpoints(tmp_path / "nowhere", fresh.store, PROJECT, config, fresh.secret).make(ISSUE, "demand")
    assert again is not None
    assert again.size == size + 1
    assert verify_stream(a_trail(tmp_path), ISSUE, knowledge=Knowledge(config)).trust.signed_through == size + 1


def test_a_merge_that_moves_signed_events_gives_the_stream_another_name(root: Path) -> None:
    record(root, ["START"])
    other = root.parent / "other"
    shutil.copytree(root, other)
    signer(record(root, ["LEFT"], 1)).make(ISSUE, "demand")
    record(other, ["RIGHT-1", "RIGHT-2"], 2)
    before = checkpoint_of(parse_note(latest(root).read_bytes()))
    mine = [located.line for located in opened(root).store.stream(ISSUE).events()]
    merge_stores(opened(root), opened(other).store)
    whole = [located.line for located in opened(root).store.stream(ISSUE).events()]
    moved = whole[: len(mine)] != mine
    signer(opened(root)).make(ISSUE, "demand")
    verdict = judged(root)
    assert verdict.is_sound, verdict.errors
    assert verdict.warnings == ()
    assert verdict.trust.signed_through == len(whole)
    after = checkpoint_of(parse_note(latest(root).read_bytes()))
    assert (after.origin == before.origin) is not moved
    if moved:
        assert after.origin == f"{before.origin}/merged-1"
        assert (latest(root).parent / "refuted" / "latest").exists()


@pytest.mark.parametrize("data", [b"", b"0\n", b"x\n", b"-1\n", b"1", b"9999999999\n"])
def test_a_count_of_merges_that_is_none_counts_as_none(root: Path, data: bytes) -> None:
    trail = record(root, ["ONE"])
    signer(trail).make(ISSUE, "demand")
    (latest(root).parent / "merges").write_bytes(data)
    assert judged(root).trust.signed_through == 1


def test_a_pretended_merge_is_told(root: Path) -> None:
    """Who rewrites a stream may also claim that it was merged: this machine says that it had seen it before."""
    trail = record(root, ["ONE", "TWO"])
    signer(trail).make(ISSUE, "demand")
    judged(root)
    shutil.rmtree(latest(root).parent)
    latest(root).parent.mkdir()
    (latest(root).parent / "merges").write_bytes(b"1\n")
    verdict = judged(root)
    assert [one.code for one in verdict.warnings] == ["STREAM_MERGED"]
    assert verdict.trust.signed_through is None


def test_without_a_key_recording_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_checkpoints, "EVERY_EVENTS", 1)
    shutil.rmtree(root.parent / "config" / "keys")
    record(root, ["ONE", "TWO"])
    assert not latest(root).exists()
    assert judged(root).is_sound


def test_a_name_that_is_none_is_for_the_verification(root: Path) -> None:
    (root / ".roadmap" / "origin").write_text("no name at all\n")
    record(root, ["ONE"])
    with pytest.raises(Exception, match="does not hold one line"):
        judged(root)
