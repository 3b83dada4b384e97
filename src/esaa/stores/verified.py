"""What this machine has verified before: how far, the digests of those bytes, and what the audit had gathered by then.

Kept outside of every workspace and authenticated. Who can't forge it can't make a verification pass over a change: the
bytes themselves are compared each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Sequence
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

        def holds(place: tuple[int, str]) -> bool:
            start, digest = place
            return _digest(path, start, min(_PIECE, size - start)) == digest

        return all(pool.map(holds, places))


def digests_of(path: Path, size: int) -> list[str]:
    """The digests of the first `size` bytes of a file, as `has_digests` compares them."""
    found = PieceDigests()
    with path.open("rb") as file:
        while size > 0 and (data := file.read(min(size, _READ))):
            found.update(data)
            size -= len(data)
    return found.digests()


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
        if secret is None or len(data) < len(_MAGIC) + 4 + _MAC_BYTES or not data.startswith(_MAGIC):
            return None
        view = memoryview(data)
        body = view[:-_MAC_BYTES]
        if not hmac.compare_digest(bytes(view[-_MAC_BYTES:]), _seal(secret, origin, hashlib.sha256(body).digest())):
            return None
        number = int.from_bytes(body[-4:], "big")
        table = body[-4 - 8 * number : -4]
        sections: list[memoryview] = []
        at = len(_MAGIC)
        for index in range(number):
            size = int.from_bytes(table[8 * index : 8 * index + 8], "big")
            sections.append(body[at : at + size])
            at += size
        return sections

    def save(self, origin: str, sections: Iterable[Iterable[bytes]]) -> None:
        """Replaces what is kept by sections that come in pieces, each of which is let go when it is written.

        A failure is no error: the next verification is only as long as the first.
        """
        secret = state_key(self._config_dir, self._disk)
        if secret is None:
            return
        path = self._path(origin)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        with contextlib.suppress(OSError):
            self._disk.mkdir(self._folder, 0o700)
            fd = self._disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            try:
                self._write(fd, secret, origin, sections)
            finally:
                os.close(fd)
            self._disk.rename(str(temporary), str(path))

    def _write(self, fd: int, secret: bytes, origin: str, sections: Iterable[Iterable[bytes]]) -> None:
        digest = hashlib.sha256(_MAGIC)
        self._disk.write(fd, _MAGIC)
        sizes: list[int] = []
        for section in sections:
            sizes.append(0)
            for piece in section:
                sizes[-1] += len(piece)
                digest.update(piece)
                self._disk.write(fd, piece)
        table = b"".join(size.to_bytes(8, "big") for size in sizes) + len(sizes).to_bytes(4, "big")
        digest.update(table)
        self._disk.write(fd, table + _seal(secret, origin, digest.digest()))

    def _path(self, origin: str) -> Path:
        return self._folder / origin.replace("/", "+")


def _seal(secret: bytes, origin: str, digest: bytes) -> bytes:
    return hmac.digest(secret, b"verified\n" + origin.encode() + b"\n" + digest, "sha256")


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
