"""Leaf hashes over stored line bytes (RFC 6962), the links between lines."""

from __future__ import annotations

import hashlib

_LEAF = b"\x00"


def leaf_hash(line: bytes) -> str:
    """SHA-256(0x00 || line) in hex. `line` is the stored bytes without the line feed; a CR belongs to it."""
    return hashlib.sha256(_LEAF + line).hexdigest()
