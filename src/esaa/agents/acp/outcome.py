"""From the last message of a session to the bytes of an agent result."""

from __future__ import annotations

import re

_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)


def the_json_in(said: str) -> bytes:
    """The one fenced block of a message, where it holds exactly one: a model in a chat wraps its JSON so. Else all of
    it: what is no JSON object is the orchestrator's to refuse."""
    fenced = _FENCED.findall(said)
    return str(fenced[0] if len(fenced) == 1 else said).strip().encode("utf-8", "surrogatepass")
