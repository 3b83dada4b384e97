"""Seeded simulations of whole runs (the short form; `make assure` plays a thousand)."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.simulation.faulty_agents import FAULTS
from tests.simulation.projects import ENDS, Ended, simulate, tally
from tests.simulation.virtual_time import StandsStill, run_virtually

SEEDS = range(24)


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    folder = tmp_path_factory.mktemp("simulations")
    found: list[Ended] = []
    for seed in SEEDS:
        found.append(simulate(seed, folder / str(seed)))
        shutil.rmtree(folder / str(seed))
    return found


def test_every_simulation_comes_to_an_end_and_verifies(ends: list[Ended]) -> None:
    wrong = {seed: one for seed, one in zip(SEEDS, ends, strict=True) if one.outcome not in ENDS or one.findings}
    assert wrong == {}


def test_same_seed_gives_the_same_project_byte_for_byte(ends: list[Ended], tmp_path: Path) -> None:
    for seed in (1, 5, 11):
        assert simulate(seed, tmp_path / str(seed)) == ends[seed]


def test_simulations_are_of_every_kind(ends: list[Ended]) -> None:
    told = tally(ends)
    assert all(told[name] for name in ENDS)
    assert int(told["kinds_of_fault"]) > 0.8 * len(FAULTS)
    assert told["kills"]


def test_virtual_time_passes_where_all_wait_and_only_there() -> None:
    async def work() -> tuple[float, float, float]:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(5))
            group.create_task(asyncio.sleep(3600))
        middle = loop.time()
        for _ in range(10):
            await asyncio.sleep(0)
        return begin, middle, loop.time()

    begin, middle, end = run_virtually(work())
    assert begin == 0
    assert middle == pytest.approx(3600)
    assert end == middle


def test_who_waits_for_nothing_stands_still() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StandsStill):
        run_virtually(work())
