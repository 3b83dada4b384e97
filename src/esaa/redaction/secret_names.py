"""Names that announce a secret (`password`, `DB_TOKEN`, `x-api-key`), and the values that stand behind them in text.

A name decides by its end, so `total_tokens`, `token_count` and `secret_scan` announce nothing. Where a text could be
prose or code (`password: str`, `token = get_token()`), the value must look like a secret; where it is a plain
assignment (`password=...`), nearly everything does. In doubt a value is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

MARKER = r"\[redacted:[a-z_]+\]"
"""What stands in the place of a secret."""


class Span(NamedTuple):
    """A secret in a text: where it begins and ends, and its kind."""

    start: int
    end: int
    kind: str


def any_case(text: str) -> str:
    """A pattern for `text` in upper and lower case. Unlike a flag, it lets `re` skip to the first letter quickly."""
    return re.sub(r"[a-z]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", text)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_S = "[ _.-]?"
_KEYS = ("access", "account", "api", "auth", "encryption", "master", "private", "secret", "shared", "signing")
NAME = (
    "(?:"
    + "|".join(
        (
            any_case("pass") + "[_-]?" + any_case("word"),
            any_case("passwd"),
            any_case("pass") + "[_-]?" + any_case("phrase"),
            "[_-]" + any_case("pwd"),
            "_PASS",
            *(any_case(word) + _S + any_case("key") for word in _KEYS),
            any_case("secret_key_base"),
            any_case("secret"),
            any_case("token"),
        )
    )
    + ")(?:[_-]?[0-9]{1,2})?"
)
"""The ends of names that announce a secret, for both regex engines that are in use."""

EXACT = {
    "authorization": "authorization",
    "proxy-authorization": "authorization",
    "cookie": "cookie",
    "cookies": "cookie",
    "set-cookie": "cookie",
    "credential": "secret",
    "credentials": "secret",
}
"""Keys that announce a secret only as they are, with the kind of it (`_` counts as `-`)."""

_ENDING = re.compile(f"({NAME})\\Z")
_OPENING = "[redacted:"
_MARKER = re.compile(MARKER)
_MARKERS_ONLY = re.compile(rf"(?:{MARKER})+[,.)\]}}>:]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# The words before `token` that make it a cursor, a count or a piece of text.
_HARMLESS_TOKENS = _words(
    "bos cls continuation eos mask max min next pad page per resume sep special start stop sync unk"
)
_KINDS = (("pass", "password"), ("pwd", "password"), ("token", "token"), ("api", "api_key"), ("private", "private_key"))
_AWS = re.compile(r"secret[ _.-]?access[ _.-]?key[0-9_-]*\Z", re.IGNORECASE)

_BLANK = "[ \t\u00a0]"
_ASSIGNED = re.compile(
    rf"(?P<name>{NAME})(?:\\{{0,8}}[\"'`])?\]?\*{{0,2}}"
    rf"(?:(?P<sep>{_BLANK}{{0,8}}(?:=>|:=|={{1,3}}|:(?!:))\*{{0,2}}{_BLANK}{{0,8}})|(?P<gap>{_BLANK}{{1,8}}))"
    r"(?:[bBfFrRuU@$]{0,2}"
    r"(?:\"\"\"(?P<triple>[^\"]++)|'''(?P<ticks>[^']++)"
    r"|\"(?P<double>(?:[^\"\\\r\n]++|\\.)++)"
    r"|(?P<level>\\{1,8})\"(?P<nested>(?:[^\"\\\r\n]++|(?!(?P=level)\")\\++\"?)++)"
    r"|\\{0,8}'(?P<single>(?:[^'\\\r\n]++|\\.)++)|`(?P<back>[^`\r\n]++))"
    r"|(?P<bare>(?=[^\s\"'`&;])))"
)
_BARE = re.compile(r"[^\s\"'`&;]++")
_ELEMENT = re.compile(r"<(?P<name>[A-Za-z0-9_.:-]{1,128}+)>(?P<value>[^<\r\n]++)</")
_BEFORE = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_BEFORE_MAX = 64
_CLOSING = ",.)]}>:"
_HARMLESS_MAX = 256  # A longer value is never harmless, which also keeps the search linear.

_PLACEHOLDER = re.compile(
    r"\$\{[^}]*\}|\$\([^)]*\)?|\{\{.*|\{[A-Za-z_.]+\}|<[A-Za-z _.-]{1,60}>|%\([a-z_]+\)s|%s|[$%](?P<variable>[A-Z_]+)%?"
    r"|\*+|\.{3}|[xX]{3,}|//.*|!(?:secret|vault|env|Ref|Sub|GetAtt)|(?:env|file|vault|op|ssm|arn|keychain|keyring):.*"
)
_NOTHING = _words("true false yes no null none nil undefined str string")
_PROSE = _NOTHING | _words(
    """
    a access an and any are argument as at auth authentication authorization be bearer bool boolean bytes by can change
    changed check checked empty encrypted expired field flag for from has hashed hashing header in input int invalid is
    it key keys missing must name not object of on option optional or parameter policy prompt refresh required reset
    revoked rotated rotation session set strength text that the this to token tokens type unset valid validation value
    via was with
    """
)
_CALL = re.compile(r"[A-Za-z_][A-Za-z_.:>-]*\((?:.*\))?")
_GENERIC = re.compile(r"[A-Z]\w*[<\[][\w<>\[\], .|]*")
_PATH_OF_NAMES = re.compile(r"[$@]?[A-Za-z_]\w*(?:(?:\.|->|::|\[)[\w\]]*)*")
_ROOTS = _words(
    "args auth body cfg config context ctx data env form kwargs options opts os params payload process req request"
    " secrets self settings this user"
)
_ORDINARY = re.compile(
    r"[A-Z][A-Z0-9]*-[0-9]+|v?[0-9]+(?:\.[0-9]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.Z+-]+"  # an issue, a version, a time
    r"|[\w.-]*/[\w./-]*\.[a-z]{1,5}(?::[0-9]+)*"  # a line of a file
)
_SPOKEN = re.compile(r"[Pp]ass[ -]?(?:word|phrase)")
_WORDS = re.compile(r"[A-Za-z_./'-]*")

_Form = Literal["quoted", "tight", "flag", "loose"]


@lru_cache(maxsize=1024)
def kind_of_name(name: str) -> str | None:
    """The kind of secret that a key or variable of this name holds; None for a name that announces none."""
    found = _ENDING.search(name)
    if found is None:
        return EXACT.get(name.lower().replace("_", "-"))
    ending = re.sub(r"[^a-z]", "", found[1].lower())
    if ending == "token":
        words = _WORD.findall(name[-_BEFORE_MAX:])
        if len(words) > 1 and words[-2].lower() in _HARMLESS_TOKENS:
            return None
    if _AWS.search(name):
        return "aws_secret_key"
    if ending in ("accountkey", "sharedkey"):
        return "azure_key"
    return next((kind for start, kind in _KINDS if ending.startswith(start)), "secret")


def is_placeholder(value: str) -> bool:
    """True for what stands for a secret without being one: nothing, `***`, `${TOKEN}`, `<token>`, a marker."""
    value = value.strip()
    if not value or _MARKERS_ONLY.fullmatch(value):
        return True
    if len(value) > _HARMLESS_MAX:
        return False
    if value.lower() in _NOTHING:
        return True
    found = _PLACEHOLDER.fullmatch(value.rstrip(",)"))
    return found is not None and (found["variable"] is None or kind_of_name(found["variable"]) is not None)


def is_kind_of_marker(text: str, start: int) -> bool:
    """True where the kind of a marker begins, which is a name too."""
    return start >= len(_OPENING) and _MARKER.match(text, start - len(_OPENING)) is not None


def looks_random(value: str) -> bool:
    """True for letters and digits mixed, and for long runs of mixed case; not for times, versions, issues and paths."""
    letters = any(char.isalpha() for char in value)
    digits = any(char.isdigit() for char in value)
    if letters and digits:
        return len(value) >= 5 and _ORDINARY.fullmatch(value) is None
    return len(value) >= 20 and value.isalpha() and not value.islower() and not value.isupper()


def assigned_secrets(text: str) -> Iterator[Span]:
    """Values that a text assigns to a name that announces a secret, from left to right."""
    position = 0
    while (found := _ASSIGNED.search(text, position)) is not None:
        span = _span(text, found)
        if span is None:
            position = found.end("name")
        else:
            yield span
            position = span.end


def secrets_in_elements(text: str) -> Iterator[Span]:
    """Values of XML elements whose name announces a secret (`<password>...</password>`)."""
    for found in _ELEMENT.finditer(text):
        kind = kind_of_name(found["name"])
        if kind is not None and not is_placeholder(found["value"]):
            yield Span(*found.span("value"), kind)


def _span(text: str, found: re.Match[str]) -> Span | None:
    """The secret of one assignment; None where the name announces none, or the value is harmless."""
    start = found.start("name")
    first = start
    if start and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
        before = _BEFORE.search(text, max(0, start - _BEFORE_MAX), start)
        first = before.start() if before else start
    name = text[first : found.end("name")]
    kind = kind_of_name(name)
    if kind is None or is_kind_of_marker(text, first):
        return None
    group = found.lastgroup or "bare"
    form = _form(text, found, name, group)
    if form is None:
        return None
    begin, end = found.span(group)
    if group == "bare" and (bare := _BARE.match(text, begin)) is not None:
        end = bare.end()
        if text.endswith("://", 0, first) and "@" in bare[0]:
            return None  # the user and password of an address, which is seen to elsewhere
    if is_placeholder(text[begin:end]):
        return None
    if group == "bare":
        if end - begin <= _HARMLESS_MAX and _CALL.fullmatch(text[begin:end].rstrip(",.:")):
            return None
        end = begin + len(text[begin:end].rstrip(_CLOSING))
    value = text[begin:end]
    if not value or (len(value) <= _HARMLESS_MAX and _is_harmless(value, kind, form, name, text[end : end + 4])):
        return None
    return Span(begin, end, kind)


def _form(text: str, found: re.Match[str], name: str, group: str) -> _Form | None:
    """How the value is tied to the name; None where it is not."""
    if found["gap"] is not None:
        if not name.startswith("-") or text.startswith("-", found.start(group)):
            return None
        return "flag" if group == "bare" else "quoted"
    if group != "bare":
        return "quoted"
    return "tight" if found["sep"] == "=" or name[:2] in ("x-", "X-") else "loose"


def _is_harmless(value: str, kind: str, form: _Form, name: str, rest: str) -> bool:
    """True for a value that is no secret: prose, code, a number behind `token`. `rest` is how the text goes on."""
    if not value or form == "quoted":
        return is_placeholder(value)
    if value.lower() in (_NOTHING if form == "tight" else _PROSE) or is_placeholder(value):
        return True
    if value.isdigit():
        return kind != "password" or len(value) < 4
    if _is_code(value, kind, form, name):
        return True
    if form != "loose" or _is_never_spoken(name, kind):
        return False
    if kind != "password":
        return not looks_random(value)
    if _WORDS.fullmatch(value) is None:
        return False
    # One word at the end of a line is the value of a configuration or an answer; within a line it is prose.
    ends_line = rest.lstrip(" \t.,*")[:1] in ("", "\r", "\n")
    return not (ends_line and value.isalpha() and len(value) >= 4)


def _is_never_spoken(name: str, kind: str) -> bool:
    """True for a name that no prose has, such as `passwd` or `API_TOKEN`: what follows it is its value."""
    return _SPOKEN.fullmatch(name) is None if kind == "password" else name.isupper() and "_" in name


def _is_code(value: str, kind: str, form: _Form, name: str) -> bool:
    """True for an expression that yields a secret and is none: `get_token()`, `self.token`, `Optional[str]`."""
    if f"-{name}".lower().endswith(tuple(f"{mark}{value.lower()}" for mark in "_.-")) or _GENERIC.fullmatch(value):
        return True
    if _PATH_OF_NAMES.fullmatch(value) is None:
        return False
    parts = re.split(r"\.|->|::|\[", value.lstrip("$@"))
    if len(parts) > 1:
        return parts[0] in _ROOTS or kind_of_name(parts[-1].rstrip("]")) is not None
    if kind_of_name(value) is None or any(char.isdigit() for char in value):
        return False
    return kind != "password" or form == "loose" or value[0] in "$@"
