"""Where two things that should be the same are not: two reports as data, or a file and what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from esaa.audit.render.visible import visible

DIFFERENCES_MAX = 20
_SHOWN = 100


def differences(said: Any, true: Any, path: str = "") -> Iterator[str]:
    """What the file says, and what the trail says, wherever the two differ. Lazy: who has seen enough stops."""
    if isinstance(said, dict) and isinstance(true, dict):
        for key in sorted({*said, *true}):
            where = f"{path}.{key}" if path else key
            if key not in said:
                yield f"{visible(where)} is missing; the trail says {_shown(true[key])}"
            elif key not in true:
                yield f"{visible(where)} is there; the trail says nothing of it"
            else:
                yield from differences(said[key], true[key], where)
    elif isinstance(said, list) and isinstance(true, list):
        if len(said) != len(true):
            yield f"{visible(path)} has {len(said)} entries; the trail says {len(true)}"
        for number, (one, other) in enumerate(zip(said, true, strict=False)):
            yield from differences(one, other, f"{path}[{number}]")
    elif type(said) is not type(true) or said != true:
        yield f"{visible(path)} is {_shown(said)}; the trail says {_shown(true)}"


def first_difference(data: bytes, pieces: Iterable[bytes]) -> str | None:
    """The first line of a file that is not the one it should be; None where every byte is."""
    at = 0
    for piece in pieces:
        if data[at : at + len(piece)] != piece:
            return _told(data, at + _common(data[at : at + len(piece)], piece), piece, at)
        at += len(piece)
    if at < len(data):
        line = data.count(b"\n", 0, at) + 1
        return f"line {line} and what follows should not be there"
    return None


def _common(one: bytes, other: bytes) -> int:
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))


def _told(data: bytes, at: int, piece: bytes, start: int) -> str:
    """What stands at a place, and what should, from a little before the place on."""
    line = data.count(b"\n", 0, at) + 1
    if at == len(data):
        following = piece[at - start :].strip().split(b"\n")[0]
        return f"the file ends in line {line}; it should go on with {_quoted(following)}"
    begin = max(data.rfind(b"\n", 0, at) + 1, at - _SHOWN // 2)
    said = data[begin : at + _SHOWN].split(b"\n")[0]
    before = data[begin : min(at, max(begin, start))]
    true = (before + piece[max(begin - start, 0) : at - start + _SHOWN]).split(b"\n")[0]
    return f"line {line} is {_quoted(said)}; it should be {_quoted(true)}"


def _quoted(data: bytes) -> str:
    text = data[: _SHOWN + _SHOWN // 2].decode(errors="replace")
    return f"`{visible(text)}`" if text else "empty"


def _shown(value: Any) -> str:
    text = visible(str(value))
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…") if isinstance(value, str) else text[:_SHOWN]
