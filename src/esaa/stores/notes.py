"""Notes and bookmarks of people who read a past: `.roadmap/notes.jsonl`, beside the log and no part of it.

Each line says how a note is from now on, or that it is gone; the last line about it holds. A line that makes no sense
(a torn one, or one of a merge gone wrong) is passed over. The file is written small again where most of it is outdated.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from esaa.errors import NotFound, StoreError, UsageError
from esaa.kernel.ingest import Limit, NotIngested
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.lock import writer_lock
from esaa.stores.outside import read_placed

NAME = "notes.jsonl"
NOTES_MAX = 5000
TEXT_MAX = 4000
_LIMIT = Limit(64 * 1024 * 1024)
_OUTDATED_MAX = 500
_LOCK_TIMEOUT_S = 5.0

NoteKind = Literal["note", "bookmark"]
NoteKey = tuple[str, str]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note, or a mark without words, at an event of a past.

    - `leaf_hash`: that of the event's line when the note was made; it tells whether the event is still the same.
    - `changed_at`: when it was written last.
    """

    note_id: str
    past: str
    seq: int
    kind: NoteKind
    text: str
    leaf_hash: str | None
    changed_at: str


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    note_id: str
    past: str
    seq: int = 0
    kind: NoteKind = "note"
    text: str = ""
    leaf_hash: str | None = None
    changed_at: str = ""
    is_removed: bool = False


class NoteStore:
    """The notes of a workspace. Several processes may write."""

    def __init__(self, roadmap: Path, disk: Disk) -> None:
        self._path = roadmap / NAME
        self._lock = roadmap / ".esaa" / "notes.lock"
        self._disk = disk

    def all(self) -> tuple[Note, ...]:
        """Every note, by past and event."""
        return _sorted(self._read()[0])

    def put(self, note: Note) -> None:
        """Keeps a note, in the place of the one with its id. Raises `UsageError` where there are too many."""
        with self._writing():
            notes, lines, is_torn = self._read()
            if (note.past, note.note_id) not in notes and len(notes) >= NOTES_MAX:
                raise UsageError("NOTES_TOO_MANY", f"There are {NOTES_MAX} notes already.", "Remove some first.")
            notes[note.past, note.note_id] = note
            self._write(_Line(**msgspec.structs.asdict(note)), notes, lines, is_torn=is_torn)

    def remove(self, past: str, note_id: str) -> None:
        """Forgets a note. Raises `NotFound`."""
        with self._writing():
            notes, lines, is_torn = self._read()
            if notes.pop((past, note_id), None) is None:
                raise NotFound("NOTE_NOT_FOUND", f"{past} has no note {note_id}.", "It may have been removed before.")
            gone = _Line(note_id=note_id, past=past, is_removed=True)
            self._write(gone, notes, lines, is_torn=is_torn)

    def _read(self) -> tuple[dict[NoteKey, Note], int, bool]:
        """The notes, how many lines there are, and whether the last one lacks its end."""
        try:
            data = read_placed(self._path, _LIMIT)
        except FileNotFoundError:
            return {}, 0, False
        except NotIngested as error:
            raise StoreError("NOTES_UNREADABLE", f"{self._path} cannot be read: {error}.", "Look at it.") from error
        notes: dict[NoteKey, Note] = {}
        lines = data.splitlines()
        for line in lines:
            try:
                one = msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            key = (one.past, one.note_id)
            if one.is_removed:
                notes.pop(key, None)
            else:
                values = msgspec.structs.asdict(one)
                del values["is_removed"]
                notes[key] = Note(**values)
        return notes, len(lines), bool(data) and not data.endswith(b"\n")

    @contextmanager
    def _writing(self) -> Generator[None, None, None]:
        with writer_lock(self._lock, timeout_s=_LOCK_TIMEOUT_S, what="another writer of notes"):
            try:
                yield
            except OSError as error:
                raise storage_error(self._path, error) from error

    def _write(self, line: _Line, notes: Mapping[NoteKey, Note], lines: int, *, is_torn: bool) -> None:
        if lines + 1 > 2 * len(notes) + _OUTDATED_MAX:
            kept = b"".join(msgspec.json.encode(note) + b"\n" for note in _sorted(notes))
            self._disk.replace_file(self._path, kept, durable=True)
            return
        is_new = lines == 0
        fd = self._disk.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
        try:
            self._disk.write(fd, (b"\n" if is_torn else b"") + msgspec.json.encode(line) + b"\n")
            self._disk.fdatasync(fd)
        finally:
            os.close(fd)
        if is_new:
            self._disk.sync_dir(self._path.parent)


def _sorted(notes: Mapping[NoteKey, Note]) -> tuple[Note, ...]:
    return tuple(sorted(notes.values(), key=lambda one: (one.past, one.seq, one.note_id)))
