"""The budget of a context: what matters first, as much as fits, and a reason for the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.protocol.context_budget import BYTES_PER_TOKEN, RELATED_MAX, Budget, ranked, text_tokens, tokens_of, words_of
from tests.scenarios import created, folded


def ranking(title: str, outputs: list[str], wanted: list[str], readable: list[str]) -> list[tuple[str, str]]:
    state = folded(created("T-1", outputs=outputs, description=title))
    task = state.task("T-1")
    assert task is not None
    return [(one.path, one.why) for one in ranked(task, wanted, readable)]


def test_own_files_come_first_then_specifications_then_dependencies_then_what_shares_words() -> None:
    wanted = ["src/parser.py", "docs/plan.md", "docs/spec/T-0.md", "src/lexer.py"]
    readable = ["src/other.py", "src/parser_errors.py", "src/parser.py", "tests/test_parser_errors.py"]
    found = ranking("Parser errors", ["src/parser.py"], wanted, readable)
    assert found == [
        ("src/parser.py", "the task's own"),
        ("docs/spec/T-0.md", "a specification"),
        ("docs/plan.md", "what the task rests on"),
        ("src/lexer.py", "what the task rests on"),
        ("src/parser_errors.py", "shares errors, parser with the task"),
        ("tests/test_parser_errors.py", "shares errors, parser with the task"),
    ]


def test_more_shared_words_come_first_and_no_more_than_so_many() -> None:
    crowd = [f"src/parser/{number:03}.py" for number in range(RELATED_MAX + 9)]
    found = ranking("the parser of errors", [], [], [*crowd, "src/deep/down/parser_errors.py"])
    assert found[0][0] == "src/deep/down/parser_errors.py"
    assert [path for path, _ in found[1:]] == crowd[: RELATED_MAX - 1]


def test_what_may_not_be_shown_takes_no_place_of_what_may() -> None:
    state = folded(created("T-1", description="the parser"))
    task = state.task("T-1")
    assert task is not None
    asked: list[str] = []

    def may_show(path: str) -> bool:
        asked.append(path)
        return path.startswith("src/")

    crowd = [f"a/parser/{number}" for number in range(RELATED_MAX)]
    found = ranked(task, [], [*crowd, "src/parser.py", "src/other.py"], may_show)
    assert [one.path for one in found] == ["src/parser.py"]
    assert "src/other.py" not in asked


def test_order_does_not_depend_on_the_order_of_the_disk() -> None:
    names = ["src/b_parser.py", "src/a_parser.py", "src/parser.py"]
    assert ranking("parser", [], [], names) == ranking("parser", [], [], names[::-1])


def test_words_fall_apart_at_case_and_underscores_and_common_ones_say_nothing() -> None:
    assert words_of("HTTPServer parseError read_me the src tests of a 2026") == {
        "http",
        "server",
        "parse",
        "error",
        "read",
        "2026",
    }


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (3, 1), (4, 2), (3000, 1000)])
def test_estimate_rounds_up(size: int, tokens: int) -> None:
    assert tokens_of(size) == tokens


def test_texts_are_counted_in_bytes_whatever_they_hold() -> None:
    assert text_tokens("äöü", "\ud800") == 2 + 1


def test_what_does_not_fit_says_why_and_leaves_room_for_smaller_ones() -> None:
    budget = Budget(1000, 100)
    large = budget.refusal("src/large.py", "x" * 3000, 3000)
    assert large is not None
    assert "3000 bytes take about 1001 tokens; of 1000 there are" in large
    assert budget.refusal("src/small.py", "x" * 300, 300) is None
    assert budget.refusal("src/a.bin", None, 3) == "is no UTF-8 text"
    assert budget.has_room()
    assert not Budget(1000, 1000).has_room()


@given(
    st.integers(0, 4000),
    st.lists(st.tuples(st.text("ab/", min_size=1, max_size=80), st.text(max_size=600)), max_size=12),
)
def test_what_is_shown_never_takes_more_than_there_is(tokens_max: int, files: list[tuple[str, str]]) -> None:
    budget, shown = Budget(tokens_max, 0), 0
    for path, text in files:
        if budget.refusal(path, text, len(text.encode())) is None:
            shown += len(json.dumps(text, ensure_ascii=False).encode())
    assert shown <= tokens_max * BYTES_PER_TOKEN
