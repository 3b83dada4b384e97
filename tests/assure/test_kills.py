"""The short form of the kill -9 loop, and that a lost event is noticed."""

from __future__ import annotations

from pathlib import Path

from assure import kills
from assure.figure import Scope


def test_killed_writers_lose_nothing(short_scope: Scope) -> None:
    cycles, lost, unrecoverable = kills.measure(short_scope)
    assert cycles.holds, cycles.detail
    assert lost.holds, cycles.detail
    assert unrecoverable.holds, cycles.detail
    assert cycles.detail["processes killed"] == 2 * cycles.value
    assert int(cycles.detail["acknowledged events"]) >= cycles.value


def test_lost_event_is_noticed(tmp_path: Path) -> None:
    kills._begin(tmp_path / "folder")
    told = {1: "EV-00000001", 2: "EV-00000002"}
    assert kills._lost(tmp_path / "folder", told) == set()
    assert kills._lost(tmp_path / "folder", told | {2: "EV-00000009", 3: "EV-00000003"}) == {2, 3}
