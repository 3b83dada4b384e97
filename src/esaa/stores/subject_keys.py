"""Keys of subjects: what a sealed erasable value is encrypted with. They lie in the user's config directory.

Without its key a sealed value says nothing, also in a copy or a backup of the workspace that nobody can reach.
"""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from contextlib import suppress
from pathlib import Path

from esaa.errors import StoreError
from esaa.stores.disk import Disk
from esaa.stores.erasables import ERASABLE, destroy_file
from esaa.stores.jsonl import storage_error

KEYRING = "keyring"
"""The file beside the erasable values that names their ring of keys, wherever the folder is moved to."""
_KEY_BYTES = 32
_NONCE_BYTES = 12


class SubjectKeys:
    """The keys of the subjects of one log. A key is read whenever it is needed: memory can't be erased."""

    def __init__(self, base: Path, config_dir: Path, disk: Disk) -> None:
        self._ring_file = base / ERASABLE / KEYRING
        self._config_dir = config_dir
        self._disk = disk

    def seal(self, subject: str, commitment: str, content: bytes) -> bytes:
        """The content, encrypted with the key of a subject (AES-256-GCM), which is made where there is none.

        Raises `StoreError` where the key can't be kept or is not private.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # here: few trails are sealed

        nonce = os.urandom(_NONCE_BYTES)
        key = self._read(subject) or self._made(subject)
        return nonce + AESGCM(key).encrypt(nonce, content, commitment.encode())

    def unseal(self, subject: str, commitment: str, sealed: bytes) -> bytes | None:
        """The content of what was sealed; None where the key is gone or does not fit."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._read(subject)
        if key is None or len(sealed) <= _NONCE_BYTES:
            return None
        try:
            return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], commitment.encode())
        except InvalidTag:
            return None

    def destroy(self, subject: str) -> bool:
        """Overwrites and removes the key of a subject. Returns whether there was one."""
        path = self._path(subject)
        return path is not None and destroy_file(path, self._disk)

    def has(self, subject: str) -> bool:
        """True where the subject has a key on this machine."""
        return self._read(subject) is not None

    def _made(self, subject: str) -> bytes:
        ring = self._ring() or self._new_ring()
        path = self._file(ring, subject)
        self._make(path, os.urandom(_KEY_BYTES))
        key = self._read(subject)
        if key is None:
            raise StoreError("KEY_MISSING", f"The key {path} vanished while it was made.", "Record it again.")
        return key

    def _read(self, subject: str) -> bytes | None:
        path = self._path(subject)
        if path is None:
            return None
        try:
            status = os.lstat(path)
            key = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error(path, error) from error
        if status.st_mode & 0o077 or status.st_uid != os.getuid() or len(key) != _KEY_BYTES:
            raise StoreError("KEY_NOT_PRIVATE", f"The key {path} is not private, or no key.", f"chmod 600 {path}")
        return key

    def _path(self, subject: str) -> Path | None:
        ring = self._ring()
        return None if ring is None else self._file(ring, subject)

    def _file(self, ring: str, subject: str) -> Path:
        # By digest: a subject's name must not become a path.
        name = hashlib.sha256(subject.encode()).hexdigest()[:32]
        return self._config_dir / "subjects" / ring / f"{name}.key"

    def _ring(self) -> str | None:
        try:
            return str(uuid.UUID(self._ring_file.read_text("ascii").strip()))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise StoreError(
                "KEYRING_INVALID", f"{self._ring_file} names no ring of keys.", "Restore it from a backup."
            ) from error

    def _new_ring(self) -> str:
        ring = str(uuid.uuid4())
        self._make(self._ring_file, f"{ring}\n".encode())
        return self._ring() or ring

    def _make(self, path: Path, data: bytes) -> None:
        """Makes a private file durably and whole. Where another process was first, its file stays."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            self._disk.mkdir(path.parent, 0o700)
            descriptor = self._disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            try:
                self._disk.write(descriptor, data)
                self._disk.fsync(descriptor)
            finally:
                os.close(descriptor)
            with suppress(FileExistsError):
                self._disk.link(temporary, path)
            self._disk.unlink(temporary)
            self._disk.sync_dir(path.parent)
        except OSError as error:
            raise storage_error(path, error) from error
