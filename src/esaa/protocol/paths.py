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

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"|?*')
_SHORT_NAME = re.compile(r"[^.]{1,8}~[0-9]+(\..*)?")


def path_fault(path: str) -> str | None:
    """Why a text is no legal project path, or None. The answer completes the sentence "the path ..."."""
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
    folded = fold(part)
    if folded != part.casefold() and folded in _PROTECTED:
        return f"has the component '{part}', another spelling of '{folded}'"
    return None


_PROTECTED = (".roadmap", ".git", ".claude", ".codex", ".gemini")


@lru_cache(maxsize=65536)
def fold(path: str) -> str:
    """The form in which two spellings of one file on some file system are equal (case, Unicode, compatibility)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def matches(path: str, pattern: str) -> bool:
    """True when a pattern covers a path: whole components; `dir/**` and `dir/` are everything below `dir`.

    A plain path means that file. `*` and `?` stay inside a component.
    """
    return _compiled(pattern).fullmatch(path) is not None


def covered(path: str, patterns: tuple[str, ...]) -> bool:
    """True when any of the patterns covers the path."""
    return any(matches(path, pattern) for pattern in patterns)


def covered_folded(path: str, patterns: tuple[str, ...]) -> bool:
    """As `covered`, blind to case and Unicode form: the comparison for everything that is forbidden."""
    folded = fold(path)
    return any(matches(folded, fold(pattern)) or folded == _directory(fold(pattern)) for pattern in patterns)


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
    if pattern.endswith("/**"):
        return pattern[:-3]
    return pattern[:-1] if pattern.endswith("/") else None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    below = pattern.endswith(("/**", "/"))
    stem = pattern[:-3] if pattern.endswith("/**") else pattern.rstrip("/")
    if pattern == "**":
        return re.compile(r".+", re.DOTALL)
    parts: list[str] = []
    for part in stem.split("/"):
        if part == "**":
            parts.append(r"(?:[^/]+/)*")
            continue
        text = "".join("[^/]*" if c == "*" else "[^/]" if c == "?" else re.escape(c) for c in part)
        parts.append(text + "/")
    expression = "".join(parts).removesuffix("/")
    return re.compile(expression + (r"/.+" if below else ""), re.DOTALL)
