"""The event store of the protocol: JSON Lines in one file, appended in batches, one write and one fdatasync each.

Opening reads only the end of the file. A torn tail is reported as `TornTail`; mending it is `stores.recovery`'s.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import msgspec

from esaa.errors import CorruptLog, StoreError, UsageError, WrongExpectedVersion
from esaa.kernel.chain import leaf_hash
from esaa.kernel.recorded import Draft, Recorded
from esaa.kernel.vocabulary import MalformedLine, Vocabulary
from esaa.stores.base import START, Batch, Head, encode_batch
from esaa.stores.disk import Disk
from esaa.stores.locate import holds

F = TypeVar("F")

LINE_BYTES_MAX = 64 * 1024 * 1024

_BLANKS = 4096
_EXPLAIN = "Run `esaa verify --explain`."


class TornTail(StoreError):
    """The last line was cut by a crash and never acknowledged. `keep` is the size of the sound part."""

    exit_code = 4

    def __init__(self, path: Path, line: int, keep: int, size: int) -> None:
        super().__init__(
            "TORN_TAIL",
            f"{path} ends in a torn line {line} ({size - keep} bytes) that was never acknowledged.",
            "`esaa doctor --repair` moves it to quarantine; so does the next command that writes.",
            line=line,
            bytes=size - keep,
        )
        self.line = line
        self.keep = keep


class JsonlStore(Generic[F]):
    """One stream in one file. Not safe for two writers by itself: who appends holds the writer's lock."""

    def __init__(
        self, path: Path, vocabulary: Vocabulary[F], disk: Disk, *, line_bytes_max: int = LINE_BYTES_MAX
    ) -> None:
        self._path = path
        self._vocabulary = vocabulary
        self._disk = disk
        self._line_bytes_max = line_bytes_max
        self._head = START
        self._poisoned = False

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def head(self) -> Head:
        """The last place that was read or appended."""
        return self._head

    def rewind(self, place: Head) -> None:
        """Forgets what lies after a place, so that the next `read` starts there."""
        self._head = place

    def size(self) -> int:
        """The file's size in bytes; 0 where there is no file."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_at(self, place: Head) -> bool:
        """True when the line that ends at the place's offset is the one that the place was taken from."""
        if place.version == 0:
            return True
        if place.leaf_hash is None or self.size() < place.offset:
            return False
        # Another writer's last line may have no line feed, or blank lines may lie between it and the place.
        start = max(place.offset - place.line_bytes - _BLANKS, 0)
        with self._path.open("rb") as file:
            file.seek(start)
            stored, after = file.read(place.offset - start), file.read(1)
        if not stored.endswith(b"\n") and after not in (b"", b"\n"):
            return False
        last = next((line for line in reversed(stored.split(b"\n")) if line.strip()), b"")
        return leaf_hash(last) == place.leaf_hash

    def holds(self, place: Head) -> bool:
        """True when the log still has the line that the place was taken from, wherever blank lines have moved it."""
        return self.is_at(place) or holds(self._path, place.version, place.leaf_hash, self._vocabulary)

    def read(self, after: Head = START) -> Iterator[Recorded[F]]:
        """The events after a place; checks seq and chain on the way. Raises `CorruptLog` and `TornTail`."""
        head = after
        number = after.version
        for line, end, is_ended in self.lines(after.offset):
            number += 1
            stripped = line.strip()
            if not stripped:
                head = msgspec.structs.replace(head, offset=end)
                number -= 1
                continue
            try:
                recorded = self._vocabulary.decode(line)
            except MalformedLine as error:
                if not is_ended or (head.is_chained and b"\0" in line and self._is_one_batch(end)):
                    raise TornTail(self._path, number, head.offset, self.size()) from None
                raise CorruptLog(
                    error.code, f"Log {self._path} breaks at line {number}: {error.message}.", _EXPLAIN, number
                ) from None
            if not is_ended and head.is_chained:
                # Our own writer ends every batch with a line feed, so this one was never acknowledged.
                raise TornTail(self._path, number, head.offset, end)
            self._check(recorded, head, number)
            head = Head(
                version=recorded.version,
                leaf_hash=leaf_hash(line),
                offset=end,
                line_bytes=len(line),
                is_chained=head.is_chained or recorded.prev_hash is not None,
            )
            if head.version > self._head.version:
                # A reader that stops half-way must not take the head back.
                self._head = head
            yield recorded
        self._head = head

    def lines(self, offset: int = 0) -> Iterator[tuple[bytes, int, bool]]:
        """Stored lines without their line feed, with the offset after them, and whether a line feed was there."""
        try:
            file: BinaryIO = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(offset)
            for line in file:
                offset += len(line)
                ended = line.endswith(b"\n")
                yield line[:-1] if ended else line, offset, ended

    def _is_one_batch(self, offset: int) -> bool:
        """True where the lines from here on can be of the same append as the one before them.

        What the disk loses of an append in a power cut are pages of it, in any order: a hole of zeros, with whole lines
        after it. Nothing was appended after that, for an append is durable before the next one.
        """
        times: set[str] = set()
        beginnings = 0
        for line, _, is_ended in self.lines(offset):
            if not line.strip() or b"\0" in line or not is_ended:
                continue
            try:
                recorded = self._vocabulary.decode(line)
            except MalformedLine:
                return False
            times.add(recorded.ts)
            beginnings += recorded.causation_id is None
        # The act whose beginning lies in the hole may be followed by one more of its batch, as `run.start` is.
        return len(times) <= 1 and beginnings <= 1

    def append(self, drafts: Sequence[Draft[F]], expected_version: int, batch: Batch) -> tuple[Recorded[F], ...]:
        """Appends all drafts durably, or none.

        Raises `WrongExpectedVersion` where the stream has moved on, and `StoreError` where the disk failed. After a
        failed sync this object refuses further appends: what the disk holds is only known by reading it again.
        """
        if self._poisoned:
            raise StoreError("STORE_POISONED", f"An earlier write to {self._path} failed.", "Open the workspace again.")
        if expected_version != self._head.version:
            raise WrongExpectedVersion(expected_version, self._head.version)
        if not drafts:
            return ()
        written, lines, head = encode_batch(drafts, self._head, batch, self._vocabulary)
        longest = max(map(len, lines), default=0)
        if longest > self._line_bytes_max:
            raise UsageError(
                "LINE_TOO_LONG",
                f"An event has {longest} bytes; line_bytes_max is {self._line_bytes_max}. Nothing was recorded.",
                "Shorten notes, checks or evidence, or raise the limit in STORAGE_POLICY.yaml.",
            )
        missing_feed = self._write(b"\n".join(lines) + b"\n")
        self._head = msgspec.structs.replace(head, offset=head.offset + missing_feed)
        return tuple(written)

    def sync(self) -> None:
        """Makes durable what is there: whoever appended it may have been killed before that. Raises `StoreError`."""
        try:
            fd = self._disk.open(self._path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                self._disk.fdatasync(fd)
            finally:
                os.close(fd)
            self._disk.sync_dir(self._path.parent)
        except OSError as error:
            self._poisoned = True
            raise storage_error(self._path, error) from error

    def cut(self, size: int) -> None:
        """Cuts the file back to `size` bytes, durably. Only `stores.recovery` may ask for it."""
        fd = self._disk.open(self._path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            self._disk.truncate(fd, size)
            self._disk.fsync(fd)
        finally:
            os.close(fd)

    def _write(self, data: bytes) -> int:
        """Appends the bytes; returns 1 where a line feed had to be put before them."""
        try:
            fd = self._disk.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW)
        except OSError as error:
            raise storage_error(self._path, error) from error
        try:
            size = os.fstat(fd).st_size
            if size != self._head.offset:
                raise WrongExpectedVersion(self._head.version, -1)
            # A chained line is our own, which its line feed ended; another writer's last line may have none.
            missing_feed = 1 if size and not self._head.is_chained and not self._ends_with_feed(size) else 0
            try:
                self._disk.write(fd, b"\n" * missing_feed + data)
            except OSError as error:
                self._poisoned = True
                self._undo(fd, size)
                raise storage_error(self._path, error) from error
            try:
                self._disk.fdatasync(fd)
                if size == 0:
                    self._disk.sync_dir(self._path.parent)
            except OSError as error:
                self._poisoned = True
                raise storage_error(self._path, error) from error
            return missing_feed
        finally:
            os.close(fd)

    def _undo(self, fd: int, size: int) -> None:
        # Best effort: what stays behind is a torn tail, and that is mended on the next open.
        try:
            self._disk.truncate(fd, size)
        except OSError:
            return

    def _ends_with_feed(self, size: int) -> bool:
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"

    def _check(self, recorded: Recorded[F], head: Head, number: int) -> None:
        if recorded.version != head.version + 1:
            raise CorruptLog(
                "EVENT_SEQ_INVALID",
                f"Log {self._path} breaks at line {number}: event_seq {recorded.version} follows {head.version}.",
                _EXPLAIN,
                number,
            )
        if recorded.prev_hash is None:
            if head.is_chained:
                raise CorruptLog(
                    "CHAIN_BROKEN", f"Log {self._path} breaks at line {number}: prev_hash is missing.", _EXPLAIN, number
                )
        elif recorded.prev_hash != head.leaf_hash:
            raise CorruptLog(
                "CHAIN_BROKEN",
                f"Log {self._path} breaks at line {number - 1}: it is not the line that line {number} was chained to.",
                _EXPLAIN,
                number - 1,
            )


def storage_error(path: Path, error: OSError, *, act: str = "Writing") -> StoreError:
    """The error of a failed act, with what to do about it. What was recorded by then, `esaa status` says."""
    hints = {
        errno.ENOSPC: "The disk is full: free some space, and look at `esaa status` before you repeat the command.",
        errno.EDQUOT: "The quota is used up: free some space, and look at `esaa status` before you repeat the command.",
        errno.EROFS: "The file system is read-only.",
        errno.EACCES: "You may not write there: check owner and permissions.",
        errno.ELOOP: "The log is a symbolic link; put the file itself there.",
    }
    hint = hints.get(error.errno or 0, "Check the disk, then run `esaa doctor`.")
    return StoreError("STORAGE_FAILED", f"{act} {path} failed: {error.strerror}.", hint, errno=error.errno)
