"""The short form of the simulation figures, and that they notice what they are there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from assure import simulation
from assure.figure import Scope
from tests.simulation.projects import Ended, simulate


def test_simulations_end_and_repeat(short_scope: Scope) -> None:
    ends, repeats = simulation.measure(short_scope)
    assert ends.holds, ends.detail
    assert repeats.holds, repeats.detail
    assert int(ends.detail["faults"]) > 50


def test_simulation_that_breaks_off_or_differs_is_noticed(short_scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    def played(scratch: Path, hash_seed: str, seeds: range) -> list[Ended | str]:
        good = Ended(outcome="success", digest="same", events=1, calls=1, kills=0, findings=(), faults={"garbage": 1})
        return [f"StandsStill, process {hash_seed}" if seed == 3 else good for seed in seeds]

    monkeypatch.setattr(simulation, "_played", played)
    ends, repeats = simulation.measure(short_scope)
    assert not ends.holds
    assert not repeats.holds
    assert ends.detail["first_wrong"] == "3: StandsStill, process 1"
    assert repeats.detail["first_differing"] == 3


def test_finding_and_odd_end_are_faults(tmp_path: Path) -> None:
    good = simulate(0, tmp_path)
    assert simulation._fault(good) is None
    for key, value in (("outcome", "waiting"), ("findings", ("SEQ_GAP",))):
        fields = {name: getattr(good, name) for name in good.__struct_fields__} | {key: value}
        assert simulation._fault(Ended(**fields)) is not None
