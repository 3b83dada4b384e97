"""What killed processes leave: it is found by the number of a process that is gone, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esaa.stores.disk import Disk
from esaa.stores.litter import litter_in, sweep, sweep_staging


@pytest.fixture
def dead() -> int:
    """The number of a process that was there and is gone."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_temporary_files_of_dead_processes_are_swept_and_others_are_not(tmp_path: Path, dead: int) -> None:
    deep = tmp_path / "blobs" / "ab"
    deep.mkdir(parents=True)
    ours = [
        tmp_path / f".roadmap.json.{dead}.140.tmp",
        deep / f".abcd.{dead}.140.tmp",
        tmp_path / f".report.md.{dead}.tmp",
    ]
    others = [
        tmp_path / f".roadmap.json.{os.getpid()}.140.tmp",
        tmp_path / f"roadmap.json.{dead}.140.tmp",
        tmp_path / ".notes.tmp",
        tmp_path / f".mine.{dead}.140.tmp.bak",
        tmp_path / "roadmap.json",
    ]
    for path in (*ours, *others):
        path.write_bytes(b"half")
    (tmp_path / "link").symlink_to(tmp_path)
    assert litter_in(tmp_path) == sorted(ours)
    assert sorted(sweep(tmp_path, Disk())) == sorted(ours)
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in others)
    assert sweep(tmp_path, Disk()) == []
    assert litter_in(tmp_path / "nowhere") == []


def test_links_are_not_followed(tmp_path: Path, dead: int) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / f".a.{dead}.1.tmp").write_bytes(b"")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(outside)
    assert sweep(tmp_path / "inside", Disk()) == []


def test_staged_files_are_swept_but_for_a_log_that_is_being_made(tmp_path: Path, dead: int) -> None:
    kept = tmp_path / f"activity.{os.getpid()}.jsonl"
    gone = [tmp_path / "EV-00000009-0123", tmp_path / f"activity.{dead}.jsonl"]
    for path in (kept, *gone):
        path.write_bytes(b"half")
    assert sorted(sweep_staging(tmp_path, Disk())) == sorted(gone)
    assert list(tmp_path.iterdir()) == [kept]
    assert sweep_staging(tmp_path / "nowhere", Disk()) == []


def test_what_cannot_be_removed_stays(tmp_path: Path, dead: int) -> None:
    class Stubborn(Disk):
        def unlink(self, path: Path) -> None:
            raise PermissionError(13, "no")

    path = tmp_path / f".a.{dead}.1.tmp"
    path.write_bytes(b"")
    assert sweep(tmp_path, Stubborn()) == []
    assert sweep_staging(tmp_path, Stubborn()) == []
    assert path.exists()
