"""`make assure`: takes every figure, prints it beside its target, and keeps the areas whose figures all hold.

Each area is kept with the commit, the machine and the seed of its run, so that one can be taken again alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from assure.figure import Figure, Scope

AREAS: tuple[str, ...] = (
    "coverage",
    "determinism",
    "simulation",
    "bit_flips",
    "tampering",
    "verifiers",
    "crash_states",
    "faults",
    "kills",
    "full_disk",
    "privacy",
    "paths",
    "hostile",
    "fuzzing",
)
"""The modules beside this one, in the order in which they run. Each has `measure(scope) -> list[Figure]`."""

RESULTS = Path(__file__).resolve().parents[1] / "bench" / "assurance.json"


class Area(Protocol):
    """A module of this package that takes figures."""

    def measure(self, scope: Scope) -> list[Figure]:
        """The figures of this area, taken in `scope`."""
        ...


def main(arguments: Sequence[str]) -> int:
    """Measures and prints; ends with 1 where a figure is missed or an area broke off."""
    parser = argparse.ArgumentParser(prog="make assure", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form of every area: a smoke test")
    parser.add_argument("--only", metavar="NAME", action="append", choices=AREAS, help="only this area; repeatable")
    parser.add_argument("--seed", type=int, default=1, help="where everything that is drawn comes from")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the areas of a full run are kept")
    options = parser.parse_args(arguments)
    names = [name for name in AREAS if options.only is None or name in options.only]
    count = 0
    missed: list[str] = []
    broken: list[str] = []
    for name in names:
        started = time.monotonic()
        taken = _take(name, is_short=options.quick, seed=options.seed)
        seconds = round(time.monotonic() - started, 1)
        print(f"({name}: {seconds} s)", flush=True)
        if taken is None:
            broken.append(name)
        missed += [figure.name for figure in taken or [] if not figure.holds]
        count += len(taken or [])
        if not options.quick:
            keep(options.output, name, taken or [], seconds=seconds, seed=options.seed)
    if broken or missed:
        print(f"NOT ASSURED. missed: {'; '.join(missed) or 'none'}. broke off: {', '.join(broken) or 'none'}.")
        return 1
    print(f"All {count} figures hold.")
    return 0


def keep(path: Path, name: str, figures: Sequence[Figure], *, seconds: float, seed: int) -> None:
    """Puts an area of a full run in the place of what was kept of it before; one that was missed is kept no longer."""
    kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept.pop(name, None)
    if figures and all(figure.holds for figure in figures):
        kept[name] = _record(figures, seconds=seconds, seed=seed)
    if kept or path.exists():
        path.write_text(json.dumps({area: kept[area] for area in AREAS if area in kept}, indent=2) + "\n")


def _record(figures: Sequence[Figure], *, seconds: float, seed: int) -> dict[str, Any]:
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.release(),
        "cores": os.cpu_count(),
        "seed": seed,
        "seconds": seconds,
        "figures": msgspec.to_builtins(figures),
    }


def _commit() -> str | None:
    """The commit of the checkout that was measured, marked where its code differs; None outside of a checkout."""
    try:
        commit, changed = _git("rev-parse", "--short=12", "HEAD"), _git("status", "--porcelain", "--", "src", "assure")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    root = Path(__file__).resolve().parents[1]
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def _take(name: str, *, is_short: bool, seed: int) -> list[Figure] | None:
    """The figures of an area, printed one by one; None where it broke off, whose traceback is then printed."""
    scratch = Path(tempfile.mkdtemp(prefix=f"esaa-assure-{name}-"))
    try:
        area = cast(Area, importlib.import_module(f"assure.{name}"))
        figures = area.measure(Scope(scratch=scratch, is_short=is_short, seed=seed))
    except Exception:  # one area that breaks off must not hide what the others find
        traceback.print_exc(file=sys.stdout)
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for figure in figures:
        verdict = "holds" if figure.holds else "MISSED"
        print(f"{name}: {figure.name}: {figure.value:g} (target {figure.target}) {verdict}")
        print(f"    {json.dumps(dict(figure.detail))}", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
