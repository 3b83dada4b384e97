"""Breakpoints as one types them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esaa.errors import UsageError
from esaa.history.stepper import Breakpoint
from esaa.tui.stop_words import breakpoint_of, words_of


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("claim", Breakpoint(names=("claim",))),
        ("name=claim,review", Breakpoint(names=("claim", "review"))),
        ("name=review subject=T-1", Breakpoint(names=("review",), subjects=("T-1",))),
        ("refused", Breakpoint(rejections_only=True)),
        ("/tasks/T-1/status", Breakpoint(pointer="/tasks/T-1/status")),
        ("changes=/files/a~1b name=complete", Breakpoint(pointer="/files/a~1b", names=("complete",))),
        ("when=tasks.\"T-1\".status == 'done'", Breakpoint(where="tasks.\"T-1\".status == 'done'")),
        ("actor=agent-qa when=length(tasks) > `2`", Breakpoint(actors=("agent-qa",), where="length(tasks) > `2`")),
        ("'subject=two words'", Breakpoint(subjects=("two words",))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_words_say_where_to_stop(text: str, wanted: Breakpoint) -> None:
    assert breakpoint_of(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "  ", "colour=red", "name=", "when=", "name=claim when= ", "'open", "=", "'when=run'"]
)
def test_what_says_nothing_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        breakpoint_of(text)
    assert refused.value.code == "BREAKPOINT_INVALID"
    assert "name=claim" in refused.value.hint


NAMES = st.text(st.characters(codec="utf-8", exclude_characters=",", exclude_categories=["Cs"]), min_size=1)


@example(Breakpoint(subjects=("it's when=now",), where="run"))
@given(
    st.builds(
        Breakpoint,
        names=st.lists(NAMES, max_size=3).map(tuple),
        actors=st.lists(NAMES, max_size=2).map(tuple),
        subjects=st.lists(NAMES, max_size=2).map(tuple),
        rejections_only=st.booleans(),
        pointer=st.none() | NAMES.map(lambda name: f"/tasks/{name}"),
        where=st.none() | st.just("run.status == 'success'"),
    ).filter(lambda one: one != Breakpoint())
)
def test_a_breakpoint_is_read_from_the_words_that_it_is_shown_with(wanted: Breakpoint) -> None:
    assert breakpoint_of(words_of(wanted)) == wanted
