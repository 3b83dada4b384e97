"""Canonical, pretty and strict JSON against the standard library, over arbitrary values and bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from esaa.kernel import strict_json
from esaa.kernel.canonical import canonical, compact, pretty
from esaa.kernel.line_audit import audit_lines
from esaa.kernel.strict_json import NotStrict, loads_strict
from tests.properties.strategies import JSON, TEXTS

_STABLE = settings(derandomize=True, deadline=None, max_examples=200)


@_STABLE
@given(JSON)
@example(1e-05)
@example(-1e22)
@example([2**64, {"": -0.0}])
def test_canonical_compact_and_pretty_are_what_the_standard_library_prints(value: Any) -> None:
    assert canonical(value) == json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert compact(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert pretty(value) == json.dumps(value, ensure_ascii=False, indent=2).encode()


@_STABLE
@given(JSON, st.booleans(), st.sampled_from([None, 0, 3]), st.sampled_from([(",", ":"), (" ,\n", "\t: ")]))
def test_strict_reading_agrees_with_the_standard_library_on_valid_json(
    value: Any, ascii_only: bool, indent: int | None, separators: tuple[str, str]
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators).encode()

    found = loads_strict(data)

    assert found == json.loads(data)
    assert repr(found) == repr(json.loads(data))


@_STABLE
@given(st.binary(max_size=60))
def test_strict_reading_of_any_bytes_raises_nothing_but_not_strict(data: bytes) -> None:
    try:
        found = loads_strict(data)
    except NotStrict:
        return
    assert found == json.loads(data)


_WORDS = [
    "true",
    "null",
    "NaN",
    "Infinity",
    "1",
    "-0",
    "1e5",
    "1E400",
    ".5",
    '"a"',
    '"\\ud800"',
    '"\\u00e9"',
    " ",
    "\n",
]
_TOKENS = st.sampled_from([*'{}[],:"', *_WORDS])


@_STABLE
@given(st.lists(_TOKENS, max_size=12).map("".join))
def test_strict_reading_of_tokens_in_any_order_accepts_no_more_than_the_standard_library(text: str) -> None:
    try:
        found = loads_strict(text.encode())
    except NotStrict:
        return
    assert found == json.loads(text)


@_STABLE
@given(st.dictionaries(TEXTS, JSON, min_size=1, max_size=4), st.data())
def test_key_that_stands_twice_is_never_read(value: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    items = [f"{json.dumps(name)}:{json.dumps(item)}" for name, item in value.items()]
    items.insert(data.draw(st.integers(0, len(items))), f"{json.dumps(key)}:0")

    try:
        found = loads_strict(("{" + ",".join(items) + "}").encode())
    except NotStrict:
        return
    raise AssertionError(f"read as {found!r}")


@_STABLE
@given(JSON, st.sampled_from([(",", ":"), (" ,\n", "\t: ")]), st.lists(_TOKENS, max_size=2).map("".join), st.data())
def test_quick_and_slow_reading_agree(value: Any, separators: tuple[str, str], noise: str, data: st.DataObject) -> None:
    text = json.dumps(value, separators=separators)
    at = data.draw(st.integers(0, len(text)))
    damaged = (text[:at] + noise + text[at:]).encode()

    outcomes = []
    for read in (loads_strict, strict_json._loads_slowly):
        try:
            outcomes.append(repr(read(damaged)))
        except NotStrict:
            outcomes.append("refused")

    assert outcomes[0] == outcomes[1]


class _Nobody:
    def feed(self, event: dict[str, Any], line: int) -> None:
        """Sees a line."""

    def knows(self, run: bytes, links: Sequence[str]) -> bool:
        """Knows nothing."""
        return False

    def skip(self) -> None:
        """Sees none."""


@_STABLE
@given(st.lists(st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode()), max_size=6))
def test_audit_of_any_lines_raises_nothing(lines: list[bytes]) -> None:
    audit = audit_lines(lines, 1 << 20, _Nobody())

    assert audit.lines == len(lines)
    assert audit.events == sum(bool(line.strip()) for line in lines)
