"""The key that authenticates disposable files. It lives in the user's config directory, never in the workspace."""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "state.key"
_BYTES = 32


def state_key(config_dir: Path) -> bytes | None:
    """The key, made on first use with mode 0600; None where it cannot be kept (then nothing is cached)."""
    path = config_dir / _NAME
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError:
        return None
    try:
        config_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = config_dir / f".{_NAME}.{os.getpid()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(os.urandom(_BYTES))
        try:
            os.link(temporary, path)  # fails where another process was first, and then its key counts
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
        return _read(path)
    except OSError:
        return None


def _read(path: Path) -> bytes | None:
    status = os.lstat(path)
    if status.st_mode & 0o077 or status.st_uid != os.getuid():
        return None
    key = path.read_bytes()
    return key if len(key) == _BYTES else None
