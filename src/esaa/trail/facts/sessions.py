"""Sessions with a language model: begun, ended, what was sent and what came back.

Prompts and responses are named by their digests: their texts may hold what must not be kept.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from esaa.trail.facts.base import TrailFact
from esaa.trail.facts.values import Count, Number, Seconds, Sha256
from esaa.trail.facts.wording import counted, dollars, line, seconds, told


class SessionStarted(TrailFact, frozen=True, kw_only=True):
    """A session begins; its id is the event's `session_id`. Recorded by the recorder, or by a hook of the agent.

    - `model`: the language model.
    - `client`: the program in which the session runs, such as `claude-code`.
    - `client_version`: its version.
    - `working_directory`: where it runs.
    - `trigger`: what began it, such as `startup`, `resume` or `schedule`.
    - `resumed_from`: the id of the session that it goes on from.
    - `permission_mode`: what the agent may do without asking, in the client's own word.
    """

    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    client: str | UnsetType = UNSET
    client_version: str | UnsetType = UNSET
    working_directory: str | UnsetType = UNSET
    trigger: str | UnsetType = UNSET
    resumed_from: str | UnsetType | None = UNSET
    permission_mode: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        who = f"{told(' of {}', self.agent_name)}{told(' in {}', self.client)}{told(' with {}', self.model)}"
        return line(f"session{who} begins{told(' ({})', self.trigger)}")


class SessionEnded(TrailFact, frozen=True, kw_only=True):
    """A session is over. Recorded by the recorder, or by a hook of the agent.

    - `outcome`: how it ended.
    - `end_reason`: why, in words.
    - `prompts_count`: how many prompts were sent in it.
    - `tools_count`: how many tools were used in it.
    - `tokens_in`: how many tokens were sent to the model.
    - `tokens_out`: how many tokens came back.
    - `cost_micro_usd`: what it cost, in millionths of a dollar.
    """

    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    outcome: Literal["completed", "failed", "cancelled", "interrupted", "timed_out"] | UnsetType = UNSET
    end_reason: str | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    prompts_count: Count | UnsetType = UNSET
    tools_count: Count | UnsetType = UNSET
    tokens_in: Count | UnsetType = UNSET
    tokens_out: Count | UnsetType = UNSET
    cost_micro_usd: Count | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        outcome = told(" ({})", self.outcome, lambda name: name.replace("_", " "))
        took = told(" after {}", self.duration_seconds, seconds)
        prompts = told(", {}", self.prompts_count, lambda total: counted(total, "prompt"))
        cost = told(", {}", self.cost_micro_usd, dollars)
        why = told(": {}", self.end_reason)
        return line(f"session{told(' of {}', self.agent_name)} ends{took}{outcome}{prompts}{cost}{why}")


class PromptSubmitted(TrailFact, frozen=True, kw_only=True):
    """A prompt was sent to a language model. Recorded by the adapter that sent it, or by a hook of the agent.

    Never repeated by a replay: it costs money, and the answer is another one each time.

    - `prompt_sha256`: the digest of the prompt as it was sent.
    - `prompt_id`: the prompt's name; the response carries it too.
    - `chars`: how many characters it has.
    - `tokens`: how many tokens it has.
    - `model`: the language model.
    - `template`: the template that it was made from.
    - `template_version`: the version of the template, or its digest.
    - `task_id`: the task that it is about.
    - `attempt`: which attempt at the task it is, from 1.
    - `excerpt`: its beginning, where that may be kept.
    """

    prompt_sha256: Sha256
    prompt_id: str | UnsetType = UNSET
    chars: Count | UnsetType = UNSET
    tokens: Count | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    template: str | UnsetType = UNSET
    template_version: str | UnsetType = UNSET
    task_id: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET
    excerpt: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        to = told(" to {}", self.agent_name) or told(" to {}", self.model)
        chars = told(" of {}", self.chars, lambda total: f"{total:,} characters")
        return line(f"prompt{chars}{to}{told(' for {}', self.task_id)}" + told(": {}", self.excerpt))


class ResponseReceived(TrailFact, frozen=True, kw_only=True):
    """A language model answered. Recorded by the adapter that got the answer, or by a hook of the agent.

    - `response_sha256`: the digest of the answer as it came.
    - `prompt_id`: the prompt that it answers.
    - `prompt_sha256`: the digest of the prompt that it answers.
    - `model`: the language model that answered.
    - `chars`: how many characters the answer has.
    - `tokens_in`: how many tokens the prompt has.
    - `tokens_out`: how many tokens the answer has.
    - `tokens_cached`: how many tokens of the prompt the model had seen before.
    - `cost_micro_usd`: what it cost, in millionths of a dollar.
    - `stop_reason`: why the answer ends, in the model's own word.
    - `task_id`: the task that it is about.
    - `attempt`: which attempt at the task it is, from 1.
    """

    response_sha256: Sha256 | UnsetType = UNSET
    prompt_id: str | UnsetType = UNSET
    prompt_sha256: Sha256 | UnsetType = UNSET
    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    chars: Count | UnsetType = UNSET
    tokens_in: Count | UnsetType = UNSET
    tokens_out: Count | UnsetType = UNSET
    tokens_cached: Count | UnsetType = UNSET
    cost_micro_usd: Count | UnsetType = UNSET
    duration_seconds: Seconds | UnsetType = UNSET
    stop_reason: str | UnsetType | None = UNSET
    task_id: str | UnsetType = UNSET
    attempt: Number | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        of = told(" of {}", self.agent_name) or told(" of {}", self.model)
        took = told(" after {}", self.duration_seconds, seconds)
        tokens = told(", {} tokens", self.tokens_out, lambda total: f"{total:,}")
        cost = told(", {}", self.cost_micro_usd, dollars)
        return line(f"response{of}{told(' for {}', self.task_id)}{took}{tokens}{cost}")


class ContextCompacted(TrailFact, frozen=True, kw_only=True):
    """What an agent has in mind was shortened; it may have forgotten something. Recorded by a hook of the agent.

    - `trigger`: whether it happened by itself or was asked for.
    - `model`: the language model.
    - `tokens_before`: how many tokens it had in mind before.
    - `tokens_after`: how many tokens it has in mind after.
    - `messages_dropped`: how many messages are gone.
    - `summary_sha256`: the digest of the summary that replaces them.
    - `instructions`: what was asked to be kept.
    """

    agent_name: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    trigger: Literal["auto", "manual"] | UnsetType = UNSET
    model: str | UnsetType = UNSET
    tokens_before: Count | UnsetType = UNSET
    tokens_after: Count | UnsetType = UNSET
    messages_dropped: Count | UnsetType = UNSET
    summary_sha256: Sha256 | UnsetType = UNSET
    instructions: str | UnsetType = UNSET

    def summary(self) -> str:
        """What happened, in one line."""
        before = told(" from {}", self.tokens_before, lambda total: f"{total:,}")
        after = told(" to {} tokens", self.tokens_after, lambda total: f"{total:,}")
        return line(f"context{told(' of {}', self.agent_name)} is shortened{before}{after}")
