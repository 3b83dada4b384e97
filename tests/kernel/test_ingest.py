"""The door for bytes from outside: limits that hold before anything is held, and refusals in one line."""

from __future__ import annotations

import io
from typing import Any

import pytest

from esaa.kernel import ingest
from esaa.kernel.ingest import Limit, NotIngested, TooLarge

SMALL = Limit(16, 3)


class Dripping(io.RawIOBase):
    """A pipe that gives one byte at a time, for ever, and counts what was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "nobody asks for everything"
        self.taken += 1
        return b"x"


def test_no_more_than_one_byte_beyond_the_limit_is_ever_read() -> None:
    pipe: Any = Dripping()
    with pytest.raises(TooLarge, match="more than 1000 bytes"):
        ingest.read_capped(pipe, 1000)
    assert pipe.taken == 1001
    assert len(ingest.read_sample(pipe, 10)) == 11


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_what_is_within_the_limit_is_read_whole(size: int) -> None:
    assert ingest.read_capped(io.BytesIO(b"x" * size), 1000) == b"x" * size
    assert ingest.read_sample(io.BytesIO(b"x" * size), 1000) == b"x" * size


def test_lines_are_held_to_the_limit_one_by_one() -> None:
    assert list(ingest.capped_lines(io.BytesIO(b"ab\n\ncd"), 2)) == [b"ab", b"", b"cd"]
    assert list(ingest.capped_lines(io.BytesIO(b""), 2)) == []
    for data in (b"abc", b"abc\n", b"a\nabcdefgh\n", b"abc" * 1000):
        with pytest.raises(TooLarge):
            list(ingest.capped_lines(io.BytesIO(data), 2))


@pytest.mark.parametrize("read", [ingest.json_of, ingest.json_object_of, ingest.yaml_of, ingest.text_of])
def test_the_limit_holds_for_bytes_that_are_there_already(read: Any) -> None:
    with pytest.raises(TooLarge, match="more than 16 bytes"):
        read(b" " * 15 + b"{}", SMALL)


def test_values_are_what_the_strict_readers_say() -> None:
    assert ingest.json_of(b"[1, 2]", SMALL) == [1, 2]
    assert ingest.json_object_of(b'{"a": 1}', SMALL) == {"a": 1}
    assert ingest.yaml_of(b"a: [no]", SMALL) == {"a": ["no"]}
    assert ingest.text_of("é".encode(), SMALL) == "é"


@pytest.mark.parametrize(
    ("read", "data", "why"),
    [
        (ingest.json_of, b"[[[[1]]]]", "nested more than 3 deep"),
        (ingest.json_of, b'{"a":1,"a":2}', "stands twice"),
        (ingest.json_object_of, b"[]", "no JSON object"),
        (ingest.yaml_of, b"a: &b c", "anchors"),
        (ingest.yaml_of, b"a: \xff", "byte 3 is not UTF-8"),
        (ingest.text_of, b"\xc0\xaf", "byte 0 is not UTF-8"),
    ],
)
def test_refusal_says_why(read: Any, data: bytes, why: str) -> None:
    with pytest.raises(NotIngested, match=why):
        read(data, SMALL)


def test_reason_is_one_short_line() -> None:
    assert len(str(NotIngested("x" * 10_000))) == 400
