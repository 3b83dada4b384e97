"""The fake agent: a function answers. Its default script does what a contract asks and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from esaa.agents.base import Answer, Dispatch
from esaa.kernel.canonical import compact

Script = Callable[[Dispatch, dict[str, Any]], dict[str, Any] | bytes]


class ScriptedAgent:
    """Answers by calling `script` with the dispatch and its decoded context."""

    takes_prompt = False
    is_repeatable = True

    def __init__(self, script: Script | None = None) -> None:
        self._script = obedient if script is None else script

    async def answer(self, dispatch: Dispatch) -> Answer:
        """The script's answer, encoded where it is an object."""
        answer = self._script(dispatch, json.loads(dispatch.context))
        return Answer(result=answer if isinstance(answer, bytes) else compact(answer))


def obedient(dispatch: Dispatch, context: dict[str, Any]) -> dict[str, Any]:
    """Claims, delivers a placeholder for every declared output, and approves. For trials of a plan without a model."""
    order = dispatch.order
    event: dict[str, Any] = {
        "action": order.action,
        "task_id": order.task_id,
        "prior_status": context["ask"]["prior_status"],
    }
    if order.action == "review":
        return {"activity_event": event | {"decision": "approve", "tasks": [order.task_id]}}
    if order.action == "claim":
        return {"activity_event": event}
    task = context["task"]
    files = [path for path in task["outputs"].get("files", []) if isinstance(path, str)]
    event["verification"] = {
        "checks": [f"{path} exists and is not empty" for path in files] or ["no file was asked for"]
    }
    if task.get("is_hotfix"):
        event |= {"issue_id": task["issue_id"], "fixes": task["fixes"]}
        event["verification"]["checks"].append(f"issue {task['issue_id']} was read")
    headings = context.get("profile", {}).get("required_headings", [])
    body = "\n\n".join([f"# {task['title']}", *(f"{heading}\n\nPlaceholder." for heading in headings)])
    return {"activity_event": event, "file_updates": [{"path": path, "content": body + "\n"} for path in files]}
