"""Opening the past of a log: its index is made, or brought up to it, before the first question."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from esaa.query.history.feed import Progress
from esaa.query.history.log_index import LogIndex, index_of
from esaa.query.history.log_past import LogPast
from esaa.stores.layout import LOG_NAME, ROADMAP


def open_log_past(
    root: Path,
    *,
    now: Callable[[], datetime] | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> LogPast:
    """The past of the log of the workspace in `root` (or of a log itself).

    The first time this takes a few times as long as folding the log; `progress` is told how far it is, `say` why an
    index is made anew or can't be kept. Raises `NotFound` where there is no log.
    """
    log = root if root.is_file() else root / ROADMAP / LOG_NAME
    return LogPast(LogIndex(log, say or _silently, progress), now or _clock)


def has_index(root: Path) -> bool:
    """Whether an index of the workspace's log is kept; it may be behind the log."""
    return index_of(root / ROADMAP / LOG_NAME).is_file()


def _clock() -> datetime:
    return datetime.now(UTC)


def _silently(_: str) -> None:
    """Nobody is told."""
