"""The short form of the crash states, and that a promise which is not kept is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from assure import crash_states
from assure.crash_recovery import Violation, judge, opened, parsed_once, prepare, record_run
from assure.figure import Scope


def test_every_state_is_recovered(short_scope: Scope) -> None:
    states, violations = crash_states.measure(short_scope)
    assert violations.holds, states.detail
    assert states.value > 300
    assert int(states.detail["finished"]) >= 1
    assert states.detail["repaired: log cut"]


def test_lost_acknowledgement_and_invented_event_are_noticed(tmp_path: Path) -> None:
    with parsed_once():
        reference = record_run(tmp_path / "reference")
        prepare(tmp_path / "state")
        assert judge(tmp_path / "reference", reference, {"log": len(reference.log)}, is_finished=True) == []
        promises = {"log": len(reference.log)}
        with pytest.raises(Violation, match="acknowledged event is gone"):
            judge(tmp_path / "state", reference, promises, is_finished=False)
        workspace = opened(tmp_path / "state")
        with workspace.writing():
            workspace.verify_now()
        with pytest.raises(Violation, match="nobody decided"):
            judge(tmp_path / "state", reference, {}, is_finished=False)


def test_reference_tells_its_trail(tmp_path: Path) -> None:
    with parsed_once():
        assert record_run(tmp_path / "reference").streams.keys() == {"global"}
