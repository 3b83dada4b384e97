"""A folded state, sealed: keyed by what it was folded from, and authenticated so that it cannot be forged.

A snapshot is disposable. One that does not open (other key, other version, changed bytes) is ignored, never trusted.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

_MAGIC = b"esaa-state-1\n"
_MAC_BYTES = 32


class SnapshotKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a state was folded from: the vocabulary, the fold's version, and the log's head.

    `line_bytes` and `offset` place the head in the file: the last folded line ends at `offset`.
    """

    vocabulary: str
    projection_version: int
    seq: int
    leaf_hash: str
    offset: int
    line_bytes: int
    is_chained: bool


def seal(secret: bytes, key: SnapshotKey, sections: list[bytes]) -> bytes:
    """The bytes of a snapshot: magic, MAC, header, sections."""
    header = msgspec.json.encode({"key": key, "sizes": [len(section) for section in sections]})
    body = b"".join([len(header).to_bytes(4, "big"), header, *sections])
    return _MAGIC + _mac(secret, body) + body


def unseal(secret: bytes, data: bytes) -> tuple[SnapshotKey, list[memoryview]] | None:
    """The key and the sections, or None when these bytes were not sealed with this secret."""
    start = len(_MAGIC) + _MAC_BYTES
    if len(data) < start + 4 or not data.startswith(_MAGIC):
        return None
    view = memoryview(data)
    body = view[start:]
    if not hmac.compare_digest(bytes(view[len(_MAGIC) : start]), _mac(secret, body)):
        return None
    header_bytes = int.from_bytes(body[:4], "big")
    header = msgspec.json.decode(body[4 : 4 + header_bytes], type=_Header)
    sections: list[memoryview] = []
    at = 4 + header_bytes
    for size in header.sizes:
        sections.append(body[at : at + size])
        at += size
    return header.key, sections


class _Header(msgspec.Struct):
    key: SnapshotKey
    sizes: list[int]


def _mac(secret: bytes, body: bytes | memoryview) -> bytes:
    return hmac.digest(secret, hashlib.blake2b(body).digest(), "sha256")
