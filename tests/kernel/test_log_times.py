"""Times of events, from whatever stands in a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.kernel.times import moment_of


@pytest.mark.parametrize(
    ("ts", "moment"),
    [
        ("2026-02-27T01:25:22Z", datetime(2026, 2, 27, 1, 25, 22, tzinfo=UTC)),
        ("2026-02-27T01:25:22.123456Z", datetime(2026, 2, 27, 1, 25, 22, 123456, tzinfo=UTC)),
        ("2026-02-27T01:25:22", datetime(2026, 2, 27, 1, 25, 22, tzinfo=UTC)),
        ("2026-02-27T01:25:22+05:30", datetime(2026, 2, 26, 19, 55, 22, tzinfo=UTC)),
        ("2026-02-27", datetime(2026, 2, 27, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_of_any_writer_is_a_moment_in_utc(ts: str, moment: datetime) -> None:
    found = moment_of(ts)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "ts",
    [
        "",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-02-27T25:00:00Z",
        "12026-02-27T00:00:00Z",
        "2026-02-27T01:25:22Z\n",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:00:00-14:00",
        "\ud800",
    ],
)
def test_what_is_no_time_is_no_moment(ts: str) -> None:
    assert moment_of(ts) is None


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_none(ts: str) -> None:
    moment = moment_of(ts)
    assert moment is None or moment.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_moment_is_the_same_from_every_zone(moment: datetime, offset_m: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_m)))
    assert moment_of(aware.isoformat()) == aware
