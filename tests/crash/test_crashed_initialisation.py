"""`init` that fails or is killed at any step: there is no log, or a whole one, and it can be run again."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from esaa.contracts.load import parse_governance
from esaa.errors import StoreError, UsageError
from esaa.runtime.clock import ManualClock
from esaa.runtime.initialise import refuse_existing, write_contracts, write_first_log
from esaa.stores.disk import Disk
from tests.crash.disks import CountingDisk, DeadlyDisk, FailingDisk, Killed
from tests.crash.stories import PLAN
from tests.workspaces import MORNING, actions, assert_sound, contract_files, reopen, run

FILES = contract_files()


def initialise(root: Path, disk: Disk) -> None:
    refuse_existing(root / ".roadmap")
    write_contracts(root / ".roadmap", FILES, disk)
    write_first_log(root / ".roadmap", parse_governance(FILES), ManualClock(MORNING), disk, PLAN)


def ending_of(root: Path, disk: Disk) -> BaseException | None:
    root.mkdir()
    try:
        initialise(root, disk)
    except (Killed, StoreError) as end:
        return end
    return None


def assert_whole_or_repeatable(root: Path) -> None:
    if (root / ".roadmap" / "activity.jsonl").exists():
        with pytest.raises(UsageError, match="There is a log already"):
            initialise(root, CountingDisk())
    else:
        initialise(root, CountingDisk())
    assert actions(root) == ["run.start", "task.create", "task.create"]
    assert (root / ".roadmap" / "activity.jsonl").stat().st_nlink <= 2
    with reopen(root).writing():
        pass
    assert_sound(root)
    kept = {path.name: path.read_bytes() for path in (root / ".roadmap").iterdir() if path.name in FILES}
    assert kept == FILES


def test_initialisation_that_is_killed_at_any_step_is_whole_or_can_be_repeated(tmp_path: Path) -> None:
    counting = CountingDisk()
    assert ending_of(tmp_path / "whole", counting) is None
    assert len(counting.steps) > 40
    for step, name in enumerate(counting.steps, start=1):
        for death in ("before", "torn") if name == "write" else ("before",):
            root = tmp_path / f"{step}-{death}"
            assert isinstance(ending_of(root, DeadlyDisk(step, "torn" if death == "torn" else "before")), Killed)
            assert_whole_or_repeatable(root)


def test_initialisation_on_a_disk_that_fails_at_any_step_is_whole_or_can_be_repeated(tmp_path: Path) -> None:
    counting = CountingDisk()
    assert ending_of(tmp_path / "whole", counting) is None
    for step in range(1, len(counting.steps) + 1):
        root = tmp_path / str(step)
        assert isinstance(ending_of(root, FailingDisk(step, errno.ENOSPC)), StoreError)
        assert not [path for path in root.rglob("*") if path.name.endswith(".tmp")]
        assert_whole_or_repeatable(root)


def test_workspace_that_was_made_in_two_goes_runs_to_its_end(tmp_path: Path) -> None:
    root = tmp_path / "project"
    assert isinstance(ending_of(root, DeadlyDisk(30, "torn")), Killed)
    assert_whole_or_repeatable(root)
    assert asyncio.run(run(reopen(root))).outcome == "success"
    assert_sound(root)
