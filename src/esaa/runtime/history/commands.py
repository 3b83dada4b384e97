"""The command line that gives an answer of the time machine again."""

from __future__ import annotations

import shlex

from esaa.history.past import Past


def command(past: Past, *words: str | int | None) -> str:
    """`esaa` and these words, quoted for a shell; those that are None are left out. A stream is named by its key."""
    said = [str(word) for word in words if word is not None]
    return shlex.join(["esaa", *said, *(["--issue", past.name] if past.kind == "trail" else [])])


def option(name: str, value: str | int | None) -> tuple[str, ...]:
    """An option of a command, where it has a value."""
    return () if value is None or value == "" else (name, str(value))
