"""Strict JSON for bytes from outside: one value, UTF-8, no duplicate keys, no NaN, no lone surrogates, bounded.

The fast path decodes, encodes again and compares: what comes out byte for byte the same hides nothing. What differs in
spacing or escapes has as many keys before as after, or it hides a duplicate. Only what is wrong, and integers beyond
64 bits, go through the slow parser, which can say where.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import NoReturn

import msgspec

JsonValue = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None

BYTES_MAX = 64 * 1024 * 1024
DEPTH_MAX = 128

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_INT_CHARS_MAX = 4300  # as many as the fast path takes
_KEY_CHARS_SHOWN = 80
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(code for code in range(256) if code not in _STEP)


class NotStrict(ValueError):
    """The bytes are not one strict JSON value; the text says why and where."""


def loads_strict(data: bytes, *, bytes_max: int = BYTES_MAX, depth_max: int = DEPTH_MAX) -> JsonValue:
    """The JSON value of `data`. Raises `NotStrict`; never anything else, whatever the bytes."""
    if len(data) > bytes_max:
        raise NotStrict(f"{len(data)} bytes are more than the limit of {bytes_max}")
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotStrict("the text begins with a byte order mark")
    try:
        value: JsonValue = _DECODER.decode(data)
        encoded = _ENCODER.encode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, RecursionError):
        value = _loads_slowly(data)
    else:
        if encoded != data and _keys(encoded) != _keys(data):
            value = _loads_slowly(data)
    if data.count(b"[") + data.count(b"{") > depth_max:
        _refuse_depth(data, depth_max)
    return value


def _keys(data: bytes) -> int:
    """How many keys stand in valid JSON: outside of texts a colon stands after each, and nowhere else."""
    return _STRING.sub(b"", data).count(b":")


def _loads_slowly(data: bytes) -> JsonValue:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrict(f"byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise NotStrict("there is no JSON value")
    try:
        _refuse_quickly(text)
        value: JsonValue = _SLOW.decode(text)
        _refuse_surrogates(text, value)
    except json.JSONDecodeError as error:
        raise NotStrict(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotStrict("the value is nested too deeply") from None
    return value


def _refuse_quickly(text: str) -> None:
    """Refuses what is no JSON in a tenth of the time, because nothing is called for each value."""
    try:
        _QUICK.decode(text)
    except (json.JSONDecodeError, NotStrict):
        raise
    except ValueError:
        pass  # an integer that is too long, of which the slow parser says more


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in result:
            raise NotStrict(f"the key {key[:_KEY_CHARS_SHOWN]!r} stands twice in one object")
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


def _refuse_depth(data: bytes, depth_max: int) -> None:
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > depth_max:
        raise NotStrict(f"the value is nested more than {depth_max} deep")


# Made once: for short texts the making of a decoder is half of the work.
_QUICK = json.JSONDecoder(parse_constant=_constant)
_SLOW = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int)
