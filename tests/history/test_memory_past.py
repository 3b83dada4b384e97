"""The past in memory fills the port, and says what a past has to say."""

from __future__ import annotations

import pytest

from esaa.errors import NotFound
from esaa.history.entries import EntryFilter
from esaa.history.past import Past
from tests.history.memory_past import claims


def test_it_answers_as_the_port_asks() -> None:
    past: Past = claims(6)
    assert past.head() == 6
    assert past.seq_of("HEAD~2") == 4
    assert past.seq_of("EV-00000003") == 3
    assert past.part(2, "/tasks/T-1") == {"task_id": "T-1", "status": "in_progress"}
    assert [name for name, _ in past.parts(6, "tasks")] == ["T-1", "T-2"]
    assert list(past.changed_parts(1, 6)) == ["/tasks/T-1", "/tasks/T-2"]
    assert past.count_changed(1, 6) == 2
    assert past.part_changes("/tasks/T-2/status", 6) == [4, 5, 6]
    assert [one.seq for one in past.find(EntryFilter(names=("claim",))).entries] == [2, 5]
    with pytest.raises(NotFound):
        past.entry(7)
