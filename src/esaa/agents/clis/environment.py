"""What a command line gets of this process's environment: the little that every program needs, and its own key."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Protocol

_EVERYBODY = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CODEX_CA_CERTIFICATE",
)
_SECRET_CHARS_MIN = 8


class Steered(Protocol):
    """What is steered by the environment: the variables that hold a key, and all others that it is meant to get."""

    @property
    def credentials(self) -> tuple[str, ...]:
        """The variables whose values must come back nowhere."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """The others."""
        ...


def handed_on(steered: Steered, names: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a command line gets: what all need, its own, and those that the actor's `env` names."""
    wanted = {*_EVERYBODY, *steered.credentials, *steered.variables, *names}
    found = {name: value for name, value in environment.items() if name in wanted or name.startswith("LC_")}
    return {"PATH": os.defpath} | {name: value for name, value in found.items() if value}


def without_secrets(data: bytes, steered: Steered, variables: Mapping[str, str]) -> bytes:
    """The bytes without the keys that were handed on: an agent may print what is in its environment."""
    for name in steered.credentials:
        secret = variables.get(name, "")
        if len(secret) >= _SECRET_CHARS_MIN:
            data = data.replace(secret.encode("utf-8", "surrogateescape"), f"[{name}]".encode())
    return data
