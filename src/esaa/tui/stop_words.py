"""Breakpoints as one types them: `name=claim subject=T-1000`, `changes=/tasks/T-1000/status`, `when=JMESPATH`."""

from __future__ import annotations

import shlex
from typing import Any

from esaa.errors import UsageError
from esaa.history.stepper import Breakpoint

FORMS = (
    "Write name=claim, actor=agent-qa, subject=T-1000, refused, changes=/tasks/T-1000/status, or when=JMESPATH last."
)

_FIELDS = {"name": "names", "actor": "actors", "subject": "subjects"}


def breakpoint_of(text: str) -> Breakpoint:
    """The breakpoint that a text describes.

    Several words all have to be met; `name=a,b` means any of the two. `when=` takes the rest of the text. A text that
    begins with a slash is a pointer, and a word alone a name. Raises `UsageError`.
    """
    text = text.strip()
    if text.startswith("/"):
        return Breakpoint(pointer=text)
    words, where = _split(text)
    found: dict[str, Any] = {} if where is None else {"where": where}
    for word in words:
        name, equals, value = word.partition("=")
        if word == "refused":
            found["rejections_only"] = True
        elif not equals:
            found["names"] = (*found.get("names", ()), word)
        elif not value:
            raise UsageError("BREAKPOINT_INVALID", f"{word!r} names nothing.", FORMS)
        elif name == "changes":
            found["pointer"] = value
        elif name in _FIELDS:
            field = _FIELDS[name]
            found[field] = (*found.get(field, ()), *(one for one in value.split(",") if one))
        else:
            raise UsageError("BREAKPOINT_INVALID", f"{name[:40]!r} is nothing that an event is known by.", FORMS)
    if not found:
        raise UsageError("BREAKPOINT_INVALID", "The breakpoint is empty.", FORMS)
    return Breakpoint(**found)


def words_of(wanted: Breakpoint) -> str:
    """The text of a breakpoint; `breakpoint_of` reads it again."""
    words = ["refused"] if wanted.rejections_only else []
    for name, field in _FIELDS.items():
        values: tuple[str, ...] = getattr(wanted, field)
        if values:
            words.append(shlex.quote(f"{name}={','.join(values)}"))
    if wanted.pointer is not None:
        words.append(shlex.quote(f"changes={wanted.pointer}"))
    if wanted.where is not None:
        words.append(f"when={wanted.where}")
    return " ".join(words)


def _split(text: str) -> tuple[list[str], str | None]:
    place = _condition_at(text)
    where = None if place is None else text[place + len("when=") :].strip()
    if where == "":
        raise UsageError("BREAKPOINT_INVALID", "`when=` needs a condition.", FORMS)
    try:
        return shlex.split(text[:place]), where
    except ValueError as error:
        raise UsageError("BREAKPOINT_INVALID", f"{text[:80]!r}: {error}.", FORMS) from error


def _condition_at(text: str) -> int | None:
    """Where `when=` begins a word that stands in no quotes."""
    quote = ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif text.startswith("when=", place) and (place == 0 or text[place - 1].isspace()):
            return place
    return None
