"""Hostile inputs at every door, in the short form; and the measurement itself notices what it looks for."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from assure.doors import Door, doors
from assure.figure import Scope
from assure.hostile import Answers, Hangs, corpus, feed, measure
from assure.mutation import BYTES_MAX, mutated
from esaa.kernel.ingest import NotIngested


def test_every_door_answers_hostile_inputs_with_a_value_or_its_own_refusal(tmp_path: Path) -> None:
    for figure in measure(Scope(scratch=tmp_path, is_short=True, seed=1)):
        assert figure.holds, figure


@pytest.mark.parametrize("door", doors(), ids=lambda door: door.name)
def test_every_door_opens_for_good_bytes(door: Door) -> None:
    taken = []
    for seed in door.seeds:
        try:
            door.take(seed)
        except door.refusals:
            continue
        taken.append(seed)
    assert taken, "mutations of what is refused anyway test little" if door.name != "query's time" else ""


def test_what_no_door_may_raise_is_counted() -> None:
    def broken(data: bytes) -> object:
        raise {b"k": KeyError("k"), b"r": RecursionError(), b"h": Hangs(), b"n": NotIngested("no")}[data]

    answers = Answers()
    door = Door("broken", broken, (NotIngested,), (b"",))
    for data in (b"k", b"r", b"h", b"n"):
        feed(door, data, answers)
    assert (answers.inputs, answers.refusals, len(answers.uncaught)) == (4, 1, 3)


def test_what_takes_longer_than_a_second_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((0.0, 0.5, 1.0, 2.5))
    monkeypatch.setattr(time, "thread_time", lambda: next(times))
    answers = Answers()
    for _ in range(2):
        feed(Door("slow", bytes, (), (b"",)), b"", answers)
    assert len(answers.slow) == 1
    assert answers.slowest_s == 1.5


def test_the_same_seed_makes_the_same_inputs() -> None:
    seeds = (b'{"a": [1, "x"]}', b"- a: b\n")
    first, second = (
        [mutated(seeds[0], seeds, chance) for _ in range(200)] for chance in (random.Random(7), random.Random(7))
    )
    assert first == second
    assert len(set(first)) > 150
    assert max(map(len, first)) <= BYTES_MAX


def test_corpora_are_fed_whole() -> None:
    assert len(list(corpus())) >= 900
