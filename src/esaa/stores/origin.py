"""The name of a log in its checkpoints: one line in `.roadmap/origin`, drawn once and kept with the project."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from esaa.errors import ContractError
from esaa.kernel.ingest import Limit, NotIngested
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error
from esaa.stores.keys import is_key_name
from esaa.stores.layout import ORIGIN_NAME
from esaa.stores.outside import read_placed

_HOST = "esaa.local"
_BYTES_MAX = 1000


def read_origin(roadmap: Path) -> str | None:
    """The origin of a log, or None where it has none. Raises `ContractError` for a file that names none."""
    path = roadmap / ORIGIN_NAME
    try:
        text = read_placed(path, Limit(_BYTES_MAX)).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except NotIngested as error:
        raise ContractError(
            "ORIGIN_INVALID", f"{path} cannot be taken: {error}.", "Restore it: a plain file with the log's name."
        ) from error
    if not text.endswith("\n") or not is_key_name(text[:-1]):
        raise ContractError(
            "ORIGIN_INVALID",
            f"{path} does not hold one line with the log's name.",
            "Restore it: it must stay what it was, for the checkpoints name it.",
        )
    return text[:-1]


def make_origin(roadmap: Path, disk: Disk, new_id: Callable[[], str]) -> str:
    """The origin, drawn now where there is none yet. Durable when it is returned."""
    known = read_origin(roadmap)
    if known is not None:
        return known
    path = roadmap / ORIGIN_NAME
    temporary = path.with_name(f".{ORIGIN_NAME}.{os.getpid()}.tmp")
    try:
        disk.replace_file(temporary, f"{_HOST}/{new_id()}\n".encode(), durable=True)
        with suppress(FileExistsError):  # another process was first, and then its name counts
            disk.link(temporary, path)
        disk.unlink(temporary)
        disk.sync_dir(roadmap)
    except OSError as error:
        raise storage_error(path, error) from error
    found = read_origin(roadmap)
    assert found is not None, "it was written just now"
    return found


def replace_origin(roadmap: Path, disk: Disk, new_id: Callable[[], str]) -> str:
    """Another origin, for a log whose history was accepted to be another one."""
    path = roadmap / ORIGIN_NAME
    origin = f"{_HOST}/{new_id()}"
    try:
        disk.replace_file(path, f"{origin}\n".encode(), durable=True)
    except OSError as error:
        raise storage_error(path, error) from error
    return origin


def trail_origin(origin: str, stream: str) -> str:
    """The origin of a stream of the trail."""
    return f"{origin}/trail/{stream}"
