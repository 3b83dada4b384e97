"""What differs between two values leads from one to the other, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, json

from esaa.errors import UsageError
from esaa.history.changes import Change, apply, diff, inverted, same
from tests.history.values import json_values

there_or_not = json_values | st.just(UNSET)


def text(value: Any) -> bytes:
    return b"" if value is UNSET else json.encode(value, order="sorted")


@given(there_or_not, there_or_not)
def test_the_changes_lead_from_one_value_to_the_other(one: Any, other: Any) -> None:
    assert text(apply(diff(one, other), one)) == text(other)


@given(there_or_not, there_or_not)
def test_and_back_again(one: Any, other: Any) -> None:
    assert text(apply(inverted(diff(one, other)), other)) == text(one)


@given(json_values, json_values)
def test_a_pointer_names_the_place_in_both(one: Any, other: Any) -> None:
    for change in diff({"in": one}, {"in": other}):
        assert change.pointer.startswith("/in")
        assert (change.op == "add") == (change.before is None and change.op != "replace" and change.op != "remove")


@given(json_values, json_values)
def test_no_changes_means_the_same_text(one: Any, other: Any) -> None:
    assert same(one, other) == (text(one) == text(other))


@given(json_values)
def test_a_value_is_not_touched(one: Any) -> None:
    before = text(one)
    apply(diff(one, {"other": [1]}), one)
    assert text(one) == before


def test_members_come_in_their_order_and_lists_place_by_place() -> None:
    before = {"status": "todo", "owner": "me", "checks": ["a", "b", "c"]}
    after = {"checks": ["a", "x"], "status": "done", "since": 1}
    assert diff(before, after, "/tasks/T~1") == [
        Change(op="replace", pointer="/tasks/T~1/status", before="todo", after="done"),
        Change(op="remove", pointer="/tasks/T~1/owner", before="me"),
        Change(op="replace", pointer="/tasks/T~1/checks/1", before="b", after="x"),
        Change(op="remove", pointer="/tasks/T~1/checks/2", before="c"),
        Change(op="add", pointer="/tasks/T~1/since", after=1),
    ]


def test_numbers_and_truths_that_python_takes_for_equal_differ() -> None:
    assert [change.after for change in diff([0, 1, 1], [False, 1.0, 1])] == [False, 1.0]


def test_tuples_are_lists() -> None:
    assert diff((1, 2), [1, 2]) == []
    assert apply([Change(op="replace", pointer="/1", before=2, after=3)], (1, 2)) == [1, 3]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change(op="add", pointer="/a", after=1), "is there already"),
        (Change(op="add", pointer="/x/y", after=1), "lies in nothing"),
        (Change(op="add", pointer="/a/y", after=1), "lies in nothing"),
        (Change(op="add", pointer="/list/3", after=1), "lies in nothing"),
        (Change(op="add", pointer="/list/x/y", after=1), "lies in nothing"),
        (Change(op="remove", pointer="/x"), "is not there"),
        (Change(op="replace", pointer="/list/2", after=1), "is not there"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(change: Change, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        apply([change], {"a": 1, "list": [1, 2]})
    assert caught.value.code == "CHANGE_DOES_NOT_FIT"
