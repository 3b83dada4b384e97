"""What an agent is allowed when it asks first (`session/request_permission`). Pure: no one is asked.

The kind and the places are the agent's own word. Whoever does not ask, or lies, is stopped by the sandbox or not at
all; what this decides is that an honest agent does no more than its contract, and needs no person for what it may do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from esaa.agents.bounds import Bounds

HARMLESS = frozenset({"think"})
READING = frozenset({"read", "search"})
WRITING = frozenset({"edit"})
GRANTABLE = frozenset({"execute", "fetch", "other"})
"""Kinds that only a sandbox makes safe; they are refused unless it is in force and grants them."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call as the agent told it: its kind, and the project paths it is about (None: outside of the folder)."""

    kind: str
    paths: tuple[str | None, ...] = ()


def refusal(call: ToolCall, bounds: Bounds, granted: Collection[str] = ()) -> str | None:
    """Why a tool call is not allowed, or None where it is."""
    if call.kind in HARMLESS:
        return None
    if call.kind in GRANTABLE and call.kind in granted:
        return None
    if call.kind not in READING | WRITING:
        return f"a tool call of the kind {call.kind} is not granted"
    if not call.paths:
        return f"a tool call of the kind {call.kind} that names no file is not granted"
    for path in call.paths:
        if path is None:
            return "a place outside of the working directory"
        fault = bounds.read_refusal(path) if call.kind in READING else bounds.write_refusal(path)
        if fault is not None:
            return f"`{path}` {fault}"
    return None


def option_for(kinds: Sequence[tuple[str, str]], *, is_allowed: bool) -> str | None:
    """The option to choose among `(option id, kind)`; None where the request can only be cancelled.

    Never one that holds for longer than this call: `allow_always` would answer for us from then on.
    """
    wanted = "allow_once" if is_allowed else "reject_once"
    return next((option for option, kind in kinds if kind == wanted), None)
