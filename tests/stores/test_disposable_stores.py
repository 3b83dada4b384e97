"""Blobs, read models and cursors, state snapshots, their key, quarantine copies, and the file of unknown actors."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from esaa.errors import StoreError
from esaa.kernel.canonical import sha256_hex
from esaa.stores.archive import Quarantine
from esaa.stores.base import Head
from esaa.stores.blobs import BlobStore
from esaa.stores.disk import Disk
from esaa.stores.secrets import state_key
from esaa.stores.snapshots import SnapshotStore
from esaa.stores.views import Views
from tests.crash.disks import CountingDisk, DeadlyDisk, FailingDisk, Killed
from tests.workspaces import actions, make_workspace, payloads, result, submit

KEY = bytes(range(32))
PLACE = Head(version=7, leaf_hash="ab" * 32, offset=900, line_bytes=120, is_chained=True)


# Blobs


def test_blob_is_found_by_its_digest(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs", CountingDisk())
    for content in (b"", b"hello", bytes(range(256)) * 1000):
        digest = blobs.put(content)
        assert digest == sha256_hex(content)
        assert blobs.get(digest) == content
    assert blobs.get(sha256_hex(b"other")) is None


def test_blob_is_durable_with_its_directories_before_put_returns(tmp_path: Path) -> None:
    disk = CountingDisk()
    digest = BlobStore(tmp_path / "blobs", disk).put(b"hello")
    folders = ["mkdir", "mkdir", f"sync {tmp_path.name}", "sync blobs"]
    content = ["open", "write", "fsync", f"rename {digest}"]
    assert disk.steps == [*folders, *content, f"sync {digest[:2]}", "sync blobs", f"sync {tmp_path.name}"]


def test_storing_a_blob_again_costs_nothing(tmp_path: Path) -> None:
    disk = CountingDisk()
    blobs = BlobStore(tmp_path / "blobs", disk)
    blobs.put(b"hello")
    steps = len(disk.steps)
    blobs.put(b"hello")
    assert len(disk.steps) == steps


def test_blob_of_a_process_that_was_killed_is_made_durable_by_the_next_one(tmp_path: Path) -> None:
    # Its content was synced before it got its name; its name and its directories may not have been.
    digest = BlobStore(tmp_path / "blobs", CountingDisk()).put(b"hello")
    disk = CountingDisk()
    assert BlobStore(tmp_path / "blobs", disk).put(b"hello") == digest
    assert disk.steps == [f"sync {digest[:2]}", "sync blobs", f"sync {tmp_path.name}"]
    # Where that fails, nothing is acknowledged, and nothing that others rely on is removed.
    for step in range(1, 4):
        with pytest.raises(StoreError):
            BlobStore(tmp_path / "blobs", FailingDisk(step, errno.EIO)).put(b"hello")
        assert BlobStore(tmp_path / "blobs", Disk()).get(digest) == b"hello"


def test_blob_that_failed_to_become_durable_is_stored_anew(tmp_path: Path) -> None:
    digest = sha256_hex(b"hello")
    whole = ["open", "write", "fsync", f"rename {digest}", f"sync {digest[:2]}", "sync blobs"]
    for step in range(1, 12):
        disk = FailingDisk(step, errno.EIO)
        blobs = BlobStore(tmp_path / str(step) / "blobs", disk)
        whole = [*whole[:6], f"sync {step}"]
        (tmp_path / str(step)).mkdir()
        with pytest.raises(StoreError):
            blobs.put(b"hello")
        assert blobs.get(digest) is None
        done = len(disk.steps)
        blobs.put(b"hello")
        assert disk.steps[done:][-len(whole) :] == whole, f"after a failure at step {step}"
        assert blobs.get(digest) == b"hello"


def test_damaged_blob_is_never_handed_out(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs", Disk())
    digest = blobs.put(b"hello")
    (tmp_path / "blobs" / digest[:2] / digest).write_bytes(b"hallo")
    with pytest.raises(StoreError) as caught:
        blobs.get(digest)
    assert caught.value.code == "BLOB_DAMAGED"


# Read models and cursors


def test_read_models_are_current_old_or_edited(tmp_path: Path) -> None:
    views = Views(tmp_path, Disk())
    assert views.condition(0) == "old"
    views.publish({"roadmap.json": b"{}\n", "issues.json": b"{}\n"}, 7, PLACE)
    assert views.on_disk("roadmap.json") == b"{}\n"
    assert views.on_disk("lessons.json") is None
    assert views.condition(7) == "current"
    assert views.condition(8) == "old"
    again = Views(tmp_path, Disk())
    assert again.condition(7) == "current"
    assert again.cursors.published == PLACE
    (tmp_path / "issues.json").write_bytes(b"{ }")
    assert again.condition(7) == "edited"
    again.publish({"issues.json": b"{}\n"}, 7, PLACE)
    assert again.condition(7) == "current"
    (tmp_path / "roadmap.json").unlink()
    assert again.condition(7) == "edited"


def test_advancing_the_published_place_leaves_the_projected_seq(tmp_path: Path) -> None:
    views = Views(tmp_path, Disk())
    views.publish({"roadmap.json": b"{}\n"}, 7, PLACE)
    later = Head(version=9, leaf_hash="cd" * 32, offset=1200, line_bytes=100, is_chained=True)
    views.advance(later)
    assert Views(tmp_path, Disk()).cursors.published == later
    assert Views(tmp_path, Disk()).condition(7) == "current"


def test_another_process_moving_the_cursors_is_seen_after_forget(tmp_path: Path) -> None:
    ours, theirs = Views(tmp_path, Disk()), Views(tmp_path, Disk())
    assert ours.cursors.projected_seq == -1
    theirs.publish({"roadmap.json": b"{}\n"}, 7, PLACE)
    assert ours.condition(7) == "old"
    ours.forget()
    assert ours.condition(7) == "current"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"projected_seq":"x"}', b"\xff"])
def test_broken_cursors_are_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    views = Views(tmp_path, Disk())
    views.publish({"roadmap.json": b"{}\n"}, 7, PLACE)
    (tmp_path / ".esaa" / "cursors.json").write_bytes(content)
    views.forget()
    assert views.cursors.published is None
    assert views.condition(7) == "old"


def test_read_model_is_whole_or_old_when_the_process_dies_in_between(tmp_path: Path) -> None:
    Views(tmp_path, Disk()).publish({"roadmap.json": b"old"}, 7, PLACE)
    for step in range(1, 7):
        for death in ("before", "torn", "after"):
            views = Views(tmp_path, DeadlyDisk(step, death))
            with pytest.raises(Killed):
                views.publish({"roadmap.json": b"new!"}, 8, PLACE)
            assert views.on_disk("roadmap.json") in (b"old", b"new!")
            is_through = step == 6 and death != "before"
            assert Views(tmp_path, Disk()).condition(8) == ("current" if is_through else "old")
        Views(tmp_path, Disk()).publish({"roadmap.json": b"old"}, 7, PLACE)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_failure_to_write_a_read_model_is_a_storage_error_without_litter(tmp_path: Path, step: int) -> None:
    Views(tmp_path, Disk()).publish({"roadmap.json": b"old"}, 7, PLACE)
    with pytest.raises(StoreError) as caught:
        Views(tmp_path, FailingDisk(step, errno.ENOSPC)).publish({"roadmap.json": b"new!"}, 8, PLACE)
    assert caught.value.exit_code == 10
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]


# State snapshots


def snapshots(path: Path, secret: bytes | None = KEY, vocabulary: str = "protocol", version: int = 1) -> SnapshotStore:
    return SnapshotStore(path, Disk(), secret, vocabulary, version)


def sections_of(store: SnapshotStore) -> list[bytes] | None:
    loaded = store.load()
    return None if loaded is None else [bytes(section) for section in loaded[1]]


def test_snapshot_gives_back_its_place_and_sections(tmp_path: Path) -> None:
    path = tmp_path / "x" / "state.snapshot"
    assert snapshots(path).load() is None
    snapshots(path).save(PLACE, [b"header", b"", b"tasks" * 1000])
    loaded = snapshots(path).load()
    assert loaded is not None
    assert loaded[0] == PLACE
    assert sections_of(snapshots(path)) == [b"header", b"", b"tasks" * 1000]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_snapshot_of_another_key_vocabulary_or_fold_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "state.snapshot"
    snapshots(path).save(PLACE, [b"header"])
    assert snapshots(path, secret=bytes(32)).load() is None
    assert snapshots(path, vocabulary="trail").load() is None
    assert snapshots(path, version=2).load() is None
    assert snapshots(path, secret=None).load() is None
    assert snapshots(path).load() is not None


def test_snapshot_with_any_byte_changed_or_cut_off_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "state.snapshot"
    snapshots(path).save(PLACE, [b"header", b"tasks"])
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert snapshots(path).load() is None, f"byte {at} was changed"
        path.write_bytes(data[:at])
        assert snapshots(path).load() is None, f"cut at {at}"
    path.write_bytes(data + b"x")
    assert snapshots(path).load() is None


def test_without_a_key_nothing_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "state.snapshot"
    snapshots(path, secret=None).save(PLACE, [b"header"])
    assert not path.exists()


@pytest.mark.parametrize("step", [1, 2, 3])
def test_snapshot_that_cannot_be_saved_is_only_missed(tmp_path: Path, step: int) -> None:
    path = tmp_path / "x" / "state.snapshot"
    SnapshotStore(path, FailingDisk(step, errno.ENOSPC), KEY, "protocol", 1).save(PLACE, [b"header"])
    assert snapshots(path).load() is None


# The key


def test_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "esaa"
    key = state_key(folder)
    assert key is not None
    assert len(key) == 32
    assert key == state_key(folder)
    assert [path.name for path in folder.iterdir()] == ["state.key"]
    assert stat.S_IMODE((folder / "state.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert state_key(tmp_path / "other") != key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_key_that_others_could_read_or_write_is_no_key(tmp_path: Path, mode: int) -> None:
    assert state_key(tmp_path) is not None
    (tmp_path / "state.key").chmod(mode)
    assert state_key(tmp_path) is None


def test_key_of_another_length_or_folder_that_cannot_be_is_no_key(tmp_path: Path) -> None:
    state_key(tmp_path)
    (tmp_path / "state.key").write_bytes(b"short")
    assert state_key(tmp_path) is None
    (tmp_path / "file").write_bytes(b"")
    assert state_key(tmp_path / "file" / "below") is None


# Quarantine


def test_quarantine_keeps_twenty_copies_and_drops_the_oldest_first(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "snapshots", Disk(), 20)
    paths = []
    for number in range(25):
        path = quarantine.keep("torn-tail", f"tail {number}".encode(), f"2026-01-05T09:00:{number:02d}Z")
        os.utime(path, ns=(number, number))
        paths.append(path)
        assert path.read_bytes() == f"tail {number}".encode()
    assert sorted((tmp_path / "snapshots").iterdir()) == sorted(paths[5:])


def test_copy_that_was_just_made_is_not_dropped_where_the_clock_went_back(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "snapshots", Disk(), 2)
    for number in range(2):
        path = quarantine.keep("torn-tail", f"tail {number}".encode(), "2026-01-05T09:00:00Z")
        os.utime(path, (4e9, 4e9))
    assert quarantine.keep("torn-tail", b"new", "2026-01-05T09:00:00Z").read_bytes() == b"new"
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_same_damage_is_copied_once(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "snapshots", Disk(), 20)
    first = quarantine.keep("damaged-log", b"bad", "2026-01-05T09:00:00Z")
    assert quarantine.keep("damaged-log", b"bad", "2026-01-05T10:00:00Z") == first
    assert quarantine.keep("damaged-log", b"worse", "2026-01-05T10:00:00Z") != first
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_copy_is_durable(tmp_path: Path) -> None:
    disk = CountingDisk()
    path = Quarantine(tmp_path / "snapshots", disk, 20).keep("damaged-log", b"bad", "2026-01-05T09:00:00Z")
    made = ["mkdir", f"sync {tmp_path.name}"]
    assert disk.steps == [*made, "open", "write", "fsync", f"rename {path.name}", "sync snapshots"]


# Unknown actors


def test_strangers_fill_neither_the_log_nor_the_file_beside_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(root, edits={"RUNTIME_POLICY.yaml": [("details_max: 100", "details_max: 5")]})
    path = root / ".roadmap" / ".esaa" / "unknown-actors.jsonl"
    for number in range(12):
        receipt = submit(workspace, "s" * 500, result("claim", f"T-{number}"))
        assert receipt.rejected is not None
        assert receipt.rejected.error_code == "ACTOR_UNKNOWN"
    assert actions(root).count("output.rejected") == 1
    assert len(path.read_bytes().splitlines()) == 5
    assert path.stat().st_size < 5 * 300
    clock = workspace.clock
    assert hasattr(clock, "advance")
    clock.advance(61)
    submit(workspace, "stranger", result("claim", "T-99"))
    told = payloads(root, "output.rejected")
    assert len(told) == 2
    assert told[1]["count"] == 6, "this one and the five that the file still holds"
    assert len(told[1]["digests"]) == 6
    clock.advance(61)
    submit(workspace, "stranger", result("claim", "T-99"))
    assert payloads(root, "output.rejected")[2].get("count") == 1
    assert len(path.read_bytes().splitlines()) == 5


def test_broken_file_of_unknown_actors_is_begun_anew(tmp_path: Path) -> None:
    root = tmp_path / "project"
    workspace = make_workspace(root)
    path = root / ".roadmap" / ".esaa" / "unknown-actors.jsonl"
    path.write_bytes(b"{ nonsense" + b"x" * 1000)
    assert submit(workspace, "stranger", result("claim", "T-1")).rejected is not None
    assert len(path.read_bytes().splitlines()) == 1
