"""Strict JSON for bytes from outside: one value, UTF-8, no duplicate keys, no NaN, no lone surrogates, bounded.

The fast path decodes, encodes again and compares: what comes out byte for byte the same hides nothing. Only what
differs (spacing, escapes, duplicate keys) goes through the slow parser.
"""

from __future__ import annotations

import json
from typing import NoReturn

import msgspec

JsonValue = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_INT_CHARS_MAX = 4300  # as many as the fast path takes


class NotStrict(ValueError):
    """The bytes are not one strict JSON value; the text says why and where."""


def loads_strict(data: bytes, *, bytes_max: int = 64 * 1024 * 1024, depth_max: int = 128) -> JsonValue:
    """The JSON value of `data`. Raises `NotStrict`; never anything else, whatever the bytes."""
    if len(data) > bytes_max:
        raise NotStrict(f"{len(data)} bytes are more than the limit of {bytes_max}")
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotStrict("the text begins with a byte order mark")
    value = _loads(data)
    if data.count(b"[") + data.count(b"{") > depth_max:
        _refuse_depth(value, depth_max)
    return value


def _loads(data: bytes) -> JsonValue:
    try:
        value: JsonValue = _DECODER.decode(data)
        if _ENCODER.encode(value) == data:
            return value
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
        pass
    return _loads_slowly(data)


def _loads_slowly(data: bytes) -> JsonValue:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrict(f"byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise NotStrict("there is no JSON value")
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
        _refuse_surrogates(text, value)
    except json.JSONDecodeError as error:
        raise NotStrict(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotStrict("the value is nested too deeply") from None
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in result:
            raise NotStrict(f"the key {key!r} stands twice in one object")
        result[key] = value
    return result


def _constant(name: str) -> NoReturn:
    raise NotStrict(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NotStrict(f"the number {text[:40]} is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > _INT_CHARS_MAX:
        raise NotStrict(f"an integer of {len(text)} characters is out of range")
    return int(text)


def _refuse_surrogates(text: str, value: JsonValue) -> None:
    if "\\u" not in text:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotStrict("a lone surrogate (\\ud800 to \\udfff) is not text") from None


def _refuse_depth(value: JsonValue, depth_max: int) -> None:
    level: list[JsonValue] = [value]
    depth = 0
    while level:
        below: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        depth += any(isinstance(item, dict | list) for item in level)
        if depth > depth_max:
            raise NotStrict(f"the value is nested more than {depth_max} deep")
        level = [item for item in below if isinstance(item, dict | list)]
