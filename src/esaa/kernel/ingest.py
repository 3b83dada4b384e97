"""The one door for bytes that someone else wrote: agents' results, records, contracts, settings, anchors, reports.

Each kind has a limit, and what is beyond it is refused before it is read. What comes out is a value that no two readers
could take for two things, or `NotIngested`, which says why in one line. Pure: files are opened by `stores.outside`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import msgspec

from esaa.kernel.strict_json import JsonValue, NotStrict, loads_strict
from esaa.kernel.strict_yaml import NotStrictYaml, PlainValue, loads_yaml

_KIB = 1024
_MIB = 1024 * 1024
_REASON_CHARS_MAX = 400
_CHUNK = 1024 * 1024


class NotIngested(ValueError):
    """Bytes from outside that are refused. The text completes the sentence "it cannot be taken, ..."."""

    def __init__(self, reason: str) -> None:
        short = reason if len(reason) <= _REASON_CHARS_MAX else reason[: _REASON_CHARS_MAX - 3] + "..."
        super().__init__(short)


class TooLarge(NotIngested):
    """There are more bytes than the limit allows."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"it has more than {bytes_max} bytes")


class Limit(msgspec.Struct, frozen=True):
    """How much of one kind is taken: bytes, and how deep maps and lists may stand in each other."""

    bytes_max: int
    depth_max: int = 64


# Contracts and their like are written by people: none needs as much.
CONTRACT = Limit(256 * _KIB, 32)
SETTINGS = Limit(256 * _KIB, 32)
HANDLERS = Limit(256 * _KIB, 32)
USER_CONFIG = Limit(256 * _KIB, 32)
ANCHORS = Limit(64 * _KIB, 32)
EVENT_TYPE = Limit(256 * _KIB)
TYPE_HISTORY = Limit(16 * _MIB)
# What programs and agents write.
METADATA = Limit(4 * _MIB)
BATCH_LINE = Limit(4 * _MIB)
HANDLER_OUTPUT = Limit(1 * _MIB)
SIGNED_NOTE = Limit(64 * _KIB)
GIT_HEAD = Limit(4 * _KIB)
GIT_PACKED_REFS = Limit(16 * _MIB)
CONTENT = Limit(256 * _MIB)
# What this program wrote itself, where someone else may have put something in its place.
READ_MODEL = Limit(1024 * _MIB)
FOLDED_STATE = Limit(1024 * _MIB)
SMALL_STATE = Limit(64 * _MIB)
REPORT = Limit(256 * _MIB, 128)


def read_capped(file: IO[bytes], bytes_max: int) -> bytes:
    """All bytes of an open file, of which at most one beyond the limit is ever read. Raises `TooLarge`."""
    data = read_sample(file, bytes_max)
    if len(data) > bytes_max:
        raise TooLarge(bytes_max)
    return data


def read_sample(file: IO[bytes], bytes_max: int) -> bytes:
    """The bytes of an open file, cut one byte beyond the limit: enough for who records that there was too much."""
    pieces: list[bytes] = []
    left = bytes_max + 1
    # A pipe gives what it has, so one read is not enough.
    while left > 0 and (piece := file.read(min(left, _CHUNK))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def capped_lines(file: IO[bytes], bytes_max: int) -> Iterator[bytes]:
    """The lines of an open file without their line feeds, each held to the limit. Raises `TooLarge`."""
    while line := file.readline(bytes_max + 2):
        bare = line.removesuffix(b"\n")
        if len(bare) > bytes_max:
            raise TooLarge(bytes_max)
        yield bare


def text_of(data: bytes, limit: Limit) -> str:
    """The text of UTF-8 bytes. Raises `NotIngested`."""
    if len(data) > limit.bytes_max:
        raise TooLarge(limit.bytes_max)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NotIngested(f"byte {error.start} is not UTF-8") from None


def json_of(data: bytes, limit: Limit) -> JsonValue:
    """The value of strict JSON. Raises `NotIngested`."""
    if len(data) > limit.bytes_max:
        raise TooLarge(limit.bytes_max)
    try:
        return loads_strict(data, bytes_max=limit.bytes_max, depth_max=limit.depth_max)
    except NotStrict as error:
        raise NotIngested(f"it is no strict JSON: {error}") from None


def json_object_of(data: bytes, limit: Limit) -> dict[str, JsonValue]:
    """The object of strict JSON. Raises `NotIngested`."""
    value = json_of(data, limit)
    if not isinstance(value, dict):
        raise NotIngested("it is no JSON object")
    return value


def yaml_of(data: bytes, limit: Limit) -> PlainValue:
    """The value of strict YAML. Raises `NotIngested`."""
    try:
        return loads_yaml(text_of(data, limit))
    except NotStrictYaml as error:
        raise NotIngested(f"it is no strict YAML: {error}") from None
