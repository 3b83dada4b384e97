"""Measuring processes: wall time, CPU time and peak memory of a command, its children included; medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One run: seconds of wall and CPU, peak resident bytes of the largest process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def run(arguments: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> Sample:
    """Runs a command to its end. Raises `CalledProcessError` where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process.stderr:
        complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(arguments), stderr=complaint)
    # ru_maxrss of wait4 counts the largest of the process and the children that it waited for, in KiB on Linux.
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT)


def medians(samples: Sequence[Sample]) -> Sample:
    """The median of each column."""
    return Sample(
        statistics.median(one.wall_s for one in samples),
        statistics.median(one.cpu_s for one in samples),
        int(statistics.median(one.peak_bytes for one in samples)),
    )


def cpu_of(work: Callable[[], object], repeats: int) -> float:
    """The median CPU seconds of a call in this process."""
    times: list[float] = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return statistics.median(times)


_RSS_UNIT = 1 if os.uname().sysname == "Darwin" else 1024
