"""The state as rows of a tree."""

from __future__ import annotations

from esaa.tui.state_rows import Parts, StateRow, state_rows
from tests.history.memory_past import MemoryPast, entry
from tests.tui.walks import run_of


def shown(rows: list[StateRow]) -> list[str]:
    return [f"{'  ' * row.depth}{'*' if row.is_changed else ''}{row.label}" for row in rows]


def test_closed_branches_are_not_read() -> None:
    rows = list(state_rows(run_of(2), 10, (), ()))
    assert shown(rows) == ["run", "verification", "tasks", "issues", "lessons", "work", "files"]
    by_name = {row.label: row for row in rows}
    assert by_name["tasks"].value == Parts(2)
    assert by_name["tasks"].is_branch
    assert not by_name["tasks"].is_open


def test_what_changed_is_marked_up_to_the_root() -> None:
    opened = [("tasks",), ("tasks", "T-1")]
    rows = list(state_rows(run_of(2), 7, opened, [("tasks", "T-1", "status")]))
    assert shown(rows)[2:7] == ["*tasks", "  *T-1", "    task_id", "    title", "    *status"]
    assert shown(rows)[7] == "  T-2"


def test_before_the_first_event_nothing_is_there() -> None:
    rows = list(state_rows(run_of(1), 0, [("tasks",)], ()))
    assert [row.value for row in rows] == [Parts(0)] * 5


def test_of_a_long_branch_the_first_members_are_read_and_those_that_count() -> None:
    past = MemoryPast()
    tasks = {f"T-{number}": {"status": "todo"} for number in range(250)}
    past.append(entry(1), {"run": {}, "tasks": tasks})
    rows = list(state_rows(past, 1, [("tasks",), ("tasks", "T-249")], [("tasks", "T-200", "status")]))
    names = [row.label for row in rows if row.names is not None and row.depth == 1]
    assert names == [f"T-{number}" for number in range(100)] + ["T-200", "T-249"]
    (more,) = [row for row in rows if row.names is None]
    assert more.value == "148 more"


def test_a_long_list_is_bounded_too() -> None:
    past = MemoryPast()
    past.append(entry(1), {"run": {"log": list(range(300))}})
    rows = list(state_rows(past, 1, [("run",), ("run", "log")], [("run", "log", "299")]))
    assert [row.label for row in rows if row.depth == 2][-2:] == ["299", ""]
    assert [row.value for row in rows if row.names is None] == ["199 more"]


def test_a_stream_shows_the_members_of_its_state() -> None:
    past = MemoryPast(name="PROJ-1", kind="trail")
    past.append(entry(1), {"current_phase": "build", "agents": {"a": {"status": "active"}}, "gaps": []})
    rows = list(state_rows(past, 1, [("agents",)], ()))
    assert shown(rows) == ["current_phase", "agents", "  a", "gaps"]
    assert [row.is_branch for row in rows] == [False, True, True, False]
