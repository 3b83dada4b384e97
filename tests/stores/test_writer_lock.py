"""The writer's lock: one holder at a time, named to whoever waits in vain, freed by the end of the process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import esaa
from esaa.errors import StoreError, StoreLocked
from esaa.stores.lock import writer_lock
from tests.workspaces import actions, make_workspace, new_task, reopen, result, submit

HOLDER = """
import sys, time
from pathlib import Path
from esaa.stores.lock import writer_lock
with writer_lock(Path(sys.argv[1]), timeout_s=0):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    source = str(Path(esaa.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": source},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_second_writer_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / ".esaa" / "lock"
    with held_by_another_process(path) as holder, pytest.raises(StoreLocked) as caught, writer_lock(path, timeout_s=0):
        pass
    assert caught.value.exit_code == 6
    assert caught.value.context["holder"] == str(holder.pid)
    assert f"process {holder.pid}" in caught.value.message


def test_second_writer_waits_as_long_as_it_was_told_to(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path):
        begin = time.monotonic()
        with pytest.raises(StoreLocked), writer_lock(path, timeout_s=0.1):
            pass
        assert 0.1 <= time.monotonic() - begin < 5


def test_waiting_writer_gets_the_lock_when_the_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as holder:
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        with writer_lock(path, timeout_s=30):
            assert path.read_text().strip() == f"{os.getpid()}"


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(30)
        with writer_lock(path, timeout_s=0):
            assert path.read_text().strip() == f"{os.getpid()}"


def test_lock_is_freed_by_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyboardInterrupt), writer_lock(path, timeout_s=0):
        raise KeyboardInterrupt
    with writer_lock(path, timeout_s=0):
        pass


def test_name_of_the_holder_is_a_courtesy_that_a_full_disk_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("esaa.stores.lock.os.pwrite", full)
    with writer_lock(tmp_path / "lock", timeout_s=0):
        pass


def test_lock_file_that_is_a_link_or_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(StoreError), writer_lock(tmp_path / name, timeout_s=0):
            pass
    assert not (tmp_path / "victim").exists()


def test_workspace_that_another_process_writes_is_read_and_not_written(tmp_path: Path) -> None:
    root = tmp_path / "project"
    make_workspace(root, [new_task("T-1")])
    workspace = reopen(root, lock_timeout_s=0)
    with held_by_another_process(root / ".roadmap" / ".esaa" / "lock"):
        assert workspace.state().seq == 2
        with pytest.raises(StoreLocked) as caught:
            submit(workspace, "agent-impl", result("claim", "T-1"))
        assert caught.value.exit_code == 6
    assert actions(root) == ["run.start", "task.create"]
    assert submit(workspace, "agent-impl", result("claim", "T-1")).rejected is None


def test_second_writing_in_one_process_is_locked_out_too(tmp_path: Path) -> None:
    root = tmp_path / "project"
    first = make_workspace(root, [new_task("T-1")])
    second = reopen(root, lock_timeout_s=0)
    with first.writing():
        with pytest.raises(StoreLocked) as caught, second.writing():
            pass
        assert caught.value.exit_code == 6
        with first.writing() as notices:
            assert notices == [], "the holder itself may write inside of its own turn"
    with second.writing():
        pass
