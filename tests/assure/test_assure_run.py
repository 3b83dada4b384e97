"""`make assure` itself: what it prints, what it keeps, and that a miss is a failure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from assure import __main__ as run
from assure.figure import Figure, Scope

Measure = Callable[[Scope], list[Figure]]


@pytest.fixture
def areas(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts areas made for a test in the place of the real ones."""

    def put(**measures: Measure) -> None:
        for name, measure in measures.items():
            area = ModuleType(f"assure.{name}")
            area.measure = measure  # type: ignore[attr-defined]  # a module made by hand
            monkeypatch.setitem(sys.modules, f"assure.{name}", area)
        monkeypatch.setattr(run, "AREAS", tuple(measures))

    return put


def _holds(scope: Scope) -> list[Figure]:
    return [Figure(name="lost events", value=0, target="0", holds=True, detail={"seed": scope.seed})]


def _misses(scope: Scope) -> list[Figure]:
    return [Figure(name="escapes", value=3, target="0", holds=False)]


def _breaks(scope: Scope) -> list[Figure]:
    (scope.scratch / "left behind").touch()
    raise RuntimeError("the yardstick is bent")


def test_a_full_run_in_which_all_hold_is_kept_with_the_machine(areas: Callable[..., None], tmp_path: Path) -> None:
    areas(steady=_holds)
    output = tmp_path / "kept.json"
    assert run.main(["--output", str(output), "--seed", "7"]) == 0
    kept = json.loads(output.read_text())
    assert kept["figures"] == [{"name": "lost events", "value": 0, "target": "0", "holds": True, "detail": {"seed": 7}}]
    assert set(kept["seconds"]) == {"steady"}
    assert kept["python"]
    assert kept["cores"]


@pytest.mark.parametrize("option", [["--quick"], ["--only", "steady"]])
def test_nothing_is_kept_of_a_run_that_is_short_or_partial(
    areas: Callable[..., None], tmp_path: Path, option: list[str]
) -> None:
    areas(steady=_holds)
    assert run.main(["--output", str(tmp_path / "kept.json"), *option]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_miss_is_a_failure_and_hides_nothing(
    areas: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    areas(bent=_breaks, leaky=_misses, steady=_holds)
    assert run.main(["--output", str(tmp_path / "kept.json")]) == 1
    shown = capsys.readouterr().out
    assert "the yardstick is bent" in shown
    assert "leaky: escapes: 3 (target 0) MISSED" in shown
    assert "steady: lost events: 0 (target 0) holds" in shown
    assert "NOT ASSURED. missed: escapes. broke off: bent." in shown
    assert list(tmp_path.iterdir()) == []


def test_every_area_has_its_module_and_a_test_of_its_short_form() -> None:
    here = Path(__file__).parent
    for name in run.AREAS:
        assert (here.parents[1] / "assure" / f"{name}.py").is_file(), name
        assert (here / f"test_{name}.py").is_file(), name


def test_page_about_trust_says_what_every_area_does() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "trust.md").read_text("utf-8")
    for name in run.AREAS:
        assert f"| `{name}` |" in page, name
