"""What is served: a workspace, and how to tell cheaply that something in it became another one."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable
from pathlib import Path

import msgspec

from esaa.errors import NotFound
from esaa.runtime.trail.states import check_stream

LOG = "log"
_STREAMS_LOOK_S = 1.0


class ServerView(msgspec.Struct, frozen=True, kw_only=True):
    """What this server is, and what it lets one do."""

    version: str
    workspace: str
    allows_actions: bool
    allows_notes: bool = True


class Served:
    """Looks at a workspace from outside."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def version_of(self, past: str) -> Hashable:
        """Names what an answer stands on beside the events: the file of the log, and the contracts.

        Raises `UsageError` for what is no past, `NotFound` where there is no log.
        """
        contracts = tuple((one.name, _changed_at(one)) for one in sorted(self._log.parent.glob("*.yaml")))
        if past != LOG:
            check_stream(past)
            return contracts
        found = self._look()
        return (found.st_dev, found.st_ino, contracts)

    def change_of(self, past: str) -> Hashable:
        """Differs from the last time where there may be news. Streams, of many files, are looked at each second."""
        if past != LOG:
            return int(time.monotonic() / _STREAMS_LOOK_S)
        try:
            found = self._look()
        except NotFound:
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def _look(self) -> os.stat_result:
        try:
            return self._log.stat()
        except FileNotFoundError as error:
            raise NotFound(
                "LOG_NOT_FOUND", f"There is no log {self._log}.", "It was there, or nobody has made one yet."
            ) from error


def _changed_at(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None  # a link that leads nowhere, as editors leave for locks, or a file that is being replaced
