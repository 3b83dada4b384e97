"""The read models on disk, and the cursors of what has been done with the log. All of it can be made again.

Nothing here is synced: after a power cut a read model may be old, which the next command sees and mends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from esaa.kernel.ingest import READ_MODEL, SMALL_STATE
from esaa.stores.base import Head
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_own

_BOOT = Path("/proc/sys/kernel/random/boot_id")
VIEW_NAMES = ("roadmap.json", "issues.json", "lessons.json")


class _Stamp(msgspec.Struct, frozen=True):
    size: int
    mtime_ns: int
    inode: int


def boot_name() -> str:
    """A name for the time since the machine was started; empty where the system gives none."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


class Cursors(msgspec.Struct, frozen=True, kw_only=True):
    """How far the followers of the log got: the files that were published, the read models that were written.

    `boot` is the time that the machine has been up since, by its name: what was not synced then, a later one may lack.
    """

    published: Head | None = None
    projected_seq: int = -1
    views: dict[str, _Stamp] = {}
    boot: str = ""


class Views:
    """The three read models of a workspace."""

    def __init__(self, roadmap: Path, disk: Disk) -> None:
        self._roadmap = roadmap
        self._cursor_file = roadmap / ".esaa" / "cursors.json"
        self._disk = disk
        self._cursors: Cursors | None = None

    @property
    def cursors(self) -> Cursors:
        """The cursors as they were last saved; empty ones where there are none."""
        if self._cursors is None:
            try:
                self._cursors = msgspec.json.decode(read_own(self._cursor_file, SMALL_STATE) or b"", type=Cursors)
            except ValueError:  # no JSON, or no UTF-8
                self._cursors = Cursors()
        return self._cursors

    def forget(self) -> None:
        """Reads the cursors again on the next use: another process may have moved them."""
        self._cursors = None

    def on_disk(self, name: str) -> bytes | None:
        """The bytes of a read model as they lie there, or None."""
        return read_own(self._roadmap / name, READ_MODEL)

    def condition(self, seq: int) -> Literal["current", "old", "edited"]:
        """What the cursors say of the read models: written at this seq and untouched, not of this seq, or touched.

        Read models are not synced. One that differs after the machine went down is what that left, and is old.
        """
        if self.cursors.projected_seq != seq:
            return "old"
        if self.cursors.views == self._stamps():
            return "current"
        return "edited" if self.cursors.boot == boot_name() else "old"

    def publish(self, views: dict[str, bytes], seq: int, published: Head) -> None:
        """Replaces the given read models, and saves the cursors."""
        try:
            for name, data in views.items():
                self._disk.replace_file(self._roadmap / name, data, durable=False)
            self._save(Cursors(published=published, projected_seq=seq, views=self._stamps(), boot=boot_name()))
        except OSError as error:
            raise storage_error(self._roadmap, error) from error

    def advance(self, published: Head) -> None:
        """Saves that the files up to a place are published."""
        try:
            self._save(msgspec.structs.replace(self.cursors, published=published))
        except OSError as error:
            raise storage_error(self._cursor_file, error) from error

    def _save(self, cursors: Cursors) -> None:
        self._disk.mkdir(self._cursor_file.parent)
        self._disk.replace_file(self._cursor_file, msgspec.json.encode(cursors), durable=False)
        self._cursors = cursors

    def _stamps(self) -> dict[str, _Stamp]:
        stamps: dict[str, _Stamp] = {}
        for name in VIEW_NAMES:
            try:
                status = (self._roadmap / name).lstat()
            except OSError:
                continue
            stamps[name] = _Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
        return stamps
