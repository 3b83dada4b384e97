"""The board of a moment: columns in the order of the work, each page by page; and how long tasks took."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from esaa.history.board import STATUSES, Card, board_of, card_of
from esaa.history.members import following, member_sizes, parts_after
from esaa.history.task_times import TaskClock
from esaa.kernel.recorded import Recorded
from esaa.protocol.facts import (
    Fact,
    OutputRejected,
    RunStarted,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskReviewed,
)
from tests.history.memory_past import claims


def card(number: int, status: str) -> Card:
    """A card."""
    return card_of({"task_id": f"T-{number}", "status": status, "title": "x", "task_kind": "impl"})


def test_empty_board_has_the_columns_of_the_work() -> None:
    board = board_of([])
    assert [one.status for one in board.columns] == list(STATUSES)
    assert board.counts == {}
    assert all(one.total == 0 and one.next is None for one in board.columns)


@given(st.lists(st.sampled_from([*STATUSES, "parked"]), max_size=30), st.integers(1, 7))
def test_pages_of_a_column_hold_each_card_once_in_order(statuses: list[str], count: int) -> None:
    cards = [card(number, status) for number, status in enumerate(statuses)]
    for status in {*STATUSES, *statuses}:
        wanted = [one.task_id for one in cards if one.status == status]
        seen: list[str] = []
        after: str | None = None
        while True:
            (column,) = board_of(cards, status=status, after=after, count=count).columns
            assert column.total == len(wanted)
            seen += [one.task_id for one in column.cards]
            after = column.next
            if after is None:
                break
        assert seen == wanted
    assert sum(board_of(cards).counts.values()) == len(cards)


def test_page_after_a_card_that_has_moved_on_begins_anew() -> None:
    cards = [card(1, "todo"), card(2, "todo")]
    (column,) = board_of(cards, status="todo", after="T-9").columns
    assert [one.task_id for one in column.cards] == ["T-1", "T-2"]


def test_card_says_what_is_known() -> None:
    told = card_of(
        {
            "task_id": "HF-1",
            "status": "todo",
            "title": "Mend",
            "task_kind": "impl",
            "assigned_to": "ada",
            "is_hotfix": True,
        },
        {"attempts": 2},
        1,
        is_changed=True,
    )
    assert told == Card(
        task_id="HF-1",
        title="Mend",
        task_kind="impl",
        status="todo",
        owner="ada",
        attempts=2,
        open_issues=1,
        is_hotfix=True,
        changed=True,
    )


def test_card_of_another_writers_task_lacks_what_is_not_there() -> None:
    assert card_of({"task_id": "X", "assigned_to": 3}, {"attempts": "many"}).owner is None
    assert card_of({"task_id": "X"}, {"attempts": "many"}).attempts == 0
    assert card_of({}).status == ""


def test_parts_of_a_member_are_counted_and_paged() -> None:
    past = claims(9)
    assert member_sizes(past, 9) == {"tasks": 3, "issues": 0, "lessons": 0, "work": 0, "files": 0}
    assert [name for name, _ in parts_after(past, 9, "tasks", None, 2)] == ["T-1", "T-2"]
    assert [name for name, _ in parts_after(past, 9, "tasks", "T-2", 2)] == ["T-3"]
    assert following([("a", 1), ("b", 2)], "z", 1) == [("a", 1)]


class Indexed:
    """A past that knows its members."""

    def member_sizes(self, seq: int) -> dict[str, int]:
        """As many as the seq."""
        return {"tasks": seq}

    def parts_after(self, seq: int, member: str, name: str | None, count: int) -> list[tuple[str, int]]:
        """What was asked."""
        return [(f"{member} after {name}", seq * count)]


def test_past_with_an_index_is_asked_for_its_members() -> None:
    past = Indexed()
    assert member_sizes(past, 3) == {"tasks": 3}  # type: ignore[arg-type]  # all of a past that is asked here
    assert parts_after(past, 3, "tasks", "T-1", 2) == [("tasks after T-1", 6)]  # type: ignore[arg-type]


def told(*facts: tuple[int, Fact]) -> list[Recorded[Fact]]:
    """Events at these minutes."""
    return [
        Recorded(
            version=number,
            event_id=f"EV-{number:08d}",
            ts=f"2026-03-01T09:{minute:02d}:00Z",
            actor="agent-impl",
            fact=fact,
            schema_version="0.4.0",
        )
        for number, (minute, fact) in enumerate(facts, start=1)
    ]


def test_times_of_a_task_are_those_between_its_acts() -> None:
    clock = TaskClock()
    events = told(
        (0, RunStarted(run_id="RUN-1")),
        (0, TaskCreated(task_id="T-1", task_kind="impl", title="Make it")),
        (5, TaskClaimed(task_id="T-1")),
        (7, OutputRejected(task_id="T-1", error_code="BOUNDARY_VIOLATION")),
        (10, TaskCompleted(task_id="T-1")),
        (12, TaskReviewed(task_id="T-1", decision="request_changes", tasks=("Mend",))),
        (15, TaskCompleted(task_id="T-1")),
        (16, TaskReviewed(task_id="T-1", decision="approve")),
        (20, OutputRejected(task_id="T-9")),
    )
    assert list(clock.following(events)) == events
    (one,) = clock.times()
    assert (one.title, one.status, one.attempts, one.rejections) == ("Make it", "done", 2, 1)
    assert (one.waiting_seconds, one.working_seconds, one.review_seconds) == (300, 480, 180)
    assert one.total_seconds == 960


def test_what_goes_on_is_counted_up_to_the_last_event() -> None:
    clock = TaskClock()
    list(clock.following(told((0, TaskClaimed(task_id="T-1")), (3, RunStarted()))))
    assert [(one.task_id, one.working_seconds, one.total_seconds) for one in clock.times()] == [("T-1", 180, None)]
    assert clock.times() == clock.times()
    waiting = TaskClock()
    list(waiting.following(told((0, TaskCreated(task_id="T-1", task_kind="impl", title="x")), (4, RunStarted()))))
    assert waiting.times()[0].waiting_seconds == 240
