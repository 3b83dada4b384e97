"""Moments and ranges, as `esaa log` and `esaa show` understand them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.workbench import Workbench

FIRST = datetime(2026, 1, 5, 9, 0, 0, tzinfo=UTC)
EVENTS = 20


def ts(number: int) -> str:
    """Two events an hour: 9:00, 9:00, 10:00, 10:00 and so on."""
    return (FIRST + timedelta(hours=(number - 1) // 2)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def dated(planned: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """Another writer's log of twenty events, and a clock at the last of them."""
    lines = []
    for number in range(1, EVENTS + 1):
        event = {
            "schema_version": "0.4.0",
            "event_id": f"EV-{number:08d}",
            "event_seq": number,
            "ts": ts(number),
            "actor": "orchestrator",
            "action": "orchestrator.view.mutate",
            "payload": {"target": "roadmap", "change": str(number)},
        }
        if number == 1:
            event |= {"action": "run.start", "payload": {"run_id": "RUN-0001", "status": "initialized"}}
        lines.append(json.dumps(event).encode() + b"\n")
    planned.write_log(lines)
    now = (FIRST + timedelta(hours=9, minutes=30)).timestamp()
    monkeypatch.setattr(time, "time", lambda: now)
    return planned


def seqs(esaa: Workbench, *arguments: str) -> list[int]:
    return [json.loads(line)["event_seq"] for line in esaa.ok("log", "--json", *arguments).out.splitlines()]


@pytest.mark.parametrize(
    ("moments", "first", "last"),
    [
        ("#12", 12, 12),
        ("12", 12, 12),
        ("EV-00000012", 12, 12),
        ("HEAD", 20, 20),
        ("HEAD~3", 17, 17),
        ("3..7", 3, 7),
        ("#3..EV-00000007", 3, 7),
        ("..4", 1, 4),
        ("18..", 18, 20),
        ("..", 1, 20),
        ("HEAD~2..", 18, 20),
        ("HEAD~2..HEAD~1", 18, 19),
        ("HEAD~500..2", 1, 2),
        ("19..9999", 19, 20),
        ("2026-01-05T10:00:00Z", 4, 4),
        ("2026-01-05T10:59:59Z", 4, 4),
        ("2026-01-05T07:30:00-03:00", 4, 4),
        ("2026-01-05T10:00:00", 4, 4),
        ("..2026-01-05T10:00:00Z", 1, 4),
        ("2026-01-05T10:00:00Z..2026-01-05T12:00:00Z", 4, 8),
        ("@{30m}", 20, 20),
        ("@{2h}", 16, 16),
        ("@{2h}..", 16, 20),
        ("..@{9h}", 1, 2),
        ("@{1d}..", 1, 20),
        ("2026-01-05..", 1, 20),
    ],
)
def test_log_of_moments(dated: Workbench, moments: str, first: int, last: int) -> None:
    assert seqs(dated, moments) == list(range(first, last + 1))


@pytest.mark.parametrize(
    "moments", ["0", "21", "999999", "HEAD~20", "7..3", "HEAD..HEAD~2", "2025-01-01", "@{1w}", "30..40"]
)
def test_log_of_moments_that_hold_no_event(dated: Workbench, moments: str) -> None:
    outcome = dated.ok("log", moments)
    assert (outcome.out, outcome.err) == ("", "no event matches; `esaa log -n 5` shows the last ones\n")
    assert seqs(dated, moments) == []
    if ".." not in moments:
        outcome = dated("show", moments)
        assert (outcome.code, outcome.out) == (7, "")
        assert repr(moments) in outcome.err


@pytest.mark.parametrize(
    ("moment", "seq"),
    [
        ("#12", 12),
        ("12", 12),
        ("EV-00000012", 12),
        ("HEAD", 20),
        ("HEAD~19", 1),
        ("@{2h}", 16),
        ("2026-01-05T07:00:00-03:00", 4),
    ],
)
def test_show_of_a_moment(dated: Workbench, moment: str, seq: int) -> None:
    assert dated.ok("show", moment, "--json").answer["event"]["event_seq"] == seq


@pytest.mark.parametrize("text", ["yesterday", "HEAD~", "12x", "EV-", "@{2y}", "1...3", "a..b", "", "T-1", "#"])
def test_nonsense_is_a_wrong_use(dated: Workbench, text: str) -> None:
    for command in ("log", "show"):
        outcome = dated(command, text)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.count("\n") == 1
        assert dated(command, text, "--json").error["code"] == "REF_INVALID"


def test_show_of_a_range_is_a_wrong_use(dated: Workbench) -> None:
    outcome = dated("show", "1..2")
    assert outcome.code == 2
    assert "esaa log A..B" in outcome.err


def test_filters_work_inside_a_range(dated: Workbench) -> None:
    assert seqs(dated, "..5", "--action", "run.start") == [1]
    assert seqs(dated, "3..9", "-n", "2") == [8, 9]


def test_times_with_an_offset_in_another_writers_log(dated: Workbench) -> None:
    """0.3.0 logs carry offsets: 06:00 at -03:00 is 09:00 UTC, although its text sorts before."""
    events = dated.events()
    for number, event in enumerate(events, 1):
        moment = FIRST + timedelta(hours=(number - 1) // 2 - 3)
        event["ts"] = moment.strftime("%Y-%m-%dT%H:%M:%S-03:00")
    dated.write_log([json.dumps(event).encode() + b"\n" for event in events])
    assert seqs(dated, "2026-01-05T10:00:00Z") == [4]
    assert seqs(dated, "2026-01-05T08:00:00-03:00..") == list(range(6, 21))
