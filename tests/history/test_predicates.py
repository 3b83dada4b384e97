"""Conditions over a state: what they give does not depend on how little of it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from esaa.errors import UsageError
from esaa.history.past import Past
from esaa.history.predicates import LENGTH_MAX, Predicate, is_truth
from tests.history.memory_past import MemoryPast, claims, past_of
from tests.history.values import pasts

EXPRESSIONS = [
    "tasks.\"T-1\".status == 'review'",
    'tasks."T-1".depends_on[0]',
    'tasks."T-1" || tasks."T-2".status',
    "tasks.*.status",
    "tasks.*.status | [0]",
    "tasks.*.status | length(@)",
    "length(tasks)",
    "values(tasks)[?status=='todo'].depends_on[]",
    "run.status && !files",
    '[run.status, tasks."a/b"]',
    '{run: run.status, one: tasks."T-1".checks}',
    "run",
    "none.at.all",
    'tasks && tasks."T-1".status',
    'not_null(tasks."T-9".status, run.status)',
    "sort(keys(@))",
    "*.status",
    "@",
    "`3`",
    'tasks."T-1".checks[1:2] | [0].a',
    "map(&status, values(tasks)) | length(@)",
    "(run).status",
]


@given(pasts(), st.sampled_from(EXPRESSIONS), st.data())
def test_it_sees_what_it_needs(past: MemoryPast, expression: str, data: st.DataObject) -> None:
    seq = data.draw(st.integers(1, past.head())) if past.head() else 0
    predicate = Predicate(expression)
    document = past.document(seq)
    try:
        whole = predicate.value(document)
    except UsageError:
        with pytest.raises(UsageError):
            predicate.value_at(past, seq)
        return
    assert json.encode(predicate.value_at(past, seq), order="sorted") == json.encode(whole, order="sorted")
    assert predicate.holds_at(past, seq) == predicate.holds(document)


@given(pasts(), st.sampled_from(EXPRESSIONS))
def test_it_changes_only_where_what_it_sees_changes(past: MemoryPast, expression: str) -> None:
    predicate = Predicate(expression)
    seen = predicate.seen_parts(past, past.head())
    if seen is None:
        return
    changed = {seq for pointer in seen for seq in past.part_changes(pointer, past.head())}
    for seq in range(2, past.head() + 1):
        if seq not in changed:
            assert predicate.value_at(past, seq) == predicate.value_at(past, seq - 1)


class OneTask(MemoryPast):
    """A past that gives single parts alone."""

    def document(self, seq: int) -> dict[str, object]:
        raise AssertionError("the whole document is read")


def test_a_condition_on_one_task_reads_one_task() -> None:
    whole = claims(6)
    entries, documents = list(whole.entries(1, 6)), [whole.document(seq) for seq in range(1, 7)]
    past: Past = OneTask(entries, documents)
    predicate = Predicate("tasks.\"T-2\".status == 'review' && run.status == 'running'")
    assert [seq for seq in range(1, 7) if predicate.holds_at(past, seq)] == [6]
    assert predicate.seen_parts(past, 6) == ("/run/status", "/tasks/T-2")
    assert predicate.reads == frozenset([("run", "status"), ("tasks", "T-2")])


def test_a_member_made_of_parts_is_seen_whole() -> None:
    past = claims(6)
    assert Predicate("length(tasks)").seen_parts(past, 6) is None
    assert Predicate("run").seen_parts(past, 6) == ("/run",)
    assert Predicate("@").seen_parts(past, 6) is None
    assert Predicate("length(tasks)").value_at(past_of({"tasks": {}}), 1) == 0


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_is_empty_does_not_hold(value: object) -> None:
    assert not is_truth(value)


@pytest.mark.parametrize("value", [0, True, "x", [None], {"a": None}, 0.0])
def test_what_is_there_holds(value: object) -> None:
    assert is_truth(value)


@pytest.mark.parametrize(
    "expression",
    ["", "tasks.T-1.status ==", "a..b", "foo(", "unknown(a)", "length(a, b)", "(" * 1200, "x" * (LENGTH_MAX + 1)],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(UsageError) as caught:
        Predicate(expression).value({"a": [1], "b": 2})
    assert caught.value.code == "EXPRESSION_INVALID"
    assert caught.value.hint


def test_a_function_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match=r"there is no function lenght\(\)"):
        Predicate("run.status == 'x' && lenght(tasks) == `3`")


def test_what_cannot_be_asked_is_not_met() -> None:
    past = claims(1)
    predicate = Predicate("length(tasks) == `1`")
    assert [predicate.is_met_at(past, seq) for seq in (0, 1)] == [False, True]


@pytest.mark.parametrize(
    "expression",
    [
        "list[::0]",
        "max_by(mixed, &@)",
        "list[0] > text",
        "ceil(`1e400`)",
        "ceil(to_number('nan'))",
        "merge(run, list)",
        "contains(text, list[0])",
    ],
)
def test_what_the_library_overlooks_is_told_too(expression: str) -> None:
    document = {"list": [1, 2], "mixed": [1, "a"], "text": "abc", "run": {}}
    with pytest.raises(UsageError) as caught:
        Predicate(expression).value(document)
    assert caught.value.code == "EXPRESSION_INVALID"


def test_a_function_that_gets_what_it_does_not_take_is_told() -> None:
    with pytest.raises(UsageError, match="length"):
        Predicate("length(run)").holds({"run": 3})
