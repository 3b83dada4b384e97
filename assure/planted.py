"""Secrets to plant: of every issuer and every form that is known, each with a mark by which it is found anywhere."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Iterator

MARK = re.compile(rb"(?i)zxq7[0-9a-f]{8}|f00dfeed[0-9a-f]{8}")
"""What every planted text holds, and nothing else does. Twilio's keys are hexadecimal, so theirs is too."""

_ALNUM = string.ascii_letters + string.digits
Form = Callable[[str, random.Random], str]


def mark(number: int) -> str:
    """The mark of a planted text."""
    return f"zxq7{number:08x}"


def hex_mark(number: int) -> str:
    """The mark of a planted text that may hold hexadecimal digits only."""
    return f"f00dfeed{number:08x}"


def planted(draw: random.Random, first: int) -> Iterator[tuple[str, str, str]]:
    """Secrets without end: the mark, the form's name, and a text that holds the secret once."""
    number = first
    while True:
        for name, form in FORMS.items():
            own = hex_mark(number) if name == "twilio" else mark(number)
            yield own, name, form(own, draw)
            number += 1


def _some(draw: random.Random, count: int, letters: str = _ALNUM) -> str:
    return "".join(draw.choices(letters, k=count))


def _jwt(own: str, draw: random.Random) -> str:
    return f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi{own}{_some(draw, 20)}.{_some(draw, 43)}"


def _pem(own: str, draw: random.Random) -> str:
    body = "\n".join([own + _some(draw, 52), _some(draw, 64), _some(draw, 64)])
    return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"


FORMS: dict[str, Form] = {
    "github": lambda own, draw: f"ghp_{own}{_some(draw, 24)}",
    "github fine-grained": lambda own, draw: f"github_pat_{own}{_some(draw, 60)}",
    "gitlab": lambda own, draw: f"glpat-{own}{_some(draw, 8)}",
    "aws": lambda own, draw: f"AKIA{own.upper()}{_some(draw, 4, string.ascii_uppercase)}",
    "slack": lambda own, draw: f"xoxb-{own}-{_some(draw, 24)}",
    "stripe": lambda own, draw: f"sk_live_{own}{_some(draw, 12)}",
    "anthropic": lambda own, draw: f"sk-ant-api03-{own}{_some(draw, 60)}",
    "openai": lambda own, draw: f"sk-proj-{own}{_some(draw, 36)}",
    "google": lambda own, draw: f"AIza{own}{_some(draw, 23)}",
    "google token": lambda own, draw: f"ya29.{own}{_some(draw, 40)}",
    "npm": lambda own, draw: f"npm_{own}{_some(draw, 24)}",
    "pypi": lambda own, draw: f"pypi-AgE{own}{_some(draw, 60)}",
    "sendgrid": lambda own, draw: f"SG.{own}{_some(draw, 10)}.{_some(draw, 43)}",
    "twilio": lambda own, draw: f"SK{own}{_some(draw, 16, '0123456789abcdef')}",
    "azure": lambda own, draw: f"AccountKey={own}{_some(draw, 74)}==",
    "age": lambda own, draw: f"AGE-SECRET-KEY-1{own.upper()}{_some(draw, 46, string.ascii_uppercase)}",
    "jwt": _jwt,
    "private key": _pem,
    "address": lambda own, draw: f"postgres://app:{own}{_some(draw, 8)}@db.internal:5432/app",
    "bearer": lambda own, draw: f"Authorization: Bearer {own}{_some(draw, 28)}",
    "cookie": lambda own, draw: f"Cookie: session={own}{_some(draw, 20)}",
    "assignment": lambda own, draw: f"DB_PASSWORD={own}{_some(draw, 8)}",
    "json": lambda own, draw: f'{{"client_secret": "{own}{_some(draw, 12)}"}}',
    "command line": lambda own, draw: f"mysql --password={own}{_some(draw, 6)} -h db",
    "curl": lambda own, draw: f"curl -u admin:{own}{_some(draw, 6)} https://example.org/",
    "connection string": lambda own, draw: f"Server=db;User ID=sa;Password={own}{_some(draw, 6)};Encrypt=yes",
}
"""How secrets look. Each takes the mark."""
