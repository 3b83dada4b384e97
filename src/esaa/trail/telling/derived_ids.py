"""Ids that follow from what they name: the same line of the log gives the same ids, on any machine and in any year.

They are UUIDs of version 5 (RFC 9562, SHA-1 over a namespace and a name).
"""

from __future__ import annotations

import hashlib

_NAMESPACE = bytes.fromhex("4c399bbd130e5f82b149967a208cfe00")  # of urn:esaa:trail:from-protocol


def event_uuid(leaf_hash: str, number: int) -> str:
    """The id of the trail event that a line of the log led to as its `number`-th, from 0."""
    return _name_uuid(f"{leaf_hash}:{number}")


def session_uuid(leaf_hash: str, run_id: str | None) -> str:
    """The id of the session of a run: from the line that began it, and the run's name."""
    return _name_uuid(f"{leaf_hash}:session:{run_id or ''}")


def _name_uuid(name: str) -> str:
    digest = bytearray(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
