"""Sets of small numbers as bits of one integer: Python adds, intersects and counts them at the speed of memory."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator

_PIECE = 4096
_ONE = ord("1")
_ZEROS_BYTES = 4


def bits_of(numbers: Iterable[int], size: int) -> int:
    """The set of these numbers, all of them below `size`."""
    digits = bytearray(b"0") * size
    for number in numbers:
        digits[number] = _ONE
    digits.reverse()
    # Read as one binary number: that is quicker than to set bit after bit.
    return int(digits, 2) if size else 0


def set_of(numbers: Collection[int]) -> int:
    """The set of these numbers, cheap where they lie close together."""
    if not numbers:
        return 0
    first = min(numbers)
    return bits_of((number - first for number in numbers), max(numbers) - first + 1) << first


def packed(bits: int) -> bytes:
    """A set as few bytes: how many bytes of zeros it begins with, and the rest."""
    data = bits.to_bytes((bits.bit_length() + 7) >> 3, "little")
    rest = data.lstrip(b"\0")
    return (len(data) - len(rest)).to_bytes(_ZEROS_BYTES, "little") + zlib.compress(rest, 1)


def unpacked(data: bytes) -> int:
    """The set that was packed."""
    zeros = int.from_bytes(data[:_ZEROS_BYTES], "little")
    return int.from_bytes(zlib.decompress(data[_ZEROS_BYTES:]), "little") << zeros * 8


def numbers_of(bits: int, *, offset: int = 0) -> Iterator[int]:
    """The numbers of a set, ascending, from the one of this rank on."""
    data = bits.to_bytes((bits.bit_length() + 7) >> 3, "little")
    skip = offset
    for start in range(0, len(data), _PIECE):
        piece = int.from_bytes(data[start : start + _PIECE], "little")
        count = piece.bit_count()
        if skip >= count:
            skip -= count
            continue
        for place, byte in enumerate(data[start : start + _PIECE], start):
            if not byte:
                continue
            if skip and skip >= (within := byte.bit_count()):
                skip -= within
                continue
            for number in _OF_BYTE[byte]:
                if skip:
                    skip -= 1
                else:
                    yield place * 8 + number


def above(bits: int, number: int) -> int:
    """The part of a set that is greater than a number."""
    return bits >> number + 1 << number + 1


def between(first: int, last: int) -> int:
    """The set of all numbers from `first` to `last`."""
    return (1 << last + 1) - (1 << first) if last >= first else 0


_OF_BYTE = [[number for number in range(8) if byte >> number & 1] for byte in range(256)]
