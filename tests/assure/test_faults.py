"""The short form of the system call faults, and that an unclean end is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assure import faults
from assure.crash_recovery import Violation, parsed_once, prepare, record_run
from assure.faults import Outcome
from assure.figure import Scope


def test_calls_that_fail_end_cleanly(short_scope: Scope) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is missing")
    calls, unclean = faults.measure(short_scope)
    assert calls.holds, calls.detail
    assert unclean.holds, calls.detail
    assert int(calls.detail["calls"]) > 150
    assert int(calls.detail["runs that were killed"]) > 0
    assert int(calls.detail["runs that stopped with an error that says what to do"]) > 0


def test_missing_tool_is_no_figure(short_scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assure.faults.shutil.which", lambda name: None)
    (figure,) = faults.measure(short_scope)
    assert not figure.holds
    assert "strace" in str(figure.detail["skipped"])


@pytest.mark.parametrize(
    ("last", "status"), [("raised ValueError()", 70), ("", -11), ("error STORAGE_FAILED", 0), ("log 12", 0)]
)
def test_unclean_end_is_noticed(tmp_path: Path, last: str, status: int) -> None:
    with parsed_once(is_restarted=False):
        prepare(tmp_path / "start")
        reference = record_run(tmp_path / "reference", tmp_path / "start", steps=1)
        with pytest.raises(Violation, match="it ended with"):
            faults._judged(tmp_path / "start", reference, Outcome({}, last, status), "EIO", is_finished=False)
        (tmp_path / "start" / "project" / ".roadmap" / ".x.1.2.tmp").touch()
        outcome = Outcome({}, "error STORAGE_FAILED", 10)
        with pytest.raises(Violation, match="left"):
            faults._judged(tmp_path / "start", reference, outcome, "EIO", is_finished=False)
