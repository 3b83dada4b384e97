"""Strict JSON from outside: one value, bounded, and nothing that two readers could read in two ways."""

from __future__ import annotations

import json
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
