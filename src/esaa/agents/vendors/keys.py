"""Where an API key comes from: the environment, else the system's keyring. It is held for a call, written nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

KEYRING_SERVICE = "esaa"
"""The name under which keys stand in the keyring: `keyring set esaa ANTHROPIC_API_KEY`."""


def find_key(names: Sequence[str], environ: Mapping[str, str] | None = None) -> str | None:
    """The key under the first of `names` that has one: all in the environment first, then all in the keyring."""
    variables = os.environ if environ is None else environ
    for name in names:
        if value := variables.get(name, "").strip():
            return value
    return next((found for name in names if (found := _in_keyring(name))), None)


def without_key(text: str, key: str) -> str:
    """The text with the key taken out, should a vendor have repeated it."""
    return text.replace(key, "[key]") if key else text


def _in_keyring(name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        value = keyring.get_password(KEYRING_SERVICE, name)
    except (KeyringError, OSError, RuntimeError):
        # A keyring that is locked or not there is one without a key.
        return None
    return value.strip() if value else None
