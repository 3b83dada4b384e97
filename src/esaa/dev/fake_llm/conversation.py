"""What every vendor's request comes to, and what every vendor's answer is made from. No wire format is known here."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

Api = Literal["anthropic", "openai-responses", "openai-chat", "gemini"]
Stop = Literal["end", "length", "refusal"]

_CHARS_PER_TOKEN = 4
_CACHED_TOKENS = 16
_DIRECTORY = re.compile(r"(?:[Ww]orking directory(?: is)?:?|in the directory:?|<cwd>)\s*`?(/[^\s`<]+)")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request in the words that all the APIs share.

    `said` holds the texts of system, user and tools in their order. `tools` maps each offered tool to its schema.
    `results` counts the tool results so far, so that a client that works through tools is answered step by step.
    `schema` is the JSON Schema of a structured answer; `answer_tool` names the tool that takes it, where there is one,
    and `is_handed_in` says that it was called before.
    """

    api: Api
    model: str
    said: tuple[str, ...]
    is_streamed: bool = False
    tools: dict[str, Any] = {}
    results: int = 0
    schema: dict[str, Any] | None = None
    is_strict: bool = False
    answer_tool: str | None = None
    is_handed_in: bool = False

    @property
    def directory(self) -> str | None:
        """The absolute path that a client said it works in."""
        for text in self.said:
            if (found := _DIRECTORY.search(text)) is not None:
                return found.group(1).rstrip(".,;")
        return None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the model calls. `input` is an object, or a text for a tool that takes no JSON."""

    name: str
    input: dict[str, Any] | str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says. `stop` is why it ends where it calls no tool."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    stop: Stop = "end"


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer is said to have used. `cached` are part of `given`."""

    given: int
    cached: int
    made: int


def count_tokens(request: Request, reply: Reply) -> Tokens:
    """A count that follows from the texts alone: four characters are a token, and 16 of them come from a cache."""
    given = 1 + sum(len(text) for text in request.said) // _CHARS_PER_TOKEN
    made = 1 + (len(reply.text) + sum(len(str(call.input)) for call in reply.calls)) // _CHARS_PER_TOKEN
    return Tokens(given=given, cached=min(_CACHED_TOKENS, given), made=made)


def texts_of(content: object) -> list[str]:
    """Every text in a message's content: a string, or blocks whose text lies in one of a few keys."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [text for block in content for text in texts_of(block)]
    if isinstance(content, dict):
        keys = ("text", "content", "output", "parts", "functionResponse", "response", "error")
        return [text for key in keys if key in content for text in texts_of(content[key])]
    return []


def pieces(text: str) -> list[str]:
    """The text in the pieces that a stream sends it in; an empty text is one empty piece."""
    size = max(64, len(text) // 256)
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]
