"""The key that authenticates disposable files. It lives in the user's config directory, never in the workspace."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from esaa.stores.disk import Disk

_NAME = "state.key"
_BYTES = 32


def state_key(config_dir: Path, disk: Disk | None = None) -> bytes | None:
    """The key, made on first use with mode 0600; None where it cannot be kept (then nothing is cached)."""
    path = config_dir / _NAME
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError:
        return None
    try:
        _make(path, disk or Disk())
        return _read(path)
    except OSError:
        return None


def _make(path: Path, disk: Disk) -> None:
    """Durably, and whole before it has its name: a key that a crash cut short would switch off every cache for good."""
    disk.mkdir(path.parent, 0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    fd = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        disk.write(fd, os.urandom(_BYTES))
        disk.fsync(fd)
    finally:
        os.close(fd)
    with suppress(FileExistsError):  # another process was first, and then its key counts
        disk.link(temporary, path)
    disk.unlink(temporary)
    disk.sync_dir(path.parent)


def _read(path: Path) -> bytes | None:
    status = os.lstat(path)
    if status.st_mode & 0o077 or status.st_uid != os.getuid():
        return None
    key = path.read_bytes()
    return key if len(key) == _BYTES else None
