"""JSON written piece by piece, so that a report of any size needs no more memory than its largest part.

Maps stand over several lines with their keys sorted; every element of a list stands on a line of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from esaa.kernel.canonical import canonical


class Elements:
    """A list whose elements are made when they are written, each of them JSON already."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self.make = make


def json_pieces(value: object, indent: int = 0) -> Iterator[bytes]:
    """The pieces of a value's JSON, without a final line feed. Maps may hold `Elements` at any depth."""
    match value:
        case Mapping() if value:
            yield from _map(value, indent)
        case Elements():
            yield from _list(value.make(), indent)
        case list() | tuple():
            yield from _list((canonical(one) for one in value), indent)
        case _:
            yield canonical(value)


def _map(value: Mapping[str, Any], indent: int) -> Iterator[bytes]:
    space = b" " * (indent + 1)
    mark = b"{\n"
    for key in sorted(value):
        yield mark + space + canonical(key) + b": "
        yield from json_pieces(value[key], indent + 1)
        mark = b",\n"
    yield b"\n" + b" " * indent + b"}"


def _list(elements: Iterator[bytes], indent: int) -> Iterator[bytes]:
    space = b" " * (indent + 1)
    mark = b"[\n"
    for element in elements:
        yield mark + space + element
        mark = b",\n"
    yield b"[]" if mark == b"[\n" else b"\n" + b" " * indent + b"]"
