"""Values behind salted commitments: what stays, what is kept beside, what opens."""

from __future__ import annotations

import hashlib
import itertools

import msgspec
import pytest

from esaa.kernel.erasable import PLACEHOLDER, Erasable, payload_of, withhold

DOCUMENT = {"a": "one", "b": None, "c": "", "extra": {"d": {"e": [1, 2]}, "f": "two"}, "n": 3}


def salts() -> bytes:
    """The same salt each time."""
    return b"s" * 32


def test_values_are_replaced_and_kept_by_their_commitments() -> None:
    found = withhold(DOCUMENT, ["/a", "/extra/d"], salts, subject="x-1", is_sealed=False)
    assert found.document == {"a": PLACEHOLDER, "b": None, "c": "", "extra": {"d": PLACEHOLDER, "f": "two"}, "n": 3}
    first, second = found.notes
    assert (first.path, first.bytes, first.subject) == ("/a", 5, "x-1")
    assert first.commitment == hashlib.sha256(b"\x02" + b"s" * 32 + b'"one"').hexdigest()
    assert payload_of(second, found.contents[second.commitment]) == b'{"e":[1,2]}'
    assert DOCUMENT["a"] == "one", "what was given stays as it was"


@pytest.mark.parametrize("pointer", ["/b", "/c", "/nothing", "/extra/nothing", "/a/deep", "/nothing/deep"])
def test_places_without_a_value_are_passed_over(pointer: str) -> None:
    found = withhold(DOCUMENT, [pointer], salts, subject=None, is_sealed=False)
    assert (found.document, found.notes, found.contents) == (DOCUMENT, (), {})


def test_withholding_twice_finds_nothing_new() -> None:
    once = withhold(DOCUMENT, ["/a", "/a"], salts, subject=None, is_sealed=False)
    again = withhold(once.document, ["/a"], salts, subject=None, is_sealed=False)
    assert len(once.notes) == 1
    assert again.notes == ()


def test_every_value_gets_a_salt_of_its_own() -> None:
    numbers = itertools.count()
    found = withhold(
        {"a": "same", "b": "same"}, ["/a", "/b"], lambda: bytes([next(numbers)] * 32), subject=None, is_sealed=False
    )
    assert len(found.contents) == 2


def test_any_changed_bit_of_a_content_is_noticed() -> None:
    (note,) = (found := withhold(DOCUMENT, ["/a"], salts, subject=None, is_sealed=False)).notes
    content = found.contents[note.commitment]
    assert payload_of(note, content) == b'"one"'
    for place in range(8 * len(content)):
        wrong = bytearray(content)
        wrong[place // 8] ^= 1 << place % 8
        assert payload_of(note, bytes(wrong)) is None
    for size in range(len(content)):
        assert payload_of(note, content[:size]) is None
    assert payload_of(note, content + b" ") is None


def test_notes_say_only_what_there_is_to_say() -> None:
    note = Erasable(path="/a", commitment="0" * 64, bytes=5)
    assert msgspec.json.encode(note) == b'{"path":"/a","commitment":"' + b"0" * 64 + b'","bytes":5}'
