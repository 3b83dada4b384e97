"""What this machine has verified before: how far, the digests of those bytes, and what the audit had gathered by then.

Kept outside of every workspace and authenticated. Who can't forge it can't make a verification pass over a change: the
bytes themselves are compared each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from esaa.stores.disk import Disk
from esaa.stores.secrets import state_key

_FOLDER = "verified"
_MAC_BYTES = 32
_PIECE = 16 * 1024 * 1024
_READ = 1024 * 1024
_MAGIC = b"esaa-verified-1\n"


class PieceDigests:
    """The SHA-256 of each piece of a file, taken while the file is read anyway."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._current = hashlib.sha256()
        self._room = _PIECE

    @classmethod
    def after(cls, path: Path, size: int, digests: Sequence[str]) -> PieceDigests:
        """Those of a file whose first `size` bytes are known to have these digests: more bytes can follow."""
        found = cls()
        whole = size // _PIECE
        found._done = list(digests[:whole])
        with path.open("rb") as file:
            file.seek(whole * _PIECE)
            found.update(file.read(size - whole * _PIECE))
        return found

    def update(self, data: bytes) -> None:
        """The next bytes of the file."""
        view = memoryview(data)
        while len(view) >= self._room:
            self._current.update(view[: self._room])
            view = view[self._room :]
            self._done.append(self._current.hexdigest())
            self._current, self._room = hashlib.sha256(), _PIECE
        self._current.update(view)
        self._room -= len(view)

    def digests(self) -> list[str]:
        """The digests of what was given; the last piece may be short."""
        return self._done if self._room == _PIECE else [*self._done, self._current.hexdigest()]


def has_digests(path: Path, size: int, digests: Sequence[str]) -> bool:
    """True where the first `size` bytes of a file have these digests. Both cores are used."""
    if len(digests) != -(-size // _PIECE) or path.stat().st_size < size:
        return False
    with ThreadPoolExecutor(max_workers=2) as pool:
        places = zip(count(0, _PIECE), digests, strict=False)
        return all(pool.map(lambda one: _digest(path, one[0], min(_PIECE, size - one[0])) == one[1], places))


class VerifiedStore:
    """One file for each origin, in the user's config directory. Without a key nothing is kept, and nothing believed."""

    def __init__(self, config_dir: Path, disk: Disk | None = None) -> None:
        self._folder = config_dir / _FOLDER
        self._config_dir = config_dir
        self._disk = disk or Disk()

    def load(self, origin: str) -> list[memoryview] | None:
        """The sections that were saved, or None."""
        secret = state_key(self._config_dir, self._disk)
        try:
            data = self._path(origin).read_bytes()
        except OSError:
            return None
        start = len(_MAGIC) + _MAC_BYTES
        if secret is None or len(data) < start + 4 or not data.startswith(_MAGIC):
            return None
        view = memoryview(data)
        body = view[start:]
        if not hmac.compare_digest(bytes(view[len(_MAGIC) : start]), _mac(secret, origin, [body])):
            return None
        number = int.from_bytes(body[:4], "big")
        sections: list[memoryview] = []
        at = 4 + 8 * number
        for index in range(number):
            size = int.from_bytes(body[4 + 8 * index : 12 + 8 * index], "big")
            sections.append(body[at : at + size])
            at += size
        return sections

    def save(self, origin: str, sections: Sequence[bytes]) -> None:
        """Replaces what is kept. A failure is no error: the next verification is only as long as the first."""
        secret = state_key(self._config_dir, self._disk)
        if secret is None:
            return
        sizes = b"".join(len(section).to_bytes(8, "big") for section in sections)
        head = len(sections).to_bytes(4, "big") + sizes
        path = self._path(origin)
        data = b"".join([_MAGIC, _mac(secret, origin, [head, *sections]), head, *sections])
        with contextlib.suppress(OSError):
            self._disk.mkdir(self._folder, 0o700)
            self._disk.replace_file(path, data, durable=False, mode=0o600)

    def _path(self, origin: str) -> Path:
        return self._folder / origin.replace("/", "+")


def _mac(secret: bytes, origin: str, parts: Sequence[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return hmac.digest(secret, b"verified\n" + origin.encode() + b"\n" + digest.digest(), "sha256")


def _digest(path: Path, start: int, size: int) -> str:
    digest = hashlib.sha256()
    buffer = bytearray(_READ)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        os.lseek(file.fileno(), start, os.SEEK_SET)
        while size > 0:
            got = file.readinto(view[: min(size, _READ)])
            if not got:
                break
            digest.update(view[:got])
            size -= got
    return digest.hexdigest()
