"""A thousand simulated projects with faulty agents, kills, wrong clocks and people: each ends, verifies, and repeats.

Everything happens in virtual time and in one process for each simulation; what the agents do wrong is drawn from the
seed. The same seed, played again in a process with another hash seed, has to leave the same bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from assure.figure import Figure, Scope
from tests.simulation.projects import ENDS, Ended, simulate, tally

ROOT = Path(__file__).resolve().parents[1]


def measure(scope: Scope) -> list[Figure]:
    """How many simulations end well, and how many repeat byte for byte."""
    first = (scope.seed - 1) * 100_000
    seeds = range(first, first + (16 if scope.is_short else 1_000))
    twice = [seeds[:8], seeds[8:]] if scope.is_short else [seeds[at : at + 50] for at in range(0, len(seeds), 50)]
    with ThreadPoolExecutor(2) as pool:
        once = [one for part in pool.map(partial(_played, scope.scratch, "1"), twice) for one in part]
        again = [one for part in pool.map(partial(_played, scope.scratch, "2"), twice) for one in part]
    wrong = [f"{seed}: {_fault(one)}" for seed, one in zip(seeds, once, strict=True) if _fault(one) is not None]
    differing = [seed for seed, one, other in zip(seeds, once, again, strict=True) if one != other]
    detail = tally([one for one in once if isinstance(one, Ended)])
    kinds = sum((Counter(one.faults) for one in once if isinstance(one, Ended)), Counter[str]())
    detail["by_kind"] = json.dumps(dict(sorted(kinds.items())))
    return [
        Figure(
            name="simulations that end in success, failed or halted, and verify",
            value=100 * (len(seeds) - len(wrong)) / len(seeds),
            target="100 %",
            holds=not wrong,
            detail=detail | ({"first_wrong": wrong[0]} if wrong else {}),
        ),
        Figure(
            name="simulations whose seed gives the same log and files again, under another hash seed",
            value=100 * (len(seeds) - len(differing)) / len(seeds),
            target="100 %",
            holds=not differing,
            detail={"simulations": len(seeds)} | ({"first_differing": differing[0]} if differing else {}),
        ),
    ]


def _fault(one: Ended | str) -> str | None:
    if isinstance(one, str):
        return one
    if one.outcome not in ENDS:
        return f"ended as {one.outcome!r}"
    return one.findings[0] if one.findings else None


def _played(scratch: Path, hash_seed: str, seeds: range) -> list[Ended | str]:
    """The simulations of some seeds, in a process of their own; a text for one that broke off."""
    command = [sys.executable, "-m", "assure.simulation", str(scratch), str(seeds.start), str(seeds.stop)]
    done = subprocess.run(
        command,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"seeds {seeds.start} to {seeds.stop}: {done.stderr.decode(errors='replace')}")
    answers: list[Any] = json.loads(done.stdout)
    return [one if isinstance(one, str) else msgspec.convert(one, Ended) for one in answers]


def _play(scratch: Path, seed: int) -> Ended | str:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        try:
            return simulate(seed, Path(folder))
        except Exception as error:  # whatever breaks off is the finding, and the others still count
            return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    place, begin, end = sys.argv[1:]
    json.dump([msgspec.to_builtins(_play(Path(place), seed)) for seed in range(int(begin), int(end))], sys.stdout)
