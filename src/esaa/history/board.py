"""The task board of a moment: cards by status, a page of each column."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

STATUSES = ("todo", "in_progress", "review", "done")
"""The statuses of the governed run, in the order of the board. Other ones follow them."""


class Card(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A task on the board. `changed` is true where an event after the moment of comparison changed it."""

    task_id: str
    title: str
    task_kind: str
    status: str
    owner: str | None
    attempts: int
    open_issues: int
    is_hotfix: bool
    changed: bool = False


class BoardColumn(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one status: how many, some of them in the order of their creation, and where the next page begins.

    `next` is the id of the last card of the page, which `after` takes; None at the end.
    """

    status: str
    total: int
    cards: tuple[Card, ...]
    next: str | None = None


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """The board of a moment. `counts` is by status; `columns` has one column, or all of them."""

    counts: dict[str, int]
    columns: tuple[BoardColumn, ...]


def card_of(task: Any, work: Any = None, open_issues: int = 0, *, is_changed: bool = False) -> Card:
    """The card of a task as the document holds it; a foreign task may lack anything but its id."""
    attempts = work.get("attempts", 0) if isinstance(work, dict) else 0
    return Card(
        task_id=str(task.get("task_id", "")),
        title=str(task.get("title", "")),
        task_kind=str(task.get("task_kind", "")),
        status=str(task.get("status", "")),
        owner=owner if isinstance(owner := task.get("assigned_to"), str) else None,
        attempts=attempts if isinstance(attempts, int) else 0,
        open_issues=open_issues,
        is_hotfix=task.get("is_hotfix") is True,
        changed=is_changed,
    )


def board_of(
    cards: Iterable[Card],
    *,
    status: str | None = None,
    after: str | None = None,
    count: int = 50,
    statuses: Collection[str] = STATUSES,
) -> Board:
    """A page of each column (or of that of `status`), from all cards in the order of their creation.

    `after` is the id of the card that the page follows; a card that is not in the column begins it anew.
    """
    columns: dict[str, list[Card]] = {name: [] for name in statuses}
    for card in cards:
        columns.setdefault(card.status, []).append(card)
    pages: list[BoardColumn] = []
    for name, found in columns.items():
        if status is not None and name != status:
            continue
        start = next((index + 1 for index, one in enumerate(found) if one.task_id == after), 0) if after else 0
        page = tuple(found[start : start + count])
        more = start + len(page) < len(found)
        pages.append(
            BoardColumn(status=name, total=len(found), cards=page, next=page[-1].task_id if page and more else None)
        )
    return Board(counts={name: len(found) for name, found in columns.items() if found}, columns=tuple(pages))
