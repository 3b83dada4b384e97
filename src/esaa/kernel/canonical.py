"""The one canonical JSON, and the pretty JSON of the read models.

Canonical means: what the standard library's `json.dumps(..., ensure_ascii=False, sort_keys=True,
separators=(",", ":"))` prints. A faster encoder is used only where its output is known to be the same: the two
differ in floats alone (`1e-05` and `1e-5`), so a text that may hold a float goes the slow way.
"""

from __future__ import annotations

import hashlib
import json
import re

import msgspec

_MAYBE_FLOAT = re.compile(rb"(?:^|[:\[,])-?\d+[.eE]")
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789-", b"0000000000")
_SORTED = msgspec.json.Encoder(order="sorted")
_PLAIN = msgspec.json.Encoder()


def canonical(value: object) -> bytes:
    """Canonical JSON of builtins or Structs, without a final line feed. Keys are sorted at every level."""
    try:
        text = _SORTED.encode(value)
    except (OverflowError, ValueError):
        return _stdlib(value, sort_keys=True)
    if _may_hold_float(text):
        return _stdlib(value, sort_keys=True)
    return text


def compact(value: object) -> bytes:
    """JSON in the order of the value's own keys, without spaces; numbers as the standard library prints them."""
    try:
        text = _PLAIN.encode(value)
    except (OverflowError, ValueError):
        return _stdlib(value, sort_keys=False)
    if _may_hold_float(text):
        return _stdlib(value, sort_keys=False)
    return text


def pretty(value: object) -> bytes:
    """What `json.dumps(value, ensure_ascii=False, indent=2)` prints, without a final line feed."""
    return msgspec.json.format(compact(value), indent=2)


def sha256_hex(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def _may_hold_float(text: bytes) -> bool:
    """False where compact JSON holds no float for certain. Most texts hold no number at all, which is seen quickly."""
    marked = text.translate(_DIGITS_AS_ZERO)
    if not (b'":0' in marked or b"[0" in marked or b",0" in marked or marked.startswith(b"0")):
        return False
    return _MAYBE_FLOAT.search(text) is not None


def _stdlib(value: object, *, sort_keys: bool) -> bytes:
    builtins = msgspec.to_builtins(value)
    text = json.dumps(builtins, ensure_ascii=False, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False)
    return text.encode()
