"""Project paths as text: what a legal path is, when two are the same file, and when a pattern covers one.

Pure and lexical; that the path is safe on the disk too is `effects.paths`' business. Legal on Linux, macOS and
Windows alike, so that a log made on one machine can be applied on another.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

PATH_CHARS_MAX = 1024
PART_BYTES_MAX = 255
PARTS_MAX = 64

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(\..*)?", re.IGNORECASE)
# ASCII names without a dot at an end, a tilde or a reserved first word: the common case, decided in one match.
_ORDINARY = re.compile(
    r"(?:(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|$))[A-Za-z0-9_](?:[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?(?:/|$)){1,32}(?<!/)",
    re.IGNORECASE | re.ASCII,
)
_FORBIDDEN = frozenset('<>:"|?*')
_SHORT_NAME = re.compile(r"[^.]{1,8}~[0-9]+(\..*)?")


def path_fault(path: str) -> str | None:
    """Why a text is no legal project path, or None. The answer completes the sentence "the path ..."."""
    if _ORDINARY.fullmatch(path) and len(path) <= PART_BYTES_MAX:
        return None
    if not path:
        return "is empty"
    if len(path) > PATH_CHARS_MAX:
        return f"has more than {PATH_CHARS_MAX} characters"
    for character in path:
        if character == "\\":
            return "has a backslash; use '/'"
        if ord(character) < 32 or ord(character) == 127:
            return f"has the control character U+{ord(character):04X}"
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            return f"has the invisible character U+{ord(character):04X}"
    if path.startswith("/"):
        return "is absolute; paths are relative to the project"
    if len(path) > 1 and path[1] == ":":
        return "begins with a drive letter"
    if unicodedata.normalize("NFC", path) != path:
        return "is not in Unicode normal form C"
    parts = path.split("/")
    if len(parts) > PARTS_MAX:
        return f"has more than {PARTS_MAX} components"
    for part in parts:
        fault = _part_fault(part)
        if fault is not None:
            return fault
    return None


def _part_fault(part: str) -> str | None:
    if part == "":
        return "has an empty component or a trailing slash"
    if part in (".", ".."):
        return f"has the component '{part}'"
    if len(part.encode()) > PART_BYTES_MAX:
        return f"has a component of more than {PART_BYTES_MAX} bytes"
    if part[-1] in ". ":
        return "has a component that ends with a dot or a space"
    if part[0] in " -~":
        return f"has a component that begins with '{part[0]}'"
    if _RESERVED.fullmatch(part):
        return f"has the reserved name '{part}'"
    if _SHORT_NAME.fullmatch(part):
        return f"has the component '{part}', a short name of another file on Windows"
    for character in part:
        if character in _FORBIDDEN:
            return f"has the character '{character}'"
    return None if part.isascii() else _disguise(part)


def _disguise(part: str) -> str | None:
    """Why a component is taken for another one by a file system that folds what looks alike, or None."""
    folded = fold(part)
    if folded != part.casefold() and folded in GUARDED:
        return f"has the component '{part}', another spelling of '{folded}'"
    if any(character in _BLANK for character in part):
        return f"has the component '{part}' with a letter that nobody sees"
    plain = unicodedata.normalize("NFKC", part)
    if plain != part and ("/" in plain or "\\" in plain or _part_fault(plain) is not None):
        return f"has the component '{part}', another spelling of '{plain}'"
    return None


GUARDED = frozenset({".roadmap", ".git", ".claude", ".codex", ".gemini", ".husky", ".githooks"})
"""Directories that steer a tool wherever they lie, in a folder of the project too."""

_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def guarded_component(path: str) -> str | None:
    """The first component of a path that no task may write in or over, in whatever spelling, or None."""
    if path.isascii() and not path.startswith(".") and "/." not in path:
        return None  # all of them begin with a dot
    return next((part for part in path.split("/") if fold(part) in GUARDED), None)


def fold(path: str) -> str:
    """The form in which two spellings of one file on some file system are equal (case, Unicode, compatibility)."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def matches(path: str, pattern: str) -> bool:
    """True when a pattern covers a path: whole components; `dir/**` and `dir/` are everything below `dir`.

    A plain path means that file. `*` and `?` stay inside a component.
    """
    return _compiled(pattern).fullmatch(path) is not None


def covered(path: str, patterns: tuple[str, ...]) -> bool:
    """True when any of the patterns covers the path."""
    return _any_of(patterns).fullmatch(path) is not None


def covered_folded(path: str, patterns: tuple[str, ...]) -> bool:
    """As `covered`, blind to case and Unicode form: the comparison for everything that is forbidden."""
    return _any_of_folded(patterns).fullmatch(fold(path)) is not None


def overlap(left: tuple[str, ...], right: tuple[str, ...]) -> str | None:
    """A pattern of `left` that may name the same file as one of `right`, or None. Errs on the side of yes."""
    for one in left:
        for other in right:
            if _may_meet(fold(one), fold(other)):
                return one
    return None


def _may_meet(one: str, other: str) -> bool:
    if one == other or matches(one, other) or matches(other, one):
        return True
    head_one, head_other = _literal_head(one), _literal_head(other)
    if head_one == one and head_other == other:
        # Two plain paths still meet where one is a directory of the other.
        return one.startswith(other + "/") or other.startswith(one + "/")
    return head_one.startswith(head_other) or head_other.startswith(head_one)


def _literal_head(pattern: str) -> str:
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def _directory(pattern: str) -> str | None:
    stem = re.sub(r"(/\*\*|/)+\Z", "", pattern)
    return stem if stem != pattern else None


@lru_cache(maxsize=1024)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns) or r"(?!)", re.DOTALL)


@lru_cache(maxsize=1024)
def _any_of_folded(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """As `_any_of` for folded paths; a pattern for everything below a directory covers the directory's name too."""
    folded = [fold(pattern) for pattern in patterns]
    directories = [directory for pattern in folded if (directory := _directory(pattern)) is not None]
    return _any_of((*folded, *directories))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_expression(pattern), re.DOTALL)


def _expression(pattern: str) -> str:
    """A pattern as an expression. Every text between two `**` but the last is an atomic group, held where it first
    fits: that loses no match, and keeps a hostile pattern from trying every combination."""
    parts = pattern.split("/")
    last = parts.pop()
    below = last == "**" or (last == "" and bool(parts))
    while below and parts and parts[-1] == "**":
        parts.pop()
    head, *runs = _runs(parts)
    end = r".+" if below else _component(last)
    if below:
        return head + "".join(f"(?>{_ANY_DEPTH}?{run})" for run in runs) + end
    deepest = "" if not runs else _ANY_DEPTH + runs[-1]
    return head + "".join(f"(?>{_ANY_DEPTH}?{run})" for run in runs[:-1]) + deepest + end


_ANY_DEPTH = r"(?:[^/]+/)*"


def _runs(parts: list[str]) -> list[str]:
    """The expressions of the components before, between and after the `**` of a pattern."""
    runs = [""]
    for number, part in enumerate(parts):
        if part != "**":
            runs[-1] += _component(part) + "/"
        elif number == 0 or parts[number - 1] != "**":
            runs.append("")
    return runs


def _component(part: str) -> str:
    """One component as an expression; the texts between two `*` are atomic groups too."""
    first, *others = ["".join("[^/]" if c == "?" else re.escape(c) for c in text) for text in re.split(r"\*+", part)]
    if not others:
        return first
    return first + "".join(f"(?>[^/]*?{text})" for text in others[:-1]) + "[^/]*" + others[-1]
