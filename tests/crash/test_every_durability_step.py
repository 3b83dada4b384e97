"""A whole run, failed and killed at each of its durability steps in turn, reopened, verified and finished.

What was acknowledged is a prefix of what is recovered, and what is recovered is a prefix of what was to be written.
"""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from esaa.errors import StoreError
from esaa.kernel.canonical import sha256_hex
from esaa.runtime.clock import ManualClock
from esaa.runtime.workspace import Workspace
from esaa.stores.secrets import state_key
from tests.crash.disks import CountingDisk, DeadlyDisk, FailingDisk, Killed
from tests.crash.stories import PUBLISHED, begin, go_on
from tests.workspaces import MORNING, assert_sound, log_bytes, reopen, verdict

OF_A_CRASH = {"TORN_TAIL", "UNCLOSED_BATCH", "READ_MODEL_DIFFERS", "FILE_DIFFERS"}

DISPOSABLE = {"state.snapshot", "contracts.cache", "tree"}
"""Whose loss costs time and nothing else: the run goes on without."""


class Reference(msgspec.Struct):
    """The run as it goes where nothing fails: where it begins, its log, and its steps with the files they are about."""

    start: Path
    log: bytes
    steps: list[str]
    files: list[str]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    begin(folder / "start")
    disk = CountingDisk()
    assert play(folder / "start", folder / "whole", disk) is None
    assert_finished(folder / "whole")
    return Reference(folder / "start", log_bytes(folder / "whole"), disk.steps, disk.files)


@pytest.fixture
def acknowledged(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The log as it was at the end of each command that returned."""
    logs: list[bytes] = []

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(workspace: Workspace, *arguments: Any, **options: Any) -> Any:
            receipt = real(workspace, *arguments, **options)
            logs.append(log_bytes(workspace.root))
            return receipt

        return noted

    for name in ("commit", "verify_now"):
        monkeypatch.setattr(Workspace, name, noting(getattr(Workspace, name)))
    return logs


def play(start: Path, root: Path, disk: CountingDisk) -> BaseException | None:
    """The run in a copy of the start, on this disk; returns what ended it."""
    shutil.copytree(start, root)
    state_key(root.parent / "config")
    workspace = reopen(root, clock=ManualClock(MORNING), disk=disk)
    try:
        assert asyncio.run(go_on(workspace)).outcome == "success"
    except (Killed, StoreError) as end:
        return end
    return None


def assert_finished(root: Path) -> None:
    assert_sound(root)
    assert {path: (root / path).read_bytes() for path in PUBLISHED} == PUBLISHED
    assert not (root / ".git").exists()


def assert_recovers(root: Path, acknowledged: bytes, reference: bytes) -> None:
    crashed = log_bytes(root)
    assert crashed.startswith(acknowledged), "an acknowledged event is gone"
    assert reference.startswith(crashed), "the log holds what nobody decided"
    before = verdict(root)
    assert {finding.code for finding in before.findings} <= OF_A_CRASH
    is_torn = any(finding.effect == "corrupted" for finding in before.findings)

    with reopen(root, disk=CountingDisk()).writing() as notices:
        pass
    assert_sound(root)
    recovered = log_bytes(root)
    repairs = repairs_in(recovered)
    assert bool(repairs) == is_torn
    assert sum("quarantine" in notice for notice in notices) == len(repairs)
    kept = recovered[: recovered.index(repairs[0])] if repairs else recovered
    assert kept.startswith(acknowledged)
    assert crashed.startswith(kept)
    for line, cut_off in zip(repairs, pieces(crashed[len(kept) :], len(repairs)), strict=True):
        detail = json.loads(line)["payload"]["detail"]
        copy = (root / detail["quarantine"]).read_bytes()
        assert (len(copy), sha256_hex(copy)) == (detail["removed_bytes"], detail["sha256"])
        assert cut_off is None or copy == cut_off
    with reopen(root, disk=CountingDisk()).writing() as notices:
        assert notices == [], "what was repaired once is whole"

    assert asyncio.run(go_on(reopen(root, disk=CountingDisk()))).outcome == "success"
    assert_finished(root)
    assert log_bytes(root).startswith(recovered)


def repairs_in(log: bytes) -> list[bytes]:
    """The lines that record a repair of the log."""
    events = [(line, json.loads(line)) for line in log.splitlines(keepends=True)]
    return [line for line, event in events if event["payload"].get("target") == "log"]


def pieces(cut_off: bytes, count: int) -> list[bytes | None]:
    """What each repair removed: all of it, where there was one; in two steps the last came off first."""
    if count == 1:
        return [cut_off]
    return [None] * count


def steps_of(reference: Reference, part: int, parts: int, only: str = "") -> range | list[int]:
    numbers = [number for number, name in enumerate(reference.steps, start=1) if name.startswith(only)]
    return numbers[part::parts]


def test_run_has_many_steps_of_every_sort(reference: Reference) -> None:
    sorts = {name.split()[0] for name in reference.steps}
    assert {"write", "fdatasync", "fsync", "rename", "mkdir", "sync"} <= sorts
    assert len(reference.steps) > 150
    assert {json.loads(line)["action"] for line in reference.log.splitlines()} >= {
        "output.rejected",
        "orchestrator.file.write",
        "issue.report",
        "hotfix.create",
        "issue.resolve",
        "run.end",
    }


@pytest.mark.parametrize("part", range(3))
def test_run_that_is_killed_before_any_step_is_recovered_and_finished(
    reference: Reference, acknowledged: list[bytes], tmp_path: Path, part: int
) -> None:
    # Killed after a step is killed before the next one.
    for step in steps_of(reference, part, 3):
        acknowledged[:] = [log_bytes(reference.start)]
        root = tmp_path / str(step)
        end = play(reference.start, root, DeadlyDisk(step, "before"))
        assert isinstance(end, Killed), reference.steps[step - 1]
        assert_recovers(root, acknowledged[-1], reference.log)


@pytest.mark.parametrize("part", range(2))
def test_run_that_is_killed_in_the_middle_of_any_write_is_recovered_and_finished(
    reference: Reference, acknowledged: list[bytes], tmp_path: Path, part: int
) -> None:
    for step in steps_of(reference, part, 2, "write"):
        acknowledged[:] = [log_bytes(reference.start)]
        root = tmp_path / str(step)
        assert isinstance(play(reference.start, root, DeadlyDisk(step, "torn")), Killed)
        assert_recovers(root, acknowledged[-1], reference.log)


@pytest.mark.parametrize("part", range(3))
def test_run_whose_disk_fails_at_any_step_stops_and_is_recovered_and_finished(
    reference: Reference, acknowledged: list[bytes], tmp_path: Path, part: int
) -> None:
    for step in steps_of(reference, part, 3):
        acknowledged[:] = [log_bytes(reference.start)]
        root = tmp_path / str(step)
        end = play(reference.start, root, FailingDisk(step, errno.ENOSPC if step % 2 else errno.EIO))
        if end is None:
            assert reference.files[step - 1] in DISPOSABLE, reference.steps[step - 1]
            assert_finished(root)
            continue
        assert isinstance(end, StoreError)
        assert end.exit_code == 10
        assert end.hint
        assert_recovers(root, acknowledged[-1], reference.log)
