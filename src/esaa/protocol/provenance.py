"""Where an agent's output came from: the prompt, the model, the program, and what the call used.

It is recorded beside the act, is no part of the projection, and is never taken from an agent's own output.
"""

from __future__ import annotations

from typing import Any

import msgspec

from esaa.protocol.prompts import Prompt


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call used; None where the agent does not say.

    `client` is `claude-code`, `codex`, `gemini-cli`, `anthropic`, `openai`, `google`, `acp:NAME` or `command`.
    `tokens_cached` is the part of `tokens_in` that came from a cache. `cost_micro_usd` is what the agent reported, in
    millionths of a US dollar; it is never computed here. `sandbox` is the level that was in force: `bubblewrap`,
    `landlock` or `none`. `remarks` is what the adapter saw and no result can say.
    """

    model: str | None = None
    client: str | None = None
    client_version: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_micro_usd: int | None = None
    duration_s: float | None = None
    sandbox: str | None = None
    remarks: tuple[str, ...] = ()


def provenance_of(usage: Usage, prompt: Prompt | None) -> dict[str, Any] | None:
    """What is recorded beside an act: what is known of the prompt and of the call; None where nothing is.

    How long a call took is left out: no two runs agree on it, and the times of the events say enough.
    """
    known: dict[str, Any] = {}
    if prompt is not None:
        known = {
            "prompt_sha256": prompt.sha256,
            "template": prompt.template,
            "template_version": prompt.template_version,
        }
    known |= msgspec.to_builtins(usage)
    known.pop("duration_s", None)
    return known or None
