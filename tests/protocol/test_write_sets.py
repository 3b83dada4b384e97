"""Finding whom a task would meet gives what asking each of them in turn gives, at any number of tasks."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from esaa.protocol.paths import overlap
from esaa.protocol.task_table import Task
from esaa.protocol.write_sets import WriteSets

PATTERNS = st.sampled_from(
    [
        "src/a",
        "src/A",
        "src/a/b",
        "src/ab",
        "src",
        "src/",
        "src/**",
        "src/*",
        "src/a/*.py",
        "src/a/b.py",
        "**",
        "docs/x?",
        "docs/xy",
        "docs/x",
        "\u017frc/a",
    ]
)


def task(number: int) -> Task:
    return Task(
        task_id=f"T-{number}",
        task_kind="impl",
        title="",
        description="",
        status="todo",
        depends_on=(),
        targets=[],
        outputs={"files": []},
    )


@given(st.lists(st.lists(PATTERNS, max_size=3).map(tuple), max_size=6), st.lists(PATTERNS, max_size=3).map(tuple))
def test_answer_is_that_of_every_pair(sets: list[tuple[str, ...]], mine: tuple[str, ...]) -> None:
    active = WriteSets()
    for number, patterns in enumerate(sets):
        active.add(task(number), patterns)
    expected = [
        (f"T-{number}", meeting)
        for number, patterns in enumerate(sets)
        if (meeting := overlap(mine, patterns)) is not None
    ]
    assert [(met.task_id, meeting) for met, meeting in active.met(mine)] == expected


def test_ten_thousand_plain_paths_are_not_asked_one_by_one() -> None:
    active = WriteSets()
    for number in range(10_000):
        active.add(task(number), (f"src/{number}.py",))
    begun = time.process_time()
    for number in range(1_000):
        assert [met.task_id for met, _ in active.met((f"src/{number}.py", f"tests/{number}.py"))] == [f"T-{number}"]
    assert time.process_time() - begun < 1, "a hundred thousand comparisons a task would take minutes"
