"""Which events made a value what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from esaa.errors import NotFound, UsageError
from esaa.history import blame as module
from esaa.history.blame import blame
from esaa.history.changes import same
from esaa.history.values import value_in
from tests.history.memory_past import MemoryPast, claims, entry, past_of
from tests.history.values import pasts


@given(
    pasts(), st.sampled_from(["/tasks/T-1", "/tasks/T-1/status", "/tasks/T-1/depends_on/0", "/run/status"]), st.data()
)
def test_it_is_every_change_of_the_value(past: MemoryPast, pointer: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, past.head()))
    changed = [
        seq for seq in range(1, at + 1) if not same(value_in(past, seq - 1, pointer), value_in(past, seq, pointer))
    ]
    if not changed:
        with pytest.raises(NotFound):
            blame(past, pointer, at)
        return
    found = blame(past, pointer, at)
    assert [step.seq for step in found.history] == changed
    assert [step.entry.seq for step in found.history] == changed
    assert [step.after for step in found.history[:-1]] == [step.before for step in found.history[1:]]
    assert found.is_there == (value_in(past, at, pointer) is not UNSET)
    assert same(found.history[-1].after, found.value)
    assert not found.is_cut


def test_the_events_that_put_a_task_in_review() -> None:
    found = blame(claims(6), "/tasks/T-2/status", 6)
    assert [(step.seq, step.before, step.after) for step in found.history] == [
        (4, None, "todo"),
        (5, "todo", "in_progress"),
        (6, "in_progress", "review"),
    ]
    assert found.history[-1].entry.name == "complete"
    assert blame(claims(6), "/tasks/T-2/status", 5).value == "in_progress"


def test_what_led_to_the_newest_change_comes_along() -> None:
    past = MemoryPast()
    past.append(entry(1, "claim"), {"run": {"n": 0}})
    past.append(entry(2, "complete", causation_id="EV-00000001"), {"run": {"n": 0}})
    past.append(entry(3, "orchestrator.file.write", causation_id="EV-00000002"), {"run": {"n": 1}})
    assert [one.seq for one in blame(past, "/run/n", 3).cause] == [2, 1]


def test_a_value_that_is_gone_says_which_event_took_it() -> None:
    past = past_of({"tasks": {"T-1": {"note": None}}}, {"tasks": {"T-1": {}}})
    found = blame(past, "/tasks/T-1/note", 2)
    assert (found.value, found.is_there, found.history[-1].seq) == (None, False, 2)
    assert blame(past, "/tasks/T-1/note", 1).is_there


def test_only_the_newest_changes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    past = past_of(*({"run": {"n": number, "m": 0}} for number in range(9)))
    found = blame(past, "/run/n", 9, count=2)
    assert ([step.seq for step in found.history], found.is_cut) == ([8, 9], True)
    monkeypatch.setattr(module, "READS_MAX", 5)
    found = blame(past, "/run/m", 9)
    assert (found.history, found.cause, found.value, found.is_cut) == ((), (), 0, True)


@pytest.mark.parametrize(("pointer", "example"), [("", "/run/status"), ("/tasks", "/tasks/T-1")])
def test_what_has_many_histories_is_refused_with_an_example(pointer: str, example: str) -> None:
    with pytest.raises(UsageError, match=example) as caught:
        blame(claims(3), pointer, 3)
    assert caught.value.code == "POINTER_TOO_WIDE"


def test_the_example_is_a_pointer_whatever_the_name() -> None:
    past = past_of({"files": {"src/a~b.py": {"sha256": "0"}}})
    with pytest.raises(UsageError) as caught:
        blame(past, "/files", 1)
    assert caught.value.hint == "Name one of them, such as /files/src~1a~0b.py."
    assert blame(past, "/files/src~1a~0b.py", 1).is_there


def test_what_never_was_is_not_found() -> None:
    for pointer in ("/tasks/T-9/status", "/nothing"):
        with pytest.raises(NotFound, match=f"no value at {pointer}"):
            blame(claims(3), pointer, 3)
