"""Questions to a model about a task of a governed run, as esaa would put them."""

from __future__ import annotations

import json
from typing import Any

from esaa.agents.base import Dispatch, Prompt
from esaa.kernel.canonical import canonical, sha256_hex
from esaa.protocol.answer_schema import answer_schema
from esaa.protocol.scheduling import Order
from tests.scenarios import governance


def context_of(action: str = "complete", task_id: str = "T-1", files: tuple[str, ...] = ("src/page.txt",)) -> Any:
    """A purified context, as small as one can be."""
    statuses = {"claim": "todo", "complete": "in_progress", "review": "review"}
    return {
        "context_version": 1,
        "actor": "agent-impl",
        "ask": {
            "action": action,
            "task_id": task_id,
            "attempt": 1,
            "template": "impl.core",
            "prior_status": statuses[action],
        },
        "task": {"title": "The page", "outputs": {"files": list(files)}},
    }


def prompt_of(context: Any) -> Prompt:
    """A prompt with the context in it."""
    system = "You propose. An example: `{not json}`."
    user = f"Do what is asked {{here}}.\n\n```json\n{json.dumps(context, indent=1)}\n```\n"
    digest = sha256_hex(canonical({"system": system, "user": user}))
    return Prompt(template="impl.core", template_version="1", system=system, user=user, sha256=digest)


def dispatch_of(action: str = "complete", task_id: str = "T-1", timeout_s: float = 30.0) -> Dispatch:
    """A dispatch for that prompt, with the schema of the answer that a run would ask for."""
    context = context_of(action, task_id)
    order = Order(task_id=task_id, action=action, actor="agent-impl", attempt=1, template="impl.core")
    return Dispatch(
        order=order,
        context=json.dumps(context).encode(),
        timeout_s=timeout_s,
        prompt=prompt_of(context),
        schema=answer_schema(action, governance()),
    )
