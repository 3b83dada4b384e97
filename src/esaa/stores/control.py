"""The control file: how a person tells a run that is at work to pause, to stop, or to go on.

The trail is what counts; this file only makes a running process look. What lies there and cannot be read means pause:
a switch that fails must fail to the safe side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from esaa.kernel.ingest import SMALL_STATE
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_own

CONTROL_NAME = "control.json"

Wish = Literal["run", "pause", "stop", "kill"]


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What is wished of the run, by whom, why, and since when (ISO-8601).

    `pause`: nothing new is dispatched, and the run waits. `stop`: what is in flight is taken, then the run ends.
    `kill`: it ends at once, with the processes of its agents.
    """

    wish: Wish
    by: str = ""
    reason: str = ""
    at: str = ""


GO_ON = Control(wish="run")
_UNREADABLE = Control(wish="pause", reason="the control file .roadmap/.esaa/control.json cannot be read")


class ControlFile:
    """The file of one workspace. Reading it again costs one look at its size and time where nothing has changed."""

    def __init__(self, roadmap: Path, disk: Disk) -> None:
        self.path = roadmap / ".esaa" / CONTROL_NAME
        self._disk = disk
        self._known: tuple[tuple[int, int, int], Control] | None = None

    def read(self) -> Control | None:
        """What is wished; None where nothing was ever said."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError:
            return _UNREADABLE
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, _decoded(read_own(self.path, SMALL_STATE))
        return self._known[1]

    def write(self, control: Control) -> None:
        """Says what is wished, durably. Raises `StoreError`."""
        try:
            self._disk.mkdir(self.path.parent)
            self._disk.replace_file(self.path, msgspec.json.encode(control) + b"\n", durable=True)
        except OSError as error:
            raise storage_error(self.path, error) from error


def _decoded(data: bytes | None) -> Control:
    try:
        return msgspec.json.decode(data or b"", type=Control)
    except (msgspec.DecodeError, RecursionError):
        return _UNREADABLE
