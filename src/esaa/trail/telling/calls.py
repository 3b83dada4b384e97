"""Tells of the calls behind an agent's output: the prompt that was sent and the answer that came.

As the narrator it knows nothing of the log's vocabulary; it is called with plain values.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from esaa.trail.facts.sessions import PromptSubmitted, ResponseReceived
from esaa.trail.telling.fitting import count, sha256, text
from esaa.trail.telling.narrator import Narrator

_OF_A_MODEL = ("model", "tokens_in", "tokens_out", "cost_micro_usd")
_EXTRAS = ("client", "client_version", "sandbox")


def tell_call(narrator: Narrator, provenance: object, *, agent: str | None, task_id: str | None, digest: Any) -> None:
    """The prompt and the response behind an output; nothing, where a program that is no model got no prompt."""
    if not isinstance(provenance, dict):
        return
    prompt, model = sha256(provenance.get("prompt_sha256")), text(provenance.get("model"))
    if prompt is UNSET and not any(key in provenance for key in _OF_A_MODEL):
        return
    task = None if task_id is None else narrator.story.tasks.get(task_id)
    phase = UNSET if task is None else task.phase
    attempt = UNSET if task is None else task.attempts + 1
    if prompt is not UNSET:
        narrator.tell(
            PromptSubmitted(
                prompt_sha256=prompt,
                agent_name=agent or UNSET,
                phase=phase,
                model=model,
                template=text(provenance.get("template")),
                template_version=text(provenance.get("template_version")),
                task_id=task_id or UNSET,
                attempt=attempt,
            )
        )
    extra = {key: value for key in _EXTRAS if isinstance(value := provenance.get(key), str)}
    narrator.tell(
        ResponseReceived(
            response_sha256=sha256(digest),
            prompt_sha256=prompt,
            agent_name=agent or UNSET,
            phase=phase,
            model=model,
            tokens_in=count(provenance.get("tokens_in")),
            tokens_out=count(provenance.get("tokens_out")),
            tokens_cached=count(provenance.get("tokens_cached")),
            cost_micro_usd=count(provenance.get("cost_micro_usd")),
            task_id=task_id or UNSET,
            attempt=attempt,
            extra=extra or UNSET,
        )
    )
