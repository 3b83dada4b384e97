"""Measuring processes: wall time, CPU time and peak memory of a command, its children included; medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

_PEAK = Path(__file__).with_name("peak.py")


class Sample(msgspec.Struct, frozen=True):
    """One run: seconds of wall and CPU, peak resident bytes of the largest process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


class Measures:
    """Takes figures in `scratch`; sizes are divided by `scale`, and what is measured is repeated."""

    def __init__(self, scratch: Path, scale: int, repeats: int) -> None:
        self._scratch = scratch
        self._scale = scale
        self._repeats = repeats
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(scratch),
            "ESAA_CONFIG_DIR": str(scratch / "config"),
            "LC_ALL": "C.UTF-8",
        }


def run(arguments: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> Sample:
    """Runs a command to its end. Raises `CalledProcessError` where it fails."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as answer:
        command = [sys.executable, "-I", "-S", str(_PEAK), str(writing), *arguments]
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=(writing,)
        )
        os.close(writing)
        _, complaint = process.communicate()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, list(arguments), stderr=complaint)
        wall_s, cpu_s, peak_bytes = answer.read().split()
    return Sample(float(wall_s), float(cpu_s), int(peak_bytes))


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
