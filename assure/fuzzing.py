"""Every door under a fuzzer that follows the branches (atheris); what it finds is a failure like any other.

There is no atheris for every machine. Where it is missing, that is said, and no figure is taken: the million inputs of
`assure.hostile` need nothing but Python.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from assure.doors import Door, doors
from assure.figure import Figure, Scope

SECONDS = 12
SHORT_DOORS = ("path", "checkpoint")

_ROOT = Path(__file__).resolve().parents[1]
_SHORT_RUNS = 3000
_UNITS = re.compile(r"stat::number_of_executed_units:\s+([0-9]+)")
_UNIT_TIMEOUT_S = 20
_GRACE_S = 240


class Found(NamedTuple):
    """How a door fared: the inputs that were tried, and the end of what the fuzzer said where it found something."""

    door: str
    inputs: int
    complaint: str


def measure(scope: Scope) -> list[Figure]:
    """Fuzzes every door for a while; in the short form two of them for a few thousand inputs."""
    if importlib.util.find_spec("atheris") is None:
        print("fuzzing: SKIPPED, there is no atheris for this Python and this machine", flush=True)
        return []
    chosen = [door for door in doors() if not scope.is_short or door.name in SHORT_DOORS]
    with ThreadPoolExecutor(1 if scope.is_short else os.cpu_count()) as pool:
        found = list(pool.map(partial(fuzz, scope=scope), chosen))
    bad = [one for one in found if one.complaint or not one.inputs]
    return [
        Figure(
            name="doors that a coverage-guided fuzzer broke",
            value=len(bad),
            target=f"0 of {len(doors())}",
            holds=not bad and len(found) == len(chosen),
            detail={
                "doors": len(found),
                "inputs": sum(one.inputs for one in found),
                "first": "; ".join(f"{one.door}: {one.complaint}" for one in bad[:2]),
            },
        )
    ]


def fuzz(door: Door, scope: Scope, *, target: str = "assure.fuzz_target") -> Found:
    """One door in a process of its own."""
    folder = scope.scratch / re.sub(r"\W", "-", door.name)
    folder.mkdir(parents=True, exist_ok=True)
    enough = f"-runs={_SHORT_RUNS}" if scope.is_short else f"-max_total_time={SECONDS}"
    done = subprocess.run(
        [
            *(sys.executable, "-m", target, door.name, str(folder), enough, f"-seed={scope.seed}"),
            *(f"-timeout={_UNIT_TIMEOUT_S}", "-max_len=4096", "-print_final_stats=1", f"-artifact_prefix={folder}/"),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + _GRACE_S,
        check=False,
    )
    units = _UNITS.search(done.stderr)
    complaint = "" if done.returncode == 0 else f"ended with {done.returncode}: {_told(done.stdout + done.stderr)}"
    return Found(door.name, int(units.group(1)) if units else 0, complaint)


def _told(text: str) -> str:
    """The exception and the place, of all that libFuzzer prints."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"Error|Exception|Timeout|File \"", line)]
    return " | ".join(lines[-4:])[:600]
