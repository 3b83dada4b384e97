"""Histories that lie mixed in one stream are told apart by their chains, also where a merge moved their lines."""

from __future__ import annotations

import random

import pytest

from esaa.errors import CorruptLog
from esaa.trail.joining.histories import histories
from tests.trail.test_merge import Machine, ids_of


def test_each_history_is_found_whole_whatever_the_order_of_the_lines() -> None:
    ann, bob = Machine("ann"), Machine("bob")
    ann.record(1, 0)
    bob.take(ann)
    ann.record(2, 1)
    ann.record(3, 2)
    bob.record(4, 3)
    lines = list(dict(ann.lines + bob.lines).items())

    found = histories(lines)

    assert sorted(map(ids_of, ([line for line, _ in one] for one in found))) == sorted([ann.ids, bob.ids])
    random.Random(1).shuffle(lines)
    assert histories(lines) == found
    assert histories([]) == []


def test_line_that_a_merge_moved_counts_under_its_old_place_too() -> None:
    ann, bob = Machine("ann"), Machine("bob")
    ann.record(1, 0)
    bob.take(ann)
    ann.record(2, 1)
    bob.record(3, 2)
    before = list(bob.lines)
    ann.take(bob)
    # Bob went on from his own line, which the merge moved elsewhere; the original was not kept.
    bob.record(4, 5)
    moved = [line for line in bob.lines if line not in before]

    found = histories([*ann.lines, *moved])

    assert sorted(ids_of([line for line, _ in one]) for one in found) == sorted([ann.ids, bob.ids])


def test_history_may_begin_where_older_events_were_archived_but_not_in_the_middle() -> None:
    ann = Machine("ann")
    for number in range(1, 6):
        ann.record(number, number)
    assert ids_of([line for line, _ in histories(ann.lines[2:])[0]]) == ann.ids[2:]
    with pytest.raises(CorruptLog, match="before 4 of its history") as caught:
        histories(ann.lines[:2] + ann.lines[3:])
    assert caught.value.line == 4
