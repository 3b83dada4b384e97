"""`make assure`: takes every figure, prints it beside its target, and keeps a full run in which all hold."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

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
    parser.add_argument("--output", type=Path, default=RESULTS, help="where a full run in which all hold is kept")
    options = parser.parse_args(arguments)
    names = [name for name in AREAS if options.only is None or name in options.only]
    figures: list[Figure] = []
    seconds: dict[str, float] = {}
    broken: list[str] = []
    for name in names:
        started = time.monotonic()
        taken = _take(name, is_short=options.quick, seed=options.seed)
        seconds[name] = round(time.monotonic() - started, 1)
        if taken is None:
            broken.append(name)
        figures += taken or []
        print(f"({name}: {seconds[name]} s)", flush=True)
    missed = [figure.name for figure in figures if not figure.holds]
    if broken or missed:
        print(f"NOT ASSURED. missed: {'; '.join(missed) or 'none'}. broke off: {', '.join(broken) or 'none'}.")
        return 1
    print(f"All {len(figures)} figures hold.")
    if not options.quick and options.only is None:
        kept = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.release(),
            "cores": os.cpu_count(),
            "seed": options.seed,
            "seconds": seconds,
            "figures": msgspec.to_builtins(figures),
        }
        options.output.write_text(json.dumps(kept, indent=2) + "\n")
    return 0


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
