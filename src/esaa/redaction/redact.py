"""Secrets are taken out before they reach the disk: from the metadata of an event, keys as well as values.

What was taken out leaves `[redacted:KIND]` in its place and a note for the event, never the secret itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from esaa.kernel.canonical import compact
from esaa.redaction.note import Redaction
from esaa.redaction.secret_names import (
    NAME,
    Span,
    assigned_secrets,
    is_kind_of_marker,
    is_placeholder,
    kind_of_name,
    secrets_in_elements,
)
from esaa.redaction.secret_shapes import FINDERS, is_suspicious

KINDS: dict[str, str] = {
    "age_key": "secret keys of age (AGE-SECRET-KEY-1...)",
    "anthropic_key": "API keys of Anthropic (sk-ant-...)",
    "api_key": "values named api_key, apikey or x-api-key",
    "authorization": "credentials of Authorization headers (Bearer, Basic, Digest ...); values named authorization",
    "aws_access_key": "access key ids of AWS (AKIA..., ASIA...)",
    "aws_secret_key": "values named secret_access_key, and the 40 characters beside an access key id",
    "azure_key": "AccountKey=... and SharedAccessKey=... of Azure; values named account_key or shared_key",
    "connection_string": "Password=... and Pwd=... between the parts of a connection string",
    "cookie": "Cookie and Set-Cookie headers; values named cookie",
    "github_token": "tokens of GitHub (ghp_, gho_, ghu_, ghs_, ghr_, github_pat_)",
    "gitlab_token": "tokens of GitLab (glpat-, gldt-, glrt- and others)",
    "google_key": "API keys (AIza...) and client secrets (GOCSPX-...) of Google",
    "google_token": "OAuth access tokens of Google (ya29....)",
    "jwt": "JSON Web Tokens: a base64url header that begins with eyJ, and two further parts",
    "npm_token": "access tokens of npm (npm_...)",
    "openai_key": "API keys of OpenAI and of services like it (sk-..., sk-proj-...)",
    "password": "values named password, passwd or passphrase: in JSON, assignments, settings and command lines",
    "private_key": "PEM blocks of private keys (RSA, EC, OPENSSH, PGP and others); values named private_key",
    "pypi_token": "API tokens of PyPI (pypi-...)",
    "secret": "values named secret, client_secret, access_key, secret_key, credentials and the like",
    "sendgrid_key": "API keys of SendGrid (SG....)",
    "slack_token": "tokens of Slack (xoxb-, xoxp- and others, xapp-) and webhook addresses",
    "stripe_key": "secret and restricted keys of Stripe (sk_live_, rk_live_ and those for tests), webhook secrets",
    "token": "values named token, access_token, session_token and the like; no counts, no page tokens",
    "twilio_key": "API keys of Twilio (SK and 32 hex digits)",
    "url_password": "passwords, and long random user names, in addresses (scheme://user:password@host); curl -u",
}
"""Every kind of secret, with what is recognised as one."""


_PASSES_MAX = 8
_NAME_MAX = 128  # A name decides by its end.
_FLAG = re.compile(f"--?[A-Za-z0-9_.-]{{0,64}}{NAME}")
# Inside an object that is named like a secret, these keys hold the secret itself.
_INNER = frozenset({"value", "raw", "data", "key", "pass", "plain", "plaintext", "text"})

_Finder = Callable[[str], Iterator[Span]]
_FINDERS: tuple[_Finder, ...] = (*FINDERS, secrets_in_elements, assigned_secrets)


def redact(metadata: bytes) -> tuple[bytes, tuple[Redaction, ...]]:
    """Metadata (strict, compact JSON) without its secrets, and a note for each field that held some.

    Where there is none, the bytes are the ones that were given. Redacting twice finds nothing new. A value whose key
    names a secret is replaced whole, whatever it looks like; numbers, booleans and null stay. Raises
    `msgspec.DecodeError` for bytes that are no JSON and look as if they held a secret.
    """
    if not is_suspicious(metadata.decode("utf-8", "replace")):
        return metadata, ()
    holder = {"": msgspec.json.decode(metadata)}
    walk = _Walk()
    walk.over(holder)
    if not walk.notes:
        return metadata, ()
    return compact(holder[""]), walk.redactions()


def redact_text(text: str) -> tuple[str, tuple[Redaction, ...]]:
    """A plain text without its secrets, and a note for each kind; the same text where there is none."""
    if not is_suspicious(text):
        return text, ()
    clean, kinds = _clean(text)
    return clean, tuple(Redaction(kind=kind, path="", count=count) for kind, count in kinds.items())


def _clean(text: str) -> tuple[str, Counter[str]]:
    """The text without secrets. One pass can leave behind what the next one sees, so it ends when nothing changes."""
    kinds: Counter[str] = Counter()
    before, passes = "", 0
    while text != before and passes < _PASSES_MAX:
        before, passes = text, passes + 1
        for finder in _FINDERS:
            text = _without(text, finder, kinds)
    return text, kinds


def _without(text: str, finder: _Finder, kinds: Counter[str]) -> str:
    pieces: list[str] = []
    done = 0
    for span in sorted(finder(text)):
        if span.start >= done and not is_kind_of_marker(text, span.start):
            pieces += (text[done : span.start], f"[redacted:{span.kind}]")
            done = span.end
            kinds[span.kind] += 1
    return text if not pieces else "".join((*pieces, text[done:]))


class _Walk:
    """One way through decoded JSON, replacing in place. It does not recurse, so depth costs no stack."""

    def __init__(self) -> None:
        self.notes: Counter[tuple[str, str]] = Counter()
        self._open: list[tuple[Any, str, str | None]] = []

    def redactions(self) -> tuple[Redaction, ...]:
        """A note for each field and kind, in the order in which they were found."""
        return tuple(Redaction(kind=kind, path=path, count=count) for (path, kind), count in self.notes.items())

    def over(self, holder: dict[str, Any]) -> None:
        """Replaces every secret below the one key of `holder`, which is the document itself."""
        holder[""] = self._value(holder[""], "", None)
        while self._open:
            container, path, kind = self._open.pop()
            if isinstance(container, dict):
                self._object(container, path, kind)
            else:
                self._array(container, path, kind)

    def _object(self, value: dict[str, Any], path: str, kind: str | None) -> None:
        fields = list(value.items())
        named = value.get("name", value.get("key"))
        value.clear()
        for key, item in fields:
            clean = self._key(key, value, path)
            below = kind_of_name(clean[-_NAME_MAX:])
            if below is None and kind and clean in _INNER:
                below = kind
            if below is None and clean == "value" and isinstance(named, str):
                below = kind_of_name(named[-_NAME_MAX:])
            value[clean] = self._value(item, f"{path}/{_escaped(clean)}", below)

    def _array(self, value: list[Any], path: str, kind: str | None) -> None:
        flag: str | None = None
        for number, item in enumerate(value):
            below = kind
            if flag is not None and isinstance(item, str) and not item.startswith("-"):
                below = flag
            flag = kind_of_name(item) if isinstance(item, str) and _FLAG.fullmatch(item) else None
            value[number] = self._value(item, f"{path}/{number}", below)

    def _value(self, value: Any, path: str, kind: str | None) -> Any:
        if isinstance(value, str):
            return self._text(value, path, kind)
        if isinstance(value, dict | list):
            self._open.append((value, path, kind))
        return value

    def _text(self, text: str, path: str, kind: str | None) -> str:
        if kind is not None and is_placeholder(text):
            return text
        if not is_suspicious(text):
            clean, kinds = text, Counter[str]()
        else:
            clean, kinds = _clean(text)
        if kind is not None:
            kind = next(iter(kinds), kind)
            self.notes[path, kind] += 1
            return f"[redacted:{kind}]"
        for each, count in kinds.items():
            self.notes[path, each] += count
        return clean

    def _key(self, key: str, taken: dict[str, Any], path: str) -> str:
        """The key without secrets; numbered where two keys would become one."""
        clean, kinds = _clean(key) if is_suspicious(key) else (key, Counter[str]())
        base, number = clean, 1
        while clean in taken:
            number += 1
            clean = f"{base}#{number}"
        for kind, count in kinds.items():
            self.notes[f"{path}/{_escaped(clean)}", kind] += count
        return clean


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
