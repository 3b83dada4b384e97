"""Branch coverage of the pure packages: what decides what is true has no line and no branch that no test takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from assure.figure import Figure, Scope

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("kernel", "contracts", "redaction", "protocol", "history", "audit", "trail")
SUITES = (
    ("tests/kernel", "tests/contracts", "tests/redaction", "tests/protocol", "tests/history", "tests/properties"),
    (
        "tests/audit",
        "tests/trail",
        "tests/runtime/test_audit_report.py",
        "tests/runtime/test_audit_check.py",
        "tests/query/history",
    ),
)
"""The tests whose coverage counts, in two halves that run side by side; reports are made by `runtime` and pasts kept by
`query`, and so tested there. What other tests reach does not count."""

_NAMED_MAX = 20


def measure(scope: Scope) -> list[Figure]:
    """The share of statements and branches that were taken; the short form looks at one package and its tests."""
    packages, suites = (("redaction",), (("tests/redaction",),)) if scope.is_short else (PACKAGES, SUITES)
    with ThreadPoolExecutor(len(suites)) as pool:
        failed = list(chain(*pool.map(partial(_run_suite, scope.scratch, packages), count(), suites)))
    return [figure_of(_report(scope.scratch), packages, failed)]


def figure_of(report: Mapping[str, Any], packages: Sequence[str], failed: Sequence[str] = ()) -> Figure:
    """The figure that a report of coverage.py comes to; its detail names what nobody took, and tests that failed."""
    totals = report["totals"]
    possible = totals["num_statements"] + totals["num_branches"]
    taken = totals["covered_lines"] + totals["covered_branches"]
    detail: dict[str, float | int | str] = {
        "statements": totals["num_statements"],
        "branches": totals["num_branches"],
        "missed": possible - taken,
        "packages": " ".join(packages),
    }
    missed = [
        f"{name}: lines {file['missing_lines']} branches {file['missing_branches']}"
        for name, file in sorted(report["files"].items())
        if file["missing_lines"] or file["missing_branches"]
    ]
    if missed:
        detail["where"] = "; ".join(missed[:_NAMED_MAX])
    if failed:
        detail["failed"] = "; ".join(failed[:_NAMED_MAX])
    # Nothing measured is no coverage: a renamed package must not look complete.
    holds = possible > 0 and taken == possible and not missed and not failed
    return Figure(
        name="branch coverage of the pure packages",
        value=100 * taken / possible if possible else 0,
        target="100 %",
        holds=holds,
        detail=detail,
    )


def _run_suite(scratch: Path, packages: Sequence[str], number: int, tests: Sequence[str]) -> list[str]:
    """Runs tests and keeps what they took; returns the names of those that failed."""
    sources = ",".join(f"src/esaa/{package}" for package in packages)
    measured = ["run", "--branch", f"--data-file={scratch / f'data.{number}'}", f"--source={sources}"]
    said = _coverage(scratch, [*measured, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], may_fail=True)
    return [line.split()[1] for line in said.splitlines() if line.startswith("FAILED ")]


def _report(scratch: Path) -> Mapping[str, Any]:
    data, report = scratch / "combined", scratch / "report.json"
    _coverage(scratch, ["combine", f"--data-file={data}", *map(str, sorted(scratch.glob("data.*")))])
    _coverage(scratch, ["json", f"--data-file={data}", "-o", str(report), "--quiet"])
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found


def _coverage(scratch: Path, arguments: Sequence[str], *, may_fail: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    # pytest ends with 1 where tests failed, and with more where it could not run them.
    if done.returncode > may_fail:
        raise RuntimeError(f"coverage {arguments[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr}")
    return done.stdout
