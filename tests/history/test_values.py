"""The value at a pointer at a moment, and what differs between two moments, read part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, json

from esaa.errors import NotFound, UsageError
from esaa.history.changes import apply, diff
from esaa.history.pointers import parse_pointer, pointer_of, value_at
from esaa.history.values import changes_between, existing_value, value_in
from tests.history.memory_past import MemoryPast, claims, past_of
from tests.history.values import pasts


def pointers(value: Any, names: tuple[str, ...] = ()) -> Iterator[str]:
    yield pointer_of(names)
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in inner:
        yield from pointers(member, (*names, str(name)))


@given(pasts())
def test_a_value_is_what_the_document_has_there(past: MemoryPast) -> None:
    for seq in range(past.head() + 1):
        document = past.document(seq)
        for pointer in [*pointers(document), "/tasks/none", "/none", "/run/none/x"]:
            assert value_in(past, seq, pointer) == value_at(document, parse_pointer(pointer))


@given(pasts(), st.data())
def test_the_changes_between_two_moments_lead_from_one_to_the_other(past: MemoryPast, data: st.DataObject) -> None:
    # Before the first event there is not even a member in which parts could lie.
    moments = st.integers(min(1, past.head()), past.head())
    one, other = data.draw(moments), data.draw(moments)
    changed = apply(changes_between(past, one, other), past.document(one))
    assert json.encode(changed, order="sorted") == json.encode(past.document(other), order="sorted")


@given(pasts(), st.data())
def test_below_a_pointer_they_are_the_changes_of_its_value(past: MemoryPast, data: st.DataObject) -> None:
    moments = st.integers(0, past.head())
    one, other = data.draw(moments), data.draw(moments)
    pointer = data.draw(st.sampled_from(["/tasks/T-1", "/tasks/a~1b/status", "/run", "/run/status", "/none", "/files"]))
    before, after = (value_in(past, seq, pointer) for seq in (one, other))
    found = list(changes_between(past, one, other, pointer))
    if pointer != "/files":
        assert found == diff(before, after, pointer)
    assert all(change.pointer.startswith(pointer) for change in found)


def test_a_missing_value_is_not_found() -> None:
    past = claims(3)
    assert existing_value(past, 3, "/tasks/T-1/status") == "review"
    with pytest.raises(NotFound, match="has no value at /tasks/T-9"):
        existing_value(past, 3, "/tasks/T-9")
    with pytest.raises(UsageError):
        existing_value(past, 3, "tasks")


def test_an_empty_member_is_there() -> None:
    past = past_of({"tasks": {}})
    assert value_in(past, 1, "/tasks") == {}
    assert value_in(past, 0, "/tasks") is UNSET
