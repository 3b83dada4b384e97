"""Salted commitments: a hash that stands for bytes, and tells nothing about them once their salt is gone."""

from __future__ import annotations

import hashlib
import hmac

SALT_BYTES = 32
_COMMITMENT = b"\x02"
"""Set apart from leaves (00) and nodes (01) of the Merkle tree."""


def commit(salt: bytes, payload: bytes) -> str:
    """SHA-256(0x02 || salt || payload), in hex. Raises `ValueError` for a salt that is not 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(_COMMITMENT + salt + payload).hexdigest()


def opens(commitment: str, salt: bytes, payload: bytes) -> bool:
    """Whether this salt and payload are what the commitment was made of."""
    return len(salt) == SALT_BYTES and hmac.compare_digest(commitment.encode(), commit(salt, payload).encode())
