"""The short form of the coverage figure, and that it counts what was missed."""

from __future__ import annotations

from assure import coverage
from assure.figure import Scope


def test_the_smallest_package_has_no_branch_that_its_tests_do_not_take(short_scope: Scope) -> None:
    (figure,) = coverage.measure(short_scope)
    assert figure.holds, figure.detail
    assert int(figure.detail["branches"]) > 50


def test_a_branch_that_nobody_took_is_named() -> None:
    totals = {"num_statements": 8, "num_branches": 2, "covered_lines": 8, "covered_branches": 1}
    files = {
        "src/esaa/kernel/whole.py": {"missing_lines": [], "missing_branches": []},
        "src/esaa/kernel/partly.py": {"missing_lines": [], "missing_branches": [[3, 5]]},
    }
    figure = coverage.figure_of({"totals": totals, "files": files}, ["kernel"])
    assert not figure.holds
    assert figure.value == 90
    assert figure.detail["where"] == "src/esaa/kernel/partly.py: lines [] branches [[3, 5]]"


def test_failed_test_is_named_and_spoils_the_figure() -> None:
    totals = {"num_statements": 8, "num_branches": 2, "covered_lines": 8, "covered_branches": 2}
    report = {"totals": totals, "files": {}}
    assert coverage.figure_of(report, ["kernel"]).holds
    figure = coverage.figure_of(report, ["kernel"], ["tests/kernel/test_x.py::test_y"])
    assert not figure.holds
    assert figure.detail["failed"] == "tests/kernel/test_x.py::test_y"


def test_nothing_measured_is_no_coverage() -> None:
    totals = {"num_statements": 0, "num_branches": 0, "covered_lines": 0, "covered_branches": 0}
    assert not coverage.figure_of({"totals": totals, "files": {}}, ["kernel"]).holds
