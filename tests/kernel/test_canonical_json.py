"""Canonical and pretty JSON: byte for byte what the standard library prints."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from esaa.kernel.canonical import canonical, compact, pretty, sha256_hex
from esaa.kernel.chain import leaf_hash


def _stdlib(value: Any, **how: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, **how).encode()


VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**64,
    -(2**64),
    10**400,
    0.0,
    -0.0,
    1.0,
    1e-05,
    1e-07,
    1e16,
    1e20,
    1e22,
    1.7976931348623157e308,
    5e-324,
    0.1,
    [1e-05, {"a": 1e20}],
    {"b": 1, "a": {"d": [], "c": {}}},
    {"é": "ü", "e": "\u2028\u2029\x7f", "ﬁ": "\U0001f600"},
    {"text": 'a "quoted" \\ \b\f\n\r\t\x00\x1f line: 1.5, [2.5'},
    {"10": 1, "9": 2, "a": 3, "B": 4, "": 5},
    [[], {}, [[]], [{}]],
    "1e-5",
    "",
]


@pytest.mark.parametrize("value", VALUES)
def test_value_is_printed_as_the_standard_library_prints_it(value: Any) -> None:
    assert canonical(value) == _stdlib(value, sort_keys=True, separators=(",", ":"))
    assert compact(value) == _stdlib(value, separators=(",", ":"))
    assert pretty(value) == _stdlib(value, indent=2)


class _Point(msgspec.Struct, omit_defaults=True):
    y: float
    x: Any = msgspec.UNSET
    name: str = "p"


def test_struct_is_printed_as_its_fields_without_the_absent_ones() -> None:
    assert canonical(_Point(y=1e-05)) == b'{"y":1e-05}'
    assert compact(_Point(y=2.0, x=None, name="q")) == b'{"y":2.0,"x":null,"name":"q"}'
    assert canonical(_Point(y=0, x=10**30)) == b'{"x":' + str(10**30).encode() + b',"y":0}'


@pytest.mark.parametrize("value", ["\ud800", {"a": "\udfff"}, pytest.param(10**5000, id="endless")])
def test_what_is_no_json_raises_and_is_never_printed_as_something_else(value: Any) -> None:
    for render in (canonical, compact, pretty):
        with pytest.raises(ValueError, match=r"surrogates|digits"):
            render(value)


def test_hash_is_lower_case_hex_and_a_leaf_has_its_prefix() -> None:
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"a\r") != leaf_hash(b"a")
