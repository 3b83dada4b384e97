"""The tamper corpus: nothing that is done to a log escapes either verifier, no sound log is complained about, and both
give the same answer.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from assure.figure import Figure, Scope
from tests.trust.corpus import Outcome, run_seeds
from tests.trust.tampering import KINDS

CASES = 10_800
CASES_SHORT = 2 * len(KINDS)
_BATCH = 54


def measure(scope: Scope) -> list[Figure]:
    """Every case is one sound log and one tampering with it, each put before both verifiers."""
    cases = CASES_SHORT if scope.is_short else CASES
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first = scope.seed * 1_000_000
        batches = [range(at, min(at + _BATCH, first + cases)) for at in range(first, first + cases, _BATCH)]
        for found in pool.map(_run, batches, [str(scope.scratch)] * len(batches)):
            outcomes += found
    kinds = Counter(outcome.kind for outcome in outcomes)
    return [
        _figure(
            "tamperings missed with an outside anchor", cases, [text for one in outcomes for text in one.missed], kinds
        ),
        _figure("false alarms on sound logs", cases, [text for one in outcomes for text in one.false_alarms], kinds),
        _figure(
            "answers in which the two verifiers differ",
            2 * cases,
            [text for one in outcomes for text in one.disagreements],
            kinds,
        ),
    ]


def _figure(name: str, cases: int, wrong: list[str], kinds: Counter[str]) -> Figure:
    detail: dict[str, float | int | str] = {"cases": cases, "kinds": len(kinds)}
    if wrong:
        detail["first"] = wrong[0][:400]
    return Figure(name=name, value=len(wrong), target=f"0 of {cases:,}", holds=not wrong, detail=detail)


def _run(seeds: range, scratch: str) -> list[Outcome]:
    # Two files are written and read again for every case: in memory, where there is room for it.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else scratch) as folder:
        return run_seeds(seeds, Path(folder) / "log")
