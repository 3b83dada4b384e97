"""The parsed contracts of a workspace, kept by the digest of their files, so that YAML is parsed once.

Disposable, and authenticated as the state snapshots are: a forged one would be other rules.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from pathlib import Path

from esaa.contracts.governance import Governance
from esaa.contracts.load import decode_governance, encode_governance, parse_governance
from esaa.errors import ContractError
from esaa.kernel.ingest import SMALL_STATE
from esaa.stores.contracts import read_files
from esaa.stores.disk import Disk
from esaa.stores.outside import read_own
from esaa.version import __version__

_MAC_BYTES = 32


class ContractCache:
    """One file. Reading looks into it and writes nothing; `keep` is for commands that write anyway."""

    def __init__(self, path: Path, secret: bytes | None, disk: Disk) -> None:
        self._path = path
        self._secret = secret
        self._disk = disk
        self._fresh: tuple[bytes, Governance] | None = None

    def read(self, roadmap: Path) -> Governance:
        """The contracts in force: from the cache where it was made of these very files, else parsed.

        Raises `ContractError`, as parsing does.
        """
        files = read_files(roadmap)
        digest = _digest(files)
        known = self._load(digest)
        if known is not None:
            return known
        rules = parse_governance(files)
        self._fresh = (digest, rules)
        return rules

    def keep(self) -> None:
        """Saves what was parsed. A failure is no error, and without a key nothing is saved."""
        if self._secret is None or self._fresh is None:
            return
        digest, rules = self._fresh
        self._fresh = None
        body = encode_governance(rules)
        with contextlib.suppress(OSError):
            self._disk.mkdir(self._path.parent)
            self._disk.replace_file(self._path, _mac(self._secret, digest, body) + body, durable=False, mode=0o600)

    def _load(self, digest: bytes) -> Governance | None:
        if self._secret is None:
            return None
        data = read_own(self._path, SMALL_STATE)
        if data is None:
            return None
        body = data[_MAC_BYTES:]
        if not hmac.compare_digest(data[:_MAC_BYTES], _mac(self._secret, digest, body)):
            return None
        try:
            return decode_governance(body)
        except ContractError:
            return None


def _digest(files: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256(__version__.encode())
    for name in sorted(files):
        digest.update(f"\n{name}\n{len(files[name])}\n".encode() + files[name])
    return digest.digest()


def _mac(secret: bytes, digest: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, b"contracts\n" + digest + body, "sha256")
