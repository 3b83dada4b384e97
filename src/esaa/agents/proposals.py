"""An agent's own changes as a proposal: what it did to its private tree becomes the `file_updates` of its result.

The result is judged like any other; nothing here decides whether a file may be written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from esaa.agents.private_tree import Change
from esaa.kernel.canonical import compact, sha256_hex
from esaa.kernel.strict_json import NotStrict, loads_strict

_NAMED_MAX = 5


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A result with the changes in it, and what was done with them beyond what the agent had declared."""

    result: bytes
    remarks: tuple[str, ...] = ()


def proposed(result: bytes, changes: Sequence[Change], declared: Collection[str]) -> Proposal:
    """The agent's result with its changes as file updates, where it is a `complete`; else the result as it is.

    A file that was there before becomes an edit of what the agent had seen, so that a change by somebody else is
    noticed. For a file that is in the result and was changed in the tree too, the tree counts: that is what the agent's
    checks ran on. `declared` are the outputs that the task names.
    """
    if not changes:
        return Proposal(result=result)
    paths = [change.path for change in changes]
    try:
        value: Any = loads_strict(result)  # whatever the agent printed
    except NotStrict:
        return Proposal(result=result)  # refused as it is; there is nothing to add to
    event = value.get("activity_event") if isinstance(value, dict) else None
    updates = value.get("file_updates") or [] if isinstance(value, dict) else None
    if not isinstance(event, dict) or event.get("action") != "complete" or not isinstance(updates, list):
        return Proposal(
            result=result, remarks=_told("changed", paths, "its result is no `complete`, so it was dropped")
        )
    said = [update for update in updates if not isinstance(update, dict) or update.get("path") not in paths]
    twice = sorted({update["path"] for update in updates if isinstance(update, dict) and update.get("path") in paths})
    beyond = [path for path in paths if path not in declared] if declared else []
    remarks = _told("changed", beyond, "the task does not declare it as an output")
    remarks += _told("both changed and sent", twice, "what it changed was taken")
    made = compact({**value, "file_updates": [*said, *(file_update(change) for change in changes)]})
    return Proposal(result=made, remarks=remarks)


def file_update(change: Change) -> dict[str, Any]:
    """One change in the words of the protocol: the whole text of a new file, else one edit of the text before."""
    after = change.after.decode()
    if not change.before:
        return {"path": change.path, "content": after}
    try:
        before = change.before.decode()
    except UnicodeDecodeError:
        return {"path": change.path, "content": after}
    old, new = _differing(before, after)
    return {
        "path": change.path,
        "base_sha256": sha256_hex(change.before),
        "edits": [{"old_string": old, "new_string": new}],
    }


def _differing(before: str, after: str) -> tuple[str, str]:
    """The part that differs, in whole lines, with as much around it as makes the old part stand once."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    shared = min(len(old), len(new))
    first = next((at for at in range(shared) if old[at] != new[at]), shared)
    last = next((at for at in range(shared - first) if old[-1 - at] != new[-1 - at]), shared - first)
    while first or last:
        text = "".join(old[first : len(old) - last])
        if text and _stands_once(text, before):
            break
        first, last = max(first - 1, 0), max(last - 1, 0)
    return "".join(old[first : len(old) - last]), "".join(new[first : len(new) - last])


def _stands_once(text: str, whole: str) -> bool:
    at = whole.find(text)
    return whole.find(text, at + 1) < 0


def _told(verb: str, paths: Sequence[str], why: str) -> tuple[str, ...]:
    if not paths:
        return ()
    shown = ", ".join(paths[:_NAMED_MAX])
    more = f" and {len(paths) - _NAMED_MAX} more" if len(paths) > _NAMED_MAX else ""
    return (f"The agent {verb} {shown}{more}: {why}.",)
