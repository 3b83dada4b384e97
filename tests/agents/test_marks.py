"""Processes of a call are found by their mark, and those of a run that was killed outright are ended by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esaa.agents.marks import MARK, end_abandoned, end_marked, new_mark

PATIENCE_S = 20.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows environments")


@contextmanager
def sleeping(mark: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark}, start_new_session=True)
    until = time.monotonic() + PATIENCE_S
    while f"{MARK}={mark}".encode() not in Path(f"/proc/{process.pid}/environ").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_processes_of_one_call_are_ended_and_those_of_others_are_not() -> None:
    mine, other = new_mark(), new_mark()
    assert mine != other
    with sleeping(mine) as first, sleeping(other) as second:
        end_marked(mine)
        assert first.wait(PATIENCE_S) == -signal.SIGKILL
        assert second.poll() is None


def test_what_a_living_run_has_started_is_not_abandoned() -> None:
    with sleeping(new_mark()) as process:
        end_abandoned()
        time.sleep(0.1)
        assert process.poll() is None


def test_what_a_killed_run_has_left_behind_is_ended(tmp_path: Path) -> None:
    program = f"""
import os, subprocess, time
from esaa.agents.marks import MARK, new_mark
child = subprocess.Popen(["sleep", "600"], env={{**os.environ, MARK: new_mark()}}, start_new_session=True)
open({str(tmp_path / "child")!r}, "w").write(f"{{child.pid}}\\n")
time.sleep(600)
"""
    run = subprocess.Popen([sys.executable, "-c", program])
    until = time.monotonic() + PATIENCE_S
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().endswith("\n"):
        assert time.monotonic() < until
        time.sleep(0.01)
    child = int((tmp_path / "child").read_text())
    run.kill()
    run.wait()
    assert is_alive(child)
    end_abandoned()
    until = time.monotonic() + PATIENCE_S
    while is_alive(child):
        assert time.monotonic() < until, "it lives on"
        time.sleep(0.01)


@pytest.mark.parametrize("change", ["space", "start"])
def test_only_a_run_that_is_surely_gone_counts_as_gone(change: str) -> None:
    space, pid, start, token = new_mark().split(".")
    mark = f"{int(space) + 1}.1.1.{token}" if change == "space" else f"{space}.{pid}.{int(start) + 1}.{token}"
    with sleeping(mark) as process:
        end_abandoned()
        if change == "space":
            # Another name space has other numbers; nobody can say from here who lives in it.
            time.sleep(0.1)
            assert process.poll() is None
        else:
            # The number is this process's, but it began at another time: the run that had it is gone.
            assert process.wait(PATIENCE_S) == -signal.SIGKILL


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
