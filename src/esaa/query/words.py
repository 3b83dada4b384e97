"""The text of a query, from what a person writes to an expression of the full-text index.

    login failed            both words, anywhere
    "login failed"          these words in this order
    auth*                   words that begin like this (two characters or more)
    -timeout                not this word; a phrase or a beginning may be excluded too
    login OR signin         one of the two; OR stands between neighbours and binds closer than a space

Letters match without regard to case and accents. Marks such as `-`, `_` and `.` part words, so `auth-api` finds the
two words side by side. Nothing that is written here can be anything else than text to look for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import msgspec

from esaa.errors import UsageError

TERMS_MAX = 32
CHARS_MAX = 1000
PREFIX_CHARS_MIN = 2

_HINT = 'Words, "phrases", begin*, -not, this OR that.'
_RESERVED = {"AND": "words side by side must all be there", "NOT": "write -word"}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed text: each group gives one term at least, and none of the others may be there."""

    groups: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()

    @property
    def expression(self) -> str:
        """The text as an FTS5 expression. Each term is a quoted string."""
        wanted = " AND ".join(f"({' OR '.join(group)})" for group in self.groups)
        return f"({wanted}) NOT ({' OR '.join(self.without)})" if self.without else f"({wanted})"


class _Term(msgspec.Struct, frozen=True):
    text: str
    at: int
    is_quoted: bool = False
    is_prefix: bool = False
    is_excluded: bool = False


def parse_words(text: str) -> Words:
    """The words of a text. Raises `UsageError` with QUERY_INVALID naming the place and the rule."""
    if len(text) > CHARS_MAX:
        raise _invalid(CHARS_MAX, f"a text has at most {CHARS_MAX} characters")
    for at, char in enumerate(text):
        if unicodedata.category(char) in ("Cc", "Cs") and not char.isspace():
            raise _invalid(at, "a text holds no control characters")
    groups: list[list[str]] = []
    without: list[str] = []
    joins_at: int | None = None
    is_joinable = False
    for count, term in enumerate(_terms(text)):
        if count >= TERMS_MAX:
            raise _invalid(term.at, f"a text has at most {TERMS_MAX} words")
        if term.text == "OR" and _is_bare(term):
            if joins_at is not None or not is_joinable:
                raise _invalid(term.at, "OR stands between two words that may occur")
            joins_at = term.at
            continue
        if term.text in _RESERVED and _is_bare(term):
            raise _invalid(term.at, f"{term.text} is no word of this language: {_RESERVED[term.text]}")
        expression = _expression(term)
        if term.is_excluded:
            if joins_at is not None:
                raise _invalid(joins_at, "OR stands between two words that may occur")
            without.append(expression)
        elif joins_at is not None:
            groups[-1].append(expression)
        else:
            groups.append([expression])
        joins_at, is_joinable = None, not term.is_excluded
    if joins_at is not None:
        raise _invalid(joins_at, "OR stands between two words that may occur")
    if not groups:
        raise _invalid(0, "a text needs a word that must occur")
    return Words(groups=tuple(map(tuple, groups)), without=tuple(without))


def _is_bare(term: _Term) -> bool:
    return not (term.is_quoted or term.is_prefix or term.is_excluded)


def _terms(text: str) -> Iterator[_Term]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start = at
        is_excluded = text[at] == "-"
        at += is_excluded
        if at < len(text) and text[at] == '"':
            end = text.find('"', at + 1)
            if end < 0:
                raise _invalid(at, "a phrase ends with a quotation mark")
            term, at, is_quoted = text[at + 1 : end], end + 1, True
        else:
            first = at
            while at < len(text) and not text[at].isspace() and text[at] not in '"*':
                at += 1
            term, is_quoted = text[first:at], False
        is_prefix = at < len(text) and text[at] == "*"
        at += is_prefix
        if at < len(text) and not text[at].isspace():
            rule = "* stands at the end of a word" if is_prefix else "a space parts a phrase from its neighbours"
            raise _invalid(at - is_prefix, rule)
        yield _Term(term, start, is_quoted, is_prefix, is_excluded)


def _expression(term: _Term) -> str:
    if not any(map(_is_searched, term.text)):
        raise _invalid(term.at, "a word has a letter or a digit")
    if term.is_prefix and _last_run(term.text) < PREFIX_CHARS_MIN:
        raise _invalid(term.at, f"the beginning of a word has at least {PREFIX_CHARS_MIN} letters or digits")
    quoted = '"' + term.text.replace('"', '""') + '"'
    return f"{quoted} *" if term.is_prefix else quoted


def _last_run(text: str) -> int:
    """How many letters and digits the last word of a term has."""
    count = 0
    for char in reversed(text):
        if _is_searched(char):
            count += 1
        elif unicodedata.category(char)[0] != "M":
            break
    return count


def _is_searched(char: str) -> bool:
    # What the tokenizer takes for part of a word.
    category = unicodedata.category(char)
    return category[0] in "LN" or category == "Co"


def _invalid(at: int, rule: str) -> UsageError:
    return UsageError("QUERY_INVALID", f"The text breaks at character {at + 1}: {rule}.", _HINT, position=at + 1)
