"""Strict YAML for contracts: one document of maps, lists and scalars, and nothing whose meaning could surprise.

The parser's event stream is read rather than its loader, so that depth is bounded while reading, and tags, anchors,
aliases and duplicate keys are refused at their line. Plain scalars mean what YAML 1.2 says: `no` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

PlainValue = dict[str, "PlainValue"] | list["PlainValue"] | str | int | float | bool | None
"""What YAML and JSON have in common."""

DEPTH_MAX = 32
KEY_CHARS_SHOWN = 80

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18}([eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})")
_WORDS: dict[str, PlainValue] = {"": None, "~": None, "null": None, "true": True, "false": False}


class NotStrictYaml(ValueError):
    """The text is not one strict YAML document; the message says why and where."""


def loads_yaml(text: str) -> PlainValue:
    """The value of a YAML text. Raises `NotStrictYaml`; never anything else, whatever the text."""
    import yaml  # here, because contracts that come from the cache never need the parser

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is there when libyaml was
    try:
        return _document(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise NotStrictYaml(f"{where}not YAML, {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise NotStrictYaml(f"not YAML, {str(error).splitlines()[0]}") from None
    except OverflowError:  # the Python parser, for an escape beyond the last code point
        raise NotStrictYaml("not YAML, an escape is no character") from None
    except UnicodeEncodeError:  # bytes of the environment that are no UTF-8 arrive so
        raise NotStrictYaml("a lone surrogate is not text") from None


class _Frame:
    """A map or list that is being filled; `key` is the map key that waits for its value."""

    def __init__(self, value: dict[str, PlainValue] | list[PlainValue]) -> None:
        self.value = value
        self.key: str | None = None

    def put(self, item: PlainValue, line: int) -> None:
        if isinstance(self.value, list):
            self.value.append(item)
        elif self.key is None:
            self.key = _new_key(self.value, item, line)
        else:
            self.value[self.key] = item
            self.key = None


def _document(events: Iterator[Any]) -> PlainValue:
    root = _Frame([])
    stack = [root]
    documents = 0
    for event in events:
        line = event.start_mark.line + 1
        _refuse_decoration(event, line)
        match type(event).__name__:
            case "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise NotStrictYaml(f"line {line}: a second document begins here, only one is allowed")
            case "ScalarEvent":
                stack[-1].put(_scalar(event, line), line)
            case "MappingStartEvent":
                stack.append(_Frame({}))
            case "SequenceStartEvent":
                stack.append(_Frame([]))
            case "MappingEndEvent" | "SequenceEndEvent":
                done = stack.pop()
                stack[-1].put(done.value, line)
            case _:
                pass
        if len(stack) > DEPTH_MAX + 1:
            raise NotStrictYaml(f"line {line}: nested more than {DEPTH_MAX} deep")
    if not documents:
        raise NotStrictYaml("there is no document")
    assert isinstance(root.value, list)
    return root.value[0]


def _refuse_decoration(event: Any, line: int) -> None:
    if getattr(event, "anchor", None) is not None:  # on an alias this is the name that it points to
        raise NotStrictYaml(f"line {line}: anchors and aliases are not allowed")
    if getattr(event, "tag", None) is not None:
        raise NotStrictYaml(f"line {line}: tags are not allowed")
    if getattr(event, "tags", None) or getattr(event, "version", None):
        raise NotStrictYaml(f"line {line}: directives are not allowed")


def _scalar(event: Any, line: int) -> PlainValue:
    text: str = event.value
    if not event.implicit[0]:  # quoted, literal or folded
        return _encodable(text, line)
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _encodable(text, line)


def _encodable(text: str, line: int) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise NotStrictYaml(f"line {line}: a lone surrogate is not text") from None
    return text


def _new_key(mapping: dict[str, PlainValue], key: PlainValue, line: int) -> str:
    if not isinstance(key, str):
        raise NotStrictYaml(f"line {line}: the key {str(key)[:KEY_CHARS_SHOWN]!r} is not a text")
    if key in mapping:
        raise NotStrictYaml(f"line {line}: the key {key[:KEY_CHARS_SHOWN]!r} stands twice")
    return key
