"""Sets of small numbers as bits of one integer: Python adds, intersects and counts them at the speed of memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_PIECE = 4096
_ONE = ord("1")


def bits_of(numbers: Iterable[int], size: int) -> int:
    """The set of these numbers, all of them below `size`."""
    digits = bytearray(b"0") * size
    for number in numbers:
        digits[number] = _ONE
    digits.reverse()
    # Read as one binary number: that is quicker than to set bit after bit.
    return int(digits, 2) if size else 0


def packed(bits: int) -> bytes:
    """A set as few bytes."""
    return zlib.compress(bits.to_bytes((bits.bit_length() + 7) >> 3, "little"), 1)


def unpacked(data: bytes) -> int:
    """The set that was packed."""
    return int.from_bytes(zlib.decompress(data), "little")


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
