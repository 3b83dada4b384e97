"""What anchors answered, kept in `.roadmap/anchors/{anchor}/{log or stream}/`: one receipt by the size it is about.

Beside each lies the note as it was anchored (`.note`), and whatever a time stamping authority sent (`.tsq`, `.tsr`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from esaa.kernel.checkpoint import CheckpointInvalid, Note, parse_note
from esaa.kernel.ingest import Limit
from esaa.stores.checkpoints import read_note
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.outside import read_own

ANCHORS = "anchors"
NOTE = "note"
_BYTES_MAX = 256 * 1024


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """That a checkpoint was put somewhere else. `at` is this machine's time; `where` names the place for people.

    `detail` is what the place told: the id of a tag, the time of an authority, the time of a witness.
    """

    anchor: str
    kind: str
    origin: str
    size: int
    root: str
    at: str
    where: str
    detail: dict[str, str] = {}


class ReceiptStore:
    """The receipts of one workspace."""

    def __init__(self, roadmap: Path, disk: Disk) -> None:
        self._folder = roadmap / ANCHORS
        self._disk = disk

    def keep(self, receipt: Receipt, files: Mapping[str, bytes]) -> None:
        """Keeps a receipt and the files that belong to it, by their endings; the receipt itself comes last."""
        folder = self._folder / receipt.anchor / label_of(receipt.origin)
        data = msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"
        try:
            self._disk.mkdir(folder)
            for ending, content in (*files.items(), ("json", data)):
                self._disk.replace_file(folder / f"{receipt.size}.{ending}", content, durable=True)
        except OSError as error:
            raise storage_error(folder, error) from error

    def all(self) -> list[Receipt]:
        """Every receipt that can be read, by anchor, log and size."""
        found: list[Receipt] = []
        for path in self._paths(".json"):
            try:
                receipt = msgspec.json.decode(read_own(path, Limit(_BYTES_MAX)) or b"", type=Receipt)
            except ValueError:  # no JSON, or no UTF-8
                continue
            if self._path(receipt, "json") == path:
                found.append(receipt)
        return sorted(found, key=lambda one: (one.anchor, one.origin, one.size))

    def file(self, receipt: Receipt, ending: str) -> bytes | None:
        """A file that belongs to a receipt, or None."""
        return read_own(self._path(receipt, ending), Limit(_BYTES_MAX))

    def notes(self) -> Iterator[Note]:
        """Every note that was anchored, with what others signed under it. Nothing is verified."""
        for path in self._paths(f".{NOTE}"):
            try:
                yield parse_note(read_note(path) or b"")
            except CheckpointInvalid:
                continue

    def _path(self, receipt: Receipt, ending: str) -> Path:
        return self._folder / receipt.anchor / label_of(receipt.origin) / f"{receipt.size}.{ending}"

    def _paths(self, ending: str) -> Iterator[Path]:
        for folder, _, names in sorted(os.walk(self._folder)):
            for name in sorted(names):
                if name.endswith(ending) and not name.startswith("."):
                    yield Path(folder, name)


def label_of(origin: str) -> str:
    """A short name of a log for files: the stream's, or `log`."""
    return origin.partition("/trail/")[2] or "log"
