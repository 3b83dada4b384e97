"""What the index says of durations and runs is what counting all events says: at every event, however it was fed."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.audit.run_metrics import RunMetrics, run_metrics, with_measures
from esaa.history.task_times import Measures, TaskClock
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import (
    Fact,
    OutputRejected,
    RunEnded,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
)
from tests.properties.strategies import ACTORS, FACTS, TIMES
from tests.query.history.log_of import WIRE, lines_of, past_of, small_blocks, write_log

_NAMES = st.sampled_from(["T-1", "T-2", "T-3", "T-4"])
_RUNS = st.sampled_from(["RUN-1", "RUN-2", "RUN-3"])
_USED = st.sampled_from([{"tokens_in": 3, "model": "m"}, {"tokens_out": 2, "cost_micro_usd": 5, "model": "n"}])
_ACTS = st.one_of(
    st.builds(TaskCreated, task_id=_NAMES, task_kind=st.just("impl"), title=st.sampled_from(["One", "Two"])),
    st.builds(TaskClaimed, task_id=_NAMES, provenance=_USED),
    st.builds(TaskCompleted, task_id=_NAMES),
    st.builds(TaskReviewed, task_id=_NAMES, decision=st.sampled_from(["approve", "request_changes"])),
    st.builds(OutputRejected, task_id=_NAMES, error_code=st.sampled_from(["A", "B"]), rejected_actor=ACTORS),
    st.builds(RunStarted, run_id=_RUNS),
    st.builds(RunEnded, status=st.sampled_from(["success", "failed"])),
)
_MOSTLY = st.integers(0, 9).flatmap(lambda one: FACTS if one == 0 else _ACTS)
_STORIES = st.lists(st.tuples(_MOSTLY, ACTORS, TIMES), min_size=1, max_size=50)
_STABLE = settings(derandomize=True, deadline=None, max_examples=80)
Told = list[tuple[Fact, str, str]]


@pytest.fixture(autouse=True, scope="module")
def sums_that_are_written_often() -> Generator[None, None, None]:
    """So that a short log has many of them."""
    with patch("esaa.query.history.measures.SUMS_EVERY", 5):
        yield


def counted(lines: list[bytes], count: int, agent: str | None = None) -> tuple[list[RunMetrics], Measures]:
    """What counting all events says."""
    clock = TaskClock()
    events: list[Recorded[Fact]] = [WIRE.decode(line) for line in lines]
    return run_metrics(clock.following(events), agent=agent), clock.slowest(count)


@_STABLE
@given(_STORIES, st.sampled_from([0, 3, 30_000]))
def test_measures_at_every_event_are_those_of_counting_all(told: Told, held_max: int) -> None:
    lines = lines_of(told)
    with (
        tempfile.TemporaryDirectory() as folder,
        small_blocks(),
        closing(past_of(write_log(Path(folder), lines), held_max=held_max)) as past,
    ):
        for seq in range(len(lines) + 1):
            runs, times = counted(lines[:seq], 3)
            assert with_measures(past.run_sums(seq)) == runs
            assert past.task_times(seq, 3) == times


@_STABLE
@given(_STORIES, st.lists(st.integers(1, 50), max_size=4), st.sampled_from([0, 30_000]))
def test_a_log_that_grows_is_measured_on(told: Told, cuts: list[int], held_max: int) -> None:
    lines = lines_of(told)
    with tempfile.TemporaryDirectory() as folder, small_blocks():
        for cut in sorted({min(cut, len(lines)) for cut in cuts} | {len(lines)}):
            # Each time another process looks: nothing is left of it but the file.
            with closing(past_of(write_log(Path(folder), lines[:cut]), held_max=held_max)) as past:
                runs, times = counted(lines[:cut], 10)
                assert with_measures(past.run_sums(cut)) == runs
                assert past.task_times(cut, 10) == times


@_STABLE
@given(_STORIES, ACTORS)
def test_the_part_of_an_agent_is_what_counting_it_alone_says(told: Told, agent: str) -> None:
    lines = lines_of(told)
    with (
        tempfile.TemporaryDirectory() as folder,
        small_blocks(),
        closing(past_of(write_log(Path(folder), lines))) as past,
    ):
        assert with_measures(past.run_sums(len(lines)), agent=agent) == counted(lines, 1, agent)[0]
