"""Times of events as seconds, from whatever stands in a log."""

from __future__ import annotations

import pytest

from esaa.history.times import running_seconds, seconds_between, seconds_of


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00", 60.0),
        ("1970-01-01T01:01:00.5+01:00", 60.5),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:00:00-14:00", None),
    ],
)
def test_a_time_is_read_or_is_none(ts: str, seconds: float | None) -> None:
    assert seconds_of(ts) == seconds


def test_the_time_between_two_events_is_never_negative() -> None:
    assert seconds_between("1970-01-01T00:00:10Z", "1970-01-01T00:00:25Z") == 15
    assert seconds_between("1970-01-01T00:00:25Z", "1970-01-01T00:00:10Z") == 0
    assert seconds_between("?", "1970-01-01T00:00:10Z") == 0
    assert seconds_between("1970-01-01T00:00:10Z", "?") == 0


def test_a_clock_that_was_set_back_stands_still() -> None:
    times = ["?", "1970-01-01T00:00:10Z", "1970-01-01T00:00:05Z", "never", "1970-01-01T00:00:11Z"]
    assert list(running_seconds(times)) == [0, 10, 10, 10, 11]
