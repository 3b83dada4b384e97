"""The short form of `make bench`: every figure is taken, on logs a fortieth as long. The bars are the long form's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.figure import Figure
from bench.figures import kept_with

ROOT = Path(__file__).resolve().parents[1]

FIGURES = (
    "start-up:",
    "appends:",
    "claim:",
    "run: CPU of the orchestrator",
    "verify: wall",
    "verify: peak memory",
    "verify again:",
    "history: CPU of making the index",
    "history: one task or one board page",
    "history: a page of the difference",
    "history: a page of events",
    "history: opening a log",
    "trail: CPU of a recorded event",
    "trail: events lost or doubled",
    "trail: CPU microseconds per event of an index rebuild",
    "trail: indexed queries",
    "trail: full text",
    "trail: state of any issue",
    "trail: peak memory",
)
FIGURES_OF_THE_PAGE = (
    *(
        f"web at {size} events: {name}"
        for size in ("100,000", "1,000,000")
        for name in ("scrub p95", "first rows", "first load", "requests that leave the machine", "JS heap")
    ),
    "web at 1,000,000 events: server start",
)


@pytest.mark.timeout(300)
def test_every_figure_is_measured_and_nothing_is_kept_of_a_short_run(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--output", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    taken = done.stdout.splitlines()
    expected = (*FIGURES, *FIGURES_OF_THE_PAGE) if shutil.which("chromium") else FIGURES
    assert [name for name in expected if not any(line.startswith(name) for line in taken)] == [], done.stdout
    assert not output.exists()


def test_a_measurement_that_is_taken_again_replaces_its_own_figures_alone() -> None:
    def figure(name: str, ratio: float) -> Figure:
        return Figure(name=name, ratio=ratio, bar=1)

    first = kept_with({}, {"cores": 2}, {"a": [figure("a1", 1), figure("a2", 1)], "b": [figure("b1", 1)]})
    again = kept_with(first, {"cores": 9}, {"a": [figure("a1", 3)]})
    assert [(one["measure"], one["name"], one["ratio"]) for one in again["figures"]] == [("a", "a1", 3), ("b", "b1", 1)]
    assert again["yardsticks"] == {"cores": 2}


def test_kept_results_are_of_every_figure_hold_their_bars_and_name_the_machines_yardsticks() -> None:
    kept = json.loads((ROOT / "bench" / "results.json").read_text())
    assert kept["yardsticks"]["python_pass_cpu_s"] > 0
    names = [figure["name"] for figure in kept["figures"]]
    expected = (*FIGURES, *FIGURES_OF_THE_PAGE)
    assert [name for name in expected if sum(one.startswith(name) for one in names) != 1] == []
    assert len(names) == len(expected)
    for figure in kept["figures"]:
        assert figure["ratio"] <= figure["bar"], figure["name"]
