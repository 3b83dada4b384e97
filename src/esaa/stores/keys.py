"""The Ed25519 keys of this user, and the public keys that this machine trusts. Never inside a workspace.

A key lies in `{config_dir}/keys/` as PEM, which `openssl` reads too; only its owner may read it. Who holds a private
key can sign any history, so nothing an agent can reach may hold one.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from esaa.errors import ConfigError, NotFound, UsageError
from esaa.kernel.checkpoint import ED25519, CheckpointInvalid, VerifierKey, format_vkey, key_id, parse_vkey
from esaa.stores.disk import Disk
from esaa.stores.jsonl import storage_error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_FOLDER = "keys"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]|/(?=[A-Za-z0-9]))*")
_NAME_MAX = 120
_KEYS_MAX = 1000
_FILE_BYTES_MAX = 256 * 1024


class SigningKey:
    """A private key with its name. It shows nothing of itself but its public half."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key().public_bytes_raw()
        self.verifier = VerifierKey(name=name, key_id=key_id(name, ED25519, public), algorithm=ED25519, public=public)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message: 64 bytes."""
        return self._private.sign(message)


class KeyStore:
    """The keys below a config directory, by the name of what they sign for (an origin, or an actor of one)."""

    def __init__(self, config_dir: Path, disk: Disk | None = None) -> None:
        self.folder = config_dir / _FOLDER
        self._disk = disk or Disk()

    def create(self, name: str) -> SigningKey:
        """A new key, durable before it is returned, and trusted on this machine.

        Raises `UsageError` where there is one already, `ConfigError` for a folder that others may read.
        """
        path = self._path(name, "key")
        self._make(path, name)
        key = self._read(path, name)
        assert key is not None, "it was written just now"
        self.trust(name, key.verifier)
        return key

    def load(self, name: str) -> SigningKey | None:
        """The key that signs for a name, or None. Raises `ConfigError` where others may read it, or it is none."""
        return self._read(self._path(name, "key"), name)

    def has(self, name: str) -> bool:
        """True where there is a file for the key; asked before anything heavy is loaded."""
        return os.path.lexists(self._path(name, "key"))

    def rotate(self, name: str) -> tuple[SigningKey, SigningKey]:
        """The key in force and the one that is to follow it, made now and trusted already.

        What both have signed must be published before `finish_rotation`; until then the old one stays in force, and a
        rotation that a crash cut short goes on with the same two keys. Raises `NotFound` where there is no key.
        """
        old = self.load(name)
        if old is None:
            raise NotFound("KEY_NOT_FOUND", f"There is no key for {name} on this machine.", "Run `esaa key create`.")
        path = self._path(name, "next")
        if not os.path.lexists(path):
            self._make(path, name)
        new = self._read(path, name)
        assert new is not None, "it was written just now"
        self.trust(name, new.verifier)
        return old, new

    def finish_rotation(self, name: str) -> None:
        """Puts the new key in force; the old private key is gone with that, its public half stays trusted."""
        path = self._path(name, "key")
        try:
            self._disk.rename(str(self._path(name, "next")), str(path))
            self._disk.sync_dir(self.folder)
        except OSError as error:
            raise storage_error(path, error) from error

    def known(self, name: str) -> tuple[VerifierKey, ...]:
        """Every public key that this machine has ever trusted for a name, the oldest first; own ones are among them.

        Raises `ConfigError` where the list cannot be read as one.
        """
        path = self._path(name, "trusted")
        if not os.path.lexists(path):
            return ()
        text = self._bytes(path).decode("utf-8", "replace")
        try:
            return tuple(parse_vkey(line) for line in text.splitlines()[:_KEYS_MAX] if line)
        except CheckpointInvalid as error:
            raise ConfigError(
                "KEY_INVALID", f"{path} is no list of public keys: {error}.", "Mend it, or restore it from a copy."
            ) from error

    def trust(self, name: str, key: VerifierKey) -> None:
        """Counts a public key among those that may sign for a name. Durable; once is enough."""
        known = self.known(name)
        if key in known:
            return
        self._make_folder()
        path = self._path(name, "trusted")
        text = "".join(f"{format_vkey(one)}\n" for one in (*known, key))
        try:
            self._disk.replace_file(path, text.encode(), durable=True, mode=0o600)
        except OSError as error:
            raise storage_error(path, error) from error

    def names(self) -> list[str]:
        """Every name for which there is a key or a trusted public key."""
        try:
            found = os.listdir(self.folder)
        except OSError:
            return []
        return sorted({_named(one.rpartition(".")[0]) for one in found if one.endswith((".key", ".trusted"))})

    def _path(self, name: str, kind: str) -> Path:
        if not is_key_name(name):
            raise UsageError(
                "KEY_NAME_INVALID",
                f"{name[:80]!r} is no name for a key.",
                "It has letters, digits, dots, hyphens and slashes, as a host and a path have.",
            )
        return self.folder / f"{name.replace('/', '+')}.{kind}"

    def _make_folder(self) -> None:
        try:
            self._disk.mkdir(self.folder, 0o700)
        except OSError as error:
            raise storage_error(self.folder, error) from error
        _refuse_loose(self.folder)

    def _make(self, path: Path, name: str) -> None:
        """Writes a new private key, whole before it has its name, and never over another."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        self._make_folder()
        data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            fd = self._disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            try:
                self._disk.write(fd, data)
                self._disk.fsync(fd)
            finally:
                os.close(fd)
            self._disk.link(temporary, path)
            self._disk.unlink(temporary)
            self._disk.sync_dir(self.folder)
        except FileExistsError as error:
            raise UsageError(
                "KEY_EXISTS",
                f"There is a key for {name} already: {path}.",
                "Show it with `esaa key show`; put another in its place with `esaa key rotate`.",
            ) from error
        except OSError as error:
            raise storage_error(path, error) from error
        finally:
            # Not through the layer: tidying up after a failure is no durability step.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _read(self, path: Path, name: str) -> SigningKey | None:
        if not os.path.lexists(path):
            return None
        data = self._bytes(path)
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(
                "KEY_INVALID", f"{path} holds no private key that can be read: {error}.", "Restore it from a copy."
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ConfigError("KEY_INVALID", f"{path} holds no Ed25519 key.", "Restore it from a copy.")
        return SigningKey(name, private)

    def _bytes(self, path: Path) -> bytes:
        _refuse_loose(self.folder)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError("KEY_INVALID", f"{path} cannot be read: {error.strerror}.", _MODES) from error
        with os.fdopen(fd, "rb") as file:
            _refuse_loose(path, os.fstat(fd))
            return file.read(_FILE_BYTES_MAX)


_MODES = "Make it yours alone: chmod 700 the folder, chmod 600 its files."


def is_key_name(name: str) -> bool:
    """True for a name that a key can have: a host, or a host and a path."""
    return len(name) <= _NAME_MAX and _NAME.fullmatch(name) is not None and ".." not in name


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """True where the signature of the message is by the private half of this key. Never raises."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def refuse_inside(config_dir: Path, root: Path) -> None:
    """Raises `ConfigError` where the keys would lie inside the workspace, in reach of whoever may write there."""
    if config_dir.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            "KEY_INSIDE_WORKSPACE",
            f"The keys would lie in {config_dir}, inside the workspace {root}.",
            "Set ESAA_CONFIG_DIR to a folder outside of it.",
        )


def _named(stem: str) -> str:
    return stem.replace("+", "/")


def _refuse_loose(path: Path, status: os.stat_result | None = None) -> None:
    """Raises `ConfigError` for what others may read or write, or own."""
    found = os.stat(path) if status is None else status
    if found.st_mode & 0o077 or found.st_uid != os.getuid():
        raise ConfigError(
            "KEY_MODE_LOOSE",
            f"{path} has mode {found.st_mode & 0o777:04o} or another owner: others could use or change it.",
            _MODES,
        )
