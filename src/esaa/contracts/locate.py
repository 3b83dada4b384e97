"""Where in a contract a wrong value stands: the validator's message turned into one that names the key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from esaa.kernel.strict_yaml import PlainValue

_AT = re.compile(r"(?P<what>.*?)(?P<key> - at `key` in `\$(?P<in>.*)`| - at `\$(?P<at>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<how>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_STEP = re.compile(r"\.[^.\[\]]+|\[[0-9]+\]|\[\.\.\.\]")


def describe(value: PlainValue, kind: type[msgspec.Struct], message: str) -> str:
    """What is wrong with `value`, in which `message` was found while it was converted to `kind`.

    The validator writes `[...]` for the key of a map; the key is found by converting the value again with one key
    at a time.
    """
    found = _AT.fullmatch(message)
    assert found is not None  # the pattern matches any text
    what: str = found["what"]
    steps = [step.group() for step in _STEP.finditer(found["in"] or found["at"] or "")]
    path = "".join(_resolve(value, kind, message, steps)).removeprefix(".")
    field = _FIELD.fullmatch(what)
    if field is not None:
        verb = "unknown" if field["how"] == "contains unknown" else "missing"
        return f"{verb} key `{path + '.' if path else ''}{field['name']}`"
    if found["in"] is not None:
        return f"`{path or 'the file'}` has a wrong key: {_lower(what)}"
    return f"`{path}`: {_lower(what)}" if path else f"the file as a whole: {_lower(what)}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _resolve(value: Any, kind: type[msgspec.Struct], message: str, steps: list[str]) -> Iterator[str]:
    # `Any`: every step comes from the validator, which took it in this very value.
    taken: list[str | int] = []
    here = value
    for step in steps:
        if step == "[...]":
            key: str | int = _culprit(value, kind, message, taken, here)
            yield f".{key}"
        else:
            key = int(step[1:-1]) if step.startswith("[") else step[1:]
            yield step
        taken.append(key)
        here = here[key]


def _culprit(value: Any, kind: type[msgspec.Struct], message: str, taken: list[str | int], here: dict[str, Any]) -> str:
    """The key whose value is wrong: with it alone in the map, the message is the same."""
    alone = ((key, _with(value, taken, {key: here[key]})) for key in here)
    return next((key for key, candidate in alone if _message(candidate, kind) == message), next(iter(here)))


def _message(value: Any, kind: type[msgspec.Struct]) -> str:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _with(value: Any, path: list[str | int], leaf: dict[str, Any]) -> Any:
    """A copy of `value` in which `leaf` stands at `path`."""
    if not path:
        return leaf
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], leaf)
    return copy
