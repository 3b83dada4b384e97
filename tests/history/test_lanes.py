"""Who acted when: spans have the place and the length that the events give them, on all three axes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esaa.errors import UsageError
from esaa.history.axes import TICK_PIXELS, AxisName, duration_text
from esaa.history.entries import Entry, Kind
from esaa.history.lanes import LANES_MAX, OTHERS, WIDTH_MAX, Lanes, LaneSpan, lanes
from tests.history.memory_past import MemoryPast, entry
from tests.history.values import pasts

AXES: tuple[AxisName, ...] = get_args(AxisName)


def at(seq: int, seconds: int, name: str, actor: str, subject: str | None = "T-1", **more: Any) -> Entry:
    ts = f"2026-01-{1 + seconds // 86400:02d}T{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
    return entry(seq, name, actor, subject, ts=ts, **more)


def spans(chart: Lanes) -> dict[str, list[tuple[str, float, float]]]:
    return {
        lane.actor: [(one.kind, round(one.from_, 1), round(one.to, 1)) for one in lane.spans] for lane in chart.lanes
    }


RUN = [
    at(1, 0, "task.create", "orchestrator"),
    at(2, 10, "claim", "impl"),
    at(3, 70, "complete", "impl"),
    at(4, 70, "verify.ok", "orchestrator", None),
    at(5, 90, "review", "qa"),
    at(6, 100, "claim", "impl", "T-2"),
]


def test_work_lasts_from_the_claim_and_a_review_from_the_delivery() -> None:
    assert spans(lanes(RUN, kind="log", width=100)) == {
        "orchestrator": [("event", 0, 0), ("event", 70, 70)],
        "impl": [("work", 10, 70), ("event", 10, 10), ("many", 100, 100)],
        "qa": [("review", 70, 90)],
    }


def test_by_order_each_event_takes_the_same_room() -> None:
    chart = lanes(RUN, kind="log", axis="order", width=600)
    assert spans(chart)["impl"] == [("work", 100, 300), ("event", 100, 200), ("event", 500, 600), ("open", 500, 600)]
    assert spans(chart)["orchestrator"] == [("event", 0, 100), ("event", 300, 400)]
    assert [tick.label for tick in chart.ticks] == ["#1", "#2", "#3", "#4", "#5", "#6"]
    assert chart.gaps == ()


def test_by_busy_time_idle_times_take_no_room() -> None:
    chart = lanes(RUN, kind="log", axis="busy", width=80)
    assert spans(chart)["impl"][0] == ("work", 0, 60)
    assert spans(chart)["qa"] == [("review", 60, 80)]
    assert [(round(one.x), one.seconds) for one in chart.gaps] == [(0, 10), (80, 10)]
    assert [tick.label for tick in lanes(RUN, kind="log", axis="busy", width=800).ticks] == [
        *["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "1 min", "1 min 10 s", "1 min 20 s"]
    ]


def test_a_night_takes_little_room() -> None:
    chart = lanes(
        [*RUN[:5], at(6, 36_100, "claim", "impl", "T-2"), at(7, 36_160, "complete", "impl", "T-2")], kind="log"
    )
    assert [one.seconds for one in chart.gaps] == [36_010]
    (gap,) = chart.gaps
    assert spans(chart)["qa"][0][2] < gap.x < spans(chart)["impl"][-1][1]
    assert spans(chart)["impl"][0][2] - spans(chart)["impl"][0][1] > 300


def test_a_claim_that_is_not_delivered_is_open() -> None:
    chart = lanes([*RUN, at(7, 150, "run.end", "orchestrator", None)], kind="log", width=150)
    assert spans(chart)["impl"][-2:] == [("open", 100, 150), ("event", 100, 100)]


def test_work_begins_no_earlier_than_the_actors_last_act() -> None:
    both = [
        at(1, 0, "claim", "impl", "T-1"),
        at(2, 10, "claim", "impl", "T-2"),
        at(3, 60, "complete", "impl", "T-1"),
        at(4, 100, "complete", "impl", "T-2"),
    ]
    assert [one for one in spans(lanes(both, kind="log", width=100))["impl"] if one[0] == "work"] == [
        ("work", 10, 60),
        ("work", 60, 100),
    ]


def test_a_window_that_begins_later_shows_the_work_from_its_edge() -> None:
    chart = lanes([at(7, 0, "verify.ok", "orchestrator", None), at(8, 50, "complete", "impl")], kind="log", width=50)
    assert spans(chart)["impl"] == [("work", 0, 50)]


def test_in_a_stream_a_beginning_and_its_end_are_a_span() -> None:
    stream = [
        at(1, 0, "SessionStarted", "main", None),
        at(2, 10, "AgentSpawned", "main"),
        at(3, 20, "AgentSpawned", "main", event_id="second"),
        at(4, 50, "AgentCompleted", "impl", causation_id="EV-00000002"),
        at(5, 60, "AgentFailed", "impl"),
        at(6, 70, "AgentFailed", "impl"),
        at(7, 80, "ReviewRequested", "main", None),
        at(8, 90, "ReviewCompleted", "qa", None),
        at(9, 95, "ApprovalRequested", "main", None),
        at(10, 100, "SessionEnded", "main", None),
    ]
    chart = spans(lanes(stream, kind="trail", width=100))
    assert chart["impl"] == [("work", 10, 50), ("work", 20, 60), ("event", 70, 70)]
    assert chart["qa"] == [("review", 80, 90)]
    assert [one for one in chart["main"] if one[0] == "open"] == [("open", 95, 100)]


def test_what_is_too_narrow_is_summed_up_and_no_refusal_is_hidden() -> None:
    many = [at(seq, seq, "verify.ok", "orchestrator", None, is_rejection=seq == 500) for seq in range(1, 1001)]
    chart = lanes(many, kind="log", width=10)
    (lane,) = chart.lanes
    assert sum(one.count for one in lane.spans) == 1000
    assert len(lane.spans) <= 10
    assert [one.kind for one in lane.spans].count("rejection") == 1
    assert lane.spans[0].label.endswith(" events")
    mixed = lanes([at(1, 0, "claim", "a", None), at(2, 0, "claim", "a"), at(3, 900, "x", "b")], kind="log", width=100)
    assert {(one.kind, one.count) for one in mixed.lanes[0].spans} == {("event", 2), ("open", 1)}
    close = [at(1, 0, "claim", "a"), at(2, 1, "complete", "a"), at(3, 9000, "x", "b", None)]
    assert [(one.kind, one.count) for one in lanes(close, kind="log", axis="busy", width=1).lanes[0].spans] == [
        ("work", 1),
        ("event", 1),
    ]


def test_more_actors_than_lanes_share_one() -> None:
    crowd = [at(seq, seq, "claim", f"agent-{seq}", None) for seq in range(1, 60)]
    chart = lanes(crowd, kind="log")
    assert len(chart.lanes) == LANES_MAX
    assert chart.lanes[-1].actor == OTHERS
    assert sum(one.count for lane in chart.lanes for one in lane.spans) == 59


def test_nothing_has_no_lanes_and_no_width_is_refused() -> None:
    assert lanes([], kind="log") == Lanes(axis="wall", first=0, last=0, width=1000, lanes=(), ticks=(), gaps=())
    for width in (0, WIDTH_MAX + 1):
        with pytest.raises(UsageError):
            lanes(RUN, kind="log", width=width)


def test_where_no_time_goes_by_the_order_counts() -> None:
    chart = lanes([at(1, 0, "claim", "a"), at(2, 0, "complete", "a")], kind="log", width=100)
    assert spans(chart)["a"] == [("work", 0, 100), ("event", 0, 50)]
    assert chart.axis == "wall"


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (5, ["2026-01-01", "00:00:01", "00:00:02"]),
        (40, ["2026-01-01", "00:00:05"]),
        (3_000, ["2026-01-01", "00:05", "00:10"]),
        (400_000, ["2026-01-01", "12:00", "2026-01-02"]),
        (2_000_000, ["2026-01-02", "2026-01-07"]),
    ],
)
def test_ticks_are_round_times(seconds: int, labels: list[str]) -> None:
    events = [at(1, 0, "claim", "a"), at(2, seconds, "complete", "a")]
    shown = [tick.label for tick in lanes(events, kind="log", width=900).ticks]
    assert shown[: len(labels)] == labels


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (180, "3 min"), (185, "3 min 5 s"), (7500, "2 h 5 min"), (349_200, "4 d 1 h")],
)
def test_lengths_of_time_are_read_in_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(pasts(size_max=14), st.sampled_from(AXES), st.sampled_from([1, 20, 1000]), st.sampled_from(["log", "trail"]))
def test_a_chart_is_sound(past: MemoryPast, axis: AxisName, width: int, kind: Kind) -> None:
    entries = list(past.entries(1, past.head()))
    chart = lanes(entries, kind=kind, axis=axis, width=width)
    found: list[LaneSpan] = [one for lane in chart.lanes for one in lane.spans]
    assert {lane.actor for lane in chart.lanes} == {one.actor for one in entries}
    for one in found:
        assert -1e-6 <= one.from_ <= one.to <= width + 1e-6
        assert 1 <= one.seq_first <= one.seq_last <= past.head()
    for lane in chart.lanes:
        assert [one.from_ for one in lane.spans] == sorted(one.from_ for one in lane.spans)
    # Each event ends one activity; what is open at the end is one more.
    assert len(entries) <= sum(one.count for one in found) <= 2 * len(entries)
    assert all(0 <= tick.x <= width + 1e-6 for tick in chart.ticks)
    assert all(two.x - one.x >= TICK_PIXELS * 0.8 for one, two in pairwise(chart.ticks))
    assert all(0 <= gap.x <= width + 1e-6 and gap.seconds > 0 for gap in chart.gaps)
    if axis == "order":
        assert chart.gaps == ()
