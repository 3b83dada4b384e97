"""The body of an HTTP request as a JSON object: of a known length or in chunks, plain or compressed."""

from __future__ import annotations

import gzip
import json
import zlib
from email.message import Message
from io import BufferedIOBase
from typing import Any

import zstandard

_BYTES_MAX = 64 * 1024 * 1024


class BodyInvalid(ValueError):
    """The body is too large, broken, or no JSON object."""


def read_body(file: BufferedIOBase, headers: Message) -> dict[str, Any]:
    """Reads one body. Raises `BodyInvalid`."""
    if (headers.get("transfer-encoding") or "").lower() == "chunked":
        data = _chunks(file)
    else:
        data = file.read(_length(headers.get("content-length") or "0"))
    try:
        value = json.loads(_plain(data, (headers.get("content-encoding") or "").lower()) or b"{}")
    except (ValueError, OSError, EOFError, RecursionError, zlib.error, zstandard.ZstdError) as error:
        raise BodyInvalid(f"The body is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BodyInvalid("The body is no JSON object.")
    return value


def _length(text: str) -> int:
    if not text.isdecimal() or int(text) > _BYTES_MAX:
        raise BodyInvalid(f"The body has more than {_BYTES_MAX} bytes, or its length is no number.")
    return int(text)


def _chunks(file: BufferedIOBase) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        head = file.readline(1024).split(b";")[0].strip()
        try:
            size = int(head, 16)
        except ValueError as error:
            raise BodyInvalid("A chunk of the body has no length.") from error
        total += size
        if size < 0 or total > _BYTES_MAX:
            raise BodyInvalid(f"The body has more than {_BYTES_MAX} bytes.")
        parts.append(file.read(size))
        file.readline(1024)
        if size == 0:
            return b"".join(parts)


def _plain(data: bytes, encoding: str) -> bytes:
    match encoding:
        case "" | "identity":
            return data
        case "gzip":
            return gzip.decompress(data)
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
        case _:
            raise BodyInvalid(f"The encoding {encoding!r} of the body is not known.")
