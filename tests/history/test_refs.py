"""The one way to name a moment."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.errors import UsageError
from esaa.history.refs import AtHead, AtSeq, AtTime, Ref, parse_range, parse_ref

NOW = datetime(2026, 2, 27, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("#12", AtSeq(12)),
        ("12", AtSeq(12)),
        ("0", AtSeq(0)),
        ("EV-00000012", AtSeq(12)),
        ("EV-123456789", AtSeq(123456789)),
        ("HEAD", AtHead(0)),
        ("HEAD~0", AtHead(0)),
        ("HEAD~3", AtHead(3)),
        ("2026-02-27T01:25:22Z", AtTime("2026-02-27T01:25:22Z")),
        ("2026-02-27T01:25:22", AtTime("2026-02-27T01:25:22Z")),
        ("2026-02-27 01:25:22", AtTime("2026-02-27T01:25:22Z")),
        ("2026-02-27T01:25:22-03:00", AtTime("2026-02-27T04:25:22Z")),
        ("2026-02-27T01:25:22+05:30", AtTime("2026-02-26T19:55:22Z")),
        ("2026-02-27T01:25:22.999Z", AtTime("2026-02-27T01:25:22Z")),
        ("2026-02-27", AtTime("2026-02-27T00:00:00Z")),
        ("2026-02-27T01:25", AtTime("2026-02-27T01:25:00Z")),
        ("20260227T012522Z", AtTime("2026-02-27T01:25:22Z")),
        ("0999-01-01", AtTime("0999-01-01T00:00:00Z")),
        ("@{30s}", AtTime("2026-02-27T12:00:00Z")),
        ("@{10m}", AtTime("2026-02-27T11:50:30Z")),
        ("@{2h}", AtTime("2026-02-27T10:00:30Z")),
        ("@{1d}", AtTime("2026-02-26T12:00:30Z")),
        ("@{4w}", AtTime("2026-01-30T12:00:30Z")),
    ],
)
def test_a_moment_has_these_names(text: str, ref: Ref) -> None:
    assert parse_ref(text, NOW) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "#",
        "##1",
        "-1",
        "#-1",
        "1.5",
        "1e3",
        "٣",
        "²",
        "EV-",
        "EV-x",
        "ev-12",
        "head",
        "HEAD~",
        "HEAD~-1",
        "HEAD^",
        "HEAD~1~1",
        "@{}",
        "@{2}",
        "@{2y}",
        "@{-2h}",
        "@2h",
        "@{999999999w}",
        "tomorrow",
        "12:00",
        "2026-13-01",
        "2026-02-30",
        "2026-02-27T25:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1" * 19,
        "1" * 30,
        "2026-02-27x01:25",
        "20260227 0125",
        "2026-W09-5",
        "#12 ",
        "12\n",
        "T-1000",
        "x" * 500,
    ],
)
def test_nonsense_is_told_what_there_is(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_ref(text, NOW)
    assert caught.value.code == "REF_INVALID"
    assert "HEAD~3" in caught.value.hint
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("3..7", (AtSeq(3), AtSeq(7))),
        ("..7", (None, AtSeq(7))),
        ("3..", (AtSeq(3), None)),
        ("..", (None, None)),
        ("HEAD~3..HEAD", (AtHead(3), AtHead(0))),
        ("@{2h}..#9", (AtTime("2026-02-27T10:00:30Z"), AtSeq(9))),
        (
            "2026-02-27T01:25:22Z..2026-02-27T01:25:23Z",
            (AtTime("2026-02-27T01:25:22Z"), AtTime("2026-02-27T01:25:23Z")),
        ),
        ("HEAD", (AtHead(0), AtHead(0))),
    ],
)
def test_a_range_has_two_ends(text: str, ends: tuple[Ref | None, Ref | None]) -> None:
    assert parse_range(text, NOW) == ends


@pytest.mark.parametrize("text", ["a..b", "1...3", "1..2..3", "..x", "x..", ". .", "1.3", "..."])
def test_a_range_of_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no moment"):
        parse_range(text, NOW)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    for parse in (parse_ref, parse_range):
        with suppress(UsageError):
            parse(text, NOW)


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_times_sort_as_their_texts_do(moment: datetime, offset_m: int) -> None:
    """The log compares times as texts; so must a ref, in every year and zone."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_m)), microsecond=0)
    ref = parse_ref(aware.isoformat(), NOW)
    assert isinstance(ref, AtTime)
    assert datetime.fromisoformat(ref.ts) == aware
    assert len(ref.ts) == len("2026-02-27T01:25:22Z")
