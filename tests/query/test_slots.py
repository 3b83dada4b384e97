"""Slots never contradict the order of the texts that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.query.slots import SLOT_MAX, slot_of, slot_text

ODD = [
    "",
    "zzz",
    "0001-01-01T00:00:00.000Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00.000Z",
    "2026-02-27T01:25:22Z",
    "2026-02-27T01:25:22.5Z",
    "2026-02-27T01:25:22.500+00:00",
    "2026-02-27 01:25:22.500Z",
    "2026-02-27T01:25:60.000Z",
    "2026-02-27T24:00:00.000Z",
    "2026-02-30T01:25:22.123Z",
    "2026-W09-5T01:25:22.123Z",
    "20260227T012522.1230000Z",
    "2109-05-15T07:35:11.103Z",
    "2109-05-15T07:35:11.104Z",
    "9999-12-31T23:59:59.999Z",
]
TIMES = st.integers(0, SLOT_MAX).map(slot_text) | st.sampled_from(ODD) | st.text(max_size=24)


@given(TIMES, TIMES)
def test_slots_sort_like_their_texts(one: str, other: str) -> None:
    (slot, is_exact), (other_slot, other_is_exact) = slot_of(one), slot_of(other)
    if slot < other_slot:
        assert one < other
    if is_exact and other_is_exact:
        assert (slot < other_slot) == (one < other)


@given(st.integers(0, SLOT_MAX))
def test_slot_of_a_millisecond_says_all_of_it(slot: int) -> None:
    assert slot_of(slot_text(slot)) == (slot, True)


@pytest.mark.parametrize("text", ODD)
def test_odd_times_have_the_slot_of_the_time_before(text: str) -> None:
    slot, is_exact = slot_of(text)
    assert is_exact == (slot_text(slot) == text)
    assert slot == 0 or slot_text(slot) <= text
    assert slot == SLOT_MAX or text < slot_text(slot + 1)
