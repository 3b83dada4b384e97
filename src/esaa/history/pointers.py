"""JSON pointers (RFC 6901): names of values inside a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from esaa.errors import UsageError

_FORMS = "Write a JSON pointer, such as /tasks/T-1000/status; `~1` stands for a slash inside a name, `~0` for a tilde."


def parse_pointer(text: str) -> tuple[str, ...]:
    """The names on the way from the root to a value. The empty text is the whole document. Raises `UsageError`."""
    if not text:
        return ()
    if not text.startswith("/"):
        raise UsageError("POINTER_INVALID", f"{text[:80]!r} is no JSON pointer.", _FORMS)
    names = text[1:].split("/")
    for name in names:
        if "~" in name.replace("~0", "").replace("~1", ""):
            raise UsageError("POINTER_INVALID", f"{text[:80]!r} has a `~` that stands for nothing.", _FORMS)
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in names)


def pointer_of(names: Iterable[str | int]) -> str:
    """The pointer to the value at these names."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


def value_at(document: Any, names: Sequence[str]) -> Any:
    """The value at these names, or `UNSET` where there is none."""
    value = document
    for name in names:
        if isinstance(value, Mapping):
            value = value.get(name, UNSET)
        elif isinstance(value, list | tuple) and _is_index(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return UNSET
        if value is UNSET:
            return UNSET
    return value


def on_one_way(names: Sequence[str], others: Sequence[str]) -> bool:
    """True where one of the two values lies in the other, or they are the same."""
    common = min(len(names), len(others))
    return tuple(names[:common]) == tuple(others[:common])


def _is_index(name: str) -> bool:
    # RFC 6901, section 4: no leading zeros, no sign, digits of ASCII.
    return name.isascii() and name.isdigit() and len(name) < 10 and (name == "0" or name[0] != "0")
