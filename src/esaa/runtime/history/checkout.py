"""Writing the tree as it was into an empty folder. Nothing outside of it is touched, and no link is followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from esaa.effects.beneath import UnsafePath
from esaa.effects.files import write_refusal
from esaa.effects.paths import parent_of
from esaa.errors import UsageError
from esaa.history.past import Past
from esaa.runtime.history.commands import command
from esaa.runtime.history.files import digest_of, stored_content
from esaa.runtime.history.sources import Sources
from esaa.runtime.history.views import CheckoutView, NotWritten
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error


def checkout(past: Past, sources: Sources, seq: int, folder: Path, *, dry_run: bool = False) -> CheckoutView:
    """Writes every file that the past tells of, as it was after an event. What cannot be written is named.

    A dry run writes nothing, and names what it would write.

    Raises `UsageError` for a folder that is not empty, `StoreError` where the disk fails.
    """
    disk = Disk()
    _prepare(folder, None if dry_run else disk)
    written: list[str] = []
    missing: list[NotWritten] = []
    for path, part in past.parts(seq, "files"):
        if part is None and past.kind == "trail":
            continue
        fault = _write(folder, path, digest_of(part), sources, None if dry_run else disk)
        if fault is None:
            written.append(path)
        else:
            missing.append(NotWritten(path=path, reason=fault))
    return CheckoutView(
        past=past.name,
        at=seq,
        cli=command(past, "checkout", "--at", seq, str(folder)),
        folder=str(folder),
        written=tuple(written),
        missing=tuple(missing),
    )


def _prepare(folder: Path, disk: Disk | None) -> None:
    try:
        status = os.lstat(folder)
    except FileNotFoundError:
        try:
            if disk is not None:
                disk.mkdir(folder)
        except OSError as error:
            raise storage_error(folder, error) from error
        return
    if not stat.S_ISDIR(status.st_mode):
        raise UsageError("FOLDER_INVALID", f"{folder} is no folder.", "Name a new or an empty folder.")
    if os.listdir(folder):
        raise UsageError(
            "FOLDER_NOT_EMPTY", f"{folder} is not empty, and nothing in it is overwritten.", "Name a new folder."
        )


def _write(folder: Path, path: str, digest: str | None, sources: Sources, disk: Disk | None) -> str | None:
    """Writes one file, where there is a disk to write to; the answer is why it could not be, or None."""
    # A log may come from anywhere: what may not be published may not be checked out either.
    refusal = write_refusal(path)
    if refusal is not None:
        return f"the path {refusal}"
    if digest is None:
        return "the log does not tell its digest"
    content = stored_content(sources, digest)
    if content.data is None:
        return content.fault
    if disk is None:
        return None
    try:
        with parent_of(folder, path, create=disk) as (directory, name):
            fd = disk.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, dir_fd=directory)
            try:
                disk.write(fd, content.data)
            finally:
                os.close(fd)
    except UnsafePath as error:
        return f"the path {error.strerror}"
    except (FileExistsError, IsADirectoryError, NotADirectoryError):
        return "another file lies in its way"
    except OSError as error:
        raise storage_error(folder / path, error) from error
    return None
