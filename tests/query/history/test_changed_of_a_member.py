"""The changed parts of one member are those of all members, without the others, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest

from esaa.query.history.opening import open_log_past
from tests.workspaces import NO_COOLDOWN, make_workspace, new_task, result, submit


@pytest.mark.parametrize("count", [1, 3, 100])
def test_pages_of_a_member_are_the_whole_without_the_others(tmp_path: Path, count: int) -> None:
    workspace = make_workspace(
        tmp_path / "project", [new_task(f"T-{number}", outputs=["src/a.txt"]) for number in range(5)], edits=NO_COOLDOWN
    )
    for number in range(5):
        submit(workspace, "agent-impl", result("claim", f"T-{number}"))
        submit(workspace, "agent-impl", result("complete", f"T-{number}", files={f"src/{number}.txt": "a\n"}))
    past = open_log_past(workspace.root)
    head = past.head()
    for after in (0, head // 2, head):
        every = list(past.changed_parts(after, head))
        for member, number in past.changed_members(after, head).items():
            wanted = [one for one in every if one.split("/")[1] == member]
            assert len(wanted) == number
            pages = [past.changed_page(after, head, at, count, member) for at in range(0, number, count)]
            assert [one for page in pages for one in page] == wanted
    past.close()
