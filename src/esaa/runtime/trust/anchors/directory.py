"""The anchor that is a folder elsewhere: one file for each checkpoint, written once and never over another history."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from esaa.errors import ContractError, IntegrationError
from esaa.runtime.trust.anchors.base import Placed, contradicted, same_head
from esaa.stores.checkpoints import read_note
from esaa.stores.disk import Disk

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class DirectoryAnchor:
    """`{path}/{origin, its slashes as +}/{size}`."""

    def __init__(self, path: str, root: Path, origin: str, disk: Disk) -> None:
        self._top = Path(os.path.abspath(root / path))
        self._folder = self._top / origin.replace("/", "+")
        self._root = root
        self._disk = disk

    def put(self, note: bytes, size: int) -> Placed:
        """Copies the note. Raises `ContractError` for a folder beside the log, which would vouch for nothing."""
        if self._top.resolve().is_relative_to((self._root / ".roadmap").resolve()):
            raise ContractError(
                "ANCHOR_INSIDE_WORKSPACE",
                f"The anchor {self._top} lies inside of .roadmap, with the log that it should vouch for.",
                "Name a folder on another disk or machine in .roadmap/anchors.yaml.",
            )
        path = self._folder / str(size)
        lying = read_note(path)
        if lying is not None and not same_head(lying, note):
            raise contradicted(str(path), size)
        try:
            self._disk.mkdir(self._folder)
            self._disk.replace_file(path, note, durable=True)
        except OSError as error:
            raise _failed(path, error) from error
        return Placed(where=str(path), note=note)

    def fetch(self) -> Iterator[bytes]:
        """Every copy, by size."""
        try:
            names = [name for name in os.listdir(self._folder) if _SIZE.fullmatch(name)]
        except FileNotFoundError as error:
            if self._top.is_dir():
                return
            raise _failed(self._top, error) from error
        except OSError as error:
            raise _failed(self._folder, error) from error
        for name in sorted(names, key=int):
            yield read_note(self._folder / name) or b""


def _failed(path: Path, error: OSError) -> IntegrationError:
    return IntegrationError(
        "ANCHOR_UNREACHABLE", f"{path}: {error.strerror or error}.", "Is the disk there, and may it be written to?"
    )
