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
    area = kept["steady"]
    assert area["figures"] == [{"name": "lost events", "value": 0, "target": "0", "holds": True, "detail": {"seed": 7}}]
    assert area["seconds"] >= 0
    assert area["python"]
    assert area["cores"]
    assert "commit" in area


def test_nothing_is_kept_of_a_short_run(areas: Callable[..., None], tmp_path: Path) -> None:
    areas(steady=_holds)
    assert run.main(["--output", str(tmp_path / "kept.json"), "--quick"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_an_area_that_is_taken_again_takes_its_own_place_and_no_other(
    areas: Callable[..., None], tmp_path: Path
) -> None:
    output = tmp_path / "kept.json"
    areas(steady=_holds, also=_holds)
    run.main(["--output", str(output)])
    assert run.main(["--output", str(output), "--only", "also", "--seed", "9"]) == 0
    assert {name: area["seed"] for name, area in json.loads(output.read_text()).items()} == {"steady": 1, "also": 9}


def test_what_was_kept_of_an_area_is_gone_when_it_misses_or_breaks_off(
    areas: Callable[..., None], tmp_path: Path
) -> None:
    output = tmp_path / "kept.json"
    areas(first=_holds, second=_holds, third=_holds)
    run.main(["--output", str(output)])
    areas(first=_misses, second=_breaks, third=_holds)
    assert run.main(["--output", str(output)]) == 1
    assert list(json.loads(output.read_text())) == ["third"]


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
    assert list(json.loads((tmp_path / "kept.json").read_text())) == ["steady"]


def test_every_area_has_its_module_and_a_test_of_its_short_form() -> None:
    here = Path(__file__).parent
    for name in run.AREAS:
        assert (here.parents[1] / "assure" / f"{name}.py").is_file(), name
        assert (here / f"test_{name}.py").is_file(), name


def test_page_about_trust_says_what_every_area_does() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "trust.md").read_text("utf-8")
    for name in run.AREAS:
        assert f"| `{name}` |" in page, name
