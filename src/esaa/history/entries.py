"""One event as history sees it, whichever vocabulary it belongs to."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["log", "trail"]
"""The vocabulary of a past: the log of the governed run, or a stream of the trail."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of a past.

    - `seq`: its place, counted from 1 without gaps.
    - `name`: the action (`claim`), or the event type of the trail (`AgentStarted`).
    - `subject`: the task that it is about, or None.
    - `summary`: what happened, in one line, without who and when.
    - `leaf_hash`: of the stored line, in hex.
    - `is_rejection`: true where it says that something was refused.
    """

    seq: int
    event_id: str
    ts: str
    actor: str
    name: str
    subject: str | None
    summary: str
    leaf_hash: str
    correlation_id: str | None = None
    causation_id: str | None = None
    is_rejection: bool = False


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted. An empty tuple or text asks for nothing; several values of one kind mean any of them.

    - `text`: words that all stand in the name, subject, actor, summary or payload (full text).
    """

    names: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    text: str = ""
    rejections_only: bool = False
    first: int = 1
    last: int | None = None


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, oldest first: those at `offset`, `offset + 1`, ... among the `total` that fit the filter."""

    total: int
    offset: int
    entries: tuple[Entry, ...]
