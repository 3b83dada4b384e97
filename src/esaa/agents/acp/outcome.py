"""From what was said and written in a session to one agent result."""

from __future__ import annotations

import re
from collections.abc import Sequence

from esaa.agents.private_tree import Change
from esaa.kernel.canonical import compact
from esaa.kernel.strict_json import NotStrict, loads_strict

_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)


def agent_result(said: str, changed: Sequence[Change]) -> bytes:
    """The agent result in the last message, with the files that were changed in the session.

    Where the message holds exactly one fenced block, that block is the answer: a model in a chat wraps its JSON so.
    Otherwise the whole message is. What is no JSON object stays as it is, for the orchestrator to refuse. Files are
    added to a `complete` only, as its `file_updates`; one that the answer names too, with another content, stands in
    it twice, and is refused as such.
    """
    fenced = _FENCED.findall(said)
    data = (fenced[0] if len(fenced) == 1 else said).strip().encode("utf-8", "surrogatepass")
    if not changed:
        return data
    try:
        answer = loads_strict(data)
    except NotStrict:
        return data
    event = answer.get("activity_event") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(event, dict) or event.get("action") != "complete":
        return data
    declared = answer.get("file_updates", [])
    if not isinstance(declared, list):
        return data
    updates: list[object] = [{"path": one.path, "content": one.after.decode()} for one in changed]
    updates = [*declared, *(update for update in updates if update not in declared)]
    return compact({**answer, "file_updates": updates})
