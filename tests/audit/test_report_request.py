"""What a report is asked for: what a user means, what is refused with a word why, and how to ask again."""

from __future__ import annotations

from typing import Any

import pytest

from esaa.audit.request import FORMATS, Request, as_format, command_of, request_of, stream_order
from esaa.errors import UsageError
from tests.trail.scenes import happened


def test_day_is_the_whole_day_and_both_ends_belong_to_it() -> None:
    asked = request_of(from_date="2025-12-22", to_date="2025-12-22")
    assert (asked.from_time, asked.to_time) == ("2025-12-22T00:00:00.000Z", "2025-12-22T23:59:59.999Z")
    assert not asked.is_whole
    for ts, selected in {
        "2025-12-21T23:59:59.999Z": False,
        "2025-12-22T00:00:00.000Z": True,
        "2025-12-22T23:59:59.999Z": True,
        "2025-12-23T00:00:00.000Z": False,
    }.items():
        assert asked.selects(happened(1, "PhaseStarted", {"phase": "PLAN"}, ts=ts)) is selected, ts


def test_time_with_a_zone_is_meant_as_it_is_said() -> None:
    assert request_of(from_date="2025-12-22T10:00:00+01:00").from_time == "2025-12-22T09:00:00.000Z"


def test_types_select_and_are_sorted_and_nothing_selects_everything() -> None:
    event = happened(1, "PhaseStarted", {"phase": "PLAN"})
    asked = request_of(event_types=["PhaseStarted", "AgentSpawned", "PhaseStarted"])
    assert asked.event_types == ("AgentSpawned", "PhaseStarted")
    assert asked.selects(event)
    assert not request_of(event_types=["AgentSpawned"]).selects(event)
    assert request_of() == Request()
    assert request_of().is_whole
    assert request_of().selects(event)


def test_streams_stand_in_the_order_of_their_numbers_with_the_global_one_first() -> None:
    asked = request_of(issue_keys=["PROJ-10", "ABC-3", "PROJ-9", "global"])
    assert asked.issue_keys == ("global", "ABC-3", "PROJ-9", "PROJ-10")
    assert stream_order("A-B-7") == ("A-B", 7)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"issue_keys": ["no key"]}, "ISSUE_KEY_INVALID"),
        ({"by": "moon"}, "GROUPING_INVALID"),
        ({"event_types": ["no type!"]}, "EVENT_TYPE_UNKNOWN"),
        ({"from_date": "yesterday"}, "TIMESTAMP_INVALID"),
        ({"to_date": "2025-13-01"}, "TIMESTAMP_INVALID"),
        ({"from_date": "2025-12-23", "to_date": "2025-12-22"}, "RANGE_INVALID"),
    ],
)
def test_what_nobody_can_mean_is_refused(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        request_of(**asked)
    assert caught.value.code == code
    assert caught.value.hint


def test_formats_are_a_closed_list() -> None:
    assert tuple(as_format(one) for one in FORMATS) == FORMATS
    with pytest.raises(UsageError, match="Unsupported format: docx") as caught:
        as_format("docx")
    assert caught.value.code == "FORMAT_UNSUPPORTED"


def test_command_line_asks_for_the_same_again() -> None:
    asked = request_of(
        issue_keys=["PROJ-2", "PROJ-1"],
        from_date="2025-12-22",
        to_date="2025-12-23",
        event_types=["PhaseStarted", "AgentSpawned"],
        by="user",
    )
    assert command_of(asked, "md") == (
        "esaa audit --issue PROJ-1 --issue PROJ-2 --from 2025-12-22T00:00:00.000Z --to 2025-12-23T23:59:59.999Z"
        " --types AgentSpawned,PhaseStarted --by user --format md"
    )
    assert command_of(request_of(), "pdf") == "esaa audit --format pdf"
