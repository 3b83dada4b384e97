"""The first event after which something does not hold: the same that a look at every event finds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.errors import UsageError
from esaa.history.bisect import Verdict, bisect, bisecting
from esaa.history.predicates import Predicate
from tests.history.memory_past import MemoryPast, past_of
from tests.history.values import pasts


@given(st.integers(0, 50), st.integers(1, 400), st.data(), st.sampled_from([0, 3, 16]))
def test_what_stays_bad_is_found_as_by_a_look_at_all(
    good: int, length: int, data: st.DataObject, controls: int
) -> None:
    bad = good + length
    first = data.draw(st.integers(good + 1, bad))
    found = bisect(lambda seq: "good" if seq < first else "bad", good, bad, controls=controls)
    assert (found.first_bad, found.suspects, found.note) == (first, (first,), "")
    assert found.is_monotone is (True if controls else None)
    assert len(found.steps) <= 2 + length.bit_length() + controls
    assert len({step.seq for step in found.steps}) == len(found.steps)


@given(st.lists(st.sampled_from(["good", "bad", "skip"]), min_size=1, max_size=30), st.integers(0, 40))
def test_whatever_the_verdicts_are_the_answer_is_a_change_from_good_to_bad(
    between: list[Verdict], controls: int
) -> None:
    verdicts: list[Verdict] = ["good", *between]
    found = bisect(verdicts.__getitem__, 0, len(between), controls=controls)
    if found.first_bad is not None:
        assert verdicts[found.first_bad - 1 : found.first_bad + 1] == ["good", "bad"]
    elif found.suspects:
        assert verdicts[found.suspects[0] - 1] == "good"
        assert set(verdicts[found.suspects[0] : found.suspects[-1]]) == {"skip"}
        assert verdicts[found.suspects[-1]] == "bad"
    else:
        assert all(verdicts[step.seq] != "bad" for step in found.steps)
    assert {step.seq: step.verdict for step in found.steps} == {step.seq: verdicts[step.seq] for step in found.steps}
    if controls >= len(between):
        # Every moment was a control: nothing can be overlooked.
        assert bool(found.suspects) == ("bad" in verdicts)
        if found.first_bad is not None:
            assert "bad" not in verdicts[: found.first_bad]


def test_what_is_good_again_is_told() -> None:
    found = bisect(lambda seq: "bad" if 20 <= seq < 60 or seq > 80 else "good", 0, 100)
    assert (found.first_bad, found.is_monotone) == (20, False)
    assert "holds again at #" in found.note


def test_what_failed_only_for_a_while_is_found() -> None:
    found = bisect(lambda seq: "bad" if 20 <= seq < 60 else "good", 0, 100)
    assert (found.first_bad, found.is_monotone) == (20, False)


def test_where_all_changes_are_known_none_is_overlooked() -> None:
    def verdict(seq: int) -> Verdict:
        return "bad" if seq == 777 else "good"

    assert bisect(verdict, 0, 1000).first_bad is None
    found = bisect(verdict, 0, 1000, controls=(5, 777, 778))
    assert (found.first_bad, found.is_monotone) == (777, False)
    assert bisect(verdict, 0, 1000, controls=()).is_monotone is None


@given(pasts(), st.sampled_from(["tasks.\"T-1\".status != 'review'", "run.status != `1`", "!(tasks.* | [1])"]))
def test_the_moments_of_a_predicate_make_the_answer_exact(past: MemoryPast, expression: str) -> None:
    predicate = Predicate(expression)
    holds = {seq: predicate.is_met_at(past, seq) for seq in range(past.head() + 1)}
    assert holds[0]
    if past.head() == 0:
        return
    moments = predicate.moments(past, 0, past.head())
    found = bisect(
        lambda seq: "good" if holds[seq] else "bad", 0, past.head(), controls=50 if moments is None else moments
    )
    assert found.first_bad == next((seq for seq, one in holds.items() if not one), None)


def test_too_many_moments_are_not_named() -> None:
    past = past_of({"run": {"n": 1}}, {"run": {"n": 2}}, {"run": {"n": 3}})
    predicate = Predicate("run.n == `1`")
    assert predicate.moments(past, 1, 3) == (2, 3)
    assert predicate.moments(past, 1, 3, count=1) is None
    assert Predicate("@").moments(past, 1, 3) is None


def test_what_never_failed_is_told() -> None:
    found = bisect(lambda _: "good", 0, 100)
    assert (found.first_bad, found.suspects, found.is_monotone) == (None, (), True)
    assert found.note == "It still holds at the end."


def test_where_nobody_can_tell_there_are_suspects() -> None:
    found = bisect(lambda seq: "skip" if 4 <= seq < 7 else "good" if seq < 4 else "bad", 0, 9, controls=0)
    assert (found.first_bad, found.suspects, found.is_monotone) == (None, (4, 5, 6, 7), None)
    assert "any of the events #4 to #7" in found.note
    found = bisect(lambda seq: "good" if seq < 5 else "skip", 0, 9, controls=0)
    assert (found.suspects, found.note) == ((), "Nobody can tell at the end.")


@pytest.mark.parametrize(("good", "bad"), [(3, 3), (4, 3), (-1, 3)])
def test_a_range_that_is_none_is_refused(good: int, bad: int) -> None:
    with pytest.raises(UsageError) as caught:
        bisect(lambda _: "good", good, bad)
    assert caught.value.code == "BISECT_RANGE_INVALID"


@pytest.mark.parametrize("verdict", ["bad", "skip"])
def test_a_good_end_that_is_not_good_is_refused(verdict: Verdict) -> None:
    with pytest.raises(UsageError, match="does not hold at #2") as caught:
        bisect(lambda _: verdict, 2, 9)
    assert caught.value.code == "BISECT_NOT_GOOD"


def test_a_search_may_be_driven_from_outside() -> None:
    search = bisecting(0, 3, controls=0)
    verdicts: Mapping[int, Verdict] = {0: "good", 1: "bad", 2: "bad", 3: "bad"}
    assert [next(search), search.send("good"), search.send(verdicts[3])] == [0, 3, 1]
    with pytest.raises(StopIteration) as ended:
        search.send(verdicts[1])
    assert ended.value.value.first_bad == 1
