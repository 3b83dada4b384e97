"""Strict JSON from outside: one value, bounded, and nothing that two readers could read in two ways."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import pytest

from esaa.kernel.strict_json import NotStrict, loads_strict


@pytest.mark.parametrize(
    "value",
    [None, True, 1, -0.0, 1e-05, "é", [], {}, [1, [2, {"a": None}]], {"a": {"b": ["c"]}}, 10**300, 2**64, "\\ud800"],
)
def test_valid_json_is_read_in_every_spelling(value: Any) -> None:
    for text in (
        json.dumps(value),
        json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        json.dumps(value, indent=2),
        f" \r\n\t{json.dumps(value)}\n",
    ):
        found = loads_strict(text.encode())
        assert found == value
        assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no JSON value"),
        (b" \n", "no JSON value"),
        (b"\xef\xbb\xbf1", "byte order mark"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b'["a",\xff]', "byte 5 is not UTF-8"),
        (b"{", "line 1, column"),
        (b"[1]\n[2]", "line 2, column 1"),
        (b'{"a":1,"b":2,"a":3}', "'a' stands twice"),
        (b'[{"x":{"a":1, "a":1}}]', "'a' stands twice"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e999", "out of range"),
        (b"-1e999", "out of range"),
        (b"[1" + b"0" * 4300 + b"]", "out of range"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udfff":1}', "lone surrogate"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
    ],
)
def test_refusal_says_why(data: bytes, why: str) -> None:
    with pytest.raises(NotStrict, match=why.replace("(", "\\(")):
        loads_strict(data)


def test_size_is_bounded_and_the_limit_itself_is_allowed() -> None:
    assert loads_strict(b"[1,2]", bytes_max=5) == [1, 2]
    with pytest.raises(NotStrict, match="6 bytes are more than the limit of 5"):
        loads_strict(b"[1,23]", bytes_max=5)


@pytest.mark.parametrize("wrap", [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_bounded_and_the_limit_itself_is_allowed(wrap: tuple[bytes, bytes]) -> None:
    def nested(depth: int) -> bytes:
        return wrap[0] * depth + b"1" + wrap[1] * depth

    loads_strict(nested(5), depth_max=5)
    loads_strict(b"[" + nested(4) + b"," + nested(4) + b"]", depth_max=5)
    with pytest.raises(NotStrict, match="more than 5 deep"):
        loads_strict(nested(6), depth_max=5)


def test_brackets_in_texts_are_no_depth() -> None:
    assert loads_strict(b'["[[[[[[[[[[{{{{{{{{"]', depth_max=2) == ["[[[[[[[[[[{{{{{{{{"]
    assert loads_strict(b'"[[[["', depth_max=2) == "[[[["


@pytest.mark.parametrize("inner", [b"1", b"1.5", b'"\\u0041"', b'"\\ud83d\\ude00"', b" 1"])
@pytest.mark.parametrize("wrap", [(b"[", b"]"), (b'{"a":', b"}")])
def test_no_depth_raises_anything_else(inner: bytes, wrap: tuple[bytes, bytes]) -> None:
    outcomes = set()
    for depth in [*range(900, 1030), 5_000, 100_000]:
        try:
            loads_strict(wrap[0] * depth + inner + wrap[1] * depth, depth_max=10**9)
            outcomes.add("read")
        except NotStrict:
            outcomes.add("refused")

    assert "refused" in outcomes


def test_refusal_is_short_whatever_was_sent() -> None:
    key = b'"' + b"\x7f" * 1_000_000 + b'":1'
    with pytest.raises(NotStrict, match="stands twice") as refused:
        loads_strict(b"{" + key + b"," + key + b"}")
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "unit",
    [b"1, ", b"1.0, ", b'{"a": 1}, ', b"{}, ", b"[[]], ", b'"a:b{[", ', b'"\\u0041", ', b'{"a": {"b": [1]}}, '],
)
@pytest.mark.parametrize("end", [b"1]", b"1"], ids=["whole", "broken"])
def test_no_value_of_a_mebibyte_takes_long(request: pytest.FixtureRequest, unit: bytes, end: bytes) -> None:
    data = b"[" + unit * (1024 * 1024 // len(unit)) + end
    gc.freeze()  # what other tests left alive is not this value's to walk through
    request.addfinalizer(gc.unfreeze)
    started = time.process_time()
    try:
        loads_strict(data, depth_max=64)
        assert end == b"1]"
    except NotStrict:
        assert end == b"1"
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "data",
    [b'{"a": 1, "b": {"a": 2}}', b'{"a:": "b:{[", "c" : [{"a:":1}]}', b'[{"a" :"\\":"},{"a":"\\\\"}]', b'{"\\"": ":"}'],
)
def test_keys_and_colons_in_texts_are_told_apart(data: bytes) -> None:
    assert loads_strict(data) == json.loads(data)
    with pytest.raises(NotStrict, match="stands twice"):
        loads_strict(b'{"x": ' + data + b', "x": 1}')
    with pytest.raises(NotStrict, match="stands twice"):
        loads_strict(b'{"x": 1, "y": ' + data + b', "\\u0078": 1}')
