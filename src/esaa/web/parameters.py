"""What may stand behind the `?` of an address: each parameter with its kind and its limits, read strictly.

A parameter that nobody asked for is no fault: the page keeps its own state in the same address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from esaa.errors import UsageError

TEXT_MAX = 2000
TEXTS_MAX = 50
COUNT_MAX = 1000

Kind = Literal["text", "texts", "moment", "moments", "whole", "flag", "choice"]


class Query(Protocol):
    """The part of Starlette's query parameters that is used."""

    def getlist(self, key: str) -> list[str]:
        """The values of a parameter, in their order."""
        ...


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a question.

    - `kind`: `text` once, `texts` any number of times, `moment(s)` a text that names a moment, `whole` a number from
      `least` to `most`, `flag` `1` or `0`, `choice` one of `choices`.
    - `default`: what holds where it is not given; a parameter that `is_required` has none.
    """

    name: str
    about: str
    kind: Kind = "text"
    default: Any = None
    is_required: bool = False
    least: int = 0
    most: int = COUNT_MAX
    choices: tuple[str, ...] = ()
    example: str | None = None

    def schema(self) -> dict[str, Any]:
        """The parameter's JSON Schema."""
        text: dict[str, Any] = {"type": "string", "maxLength": TEXT_MAX}
        if self.kind in ("texts", "moments"):
            return {"type": "array", "items": text, "maxItems": TEXTS_MAX}
        shown = {} if self.default is None else {"default": self.default}
        if self.kind == "whole":
            return {"type": "integer", "minimum": self.least, "maximum": self.most, **shown}
        if self.kind == "flag":
            return {"type": "string", "enum": ["0", "1"]}
        if self.kind == "choice":
            return {"type": "string", "enum": list(self.choices), **shown}
        return {**text, **shown}


def read(parameters: Sequence[Parameter], query: Query) -> dict[str, Any]:
    """The values of all parameters, the defaults included. Raises `UsageError` for one that cannot be taken."""
    return {one.name: _value(one, query.getlist(one.name)) for one in parameters}


def _value(parameter: Parameter, given: list[str]) -> Any:
    for text in given:
        if len(text) > TEXT_MAX:
            raise _wrong(parameter, f"has more than {TEXT_MAX} characters")
        if "\0" in text:
            raise _wrong(parameter, "holds a NUL")
    if parameter.kind in ("texts", "moments"):
        if len(given) > TEXTS_MAX:
            raise _wrong(parameter, f"is given more than {TEXTS_MAX} times")
        return tuple(text for text in given if text)
    if len(given) > 1:
        raise _wrong(parameter, "is given more than once")
    if not given or (not given[0] and parameter.kind != "text"):
        if parameter.is_required:
            raise _wrong(parameter, "is missing")
        return parameter.default
    return _one(parameter, given[0])


def _one(parameter: Parameter, text: str) -> Any:
    match parameter.kind:
        case "whole":
            if not (text.isascii() and text.isdigit() and len(text) < 16):
                raise _wrong(parameter, f"is {text[:40]!r}, which is no number")
            if not parameter.least <= int(text) <= parameter.most:
                raise _wrong(parameter, f"is {text[:40]}, and not between {parameter.least} and {parameter.most}")
            return int(text)
        case "flag":
            if text not in ("0", "1"):
                raise _wrong(parameter, f"is {text[:40]!r}, and neither 1 nor 0")
            return text == "1"
        case "choice":
            if text not in parameter.choices:
                raise _wrong(parameter, f"is {text[:40]!r}, and none of {', '.join(parameter.choices)}")
            return text
        case _:
            return text


def _wrong(parameter: Parameter, fault: str) -> UsageError:
    return UsageError("PARAMETER_INVALID", f"The parameter `{parameter.name}` {fault}.", parameter.about)
