"""The signed tree heads of a log as they lie beside it: the newest one, and those that are kept for good.

Never the trail's `CheckpointCreated`, which is a restore point. What lies here is only as good as its signature.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from esaa.kernel.checkpoint import NOTE_BYTES_MAX, Note, format_note, parse_note
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error

CHECKPOINTS = "checkpoints"
LATEST = "latest"
REFUTED = "refuted"
"""The folder of checkpoints that a log which was accepted in another state does not hold any more."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointStore:
    """A folder of notes: `latest`, and one file by the size of each kept one."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self._disk = disk

    def latest(self) -> Note | None:
        """The newest note, or None. Raises `CheckpointInvalid` for bytes that are none; nothing is verified."""
        data = self.read(LATEST)
        return None if data is None else parse_note(data)

    def read(self, name: str) -> bytes | None:
        """The bytes of a note as they lie there: of `latest`, or of a kept one by its size."""
        return read_note(self.folder / name)

    def kept(self) -> list[int]:
        """The sizes of the kept notes, the smallest first."""
        try:
            return sorted(int(name) for name in os.listdir(self.folder) if _SIZE.fullmatch(name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def keep(self, note: Note, size: int) -> None:
        """Keeps a note for good; another signature of the same size takes its place."""
        self._put(str(size), note)

    def publish(self, note: Note) -> None:
        """Makes a note the newest one, durably."""
        self._put(LATEST, note)

    def set_aside(self) -> int:
        """Moves every note to `refuted`, from where nothing is judged any more, and says how many there were."""
        names = [name for name in (LATEST, *map(str, self.kept())) if os.path.lexists(self.folder / name)]
        if not names:
            return 0
        aside = self.folder / REFUTED
        try:
            self._disk.mkdir(aside)
            for name in names:
                data = self.read(name) or b""
                target, number = aside / name, 2
                while os.path.lexists(target):
                    target, number = aside / f"{name}-{number}", number + 1
                self._disk.replace_file(target, data, durable=True)
                self._disk.unlink(self.folder / name)
            self._disk.sync_dir(self.folder)
        except OSError as error:
            raise storage_error(aside, error) from error
        return len(names)

    def _put(self, name: str, note: Note) -> None:
        path = self.folder / name
        try:
            self._disk.mkdir(self.folder)
            self._disk.replace_file(path, format_note(note), durable=True)
        except OSError as error:
            raise storage_error(path, error) from error


def read_note(path: Path) -> bytes | None:
    """The bytes of a file that should hold a note, no more than a note may have and one; None where there is none.

    A link, a pipe or a folder in its place is bytes that are no note.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        return b""
    if stat.S_ISDIR(os.fstat(fd).st_mode):  # a file object cannot even be made of one
        os.close(fd)
        return b""
    with os.fdopen(fd, "rb") as file:
        try:
            return file.read(NOTE_BYTES_MAX + 1) or b""
        except OSError:
            return b""
