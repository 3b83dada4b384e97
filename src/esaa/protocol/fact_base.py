"""What all facts of the governed run have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

Json = Any  # a JSON value exactly as it was sent


class FactBase(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all facts. `action_name` is the wire name.

    Fields that mean the same wherever they occur:

    - `task_id`: the task that the event is about.
    - `action`: the act again, for an agent's act is recorded as the agent sent it.
    - `prior_status`: the status that the agent believed the task to have; it was compared with the real one.
    - `notes`: the agent's remark for the record.
    - `issue_id`: the issue that the event is about.
    - `baseline_id`: the baseline of the project that it belongs to.
    - `signature`: where the workspace takes only signed outputs, the one under which the act was taken: the workspace,
      what was asked and the attempt, the key, the digest of the result, and the signature itself.
    - `erasable`: the texts that lie beside the log, where they can be erased: `[{"path", "commitment", "bytes"}]`.
    - `provenance`: where a dispatched agent's output came from, as far as it is known: `prompt_sha256`, `template`,
      `template_version`, `model`, `client`, `client_version`, `tokens_in`, `tokens_out`, `tokens_cached`,
      `cost_micro_usd`, `sandbox`. It is the orchestrator's word, never the agent's, and no projection holds it.
    """

    action_name: ClassVar[str] = ""
