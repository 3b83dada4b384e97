"""Secrets that are known by their shape, wherever they stand: issuers' tokens, private keys, headers, addresses.

`is_suspicious` is the quick look that every event gets. It is a regular expression for the engine of `jsonschema-rs`
(Rust's `regex`: linear, and about twenty times as fast here as `re`). It is made of the heads of all shapes, so that it
sees everything that the exact search may find, in a plain text and in the JSON that holds it.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from esaa.redaction.secret_names import EXACT, NAME, Span, any_case, is_placeholder, looks_random

_BLANK = "[ \t\u00a0]"
_ALNUM = "[A-Za-z0-9]"


class Shape(NamedTuple):
    """Tokens of one issuer: how they begin, what follows at least, and (for the exact search alone) how they end.

    `before` is what must not stand before them.
    """

    kind: str
    start: str
    head: str
    tail: str
    before: str = _ALNUM

    def for_both(self) -> str:
        """What both engines look for."""
        return re.escape(self.start) + self.head

    def exact(self) -> re.Pattern[str]:
        """The whole token. The pattern begins with a literal, which `re` finds quickly; then it looks behind that."""
        start = re.escape(self.start)
        return re.compile(f"{start}(?<!{self.before}{start}){self.head}{self.tail}")


SHAPES = (
    Shape("aws_access_key", "A", r"(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}", r"(?![A-Za-z0-9])"),
    Shape("github_token", "gh", r"[pousr]_[A-Za-z0-9]{30}", r"[A-Za-z0-9]*+"),
    Shape("github_token", "github_pat_", r"[A-Za-z0-9_]{22}", r"[A-Za-z0-9_]*+"),
    Shape(
        "gitlab_token",
        "gl",
        r"(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas|ffct)-[A-Za-z0-9_-]{20}",
        r"[A-Za-z0-9_-]*+(?:\.[0-9a-z]{2}\.?[0-9a-z]{7})?",
    ),
    Shape("slack_token", "xox", r"[a-z](?:\.xox[bp])?-[A-Za-z0-9-]{10}", r"[A-Za-z0-9-]*+"),
    Shape("slack_token", "xapp-", r"[0-9]-[A-Za-z0-9-]{10}", r"[A-Za-z0-9-]*+"),
    Shape("slack_token", "hooks.slack.com/", r"(?:services|workflows|triggers)/[A-Za-z0-9/+_-]{20}", r"[\w/+-]*+"),
    Shape("stripe_key", "sk_", r"(?:live|test|prod)_[A-Za-z0-9]{10}", r"[A-Za-z0-9]*+"),
    Shape("stripe_key", "rk_", r"(?:live|test|prod)_[A-Za-z0-9]{10}", r"[A-Za-z0-9]*+"),
    Shape("stripe_key", "whsec_", r"[A-Za-z0-9+/=]{24}", r"[A-Za-z0-9+/=]*+"),
    Shape("anthropic_key", "sk-ant-", r"[A-Za-z0-9_-]{16}", r"[A-Za-z0-9_-]*+"),
    Shape("openai_key", "sk-", r"(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{16}", r"[A-Za-z0-9_-]*+"),
    Shape("openai_key", "sk-", r"[A-Za-z0-9]{20}", r"[A-Za-z0-9]*+"),
    Shape("google_key", "AIza", r"[A-Za-z0-9_-]{30}", r"[A-Za-z0-9_-]*+", r"[A-Za-z0-9+/_-]"),
    Shape("google_key", "GOCSPX-", r"[A-Za-z0-9_-]{20}", r"[A-Za-z0-9_-]*+"),
    Shape("google_token", "ya29.", r"[A-Za-z0-9_-]{16}", r"[A-Za-z0-9_.-]*+"),
    Shape("npm_token", "npm_", r"[A-Za-z0-9]{30}", r"[A-Za-z0-9]*+"),
    Shape("pypi_token", "pypi-", r"(?:AgE[A-Za-z0-9_-]{16}|[A-Za-z0-9_]{40})", r"[A-Za-z0-9_-]*+"),
    Shape(
        "jwt",
        "eyJ",
        r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.",
        r"[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+){0,2}",
        r"[A-Za-z0-9_-]",
    ),
    Shape("sendgrid_key", "SG.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16}", r"[A-Za-z0-9_-]*+"),
    Shape("twilio_key", "SK", r"[0-9a-fA-F]{32}", r"(?![A-Za-z0-9])"),
    Shape("azure_key", "AccountKey=", r"[A-Za-z0-9+/]{30}", r"[A-Za-z0-9+/]*+={0,2}"),
    Shape("azure_key", "SharedAccessKey=", r"[A-Za-z0-9+/]{30}", r"[A-Za-z0-9+/]*+={0,2}"),
    Shape("age_key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{40}", r"[0-9A-Z]*+"),
)
"""The issuers' tokens."""

_EXACT = tuple((shape.kind, shape.exact()) for shape in SHAPES)

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<body>(?:[^-]++|-(?!----))*+)"
    r"(?P<end>-----END [^-\r\n]{0,60}-----)?"
)
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{16}")
_AWS_PAIR = re.compile(
    r"A(?<![A-Za-z0-9]A)[KS]IA[A-Z0-9]{16}[\s,:;|\"'/]{1,4}(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
)
_URL = re.compile(r"://[^\s/:@\"'<>\[]*:(?P<value>[^\s/\"'<>]+)@")
_URL_USER = re.compile(r"://(?P<value>[^\s/:@\"'<>]{20,})@")
_AUTHORIZATION = re.compile(
    rf"{any_case('authorization')}(?:\\{{0,8}}[\"'`])?\]?\*{{0,2}}{_BLANK}{{0,8}}[:=]\*{{0,2}}{_BLANK}{{0,8}}(?:\\{{0,8}}[\"'`])?"
    rf"(?:(?P<scheme>[A-Za-z][A-Za-z0-9-]{{1,30}}){_BLANK}{{1,8}})?(?P<value>[^\s\"'`;\\]++)"
)
_REST_OF_HEADER = re.compile(r"[^'\r\n]*+")
_BEARER = re.compile(rf"{any_case('bearer')}{_BLANK}{{1,8}}(?P<value>[A-Za-z0-9._~+/-]{{16,}}+=*+)")
_BASIC = re.compile(rf"{any_case('basic')}{_BLANK}{{1,8}}(?P<value>[A-Za-z0-9+/]{{8,}}+={{0,2}})")
_COOKIE = re.compile(
    rf"{any_case('cookie')}(?:\\{{0,8}}[\"'`])?{_BLANK}{{0,8}}:{_BLANK}{{0,8}}(?:\\{{0,8}}[\"'`])?"
    r"(?P<value>[\w.-]{1,64}=[^\s\"'\\][^\r\n\"'\\]*+)"
)
_CONNECTION = re.compile(
    rf"(?:{any_case('password')}|{any_case('pwd')}){_BLANK}{{0,8}}={_BLANK}{{0,8}}(?P<value>[^;\"'\r\n]{{1,512}})"
)
_PARTS = ("address", "catalog", "database", "host", "server", "source", "uid", "user", "user id", "username")
_CONNECTION_PART = re.compile(rf"(?:{'|'.join(map(any_case, _PARTS))}){_BLANK}{{0,8}}=")
_CURL = re.compile(r"-(?<=[ \"']-)(?:u|-(?:proxy-)?user)[ =]?[\"']?[^\s:\"'\[]{1,128}:(?P<value>[^\s\"']+)")

_SCHEMES_OF_MANY_PARTS = frozenset({"digest", "aws4-hmac-sha256", "hawk", "oauth", "signature"})
_SCHEMES = frozenset({"bearer", "basic", "token", "apikey", "negotiate", "ntlm"}) | _SCHEMES_OF_MANY_PARTS
_SPOKEN_OF = frozenset({"token", "tokens", "auth", "authentication", "authorization", "header", "headers", "scheme"})
_NEAR = 400


def shaped_secrets(text: str) -> Iterator[Span]:
    """Issuers' tokens, from left to right for each issuer."""
    for kind, pattern in _EXACT:
        for found in pattern.finditer(text):
            yield Span(*found.span(), kind)


def private_keys(text: str) -> Iterator[Span]:
    """Private keys with their header and footer; without a footer (the text was cut), up to the next header."""
    for found in _PEM.finditer(text):
        if found["end"] or _KEY_LINE.search(found["body"]):
            yield Span(*found.span(), "private_key")


def keys_beside_ids(text: str) -> Iterator[Span]:
    """AWS secret keys that follow their access key id."""
    return _values(_AWS_PAIR, "aws_secret_key", text)


def passwords_in_urls(text: str) -> Iterator[Span]:
    """Passwords in addresses."""
    return _values(_URL, "url_password", text)


def users_in_urls(text: str) -> Iterator[Span]:
    """Tokens that take the place of the user in an address."""
    return (span for span in _values(_URL_USER, "url_password", text) if looks_random(text[span.start : span.end]))


def connection_strings(text: str) -> Iterator[Span]:
    """Passwords of connection strings (`Server=...;Password=...;`), which may hold spaces."""
    parts = [found.start() for found in _CONNECTION_PART.finditer(text)]
    for span in _values(_CONNECTION, "connection_string", text) if parts else ():
        number = bisect_left(parts, span.start)
        before = text[max(parts[number - 1], span.start - _NEAR) : span.start] if number else ""
        follows = number < len(parts) and text[span.end : parts[number]].strip() in (";", ";Data", ";Initial")
        if follows or (parts[number - 1] >= span.start - _NEAR and ";" in before and "\n" not in before):
            yield span


def authorizations(text: str) -> Iterator[Span]:
    """Credentials of `Authorization` headers, with a known scheme or random to the eye."""
    position = 0
    while (found := _AUTHORIZATION.search(text, position)) is not None:
        scheme = (found["scheme"] or "").lower()
        group = "value" if not scheme or scheme in _SCHEMES else "scheme"
        begin, position = found.span(group)
        value = text[begin:position]
        if is_placeholder(value) or value.lower().rstrip(".,:)") in _SPOKEN_OF:
            continue
        if scheme in _SCHEMES_OF_MANY_PARTS:
            rest = _REST_OF_HEADER.match(text, position)
            position = rest.end() if rest else position
        elif scheme not in _SCHEMES and not (len(value) >= 16 and looks_random(value)):
            continue
        yield Span(begin, position, "authorization")


def bearers(text: str) -> Iterator[Span]:
    """`Bearer ...` without its header, where the rest is random to the eye."""
    return (span for span in _values(_BEARER, "authorization", text) if looks_random(text[span.start : span.end]))


def basics(text: str) -> Iterator[Span]:
    """`Basic ...` without its header, where the rest is the base64 of `user:password`."""
    for span in _values(_BASIC, "authorization", text):
        value = text[span.start : span.end]
        try:
            pair = binascii.a2b_base64(value + "=" * (-len(value) % 4))
        except binascii.Error:
            continue
        if b":" in pair and pair.isascii():
            yield span


def cookies(text: str) -> Iterator[Span]:
    """The cookies of `Cookie` and `Set-Cookie` headers."""
    return _values(_COOKIE, "cookie", text)


def curl_users(text: str) -> Iterator[Span]:
    """Passwords on curl's command line (`curl -u user:password`)."""
    for span in _values(_CURL, "url_password", text):
        if "curl" in text[max(0, span.start - _NEAR) : span.start]:
            yield span


FINDERS: tuple[Callable[[str], Iterator[Span]], ...] = (
    private_keys,
    keys_beside_ids,
    passwords_in_urls,
    users_in_urls,
    connection_strings,
    authorizations,
    cookies,
    curl_users,
    shaped_secrets,
    bearers,
    basics,
)


def _values(pattern: re.Pattern[str], kind: str, text: str) -> Iterator[Span]:
    for found in pattern.finditer(text):
        if not is_placeholder(found["value"]):
            yield Span(*found.span("value"), kind)


@cache
def _engine() -> Callable[[str], bool]:
    import jsonschema_rs  # here, because most commands record nothing

    gap = "[\\\\\"'`\\]*\\st\u00a0]*"
    names = f"{NAME}{gap}[:=>]"
    flags = f"-(?:[A-Za-z0-9_.-]*{NAME}|{any_case('pwd')}[0-9_-]*)[ \t\"'`\\\\\\]*\u00a0]"
    exact = "|".join(any_case(name).replace("-", "[_-]") for name in EXACT)
    pattern = "|".join(
        (
            *(shape.for_both() for shape in SHAPES),
            "PRIVATE KEY",
            r"://[^\s/:@\"'<>]*:[^\s/\"'<>]+@",
            r"://[^\s/:@\"'<>]{20,}@",
            names,
            flags,
            f'"(?:name|key)"\\s{{0,4}}:\\s{{0,4}}"[^"]*{NAME}"',
            f'"(?:{exact})"\\s{{0,4}}:\\s{{0,4}}["\\[{{]',
            f"<(?:{exact})>",
            f"{any_case('authorization')}{gap}[:=]",
            f"{any_case('cookie')}{gap}:",
            f"{any_case('pwd')}{gap}=",
            f"{any_case('bearer')}[ \t\\\\\u00a0][ \tt\\\\\u00a0]*[A-Za-z0-9._~+/-]{{16}}",
            f"{any_case('basic')}[ \t\\\\\u00a0][ \tt\\\\\u00a0]*[A-Za-z0-9+/]{{8}}",
            r"[ \"'](?:-u|--(?:proxy-)?user)[ =]?[\\\"']*[^\s:\"']+:",
            r"\\u00[2-7aA]|\\/",  # escapes that could hide the rest; compact JSON has none
        )
    )
    check: Callable[[str], bool] = jsonschema_rs.validator_for({"pattern": pattern}).is_valid
    return check


def is_suspicious(text: str) -> bool:
    """False for a text, or the JSON of a text, in which no secret can be found. Quick, and linear in the length."""
    try:
        return _engine()(text)
    except UnicodeEncodeError:  # lone surrogates, which no JSON holds
        return True
